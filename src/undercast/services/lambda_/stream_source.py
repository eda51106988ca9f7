"""A table's stream as an event source: reads shard after shard, invokes, retries, splits, gives up, moves on.

In order: one batch at a time, a shard before its child. The bell of `events/arrivals.py` wakes the reader.
AWS: Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB", "Lambda parameters for Amazon DynamoDB event
source mappings", "Retain discarded records".
"""

import asyncio
import base64
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import iso_millis
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery
from undercast.events.poller import Processed, Unavailable
from undercast.sandbox.model import InvocationResult
from undercast.services.lambda_ import destinations, stream_position
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.consumer import FAILED, MAX_EVENT_BYTES, Consumer
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.measures import MILLISECONDS
from undercast.services.lambda_.names import qualified
from undercast.services.lambda_.queue_events import REPORTS, failed_items, patterns_of
from undercast.services.lambda_.stream_position import Position
from undercast.store.database import Tx

Record = Mapping[str, Any]
AT_ONCE = 1000
LOOK_AGAIN_S = 60.0
"""The bell is in memory: a ring that was lost costs this much."""
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
RETENTION_S = 24 * 3600
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was read at once. `end` is where the reading goes on when all is done."""

    shard_id: str
    end: Position
    records: list[Record] = field(default_factory=list)


class StreamSource:
    """See `events.poller.Source`."""

    most = 1

    def __init__(self, functions: Lambda, mapping: EventSourceMapping) -> None:
        settings = mapping.configuration
        self._functions = functions
        self._mapping = mapping
        self._consumer = Consumer(functions, mapping)
        self._batch_size: int = settings["BatchSize"]
        self._window_s: int = settings["MaximumBatchingWindowInSeconds"]
        self._retries: int = settings["MaximumRetryAttempts"]
        age: int = settings["MaximumRecordAgeInSeconds"]
        self._max_age_s = age if age > 0 else RETENTION_S
        self._bisects: bool = settings["BisectBatchOnFunctionError"]
        self._reports = REPORTS in settings.get("FunctionResponseTypes", ())
        self._on_failure: str = settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        self._patterns = patterns_of(settings.get("FilterCriteria", {}))
        self._position = functions.database.read_now(lambda tx: stream_position.find(tx, mapping))
        self._closed = asyncio.Event()

    def crowded(self) -> bool:
        """See `Source`."""
        return False

    async def close(self) -> None:
        """See `Source`. A batch that waits for its next attempt is left to who reads next."""
        self._closed.set()

    # Reading

    async def take(self) -> Batch | None:
        """See `Source`."""
        ctx = await self._consumer.as_role(await self._consumer.resolve())
        try:
            with self._functions.arrivals.listen(self._mapping.source_arn) as bell:
                while (batch := await self._read(ctx)) is None:
                    if not await self._ring(bell, LOOK_AGAIN_S):
                        return None
                if self._window_s:
                    batch = await self._gather(ctx, bell, batch)
                return batch
        except ServiceError as error:
            raise Unavailable(f"{error.code}: {error.message}") from error

    async def _ring(self, bell: asyncio.Event, limit_s: float) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await bell.wait()
        except TimeoutError:
            return False
        bell.clear()
        return True

    async def _gather(self, ctx: RequestContext, bell: asyncio.Event, batch: Batch) -> Batch:
        """Read again whenever something arrives, until the batch is full or the window is over."""
        ends_at = self._functions.clock.now() + self._window_s
        window = asyncio.get_running_loop().create_task(self._functions.clock.wait_until(ends_at))
        try:
            while len(batch.records) < self._batch_size and not window.done():
                ring = asyncio.get_running_loop().create_task(bell.wait())
                await asyncio.wait({ring, window}, return_when=asyncio.FIRST_COMPLETED)
                ring.cancel()
                bell.clear()
                batch = await self._read(ctx) or batch
        finally:
            window.cancel()
        return batch

    async def _read(self, ctx: RequestContext) -> Batch | None:
        """The next records of the shard that the function wants; goes on to the next shard at the end of one."""
        while True:
            shard_id = self._position.shard_id or await self._next_shard(ctx, "")
            if not shard_id:
                return None
            try:
                found, end, at_end = await self._records(ctx, Position(shard_id, self._position.sequence))
            except ServiceError as error:
                if error.code != "ResourceNotFoundException" or not await self._next_shard(ctx, shard_id):
                    raise
                found, end, at_end = [], self._position, True  # the shard was trimmed
            if found:
                return Batch(shard_id=shard_id, end=end, records=found)
            if not at_end:
                if end != self._position:
                    await self._move(end)
                return None
            following = await self._next_shard(ctx, shard_id)
            if not following:
                return None
            await self._move(Position(following))

    async def _records(self, ctx: RequestContext, start: Position) -> tuple[list[Record], Position, bool]:
        """Records that match, where the reading stands behind them, and whether the shard has ended there."""
        found: list[Record] = []
        size, end = 0, start
        iterator: str | None = await iterator_at(ctx, self._mapping.source_arn, start)
        while len(found) < self._batch_size:
            limit = min(AT_ONCE, self._batch_size - len(found))
            answer = await ctx.call("dynamodbstreams", "GetRecords", {"ShardIterator": iterator, "Limit": limit})
            await asyncio.sleep(0)  # not to wait: others want the loop between two pages
            for record in answer["Records"]:
                size += len(_text(record))
                if size > MAX_EVENT_BYTES // 2 and found:
                    return found, end, False
                end = end._replace(sequence=record["dynamodb"]["SequenceNumber"])
                if not self._patterns or any(pattern.matches(record) for pattern in self._patterns):
                    found.append({**record, "eventSourceARN": self._mapping.source_arn})
            iterator = answer.get("NextShardIterator")
            if iterator is None:
                return found, end, True
            if not answer["Records"]:
                break
        return found, end, False

    async def _next_shard(self, ctx: RequestContext, shard_id: str) -> str:
        """The shard behind this one, the oldest for ""; "" when there is none."""
        shards = await shards_of(ctx, self._mapping.source_arn)
        if not shard_id:
            return shards[0]["ShardId"] if shards else ""
        return next((one["ShardId"] for one in shards if one["ShardId"] > shard_id), "")

    # Processing

    async def process(self, batch: Batch) -> Processed:
        """See `Source`. Ends when all is done or given up, or when nobody reads any more."""
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
            ran = await self._attempt(piece)
            failed_at = len(piece.records) if ran is None else self._first_failure(piece, ran)
            if ran is not None and failed_at:
                await self._move(_behind(batch, piece.records[failed_at - 1]))
            if ran is not None and failed_at == len(piece.records):
                continue
            result = FAILED
            rest = Piece(piece.records[failed_at if ran is not None else 0 :], piece.attempts, piece.delay_s)
            if ran is not None:
                rest.attempts += 1
                if 0 <= self._retries < rest.attempts:
                    await self._give_up(batch, rest, EXHAUSTED, ran)
                    continue
                if self._bisects and len(rest.records) > 1 and not failed_at:
                    half = len(rest.records) // 2
                    # AWS: splitting does not count as a retry.
                    pieces.extendleft((Piece(rest.records[half:]), Piece(rest.records[:half])))
                    continue
            if not await self._waited(rest):
                return Processed(result=FAILED)
            pieces.appendleft(rest)
        await self._move(batch.end)
        return Processed(result=result)

    async def _attempt(self, piece: Piece) -> Ran | None:
        """None when the function could not be asked: throttled, missing, or a fault of the sandbox."""
        payload = f'{{"Records": [{", ".join(map(_text, piece.records))}]}}'.encode()
        request_id = self._functions.ids.uuid()
        self._consumer.note(request_id, "record", tuple(record["eventID"] for record in piece.records))
        try:
            resolved = await self._consumer.resolve()
            age_ms = 1000 * max(0.0, self._functions.clock.now() - _arrived(piece.records[-1]))
            self._functions.measures.note(resolved.invoked_arn, "IteratorAge", age_ms, MILLISECONDS)
            return Ran(request_id, resolved, await self._consumer.run(resolved, request_id, payload))
        except (ServiceError, Unavailable):
            return None

    def _first_failure(self, piece: Piece, ran: Ran) -> int:
        """How many records are done: all before the lowest failed one. A malformed report is a failure of all."""
        if ran.result.function_error is not None:
            return 0
        numbers = [record["dynamodb"]["SequenceNumber"] for record in piece.records]
        failed = failed_items(ran.result.payload, frozenset(numbers)) if self._reports else frozenset()
        if failed is None:
            return 0
        return min((numbers.index(one) for one in failed), default=len(numbers))

    def _too_old(self, record: Record) -> bool:
        return self._functions.clock.now() - _arrived(record) > self._max_age_s

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

    async def _move(self, position: Position) -> None:
        self._position = position
        await self._functions.database.write(lambda tx: stream_position.put(tx, self._mapping, position))

    async def _give_up(self, batch: Batch, piece: Piece, condition: str, ran: Ran | None) -> None:
        """Move on behind the piece; the record of it goes to the destination in the same commit."""
        position = _behind(batch, piece.records[-1])
        letter = await self._letter(batch, piece, condition, ran) if self._on_failure else None

        def write(tx: Tx) -> None:
            stream_position.put(tx, self._mapping, position)
            if letter is not None:
                self._functions.outbox.add(tx, letter)

        self._position = position
        await self._functions.database.write(write)

    async def _letter(self, batch: Batch, piece: Piece, condition: str, ran: Ran | None) -> Delivery:
        resolved = ran.resolved if ran is not None else await self._consumer.resolve()
        function, target, now = resolved.function, Arn.parse(self._on_failure), self._functions.clock.now()
        first, last = piece.records[0], piece.records[-1]
        request_id = ran.request_id if ran is not None else self._functions.ids.uuid()
        record: dict[str, Any] = {
            "requestContext": {
                "requestId": request_id,
                "functionArn": qualified(function.arn, None),
                "condition": condition,
                "approximateInvokeCount": piece.attempts,
            },
            "version": "1.0",
            "timestamp": iso_millis(now),
            "DDBStreamBatchInfo": {
                "shardId": batch.shard_id,
                "startSequenceNumber": first["dynamodb"]["SequenceNumber"],
                "endSequenceNumber": last["dynamodb"]["SequenceNumber"],
                "approximateArrivalOfFirstRecord": iso_millis(_arrived(first)),
                "approximateArrivalOfLastRecord": iso_millis(_arrived(last)),
                "batchSize": len(piece.records),
                "streamArn": self._mapping.source_arn,
            },
        }
        if ran is not None:
            context = {"statusCode": 200, "executedVersion": function.version}
            error = {"functionError": ran.result.function_error} if ran.result.function_error else {}
            record["responseContext"] = {**context, **error}
        return Delivery(
            id=self._functions.ids.uuid(),
            kind=destinations.KIND,
            target_arn=self._on_failure,
            payload=json.dumps(record).encode(),
            scope=Scope(AccountId(target.account_id), Region(target.region)),
            created_at=now,
            cause=Cause(kind="invocation", id=request_id),
            source_arn=function.arn,
            attributes={
                "role_arn": function.role_arn,
                "function_arn": qualified(function.arn, function.version),
                "condition": condition,
            },
        )


async def shards_of(ctx: RequestContext, stream_arn: str) -> list[Mapping[str, Any]]:
    """All shards, the oldest first."""
    found: list[Mapping[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        answer = await ctx.call("dynamodbstreams", "DescribeStream", {"StreamArn": stream_arn, **more})
        found += answer["StreamDescription"]["Shards"]
        last = answer["StreamDescription"].get("LastEvaluatedShardId")
        if last is None:
            return found
        more = {"ExclusiveStartShardId": last}


async def iterator_at(ctx: RequestContext, stream_arn: str, position: Position) -> str:
    """An iterator behind the position; the shard's begin where the position has been trimmed meanwhile."""
    params = {"StreamArn": stream_arn, "ShardId": position.shard_id}
    if position.sequence:
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position.sequence}
        try:
            return str((await ctx.call("dynamodbstreams", "GetShardIterator", {**params, **after}))["ShardIterator"])
        except ServiceError as error:
            if error.code != "TrimmedDataAccessException":
                raise
    begin = {"ShardIteratorType": "TRIM_HORIZON"}
    return str((await ctx.call("dynamodbstreams", "GetShardIterator", {**params, **begin}))["ShardIterator"])


async def latest(ctx: RequestContext, stream_arn: str) -> Position:
    """Behind all that is in the stream now."""
    shards = await shards_of(ctx, stream_arn)
    position = Position(shards[-1]["ShardId"]) if shards else Position()
    iterator: str | None = await iterator_at(ctx, stream_arn, position) if shards else None
    while iterator is not None:
        answer = await ctx.call("dynamodbstreams", "GetRecords", {"ShardIterator": iterator, "Limit": AT_ONCE})
        if not answer["Records"]:
            break
        position = position._replace(sequence=answer["Records"][-1]["dynamodb"]["SequenceNumber"])
        iterator = answer.get("NextShardIterator")
        await asyncio.sleep(0)  # not to wait: others want the loop between two pages
    return position


def _behind(batch: Batch, record: Record) -> Position:
    return Position(batch.shard_id, record["dynamodb"]["SequenceNumber"])


def _arrived(record: Record) -> float:
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def _text(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, default=lambda value: base64.b64encode(value).decode())
