"""ListStreams, DescribeStream, GetShardIterator, GetRecords.

AWS: DynamoDB Streams API Reference, the operations of these names.
"""

import json
import re
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services import table_streams
from undercast.services.dynamodbstreams import iterators
from undercast.services.dynamodbstreams.instance import Streams
from undercast.services.item_text import with_binaries
from undercast.services.shard_iterators import Iterator, written
from undercast.store.database import Row, Tx

MAX_LISTED = 100
MAX_RECORDS = 1000
MAX_BYTES = 1024 * 1024
_SHARD = re.compile(r"shardId-[0-9]{20}-([0-9a-f]{8,})")


@operation("ListStreams")
async def list_streams(streams: Streams, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The streams of a table, or of all; those that were disabled within 24 hours are still there."""
    limit = _limit(params, MAX_LISTED)
    sql = (
        "SELECT * FROM dynamodbstreams_stream WHERE account_id = ? AND region = ?"
        " AND (disabled_at IS NULL OR disabled_at >= ?) AND id > ?"
    )
    values: list[Any] = [*ctx.scope, streams.clock.now() - table_streams.RETENTION_S]

    def read(tx: Tx) -> list[Row]:
        start = params.get("ExclusiveStartStreamArn")
        last = table_streams.find(tx, start) if start is not None else None
        values.append(last["id"] if last is not None else 0)
        if "TableName" in params:
            values.append(params["TableName"])
            return tx.all(f"{sql} AND table_name = ? ORDER BY id LIMIT ?", (*values, limit + 1))
        return tx.all(f"{sql} ORDER BY id LIMIT ?", (*values, limit + 1))

    rows = await streams.database.read(read)
    found = [
        {"StreamArn": row["arn"], "TableName": row["table_name"], "StreamLabel": row["label"]} for row in rows[:limit]
    ]
    more = {"LastEvaluatedStreamArn": rows[limit - 1]["arn"]} if len(rows) > limit else {}
    return {"Streams": found, **more}


def _limit(params: Params, most: int) -> int:
    """Raises ValidationException beyond what the operation gives at once."""
    limit: int = params.get("Limit", most)
    if limit > most:
        raise ServiceError(
            "ValidationException",
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}",
        )
    return limit


def existing(streams: Streams, arn: str, now: float) -> Row:
    """A stream's row. Raises ResourceNotFoundException, also 24 hours after it was disabled."""
    row = streams.find(arn)
    if row is None or (row["disabled_at"] or now) < now - table_streams.RETENTION_S:
        raise ServiceError("ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found")
    return row


@operation("DescribeStream")
async def describe_stream(streams: Streams, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A stream with its shards, the oldest first; each names the shard that it follows."""
    limit, now = _limit(params, MAX_LISTED), streams.clock.now()
    after = params.get("ExclusiveStartShardId")
    only = params.get("ShardFilter", {})
    row = existing(streams, params["StreamArn"], now)

    def read(tx: Tx) -> dict[str, Any]:
        found = table_streams.shards(tx, row["id"], _shard_number(after) if after else 0, now)
        if only.get("Type") == "CHILD_SHARDS":
            parent = _shard_number(only.get("ShardId", ""))
            found = [one for one in found if one["parent_id"] == parent]
        described = {
            "StreamArn": row["arn"],
            "StreamLabel": row["label"],
            "StreamStatus": "ENABLED" if row["disabled_at"] is None else "DISABLED",
            "StreamViewType": row["view_type"],
            "CreationRequestDateTime": row["created_at"],
            "TableName": row["table_name"],
            "KeySchema": json.loads(row["key_schema"]),
            "Shards": [_shard(tx, one) for one in found[:limit]],
        }
        if len(found) > limit:
            described["LastEvaluatedShardId"] = _shard_name(found[limit - 1])
        return described

    return {"StreamDescription": await streams.database.read(read)}


def _shard(tx: Tx, row: Row) -> dict[str, Any]:
    span = {"StartingSequenceNumber": table_streams.shown_sequence(row["first"])}
    if row["closed_at"] is not None:
        span["EndingSequenceNumber"] = table_streams.shown_sequence(max(row["last"], row["first"]))
    found: dict[str, Any] = {"ShardId": _shard_name(row), "SequenceNumberRange": span}
    if row["parent_id"] is not None:
        parent = tx.one("SELECT * FROM dynamodbstreams_shard WHERE id = ?", (row["parent_id"],))
        if parent is not None:
            found["ParentShardId"] = _shard_name(parent)
    return found


def _shard_name(row: Row) -> str:
    return f"shardId-{int(row['created_at'] * 1000):020d}-{row['id']:08x}"


def _shard_number(name: str) -> int:
    """Raises ResourceNotFoundException for what is no shard's name."""
    found = _SHARD.fullmatch(name)
    if found is None or len(found[1]) > 15:
        raise _no_shard(name)
    return int(found[1], 16)


def _no_shard(name: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"Requested resource not found: Shard: {name} not found")


@operation("GetShardIterator")
async def get_shard_iterator(streams: Streams, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A place in a shard to begin to read."""
    arn, now = params["StreamArn"], streams.clock.now()
    row = existing(streams, arn, now)

    def read(tx: Tx) -> Iterator:
        number = _shard_number(params["ShardId"])
        shard = tx.one("SELECT * FROM dynamodbstreams_shard WHERE id = ? AND stream_id = ?", (number, row["id"]))
        if shard is None:
            raise _no_shard(params["ShardId"])
        return Iterator(arn, number, _start(tx, params, shard, now), now)

    return {"ShardIterator": written(await streams.database.read(read))}


def _start(tx: Tx, params: Params, shard: Row, now: float) -> int:
    kind: str = params["ShardIteratorType"]
    if kind == "TRIM_HORIZON":
        return int(shard["first"])
    if kind == "LATEST":
        return table_streams.end_of(tx, shard)
    if kind == "AT_TIMESTAMP":
        return _at_time(tx, params, shard, now)
    if "SequenceNumber" not in params:
        raise ServiceError("ValidationException", f"SequenceNumber is required for ShardIteratorType {kind}")
    try:
        sequence: int = table_streams.read_sequence(params["SequenceNumber"])
    except ValueError:
        raise ServiceError("ValidationException", "Invalid SequenceNumber") from None
    if sequence < shard["first"] or (shard["last"] is not None and sequence > max(shard["last"], shard["first"])):
        raise ServiceError("ValidationException", "Invalid SequenceNumber: it is not within the shard")
    if table_streams.LOG.is_trimmed(tx, shard["id"], sequence, now - table_streams.RETENTION_S):
        raise ServiceError(
            "TrimmedDataAccessException",
            "The operation attempted to read past the oldest stream record in a shard: "
            f"{params['SequenceNumber']} was trimmed",
        )
    return sequence + 1 if kind == "AFTER_SEQUENCE_NUMBER" else sequence


def _at_time(tx: Tx, params: Params, shard: Row, now: float) -> int:
    if "Timestamp" not in params:
        raise ServiceError("ValidationException", "Timestamp is required for ShardIteratorType AT_TIMESTAMP")
    moment = params["Timestamp"].timestamp()
    if moment > now:
        raise ServiceError("ValidationException", "Timestamp must not be in the future")
    found = table_streams.LOG.at_time(tx, shard["id"], max(moment, now - table_streams.RETENTION_S))
    return table_streams.end_of(tx, shard) if found is None else found


@operation("GetRecords")
async def get_records(streams: Streams, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 1,000 records or 1 MB, in order. Without NextShardIterator at the end of a shard that is closed."""
    iterator, limit, now = iterators.read(params["ShardIterator"]), _limit(params, MAX_RECORDS), streams.clock.now()
    iterators.check_age(iterator, now)
    began = ctx.host_clock.now()
    stream = existing(streams, iterator.stream_arn, now)

    def read(tx: Tx) -> tuple[list[dict[str, Any]], Iterator | None]:
        shard = tx.one(
            "SELECT * FROM dynamodbstreams_shard WHERE id = ? AND stream_id = ?", (iterator.shard_id, stream["id"])
        )
        if shard is None:
            raise ServiceError("TrimmedDataAccessException", "The shard's records were trimmed after 24 hours.")
        found: list[dict[str, Any]] = []
        size, position = 0, iterator.sequence
        for row in table_streams.LOG.records(tx, shard["id"], iterator.sequence, now - table_streams.RETENTION_S):
            size += row["size"]
            if len(found) == limit or (found and size > MAX_BYTES):
                break
            found.append(_record(row, stream))
            position = row["sequence"] + 1
        else:
            if shard["closed_at"] is not None:
                return found, None
        return found, iterator._replace(sequence=position, issued_at=now)

    records, following = await streams.database.read(read)
    latency_ms = max(0.0, 1000 * (ctx.host_clock.now() - began))
    size = sum(record["dynamodb"]["SizeBytes"] for record in records)
    streams.measures.got(iterator.stream_arn, len(records), size, latency_ms)
    more = {} if following is None else {"NextShardIterator": written(following)}
    return {"Records": records, **more}


def _record(row: Row, stream: Row) -> dict[str, Any]:
    images = json.loads(row["images"])
    record: dict[str, Any] = {
        "eventID": row["event_id"],
        "eventName": row["event_name"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream["region"],
        "dynamodb": {
            "ApproximateCreationDateTime": int(row["at"]),
            **{name: with_binaries(image, row["images"]) for name, image in images.items()},
            "SequenceNumber": table_streams.shown_sequence(row["sequence"]),
            "SizeBytes": row["size"],
            "StreamViewType": stream["view_type"],
        },
    }
    if row["by_expiry"]:
        record["userIdentity"] = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    return record
