"""A batch of a queue's messages at work: the function is invoked, and says what it has done.

AWS: Lambda Developer Guide, "Using Lambda with Amazon SQS", "Handling errors for an SQS event source in Lambda".
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Hashable
from functools import reduce

from undercast.core.arn import Arn
from undercast.core.backoff import Backoff
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.tasks import NotBegun, not_begun
from undercast.events.poller import Processed, Unavailable
from undercast.sandbox.model import InvocationResult
from undercast.services.event_sources.queue_events import REPORTS, failed_items
from undercast.services.event_sources.queue_source import Batch, Done, url_of
from undercast.services.event_sources.reading import moment_or
from undercast.services.lambda_.consumer import FAILED, Consumer
from undercast.services.lambda_.execution import RECURSIVE
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.lineage import mark, of_header, shared
from undercast.services.lambda_.mapping_measures import MappingMeasures
from undercast.services.lambda_.mapping_store import EventSourceMapping

BACKOFF = Backoff(longest_s=300.0)
"""The numbers are ours. What is left of the visibility timeout ends the attempts."""


class QueueWork:
    """Of one mapping. See `event_sources.queue_source.Work`."""

    def __init__(
        self, functions: Lambda, mapping: EventSourceMapping, consumer: Consumer, measures: MappingMeasures
    ) -> None:
        self._functions = functions
        self._measures = measures
        self._consumer = consumer
        self._arn = Arn.parse(mapping.source_arn)
        self._mark = mark(":".join(mapping.function_arn.split(":")[:7]))
        self._reports = REPORTS in mapping.configuration.get("FunctionResponseTypes", ())
        self._closed = False
        self._turns: deque[asyncio.Event] = deque()
        """Of the throttled batches, which wait for their next attempt; the longest waiting first."""

    def crowded(self) -> bool:
        """See `Work`. Where one was throttled, more would be as well."""
        return bool(self._turns) or self._consumer.crowded()

    def close(self) -> None:
        """See `Work`."""
        self._closed = True
        for turn in self._turns:
            turn.set()

    def alike(self, trace_header: str) -> Hashable:
        """See `Work`. Each message is counted by its own chain: how many runs of the function are behind it."""
        return of_header(trace_header).get(self._mark)

    async def process(self, batch: Batch) -> Done:
        """See `Work`. What is not done is counted as failed."""
        done: Done | None = None
        try:
            done = await self._process(batch)
            return done
        finally:
            self._measures.failed(len(batch.messages) - (len(done.ids) if done is not None else 0))

    async def _process(self, batch: Batch) -> Done:
        """What belongs to a loop is left to come back, and to its queue's dead-letter queue."""
        try:
            answered = await self._invoke(batch)
        except ServiceError as error:
            if error.code != RECURSIVE:
                raise
            return Done((), Processed(result=f"PROBLEM: {error}"))
        if answered is None:
            return Done((), Processed(result="PROBLEM: Function call throttled", backs_off=True))
        if self._turns:  # the function has room for another one
            self._turns.popleft().set()
        if answered.function_error is not None:
            return Done((), Processed(result=FAILED, backs_off=not self._reports))
        failed: frozenset[str] | None = frozenset()
        if self._reports:
            failed = failed_items(answered.payload, frozenset(batch.messages))
        if failed is None:
            return Done((), Processed(result=FAILED))
        return Done(batch.messages.keys() - failed, Processed(result=FAILED if failed else "OK"))

    async def _invoke(self, batch: Batch) -> InvocationResult | None:
        """None when the function was throttled for as long as the messages are hidden and it could still run them.

        Raises NotBegun where it is cancelled before the function has them, also between two attempts.
        """
        records = ", ".join(taken.record for taken in batch.messages.values())
        payload = f'{{"Records": [{records}]}}'.encode()
        request_id, visibility_s, throttles = self._functions.ids.uuid(), None, 0
        self._consumer.note(request_id, "message", tuple(batch.messages))
        traces = tuple(taken.trace_header for taken in batch.messages.values() if taken.trace_header)
        chain = reduce(shared, [of_header(taken.trace_header) for taken in batch.messages.values()])
        while True:
            try:
                with not_begun():
                    resolved = await self._consumer.resolve()
                self._measures.invoked(len(batch.messages))
                return await self._consumer.run(resolved, request_id, payload, traces, chain)
            except (ServiceError, Unavailable) as error:
                self._consumer.not_delivered(request_id, error)
                if not isinstance(error, ServiceError) or error.code != "TooManyRequestsException":
                    raise
            with not_begun():
                if visibility_s is None:
                    visibility_s = await self._visibility_s(batch.ctx)
                again_at = self._functions.clock.now() + BACKOFF.wait_s(throttles)
                if again_at + resolved.function.timeout_s > batch.received_at + visibility_s:
                    return None
                await self._rest(again_at)
            throttles += 1

    async def _rest(self, again_at: float) -> None:
        """Wait for the next attempt, which comes early where another batch has ended.

        Raises NotBegun where nobody reads any more: every attempt was turned away.
        """
        turn = asyncio.Event()
        self._turns.append(turn)
        try:
            if not self._closed:
                await moment_or(turn, self._functions.clock, again_at)
        finally:
            with contextlib.suppress(ValueError):
                self._turns.remove(turn)
        if self._closed:
            raise NotBegun

    async def _visibility_s(self, ctx: RequestContext) -> int:
        params = {"QueueUrl": url_of(ctx, self._arn), "AttributeNames": ["VisibilityTimeout"]}
        return int((await ctx.call("sqs", "GetQueueAttributes", params))["Attributes"]["VisibilityTimeout"])
