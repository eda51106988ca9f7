"""A queue as an event source: receives, invokes, deletes, each as the function's role.

What the function has not done stays in the queue and comes back after its visibility timeout; the queue alone counts
receives and moves messages to its dead-letter queue. A FIFO group never runs twice at once, whatever times out.
AWS: Lambda Developer Guide, "Using Lambda with Amazon SQS", "Handling errors for an SQS event source in Lambda".
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.events.poller import FIRST_BATCHES, Processed, Unavailable
from undercast.sandbox.model import InvocationResult
from undercast.services.event_sources.lane import MAX_EVENT_BYTES
from undercast.services.event_sources.queue_events import (
    REPORTS,
    failed_items,
    is_wanted,
    patterns_of,
    record_of,
    text_of,
)
from undercast.services.lambda_.consumer import FAILED, Consumer
from undercast.services.lambda_.execution import RECURSIVE
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.lineage import Chain, mark, of_header, shared
from undercast.services.lambda_.mapping_store import EventSourceMapping

MOST_BATCHES = 1000
LONG_POLL_S = 20
AT_ONCE = 10
"""Messages of one ReceiveMessage or DeleteMessageBatch."""
THROTTLE_BACKOFF_S = 1.0
_FRAME = len('{"Records": []}')

Record = Mapping[str, Any]
"""One entry of the event's Records."""


class Taken(NamedTuple):
    """A message that was received."""

    handle: str
    record: str
    """Its entry of Records, as JSON."""
    size_bytes: int
    trace_header: str = ""


@dataclass(slots=True, eq=False)
class Batch:
    """Messages for one invocation."""

    ctx: RequestContext
    """As the function's role."""
    received_at: float
    messages: dict[str, Taken] = field(default_factory=dict)
    """By message id, in the order in which they came."""
    groups: set[str] = field(default_factory=set)
    size_bytes: int = _FRAME
    chain: Chain = field(default_factory=dict)
    """What led to each of them."""


class QueueSource:
    """See `events.poller.Source`."""

    def __init__(self, functions: Lambda, mapping: EventSourceMapping) -> None:
        settings = mapping.configuration
        self._functions = functions
        self._consumer = Consumer(functions, mapping)
        self._mapping = mapping
        self._arn = Arn.parse(mapping.source_arn)
        self._is_fifo = mapping.source_arn.endswith(".fifo")
        self._batch_size: int = settings["BatchSize"]
        self._window_s: int = settings.get("MaximumBatchingWindowInSeconds", 0)
        self._reports = REPORTS in settings.get("FunctionResponseTypes", ())
        self._most: int = settings.get("ScalingConfig", {}).get("MaximumConcurrency", MOST_BATCHES)
        self._patterns = patterns_of(settings.get("FilterCriteria", {}))
        self._carried: list[Record] = []
        """Received, but the batch before had no room for them."""
        self._polling: asyncio.Task[Sequence[Record]] | None = None
        """A ReceiveMessage that outlives the window of the batch that it began for."""
        self._mark = mark(":".join(mapping.function_arn.split(":")[:7]))
        self._groups: set[str] = set()
        """FIFO groups of which messages are being processed."""

    at_first = FIRST_BATCHES

    @property
    def most(self) -> int:
        """See `Source`."""
        return self._most

    def crowded(self) -> bool:
        """See `Source`."""
        return self._consumer.crowded()

    async def take(self) -> Batch | None:
        """See `Source`. The function is looked at first: a message that nobody can run is not received."""
        ctx = await self._consumer.as_role(await self._consumer.resolve())
        batch = Batch(ctx, self._functions.clock.now())
        carried, self._carried = self._carried, []
        self._add(batch, carried)
        try:
            if not batch.messages:
                self._add(batch, await self._first(batch))
            if batch.messages and self._window_s:
                await self._gather(batch)
        except ServiceError as error:
            raise Unavailable(f"{error.code}: {error.message}") from error
        self._groups |= batch.groups
        return batch if batch.messages else None

    async def process(self, batch: Batch) -> Processed:
        """See `Source`."""
        try:
            return await self._process(batch)
        except (ServiceError, Unavailable) as error:
            dropped = isinstance(error, ServiceError) and error.code == RECURSIVE
            return Processed(result=f"PROBLEM: {error}", backs_off=not dropped)
        finally:
            self._groups -= batch.groups

    async def close(self) -> None:
        """See `Source`."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait([self._polling])

    # Receiving

    async def _first(self, batch: Batch) -> Sequence[Record]:
        """The messages that begin a batch, as soon as there are any."""
        if self._polling is None:
            messages = await self._receive(batch.ctx, min(AT_ONCE, self._batch_size))
        else:
            messages = await self._polled(self._polling)
        batch.received_at = self._functions.clock.now()
        return messages

    async def _gather(self, batch: Batch) -> None:
        """Add what comes within the batching window, up to the batch's size."""
        ends_at = self._functions.clock.now() + self._window_s
        window = asyncio.get_running_loop().create_task(self._functions.clock.wait_until(ends_at))
        try:
            while (room := self._batch_size - len(batch.messages)) > 0 and not self._carried:
                if self._polling is None:
                    wanted = min(AT_ONCE, room)
                    self._polling = asyncio.get_running_loop().create_task(self._receive(batch.ctx, wanted))
                await asyncio.wait({self._polling, window}, return_when=asyncio.FIRST_COMPLETED)
                if not self._polling.done():
                    return
                self._add(batch, await self._polled(self._polling))
                if window.done():
                    return
        finally:
            window.cancel()

    async def _polled(self, polling: asyncio.Task[Sequence[Record]]) -> Sequence[Record]:
        await asyncio.wait([polling])
        self._polling = None
        return polling.result()

    async def _receive(self, ctx: RequestContext, most: int) -> Sequence[Record]:
        """What the function wants of the next messages; the others are deleted."""
        params = {
            "QueueUrl": self._url(ctx),
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": LONG_POLL_S,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        answer = await ctx.call("sqs", "ReceiveMessage", params)
        await asyncio.sleep(0)  # not to wait: a full queue answers at once, and others want the loop in between
        arn, region = self._mapping.source_arn, self._arn.region
        records = [record_of(message, arn, region) for message in answer.get("Messages", ())]
        wanted = [record for record in records if is_wanted(record, self._patterns)]
        if len(wanted) < len(records):
            others = [record["receiptHandle"] for record in records if record not in wanted]
            await self._delete(ctx, others)
        return wanted

    def _url(self, ctx: RequestContext) -> str:
        return f"{ctx.endpoint}/{self._arn.account_id}/{self._arn.resource}"

    def _add(self, batch: Batch, records: Sequence[Record]) -> None:
        """Put messages into the batch; those that make the event too large wait for the next one.

        Of a FIFO queue they are left to come back, as are those of a group that is being processed: their visibility
        timeout ended before that was done. One that came back while the batch was gathered replaces itself.
        What is behind more or fewer runs of the function than the batch waits for the next one, too, so that each
        message is counted by its own chain.
        """
        for place, record in enumerate(records):
            group = record["attributes"].get("MessageGroupId", "") if self._is_fifo else ""
            if group in self._groups:
                continue
            text = text_of(record)
            trace = record["attributes"].get("AWSTraceHeader", "")
            chain = of_header(trace)
            if batch.messages and not self._is_fifo and chain.get(self._mark) != batch.chain.get(self._mark):
                self._carried.append(record)
                continue
            taken = Taken(record["receiptHandle"], text, len(text.encode()) + len(", "), trace)
            before = batch.messages.get(record["messageId"])
            size_bytes = batch.size_bytes + taken.size_bytes - (before.size_bytes if before is not None else 0)
            full = len(batch.messages) >= self._batch_size and before is None
            if batch.messages and (full or size_bytes > MAX_EVENT_BYTES):
                if not self._is_fifo:
                    self._carried += records[place:]
                return
            batch.chain = shared(batch.chain, chain) if batch.messages else chain
            batch.messages[record["messageId"]] = taken
            batch.size_bytes = size_bytes
            if group:
                batch.groups.add(group)

    # Processing

    async def _process(self, batch: Batch) -> Processed:
        answered = await self._invoke(batch)
        if answered is None:
            return Processed(result="PROBLEM: Function call throttled", backs_off=True)
        if answered.function_error is not None:
            return Processed(result=FAILED, backs_off=not self._reports)
        failed: frozenset[str] | None = frozenset()
        if self._reports:
            failed = failed_items(answered.payload, frozenset(batch.messages))
        if failed is None:
            return Processed(result=FAILED)
        await self._delete(batch.ctx, [taken.handle for one, taken in batch.messages.items() if one not in failed])
        return Processed(result=FAILED if failed else "OK")

    async def _invoke(self, batch: Batch) -> InvocationResult | None:
        """None when the function was throttled for as long as the messages are hidden and it could still run them."""
        records = ", ".join(taken.record for taken in batch.messages.values())
        payload = f'{{"Records": [{records}]}}'.encode()
        request_id, visibility_s, delay_s = self._functions.ids.uuid(), None, THROTTLE_BACKOFF_S
        self._consumer.note(request_id, "message", tuple(batch.messages))
        traces = tuple(taken.trace_header for taken in batch.messages.values() if taken.trace_header)
        while True:
            resolved = await self._consumer.resolve()
            try:
                return await self._consumer.run(resolved, request_id, payload, traces, batch.chain)
            except ServiceError as error:
                if error.code != "TooManyRequestsException":
                    raise
            if visibility_s is None:
                visibility_s = await self._visibility_s(batch.ctx)
            again_at = self._functions.clock.now() + delay_s
            if again_at + resolved.function.timeout_s > batch.received_at + visibility_s:
                return None
            await self._functions.clock.wait_until(again_at)
            delay_s *= 2

    async def _visibility_s(self, ctx: RequestContext) -> int:
        params = {"QueueUrl": self._url(ctx), "AttributeNames": ["VisibilityTimeout"]}
        return int((await ctx.call("sqs", "GetQueueAttributes", params))["Attributes"]["VisibilityTimeout"])

    async def _delete(self, ctx: RequestContext, handles: Sequence[str]) -> None:
        """What cannot be deleted comes back, and is processed again: at least once."""
        for start in range(0, len(handles), AT_ONCE):
            some = handles[start : start + AT_ONCE]
            entries = [{"Id": str(place), "ReceiptHandle": handle} for place, handle in enumerate(some)]
            params = {"QueueUrl": self._url(ctx), "Entries": entries}
            await ctx.call("sqs", "DeleteMessageBatch", params)
            await asyncio.sleep(0)  # not to wait: a batch has up to 10,000 messages
