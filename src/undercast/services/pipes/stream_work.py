"""A batch of a stream's records in a pipe: executes, retries, splits, gives up, and commits how far it has come.

AWS: EventBridge User Guide, "Amazon DynamoDB stream as a source", "Amazon Kinesis stream as a source" (retries, on
partial batch item failure, dead-letter queue).
"""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from undercast.core.arn import Arn
from undercast.core.clock import iso_millis
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery
from undercast.events.poller import Processed
from undercast.services.event_sources.book import Book
from undercast.services.event_sources.kinds import Kind
from undercast.services.event_sources.lane import Batch, LaneReader
from undercast.services.event_sources.progress import Progress
from undercast.services.event_sources.queue_events import patterns_of
from undercast.services.event_sources.records import Record
from undercast.services.pipes.events import event_of, view_of
from undercast.services.pipes.execution import Execution
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.models import SOURCE_PARAMETERS, Pipe
from undercast.services.target_calls import scope_of
from undercast.store.database import Tx

DEAD_LETTERS = "pipes-dead-letter"
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
TOO_OLD, EXHAUSTED = "MaximumRecordAgeExceeded", "RetryAttemptsExhausted"
FAILED = "PROBLEM: the pipe's target or enrichment failed"


@dataclass(slots=True, eq=False)
class Piece:
    """Records that one execution gets; the halves of a batch that was split are pieces of their own."""

    records: Sequence[Record]
    attempts: int = 0
    delay_s: float = FIRST_BACKOFF_S


class StreamWork:
    """Of one pipe. See `event_sources.stream_source.Work`."""

    def __init__(self, pipes: Pipes, pipe: Pipe, execution: Execution, stream: tuple[Kind, Book]) -> None:
        parameters = pipe.given.get("SourceParameters") or {}
        settings = parameters.get(SOURCE_PARAMETERS[pipe.source_service]) or {}
        self._pipes = pipes
        self._pipe = pipe
        self._execution = execution
        self._kind, self._book = stream
        self._patterns = patterns_of(parameters.get("FilterCriteria") or {})
        self._retries: int = settings.get("MaximumRetryAttempts", -1)
        self._age_s: int = settings.get("MaximumRecordAgeInSeconds", -1)
        self._bisects = settings.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT"
        self._dead_letter_arn: str = (settings.get("DeadLetterConfig") or {}).get("Arn", "")
        self._closed = asyncio.Event()
        self.retention_s = 24 * 3600.0

    def close(self) -> None:
        """See `Work`."""
        self._closed.set()

    async def process(self, batch: Batch) -> Processed:
        """See `Work`."""
        pieces = deque([Piece([record for record in batch.records if self._wants(record)])])
        result = "OK"
        while pieces:
            piece = pieces.popleft()
            if not piece.records:
                continue
            if old := sum(1 for record in piece.records if self._too_old(record)):
                await self._give_up(batch.reader, Piece(piece.records[:old], piece.attempts), TOO_OLD)
                pieces.appendleft(Piece(piece.records[old:], piece.attempts, piece.delay_s))
                continue
            done = await self._try(piece)
            if done:
                sequence = piece.records[done - 1].sequence
                await self.commit(batch.reader, replace(batch.reader.progress, sequence=sequence))
            if done == len(piece.records):
                continue
            result = FAILED
            rest = Piece(piece.records[done:], piece.attempts + 1, piece.delay_s)
            if 0 <= self._retries < rest.attempts:
                await self._give_up(batch.reader, rest, EXHAUSTED)
                continue
            if self._bisects and len(rest.records) > 1:
                half = len(rest.records) // 2
                pieces.extendleft((Piece(rest.records[half:]), Piece(rest.records[:half])))
                continue
            if not await self._waited(rest):
                return Processed(result=FAILED)
            pieces.appendleft(rest)
        await self.commit(batch.reader, batch.end)
        return Processed(result=result)

    async def _try(self, piece: Piece) -> int:
        """How many records are done now: all before the first one that failed."""
        try:
            failed = await self._execution.run([_event(record) for record in piece.records], "record")
        except ServiceError:
            return 0
        return next((place for place, one in enumerate(piece.records) if one.id in failed), len(piece.records))

    def _wants(self, record: Record) -> bool:
        if not self._patterns:
            return True
        view = view_of(_event(record))
        return any(pattern.matches(view) for pattern in self._patterns)

    def _too_old(self, record: Record) -> bool:
        most = min(self._age_s, self.retention_s) if self._age_s > 0 else self.retention_s
        return self._pipes.clock.now() - record.arrived_at > most

    async def _waited(self, piece: Piece) -> bool:
        """Wait for the next attempt; False when nobody reads any more."""
        moment = self._pipes.clock.now() + piece.delay_s
        piece.delay_s = min(LONGEST_BACKOFF_S, piece.delay_s * 2)
        loop = asyncio.get_running_loop()
        waits = {loop.create_task(self._pipes.clock.wait_until(moment)), loop.create_task(self._closed.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self._closed.is_set()

    async def commit(self, reader: LaneReader, progress: Progress, letter: Delivery | None = None) -> None:
        """See `Work`. What is told of records that were given up goes into the same commit."""

        def write(tx: Tx) -> None:
            self._pipe.progress.put(tx, {reader.lane: progress})
            if letter is not None:
                self._pipes.outbox.add(tx, letter)

        await self._pipes.database.write(write)
        reader.progress = progress
        self._book.put(reader.lane, progress)

    async def _give_up(self, reader: LaneReader, piece: Piece, condition: str) -> None:
        progress = replace(reader.progress, sequence=piece.records[-1].sequence)
        letter = self._letter(reader, piece, condition) if self._dead_letter_arn else None
        await self.commit(reader, progress, letter)

    def _letter(self, reader: LaneReader, piece: Piece, condition: str) -> Delivery:
        first, last, now = piece.records[0], piece.records[-1], self._pipes.clock.now()
        told = {
            "context": {"partnerResourceArn": self._pipe.arn, "condition": condition},
            "version": "1.0",
            "timestamp": iso_millis(now),
            self._kind.batch_info: {
                "approximateArrivalOfFirstRecord": iso_millis(first.arrived_at),
                "approximateArrivalOfLastRecord": iso_millis(last.arrived_at),
                "batchSize": len(piece.records),
                "endSequenceNumber": last.sequence,
                "shardId": reader.lane.shard_id,
                "startSequenceNumber": first.sequence,
                "streamArn": self._pipe.source,
            },
        }
        return Delivery(
            id=self._pipes.ids.uuid(),
            kind=DEAD_LETTERS,
            target_arn=self._dead_letter_arn,
            payload=json.dumps(told).encode(),
            scope=scope_of(self._dead_letter_arn, self._pipe.scope),
            created_at=now,
            cause=Cause(kind="internal"),
            source_arn=self._pipe.arn,
            attributes={"role_arn": self._pipe.given["RoleArn"], "service": Arn.parse(self._dead_letter_arn).service},
        )


def _event(record: Record) -> dict[str, Any]:
    """Of a record's JSON, in which blobs are base64."""
    return event_of(json.loads(record.text))
