"""One execution of a pipe: a batch of events through enrichment to the target.

What the target has not taken is named by its messageId or eventID, so that it comes again alone, and its reason is
noted as that of a failure of the whole is.
AWS: EventBridge User Guide, "Amazon EventBridge Pipes batching and concurrency" (partial batch failure), "Event
enrichment in Amazon EventBridge Pipes".
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Arn
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.tasks import NotBegun
from undercast.services.event_sources.queue_events import failed_items
from undercast.services.pipes.consumer import Consumer
from undercast.services.pipes.events import batch_text, identifier_of, shaped
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.models import Pipe
from undercast.services.pipes.targets import MOST, SENDERS, Sending, iso_seconds
from undercast.services.pipes.troubles import CALL, told
from undercast.services.target_calls import scope_of

Event = Any
Failed = Mapping[str, str]
"""Why, by the event's id."""
_NOTHING: Failed = MappingProxyType({})
MOST_NAMED = 100
"""So many of the events of one execution that have failed have a note of their own."""


class Execution:
    """Runs batches of one pipe."""

    def __init__(self, pipes: Pipes, pipe: Pipe, consumer: Consumer) -> None:
        self._pipes = pipes
        self._pipe = pipe
        self._consumer = consumer

    async def run(self, events: Sequence[Mapping[str, Any]], kind: str) -> Collection[str]:
        """The ids of the events that have failed. Raises ServiceError: then all have; NotBegun: nobody has seen any."""
        execution_id = self._pipes.ids.uuid()
        self._consumer.note(execution_id, kind, [identifier_of(event) for event in events])
        try:
            with self._pipes.measures.execution(self._pipe, len(events)):
                failed = await self._run(events, execution_id)
        except ServiceError as error:
            self._pipes.causality.not_delivered(execution_id, told(error), self._pipe.scope)
            self._pipes.troubles.failed(self._pipe, CALL, told(error))
            raise
        if failed:
            self._note(execution_id, failed)
        else:
            self._pipes.troubles.worked(self._pipe, CALL)
        return failed.keys()

    def _note(self, execution_id: str, failed: Failed) -> None:
        """Why events of it have failed, each by itself; the rest, where there are very many, as a number."""
        for one, why in tuple(failed.items())[:MOST_NAMED]:
            self._pipes.causality.not_delivered(execution_id, f"{one}: {why}", self._pipe.scope)
        if len(failed) > MOST_NAMED:
            more = f"{len(failed) - MOST_NAMED} more have failed"
            self._pipes.causality.not_delivered(execution_id, more, self._pipe.scope)
        for why in sorted(frozenset(failed.values())):
            self._pipes.troubles.failed(self._pipe, CALL, why)

    async def _run(self, events: Sequence[Mapping[str, Any]], execution_id: str) -> Failed:
        ids = [identifier_of(event) for event in events]
        ctx = await self._consumer.as_role(Cause(kind="delivery", id=execution_id))
        through: Sequence[Event] = events
        if self._pipe.given.get("Enrichment"):
            with self._pipes.measures.stage(self._pipe, "EnrichmentStage"):
                through = await self._enriched(ctx, events)
        if not through:
            self._pipes.measures.skipped(self._pipe)
            return _NOTHING
        with self._pipes.measures.stage(self._pipe, "TargetStage"):
            try:
                failed = await self._sent(ctx, through, frozenset(ids))
            except NotBegun:
                if self._pipe.given.get("Enrichment"):
                    raise asyncio.CancelledError from None  # the enrichment has seen the events
                raise
        self._pipes.measures.ended(self._pipe, len(failed))
        return failed

    async def _enriched(self, ctx: RequestContext, events: Sequence[Event]) -> Sequence[Event]:
        """What the function makes of the batch; nothing, where it answers with an empty array or with nothing."""
        template = (self._pipe.given.get("EnrichmentParameters") or {}).get("InputTemplate") or ""
        answer = await invoked(ctx, self._pipe.given["Enrichment"], self._batch(template, events))
        try:
            found = json_values.parse(answer) if answer else None
        except ValueError:
            return [answer.decode(errors="replace")]
        if found is None or found in ("", {}):
            return []
        return found if isinstance(found, list) else [found]

    def _batch(self, template: str, events: Sequence[Event]) -> str:
        now = iso_seconds(self._pipes.clock.now())
        return batch_text([shaped(self._pipe, template, event, now) for event in events])

    async def _sent(self, ctx: RequestContext, events: Sequence[Event], ids: frozenset[str]) -> Failed:
        pipe = self._pipe
        service, template = Arn.parse(pipe.target).service, pipe.target_parameters.get("InputTemplate") or ""
        if service == "lambda":
            return await self._sent_to_function(ctx, self._batch(template, events), ids)
        if len(events) > MOST[service]:
            raise ServiceError("ValidationException", f"The target takes {MOST[service]} events at once.")
        now = self._pipes.clock.now()
        texts = tuple(shaped(pipe, template, event, iso_seconds(now)) for event in events)
        sending = Sending(pipe=pipe, events=tuple(events), texts=texts, now=now)
        failed = await SENDERS[service](ctx, sending)
        return self._named([(events[place], why) for place, why in failed.items()], ids)

    async def _sent_to_function(self, ctx: RequestContext, text: str, ids: frozenset[str]) -> Failed:
        how = (self._pipe.target_parameters.get("LambdaFunctionParameters") or {}).get("InvocationType")
        if how == "FIRE_AND_FORGET":
            params = {"FunctionName": self._pipe.target, "InvocationType": "Event", "Payload": text.encode()}
            await ctx.call("lambda", "Invoke", params, scope=scope_of(self._pipe.target, ctx.scope))
            return _NOTHING
        answer = await invoked(ctx, self._pipe.target, text)
        failed = failed_items(answer, ids)
        return dict.fromkeys(sorted(failed or ()), "the function names it in batchItemFailures")

    @staticmethod
    def _named(failed: Sequence[tuple[Event, str]], ids: frozenset[str]) -> Failed:
        """All of the batch where an event that failed does not say which one it came from."""
        named = {identifier_of(event): why for event, why in failed}
        return named if ids.issuperset(named) else dict.fromkeys(sorted(ids), failed[0][1])


async def invoked(ctx: RequestContext, function: str, text: str) -> bytes:
    """A function's answer. Raises ServiceError, for its own errors as well."""
    params = {"FunctionName": function, "InvocationType": "RequestResponse", "Payload": text.encode()}
    answer = await ctx.call("lambda", "Invoke", params, scope=scope_of(function, ctx.scope))
    payload = answer.get("Payload") or b""
    body: bytes = payload if isinstance(payload, bytes) else await payload.read()
    if "FunctionError" in answer:
        raise ServiceError("FunctionError", body.decode(errors="replace")[:1024])
    return body
