"""A queue as an event source: receives, has batches processed, deletes, each as the consumer's role.

What the consumer has not done stays in the queue and comes back after its visibility timeout; the queue alone counts
receives and moves messages to its dead-letter queue. A FIFO group never runs twice at once, whatever times out.
AWS: Lambda Developer Guide, "Using Lambda with Amazon SQS", "Handling errors for an SQS event source in Lambda".
"""

import asyncio
import logging
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from undercast.core.arn import Arn, is_fifo
from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import platform_principal
from undercast.core.tasks import NotBegun
from undercast.events.poller import FIRST_BATCHES, Processed, Unavailable
from undercast.services.event_sources.lane import MAX_EVENT_BYTES
from undercast.services.event_sources.pollers import INVOKES_EACH, provisioned
from undercast.services.event_sources.queue_events import is_wanted, patterns_of, record_of, text_of
from undercast.services.event_sources.reading import Reading, Watch

MOST_BATCHES = 1000
LONG_POLL_S = 20
AT_ONCE = 10
"""Messages of one ReceiveMessage or DeleteMessageBatch."""
_FRAME = len('{"Records": []}')
log = logging.getLogger(__name__)

Record = Mapping[str, Any]
"""One entry of the event's Records."""


def url_of(ctx: RequestContext, queue: Arn) -> str:
    """A queue's URL, in the platform's own form."""
    return f"{ctx.endpoint}/{queue.account_id}/{queue.resource}"


class Taken(NamedTuple):
    """A message that was received."""

    handle: str
    record: str
    """Its entry of Records, as JSON."""
    size_bytes: int
    trace_header: str = ""


@dataclass(slots=True, eq=False)
class Batch:
    """Messages that are processed together."""

    ctx: RequestContext
    """As the consumer's role."""
    received_at: float
    messages: dict[str, Taken] = field(default_factory=dict)
    """By message id, in the order in which they came."""
    groups: set[str] = field(default_factory=set)
    size_bytes: int = _FRAME
    alike: Hashable = None
    """What its messages have in common, as its consumer wants it."""


class Done(NamedTuple):
    """What a consumer made of a batch: the ids of the messages that need not come again."""

    ids: Collection[str]
    processed: Processed


class Work(Protocol):
    """What becomes of batches."""

    def crowded(self) -> bool:
        """Whether batches already wait for a place to run."""
        ...

    def alike(self, trace_header: str) -> Hashable:
        """What the messages of one batch must have in common; of a FIFO queue, whose order counts, they need not."""
        ...

    async def process(self, batch: Batch) -> Done:
        """Consume it. Raises ServiceError, Unavailable: then all of it comes again.

        Raises NotBegun, cancelled or closed, where nobody has been shown any of it.
        """
        ...

    def close(self) -> None:
        """Nobody reads any more: what waits for its next attempt goes back."""
        ...


class QueueWatch(Watch, Protocol):
    """Who counts what comes and goes."""

    def polling(self, batches: int) -> None:
        """The queue is asked while so many batches are being processed."""
        ...

    def deleted(self, events: int) -> None:
        """Deleted behind a success."""
        ...


class QueueSource:
    """See `events.poller.Source`."""

    def __init__(self, clock: PlatformClock, reading: Reading, work: Work, watch: QueueWatch | None = None) -> None:
        settings = reading.settings
        self._clock = clock
        self._watch = watch
        self._consumer = reading.consumer
        self._work = work
        self._source_arn = reading.source_arn
        self._arn = Arn.parse(reading.source_arn)
        self._is_fifo = is_fifo(reading.source_arn)
        self._batch_size: int = settings["BatchSize"]
        self._window_s: int = settings.get("MaximumBatchingWindowInSeconds", 0)
        self._most: int = settings.get("ScalingConfig", {}).get("MaximumConcurrency", MOST_BATCHES)
        self._at_first = FIRST_BATCHES
        if pollers := provisioned(settings):
            self._most, self._at_first = pollers.most * INVOKES_EACH, pollers.least * INVOKES_EACH
        self._running = 0
        """Batches that are being processed."""
        # What no filter wants is deleted: where a stored one is refused now, the queue is not read, and that is told.
        self._patterns = patterns_of(settings.get("FilterCriteria", {}))
        self._carried: list[Record] = []
        """Received, but the batch before had no room for them."""
        self._held: dict[str, None] = {}
        """Receipt handles of what was received and is not being processed."""
        self._ctx: RequestContext | None = None
        """That of the last wait for a batch."""
        self._polling: asyncio.Task[Sequence[Record]] | None = None
        """The ReceiveMessage that runs. It may outlive its batch's window; what it brings is ours, whenever it ends."""
        self._groups: set[str] = set()
        """FIFO groups of which messages are being processed."""

    @property
    def at_first(self) -> int:
        """See `Source`."""
        return self._at_first

    @property
    def most(self) -> int:
        """See `Source`."""
        return self._most

    def crowded(self) -> bool:
        """See `Source`."""
        return self._work.crowded()

    async def take(self) -> Batch | None:
        """See `Source`. The consumer is looked at first: a message that nobody can process is not received.

        An error behind the first message ends the batch; if it lasts, the next wait meets it again.
        """
        ctx = self._ctx = await self._consumer.context()
        batch = Batch(ctx, self._clock.now())
        carried, self._carried = self._carried, []
        self._add(batch, carried)
        try:
            if not batch.messages:
                self._add(batch, await self._first(batch))
            if batch.messages and self._window_s:
                await self._gather(batch)
        except ServiceError as error:
            if not batch.messages:
                raise Unavailable(f"{error.code}: {error.message}") from error
        if self._is_fifo and self._carried:
            await self._return([record["receiptHandle"] for record in self._carried])
            self._carried.clear()
        for taken in batch.messages.values():
            self._held.pop(taken.handle, None)
        self._groups |= batch.groups
        return batch if batch.messages else None

    async def process(self, batch: Batch) -> Processed:
        """See `Source`."""
        self._running += 1
        try:
            try:
                done = await self._work.process(batch)
            finally:
                self._groups -= batch.groups  # before the delete, behind which the queue gives what is next in them
            handles = [taken.handle for one, taken in batch.messages.items() if one in done.ids]
            deleted = await self._delete(batch.ctx, handles)
            if handles and self._watch is not None:
                self._watch.deleted(deleted)
            return done.processed
        except (ServiceError, Unavailable) as error:
            return Processed(result=f"PROBLEM: {error}", backs_off=True)
        except NotBegun:
            await self._return([taken.handle for taken in batch.messages.values()])
            raise
        finally:
            self._running -= 1

    async def close(self) -> None:
        """See `Source`. What was received and nobody began to process is in its queue as if it had not been."""
        self._work.close()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
            self._polling = None
        await self._return(tuple(self._held))

    # Receiving

    async def _first(self, batch: Batch) -> Sequence[Record]:
        """The messages that begin a batch, as soon as there are any.

        Without a window nothing outlives this wait. A receive that is cancelled when it has messages already ends as if
        it had not been: they are held, and `close` gives them back.
        """
        if self._window_s:
            messages = await self._polled(self._begun(batch.ctx, self._batch_size))
        else:
            messages = await self._receive(batch.ctx, min(AT_ONCE, self._batch_size))
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError
        batch.received_at = self._clock.now()
        return messages

    async def _gather(self, batch: Batch) -> None:
        """Add what comes within the batching window, up to the batch's size."""
        ends_at = self._clock.now() + self._window_s
        window = asyncio.get_running_loop().create_task(self._clock.wait_until(ends_at))
        try:
            while (room := self._batch_size - len(batch.messages)) > 0 and not self._carried:
                polling = self._begun(batch.ctx, room)
                await asyncio.wait({polling, window}, return_when=asyncio.FIRST_COMPLETED)
                if not polling.done():
                    return
                self._add(batch, await self._polled(polling))
                if window.done():
                    return
        finally:
            window.cancel()

    def _begun(self, ctx: RequestContext, room: int) -> asyncio.Task[Sequence[Record]]:
        """The ReceiveMessage that runs; one for so many messages, where none does."""
        if self._polling is None:
            self._polling = asyncio.get_running_loop().create_task(self._receive(ctx, min(AT_ONCE, room)))
        return self._polling

    async def _polled(self, polling: asyncio.Task[Sequence[Record]]) -> Sequence[Record]:
        await asyncio.wait([polling])
        self._polling = None
        return polling.result()

    async def _receive(self, ctx: RequestContext, most: int) -> Sequence[Record]:
        """What the filters want of the next messages; the others are deleted."""
        params = {
            "QueueUrl": self._url(ctx),
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": LONG_POLL_S,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        if self._watch is not None:
            self._watch.polling(self._running)
        answer = await ctx.call("sqs", "ReceiveMessage", params)
        self._held |= dict.fromkeys(message["ReceiptHandle"] for message in answer.get("Messages", ()))
        arn, region = self._source_arn, self._arn.region
        records = [record_of(message, arn, region) for message in answer.get("Messages", ())]
        wanted = [record for record in records if is_wanted(record, self._patterns)]
        if self._watch is not None:
            self._watch.polled(len(records))
            if self._patterns:
                self._watch.filtered_out(len(records) - len(wanted))
        if len(wanted) < len(records):
            unwanted = [record for record in records if record not in wanted]
            self._consumer.left_out("message", len(unwanted), [record["messageId"] for record in unwanted])
            others = [record["receiptHandle"] for record in unwanted]
            for handle in others:
                self._held.pop(handle, None)
            await self._delete(ctx, others)
        return wanted

    def _url(self, ctx: RequestContext) -> str:
        return url_of(ctx, self._arn)

    def _add(self, batch: Batch, records: Sequence[Record]) -> None:
        """Put messages into the batch; those that make the event too large wait for the next one.

        Of a FIFO queue they go back, for the order of their groups. Those of a group that is being processed are left
        to come back: their visibility timeout ended before that was done. One that came back while the batch was
        gathered replaces itself.
        What is not alike to the batch, as its consumer sees it, waits for the next one, too.
        """
        for place, record in enumerate(records):
            group = record["attributes"].get("MessageGroupId", "") if self._is_fifo else ""
            if group in self._groups:
                self._held.pop(record["receiptHandle"], None)
                continue
            text = text_of(record)
            trace = record["attributes"].get("AWSTraceHeader", "")
            alike = self._work.alike(trace)
            if batch.messages and not self._is_fifo and alike != batch.alike:
                self._carried.append(record)
                continue
            taken = Taken(record["receiptHandle"], text, len(text.encode()) + len(", "), trace)
            before = batch.messages.get(record["messageId"])
            size_bytes = batch.size_bytes + taken.size_bytes - (before.size_bytes if before is not None else 0)
            full = len(batch.messages) >= self._batch_size and before is None
            if batch.messages and (full or size_bytes > MAX_EVENT_BYTES):
                self._carried += records[place:]
                return
            if before is not None:
                self._held.pop(before.handle, None)
            batch.alike = batch.alike if batch.messages else alike
            batch.messages[record["messageId"]] = taken
            batch.size_bytes = size_bytes
            if group:
                batch.groups.add(group)

    async def _return(self, handles: Sequence[str]) -> None:
        """Give back what nobody was shown: visible at once, its receive not counted.

        As the platform itself: a role that may receive need not be allowed to change visibility, and that the receive
        does not count is between us and SQS (`sqs.operations.batches`).
        """
        ctx = self._ctx
        if ctx is None:
            return
        for start in range(0, len(handles), AT_ONCE):
            some = handles[start : start + AT_ONCE]
            entries = [
                {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": 0} for place, handle in enumerate(some)
            ]
            params = {"QueueUrl": self._url(ctx), "Entries": entries}
            platform = platform_principal(ctx.account_id)
            try:
                await ctx.call("sqs", "ChangeMessageVisibilityBatch", params, principal=platform)
            except ServiceError as error:  # the queue is gone, or the messages come back by themselves
                log.warning("messages of %s could not be given back: %s", self._source_arn, error.message)
            for handle in some:
                self._held.pop(handle, None)

    async def _delete(self, ctx: RequestContext, handles: Sequence[str]) -> int:
        """How many are; what cannot be deleted comes back, and is processed again: at least once."""
        deleted = 0
        for start in range(0, len(handles), AT_ONCE):
            some = handles[start : start + AT_ONCE]
            entries = [{"Id": str(place), "ReceiptHandle": handle} for place, handle in enumerate(some)]
            params = {"QueueUrl": self._url(ctx), "Entries": entries}
            answer = await ctx.call("sqs", "DeleteMessageBatch", params)
            deleted += len(answer.get("Successful", ()))
            await asyncio.sleep(0)  # not to wait: a batch has up to 10,000 messages
        return deleted
