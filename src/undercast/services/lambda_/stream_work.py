"""A batch of a stream at work: invokes, retries, splits, gives up, and commits how far it has come.

AWS: Lambda Developer Guide, "Handling errors for a Kinesis event source in Lambda", "Configuring partial batch
response", "Implementing stateful Kinesis Data Streams processing in Lambda"; the same for DynamoDB.
"""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery
from undercast.events.poller import Processed, Unavailable
from undercast.sandbox.model import InvocationResult
from undercast.services.event_sources.book import Book
from undercast.services.event_sources.kinds import Kind
from undercast.services.event_sources.lane import Batch, LaneReader
from undercast.services.event_sources.progress import Progress
from undercast.services.event_sources.queue_events import REPORTS, failed_items
from undercast.services.event_sources.records import Record
from undercast.services.event_sources.tumbling import MAX_STATE_BYTES, Window, state_of
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.consumer import FAILED, Consumer
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.mapping_store import EventSourceMapping, progress_of
from undercast.services.lambda_.measures import MILLISECONDS
from undercast.services.lambda_.stream_letter import Discarded, letter_of
from undercast.store.database import Tx

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
TOO_OLD, EXHAUSTED = "RecordAgeExceeded", "RetryAttemptsExhausted"


class Ran(NamedTuple):
    """One attempt that was answered."""

    request_id: str
    resolved: Resolved
    result: InvocationResult


@dataclass(slots=True, eq=False)
class Piece:
    """Records that one invocation gets; the halves of a batch that was split are pieces of their own."""

    records: Sequence[Record]
    attempts: int = 0
    delay_s: float = FIRST_BACKOFF_S


class Work:
    """Of one mapping."""

    def __init__(
        self, functions: Lambda, mapping: EventSourceMapping, consumer: Consumer, kind: Kind, book: Book
    ) -> None:
        settings = mapping.configuration
        self._functions = functions
        self._mapping = mapping
        self._consumer = consumer
        self._kind = kind
        self._book = book
        self._retries: int = settings["MaximumRetryAttempts"]
        self._age_s: int = settings["MaximumRecordAgeInSeconds"]
        self._bisects: bool = settings["BisectBatchOnFunctionError"]
        self._reports = REPORTS in settings.get("FunctionResponseTypes", ())
        self._on_failure: str = settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        self._closed = asyncio.Event()
        self.retention_s = 24 * 3600.0
        """Of the stream: what is older has expired."""

    def close(self) -> None:
        """Nobody reads any more: what waits for its next attempt is left."""
        self._closed.set()

    async def process(self, batch: Batch) -> Processed:
        """Ends when all is done or given up, or when nobody reads any more."""
        if batch.window is not None and batch.window.final:
            return await self._finish(batch, batch.window)
        pieces = deque([Piece(batch.records)])
        result = "OK"
        while pieces:
            piece = pieces.popleft()
            if old := sum(1 for record in piece.records if self._too_old(record)):
                await self._give_up(batch, Piece(piece.records[:old], piece.attempts), TOO_OLD, None)
                result = FAILED
                if old < len(piece.records):
                    pieces.appendleft(Piece(piece.records[old:], piece.attempts, piece.delay_s))
                continue
            done, ran = await self._try(batch, piece)
            if done == len(piece.records):
                continue
            result = FAILED
            rest = Piece(piece.records[done:], piece.attempts + (ran is not None), piece.delay_s)
            if ran is not None and 0 <= self._retries < rest.attempts:
                await self._give_up(batch, rest, EXHAUSTED, ran)
                continue
            if ran is not None and self._bisects and len(rest.records) > 1 and not done:
                half = len(rest.records) // 2
                # AWS: splitting does not count as a retry.
                pieces.extendleft((Piece(rest.records[half:]), Piece(rest.records[:half])))
                continue
            if not await self._waited(rest):
                return Processed(result=FAILED)
            pieces.appendleft(rest)
        window = batch.reader.progress
        await self.commit(batch.reader, replace(batch.end, window=window.window, state=window.state))
        return Processed(result=result)

    async def _try(self, batch: Batch, piece: Piece) -> tuple[int, Ran | None]:
        """How many records are done now, which is committed, and the attempt."""
        ran = await self._attempt(batch, piece.records, batch.window)
        if ran is None:
            return 0, None
        state = state_of(ran.result.payload) if batch.window is not None else ""
        done = 0 if state is None else self._first_failure(piece, ran)
        if done:
            reader = batch.reader
            progress = replace(reader.progress, sequence=piece.records[done - 1].sequence, state=state or "")
            if batch.window is not None:
                progress = replace(progress, window=batch.window.start)
            await self.commit(reader, progress)
            if batch.window is not None and len(progress.state.encode()) > MAX_STATE_BYTES:
                await self._finish(batch, replace(batch.window, final=True, early=True))
        return done, ran

    async def _finish(self, batch: Batch, window: Window) -> Processed:
        """The last invocation for a window; what is behind it waits for its success."""
        piece, result = Piece(()), "OK"
        while True:
            ran = await self._attempt(batch, (), window)
            if ran is not None and ran.result.function_error is None:
                break
            result = FAILED
            if not await self._waited(piece):
                return Processed(result=FAILED)
        await self.commit(batch.reader, replace(batch.reader.progress, window=0.0, state=""))
        return Processed(result=result)

    async def _attempt(self, batch: Batch, records: Sequence[Record], window: Window | None) -> Ran | None:
        """None when the function could not be asked: throttled, missing, or a fault of the sandbox."""
        request_id = self._functions.ids.uuid()
        self._consumer.note(request_id, "record", tuple(record.id for record in records))
        try:
            resolved = await self._consumer.resolve()
            if records:
                age_ms = 1000 * max(0.0, self._functions.clock.now() - records[-1].arrived_at)
                self._functions.measures.note(resolved.invoked_arn, "IteratorAge", age_ms, MILLISECONDS)
            payload = self._payload(batch, records, window)
            return Ran(request_id, resolved, await self._consumer.run(resolved, request_id, payload))
        except (ServiceError, Unavailable):
            return None

    def _payload(self, batch: Batch, records: Sequence[Record], window: Window | None) -> bytes:
        text = f'{{"Records": [{", ".join(record.text for record in records)}]'
        if window is not None:
            members: dict[str, Any] = {
                **window.members(batch.reader.progress.state),
                "shardId": batch.reader.lane.shard_id,
                "eventSourceARN": self._mapping.source_arn,
            }
            text += ", " + json.dumps(members, ensure_ascii=False)[1:-1]
        return f"{text}}}".encode()

    def _first_failure(self, piece: Piece, ran: Ran) -> int:
        """How many records are done: all before the lowest failed one. A malformed report is a failure of all."""
        if ran.result.function_error is not None:
            return 0
        numbers = [record.sequence for record in piece.records]
        failed = failed_items(ran.result.payload, frozenset(numbers)) if self._reports else frozenset()
        if failed is None:
            return 0
        return min((numbers.index(one) for one in failed), default=len(numbers))

    def _too_old(self, record: Record) -> bool:
        most = min(self._age_s, self.retention_s) if self._age_s > 0 else self.retention_s
        return self._functions.clock.now() - record.arrived_at > most

    async def _waited(self, piece: Piece) -> bool:
        """Wait for the next attempt; False when nobody reads any more."""
        moment = self._functions.clock.now() + piece.delay_s
        piece.delay_s = min(LONGEST_BACKOFF_S, piece.delay_s * 2)
        loop = asyncio.get_running_loop()
        waits = {loop.create_task(self._functions.clock.wait_until(moment)), loop.create_task(self._closed.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self._closed.is_set()

    async def commit(self, reader: LaneReader, progress: Progress, letter: Delivery | None = None) -> None:
        """Move a lane on; what is told of discarded records goes into the same commit."""

        def write(tx: Tx) -> None:
            progress_of(self._mapping).put(tx, {reader.lane: progress})
            if letter is not None:
                self._functions.outbox.add(tx, letter)

        await self._functions.database.write(write)
        reader.progress = progress
        self._book.put(reader.lane, progress)

    async def _give_up(self, batch: Batch, piece: Piece, condition: str, ran: Ran | None) -> None:
        """Move on behind the piece; the record of it goes to the destination in the same commit."""
        progress = replace(batch.reader.progress, sequence=piece.records[-1].sequence)
        letter = None
        if self._on_failure:
            resolved = ran.resolved if ran is not None else await self._consumer.resolve()
            discarded = Discarded(
                shard_id=batch.reader.lane.shard_id,
                records=piece.records,
                attempts=piece.attempts,
                condition=condition,
                request_id=ran.request_id if ran is not None else self._functions.ids.uuid(),
                result=ran.result if ran is not None else None,
            )
            letter = letter_of(self._functions, self._mapping, self._kind, resolved.function, discarded)
        await self.commit(batch.reader, progress, letter)
