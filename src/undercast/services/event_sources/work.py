"""A batch of a stream at work: tries, retries, splits, gives up, and commits how far it has come.

What an attempt is, and what is told of records that were given up, the consumer says (`Attempts`).
AWS: Lambda Developer Guide, "Handling errors for a Kinesis event source in Lambda", "Implementing stateful Kinesis
Data Streams processing in Lambda", the same for DynamoDB; EventBridge User Guide, "Amazon Kinesis stream as a source".
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Generic, Protocol, TypeVar

from undercast.core.backoff import Backoff
from undercast.core.clock import PlatformClock, iso_millis
from undercast.core.record import record
from undercast.events.delivery import Delivery
from undercast.events.outbox import Outbox
from undercast.events.poller import Processed
from undercast.services.event_sources.book import Book
from undercast.services.event_sources.kinds import Kind
from undercast.services.event_sources.lane import Batch, LaneReader
from undercast.services.event_sources.progress import Progress, Table
from undercast.services.event_sources.reading import moment_or
from undercast.services.event_sources.records import Record
from undercast.services.event_sources.tumbling import is_too_large
from undercast.store.database import Database, Tx

BACKOFF = Backoff(longest_s=60.0)
EXHAUSTED = "RetryAttemptsExhausted"
DAY_S = 24 * 3600.0

T = TypeVar("T")
"""What a consumer knows of one attempt."""


@record
class Limits:
    """When records are given up, and whether a batch is split before; -1 is no limit."""

    retries: int
    age_s: int
    bisects: bool


def limits_of(settings: Mapping[str, Any]) -> Limits:
    """Those of an event source mapping, by AWS's names."""
    return Limits(
        retries=settings.get("MaximumRetryAttempts", -1),
        age_s=settings.get("MaximumRecordAgeInSeconds", -1),
        bisects=settings.get("BisectBatchOnFunctionError", False),
    )


@record
class Attempt(Generic[T]):
    """What came of one attempt."""

    failed: bool
    """Whether something is left to do."""
    done: int = 0
    """How many of the first records need not come again."""
    counted: bool = True
    """Whether it was one of the retries: not where nobody could be asked."""
    splits: bool = True
    """Whether what is left may be halved; else it is split already, behind what is done."""
    state: str = ""
    """Of the tumbling window behind what is done, as JSON."""
    known: T | None = None


@record
class GivenUp(Generic[T]):
    """Records that are given up, and why."""

    kind: Kind
    batch: Batch
    """Of which they are."""
    records: Sequence[Record]
    attempts: int
    condition: str
    known: T | None
    """Of the last attempt, where that is the reason."""

    @property
    def shard_id(self) -> str:
        """Where they were read."""
        return self.batch.reader.lane.shard_id

    def batch_info(self, stream_arn: str) -> dict[str, Any]:
        """KinesisBatchInfo or DDBStreamBatchInfo, under its name."""
        first, last = self.records[0], self.records[-1]
        info = {
            "shardId": self.shard_id,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": iso_millis(first.arrived_at),
            "approximateArrivalOfLastRecord": iso_millis(last.arrived_at),
            "batchSize": len(self.records),
            "streamArn": stream_arn,
        }
        return {self.kind.batch_info: info}


class Attempts(Protocol[T]):
    """How one consumer does records."""

    @property
    def failure(self) -> str:
        """LastProcessingResult of a batch of which something has failed."""
        ...

    @property
    def too_old(self) -> str:
        """The condition under which records are given up for their age."""
        ...

    def wanted(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those that are tried, of what was read."""
        ...

    async def attempt(self, batch: Batch, records: Sequence[Record]) -> Attempt[T]:
        """Try records of the batch; none of them for the last invocation of its window."""
        ...

    async def letter(self, given_up: GivenUp[T]) -> Delivery | None:
        """What is told of it, if anybody wants to know. Raises Unavailable."""
        ...


@record
class Means:
    """What one stream's work has to do with."""

    kind: Kind
    limits: Limits
    clock: PlatformClock
    database: Database
    outbox: Outbox
    progress: Table
    book: Book


@dataclass(slots=True, eq=False)
class Piece:
    """Records that one attempt gets; the halves of a batch that was split are pieces of their own."""

    records: Sequence[Record]
    attempts: int = 0
    waits: int = 0
    """How often it has waited. A half has not: it is tried at once, as AWS tells of no wait before it."""


def parts_of(records: Sequence[Record], attempt: Attempt[Any]) -> Sequence[Piece]:
    """What a failed batch is split into; nothing where no record can be parted from another.

    AWS: "Splitting a batch does not count towards the retry quota", so each part begins anew, and a batch of which no
    retry is allowed is split, too. With ReportBatchItemFailures it is split where the function says that it failed.
    """
    rest = records[attempt.done :]
    if len(rest) < 2:
        return ()
    if attempt.splits:
        half = len(rest) // 2
        return Piece(rest[:half]), Piece(rest[half:])
    return (Piece(rest),) if attempt.done else ()


class Work(Generic[T]):
    """Of one consumer of one stream."""

    def __init__(self, attempts: Attempts[T], means: Means) -> None:
        self._attempts = attempts
        self._means = means
        self._limits = means.limits
        self._closed = asyncio.Event()
        self.retention_s = DAY_S
        """Of the stream: what is older has expired."""

    def close(self) -> None:
        """Nobody reads any more: what waits for its next attempt is left."""
        self._closed.set()

    async def process(self, batch: Batch) -> Processed:
        """Ends when all is done or given up, or when nobody reads any more. Commits how far it has come.

        The result is the last attempt's (botocore, EventSourceMappingConfiguration: "the event source mapping's last
        processing attempt"), whatever failed before it.
        """
        if batch.window is not None and batch.window.final:
            return await self._finish(batch)
        pieces = deque([Piece(self._attempts.wanted(batch.records))])
        processed = Processed()
        while pieces:
            piece = pieces.popleft()
            if not piece.records:
                continue
            if old := sum(1 for _ in takewhile(self._too_old, piece.records)):
                expired = Piece(piece.records[:old], piece.attempts)
                await self._give_up(batch, expired, self._attempts.too_old, None)
                pieces.appendleft(Piece(piece.records[old:], piece.attempts, piece.waits))
                processed = Processed(result=self._attempts.failure)
                continue
            attempt = await self._attempts.attempt(batch, piece.records)
            if attempt.done and not await self._move_on(batch, piece.records[attempt.done - 1], attempt.state):
                return Processed(result=self._attempts.failure)
            processed = Processed(result=self._attempts.failure) if attempt.failed else Processed()
            if attempt.failed:
                again = await self._again(batch, piece, attempt)
                if again is None:
                    return processed
                pieces.extendleft(reversed(again))
            if pieces and self._closed.is_set():
                return processed  # parts are tried without a wait; who reads next begins behind what is done
        # What the attempts have made of the window stays.
        now = batch.reader.progress
        await self.commit(batch.reader, replace(batch.end, window=now.window, state=now.state))
        return processed

    async def _again(self, batch: Batch, piece: Piece, attempt: Attempt[T]) -> Sequence[Piece] | None:
        """What of a piece is tried again, after the wait for it; None when nobody reads any more."""
        if self._limits.bisects and (parts := parts_of(piece.records, attempt)):
            return parts
        rest = Piece(piece.records[attempt.done :], piece.attempts + attempt.counted, piece.waits)
        if attempt.counted and 0 <= self._limits.retries < rest.attempts:
            await self._give_up(batch, rest, EXHAUSTED, attempt.known)
            return ()
        return (rest,) if await self._waited(rest) else None

    async def _move_on(self, batch: Batch, last: Record, state: str) -> bool:
        """Commit what is done up to a record; a window whose state is too large ends early.

        False when it has not ended and nobody reads any more: who reads next ends it first.
        """
        progress = replace(batch.reader.progress, sequence=last.sequence, state=state)
        if batch.window is None:
            await self.commit(batch.reader, progress)
            return True
        await self.commit(batch.reader, replace(progress, window=batch.window.start))
        if is_too_large(state):
            await self._finish(replace(batch, records=(), window=replace(batch.window, final=True, early=True)))
        return not is_too_large(batch.reader.progress.state)

    async def _finish(self, batch: Batch) -> Processed:
        """The last attempt for a window; what is behind it waits for its success."""
        piece = Piece(())
        while (await self._attempts.attempt(batch, ())).failed:
            if not await self._waited(piece):
                return Processed(result=self._attempts.failure)
        await self.commit(batch.reader, replace(batch.reader.progress, window=0.0, state=""))
        return Processed()

    def _too_old(self, record: Record) -> bool:
        age_s = self._limits.age_s
        most = min(age_s, self.retention_s) if age_s > 0 else self.retention_s
        return self._means.clock.now() - record.arrived_at > most

    async def _waited(self, piece: Piece) -> bool:
        """Wait for the next attempt; False when nobody reads any more."""
        moment = self._means.clock.now() + BACKOFF.wait_s(piece.waits)
        piece.waits += 1
        await moment_or(self._closed, self._means.clock, moment)
        return not self._closed.is_set()

    async def commit(self, reader: LaneReader, progress: Progress, letter: Delivery | None = None) -> None:
        """Move a lane on; what is told of records that were given up goes into the same commit."""

        def write(tx: Tx) -> None:
            self._means.progress.put(tx, {reader.lane: progress})
            if letter is not None:
                self._means.outbox.add(tx, letter)

        await self._means.database.write(write)
        reader.progress = progress
        self._means.book.put(reader.lane, progress)

    async def _give_up(self, batch: Batch, piece: Piece, condition: str, known: T | None) -> None:
        """Move on behind the piece; the record of it goes out in the same commit."""
        given_up = GivenUp(
            kind=self._means.kind,
            batch=batch,
            records=piece.records,
            attempts=piece.attempts,
            condition=condition,
            known=known,
        )
        progress = replace(batch.reader.progress, sequence=piece.records[-1].sequence)
        await self.commit(batch.reader, progress, await self._attempts.letter(given_up))
