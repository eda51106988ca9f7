"""PutRecord, PutRecords, GetShardIterator, GetRecords.

AWS: Kinesis API Reference, the operations of these names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.events.causality import Edge
from undercast.services import shard_iterators
from undercast.services.kinesis import encryption, places, store
from undercast.services.kinesis.errors import dry_run, exceeded, invalid, no_stream
from undercast.services.kinesis.instance import Kinesis, asked, named
from undercast.services.kinesis.measures import Sent
from undercast.services.kinesis.models import (
    AUTO,
    HASH_KEYS,
    OpenStream,
    Stream,
    StreamName,
    explicit_key,
    hash_key,
    named_by_arn,
    read_sequence,
    shard_name,
    shown_sequence,
)
from undercast.services.kinesis.records import MAX_BYTES, Limits, New, Page, Placed, append, read, shard_for
from undercast.services.shard_iterators import Iterator
from undercast.store.database import Row, Tx

ITERATOR_LIFE_S = 300.0
MAX_RECORDS = 10_000
_LONG_BYTES = 256 * 1024
_LONG_RECORDS = 32
"""Rows cost, too: more of them keep the event loop for longer than 2 ms."""
_INLINE = Limits(500, _LONG_BYTES)
"""What the event loop reads itself; more is read in the store's thread."""


@operation("PutRecord")
async def put_record(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One record. Sequence numbers grow with every record of a stream, whatever SequenceNumberForOrdering says."""
    stream, results = await _put(kinesis, ctx, params, (params,))
    result = results[0]
    if "ErrorCode" in result:
        raise exceeded(stream.of.scope, stream.of.name, shard_name(result["Shard"]))
    return {"ShardId": result["ShardId"], "SequenceNumber": result["SequenceNumber"], **_encryption(stream)}


@operation("PutRecords")
async def put_records(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 500 records; each is taken or refused by its shard for itself."""
    stream, results = await _put(kinesis, ctx, params, params["Records"])
    failed = sum("ErrorCode" in result for result in results)
    shown = [{name: value for name, value in result.items() if name != "Shard"} for result in results]
    return {"FailedRecordCount": failed, "Records": shown, **_encryption(stream)}


async def _put(
    kinesis: Kinesis, ctx: RequestContext, params: Params, entries: Sequence[Mapping[str, Any]]
) -> tuple[Stream, list[dict[str, Any]]]:
    size = sum(len(entry["Data"]) for entry in entries)
    if size + sum(len(entry.get("PartitionKey", "").encode()) for entry in entries) > MAX_BYTES:
        raise invalid("Records size exceeds 10 MB limit")
    of = named(ctx, params)
    known = kinesis.streams.find(of)
    await encryption.check_write(ctx, None if known is None else known.stream)

    def write(tx: Tx) -> tuple[Stream, list[dict[str, Any]]]:
        stream, open_shards = _opened(kinesis, tx, of)
        news = [_new(kinesis, stream, entry) for entry in entries]
        _check_ordering(tx, stream, params.get("SequenceNumberForOrdering"))
        if params.get("DryRun"):
            raise dry_run()
        chosen = [(shard_for(open_shards, new.hash_key), new) for new in news]
        taken = [kinesis.throttle.writes(shard["id"], new.size) for shard, new in chosen]
        placed = iter(
            append(tx, stream, [one for one, fits in zip(chosen, taken, strict=True) if fits], ctx.clock.now())
        )
        results = [
            _written(stream, next(placed)) if fits else _refused(stream, shard)
            for (shard, _), fits in zip(chosen, taken, strict=True)
        ]
        _note(kinesis, tx, ctx, stream, results)
        tx.after_commit(lambda: kinesis.arrivals.ring(stream.of.arn))
        sent = [Sent(shard["number"], new.size, fits) for (shard, new), fits in zip(chosen, taken, strict=True)]
        tx.after_commit(lambda: kinesis.measures.put(stream, sent))
        return stream, results

    return await kinesis.database.write(write, long=size > _LONG_BYTES or len(entries) > _LONG_RECORDS)


def _opened(kinesis: Kinesis, tx: Tx, of: StreamName) -> OpenStream:
    found = kinesis.streams.within(tx, of)
    if found is None:
        raise no_stream(of.scope, of.name)
    return found


def _new(kinesis: Kinesis, stream: Stream, entry: Mapping[str, Any]) -> New:
    """Raises InvalidArgumentException."""
    key: str | None = entry.get("PartitionKey")
    if stream.distribution == AUTO and stream.is_on_demand:
        new = New(entry["Data"], key or "", int(kinesis.ids.random() * HASH_KEYS))
    elif key is None:
        raise invalid(f"PartitionKey is required by the record distribution strategy of stream {stream.of.name}.")
    else:
        explicit = entry.get("ExplicitHashKey")
        new = New(entry["Data"], key, hash_key(key) if explicit is None else explicit_key(explicit))
    if new.size > stream.max_record_kib * 1024:
        raise invalid(
            f"A record of {new.size} bytes exceeds the maximum record size of stream {stream.of.name}, "
            f"{stream.max_record_kib} KiB."
        )
    return new


def _check_ordering(tx: Tx, stream: Stream, text: str | None) -> None:
    if text is None:
        return
    found = read_sequence(text)
    if found is None or found.stream_id != stream.id or found.place > store.newest(tx, stream.id):
        raise invalid(f"SequenceNumberForOrdering {text} did not come from stream {stream.of.name}.")


def _written(stream: Stream, placed: Placed) -> dict[str, Any]:
    shard, sequence = placed.shard["number"], shown_sequence(stream.id, placed.place, placed.shard["number"])
    return {"ShardId": shard_name(shard), "SequenceNumber": sequence}


def _note(kinesis: Kinesis, tx: Tx, ctx: RequestContext, stream: Stream, results: Sequence[Mapping[str, Any]]) -> None:
    ids = [f"{result['ShardId']}:{result['SequenceNumber']}" for result in results if "ErrorCode" not in result]
    if not ids:
        return
    edge = Edge(
        from_kind="call",
        from_id=ctx.request_id,
        to_kind="record",
        to_id=ids[0],
        label=f"record in {stream.of.arn}",
        at=ctx.clock.now(),
        scope=ctx.scope,
    )
    kinesis.causality.asked(tx, ctx, edge, stream.of.arn, ids[1:])


def _refused(stream: Stream, shard: Row) -> dict[str, Any]:
    error = exceeded(stream.of.scope, stream.of.name, shard_name(shard["number"]))
    return {"ErrorCode": error.code, "ErrorMessage": error.message, "Shard": shard["number"]}


def _encryption(stream: Stream) -> dict[str, str]:
    return {"EncryptionType": "KMS"} if stream.key_id else {}


@operation("GetShardIterator")
async def get_shard_iterator(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A place in a shard to begin to read."""

    def find(tx: Tx) -> Iterator:
        stream = asked(tx, ctx, params)
        shard = store.shard(tx, stream, params["ShardId"])
        place = places.place(tx, stream, shard, places.of_iterator(params), ctx.clock.now())
        return Iterator(stream.of.arn, shard["id"], place, ctx.clock.now())

    iterator = kinesis.database.read_now(find)
    if params.get("DryRun"):
        raise dry_run()
    return {"ShardIterator": shard_iterators.written(iterator)}


@operation("GetRecords")
async def get_records(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 10,000 records or 10 MB, in order. Without NextShardIterator at the end of a shard that is closed."""
    iterator, now = parse_iterator(params["ShardIterator"]), ctx.clock.now()
    if "StreamARN" in params and named(ctx, params).arn != iterator.stream_arn:
        raise invalid("The StreamARN is not that of the stream for which the ShardIterator was given.")
    _check_age(iterator, now)
    if params.get("DryRun"):
        raise dry_run()
    limits, of = Limits(params.get("Limit", MAX_RECORDS), MAX_BYTES), named_by_arn(iterator.stream_arn)

    def look(tx: Tx, most: Limits) -> tuple[Stream, int, Page]:
        stream = store.existing(tx, of)
        shard = store.shard_by_id(tx, stream, iterator.shard_id)
        return stream, shard["number"], read(tx, stream, (shard, iterator.sequence), most, now)

    inline = Limits(min(limits.records, _INLINE.records), _INLINE.size)
    stream, shard, page = kinesis.database.read_now(lambda tx: look(tx, inline))
    if not kinesis.throttle.reads(iterator.shard_id):
        kinesis.measures.throttled(stream, shard)
        raise exceeded(stream.of.scope, stream.of.name, shard_name(shard))
    if page.behind_ms and len(page.records) < limits.records:
        stream, shard, page = await kinesis.database.read(lambda tx: look(tx, limits), long=True)
    await encryption.check_read(ctx, stream, page.records)
    kinesis.throttle.has_read(iterator.shard_id, page.size)
    kinesis.measures.got(stream, shard, page)
    answer: dict[str, Any] = {"Records": page.records, "MillisBehindLatest": page.behind_ms}
    if page.following is None:
        return {**answer, "ChildShards": page.children}
    following = iterator._replace(sequence=page.following, issued_at=now)
    return {**answer, "NextShardIterator": shard_iterators.written(following)}


def parse_iterator(text: str) -> Iterator:
    """Raises InvalidArgumentException."""
    try:
        return shard_iterators.read(text)
    except ValueError:
        raise invalid("Invalid ShardIterator.") from None


def _check_age(iterator: Iterator, now: float) -> None:
    if now - iterator.issued_at > ITERATOR_LIFE_S:
        shown = [moment(at).strftime("%a %b %d %H:%M:%S UTC %Y") for at in (iterator.issued_at, now)]
        raise ServiceError(
            "ExpiredIteratorException",
            f"Iterator expired. The iterator was created at time {shown[0]} while right now it is {shown[1]} which is "
            "further in the future than the tolerated delay of 300000 milliseconds.",
        )
