"""Streams: created, described, listed, deleted; their shards listed.

AWS: Kinesis API Reference, CreateStream, DescribeStream, DescribeStreamSummary, ListStreams, ListShards,
DescribeLimits.
"""

import json
from typing import Any

from undercast.core import json_values
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.page_tokens import name_of, token_of
from undercast.core.service import Params, operation
from undercast.services.kinesis import resharding, shard_lists, store
from undercast.services.kinesis.errors import in_use, invalid
from undercast.services.kinesis.instance import Kinesis, asked, named, refuse_second
from undercast.services.kinesis.models import (
    AUTO,
    BY_KEY,
    HASH_KEYS,
    ON_DEMAND,
    PROVISIONED,
    Stream,
    StreamName,
    named_by_arn,
    shard_name,
    shown_sequence,
    starts_of,
)
from undercast.services.kinesis.operations.tags import check_tags
from undercast.services.kinesis.shard_changes import Range
from undercast.services.kinesis.shard_lists import Part
from undercast.store.database import Row, Tx

ON_DEMAND_SHARDS = 4
SHARD_LIMIT, ON_DEMAND_LIMIT = 20_000, 50
_TOKEN_LIFE_S = 300.0
_MOST_SHARDS, _MOST_DESCRIBED, _MOST_STREAMS = 1000, 100, 100


@operation("CreateStream")
async def create_stream(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new stream, ACTIVE at once."""
    of = StreamName(ctx.scope, params["StreamName"])
    mode = params.get("StreamModeDetails", {}).get("StreamMode", PROVISIONED)
    count = _shards_of(mode, params)
    distribution = params.get("RecordDistributionStrategy", BY_KEY)
    if distribution == AUTO and mode == PROVISIONED:
        raise invalid("The record distribution strategy AUTO is only supported for streams in on-demand mode.")
    given = {
        "mode": mode,
        "max_record_kib": params.get("MaxRecordSizeInKiB", 1024),
        "distribution": distribution,
        "tags": check_tags({}, params.get("Tags", {})),
    }
    now = ctx.clock.now()

    def create(tx: Tx) -> None:
        refuse_second(tx, of)
        stream = store.add(tx, of, given, now)
        starts = starts_of(count)
        ends = [*starts[1:], HASH_KEYS]
        ranges = [Range(start, end - 1) for start, end in zip(starts, ends, strict=True)]
        resharding.begin(tx, stream, ranges, now)

    await kinesis.change(of, create, long=count > 100)
    return {}


def _shards_of(mode: str, params: Params) -> int:
    count: int | None = params.get("ShardCount")
    if mode == ON_DEMAND:
        if count is not None:
            raise invalid("ShardCount cannot be specified for a stream in on-demand mode.")
        return ON_DEMAND_SHARDS
    if count is None:
        raise invalid("ShardCount must be specified for a stream in provisioned mode.")
    if count > SHARD_LIMIT:
        raise ServiceError("LimitExceededException", f"This request would exceed the shard limit of {SHARD_LIMIT}.")
    return count


@operation("DeleteStream")
async def delete_stream(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """With all its records; its consumers only where EnforceConsumerDeletion says so."""

    def delete(tx: Tx) -> None:
        stream = asked(tx, ctx, params)
        if store.consumers(tx, stream.id) and not params.get("EnforceConsumerDeletion"):
            raise in_use(
                f"Stream {stream.of.name} under account {stream.of.scope.account_id} has registered consumers. Set "
                "EnforceConsumerDeletion to delete them with it."
            )
        tx.execute("DELETE FROM kinesis_stream WHERE id = ?", (stream.id,))
        tx.after_commit(kinesis.policies.forget)
        tx.after_commit(lambda: kinesis.arrivals.ring(stream.of.arn))

    await kinesis.change(named(ctx, params), delete, long=True)
    return {}


@operation("DescribeStream")
async def describe_stream(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """With up to 100 of its shards."""
    limit = min(params.get("Limit", _MOST_DESCRIBED), _MOST_DESCRIBED)

    def look(tx: Tx) -> dict[str, Any]:
        stream = asked(tx, ctx, params)
        part = Part(params.get("ExclusiveStartShardId"), limit + 1)
        found = shard_lists.page(tx, stream, {}, part, ctx.clock.now())
        return {
            **_described(stream),
            "Shards": [shown_shard(stream, row) for row in found[:limit]],
            "HasMoreShards": len(found) > limit,
        }

    return {"StreamDescription": kinesis.database.read_now(look)}


@operation("DescribeStreamSummary")
async def describe_stream_summary(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Without its shards."""

    def look(tx: Tx) -> dict[str, Any]:
        stream = asked(tx, ctx, params)
        found = {
            **_described(stream),
            "OpenShardCount": store.count_open(tx, stream.id),
            "ConsumerCount": len(store.consumers(tx, stream.id)),
            "MaxRecordSizeInKiB": stream.max_record_kib,
            "ChannelCount": 0,
            "QueueCount": 0,
        }
        return {**found, "RecordDistributionStrategy": stream.distribution} if stream.is_on_demand else found

    return {"StreamDescriptionSummary": kinesis.database.read_now(look)}


def _described(stream: Stream) -> dict[str, Any]:
    found = {
        "StreamName": stream.of.name,
        "StreamARN": stream.of.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": stream.mode},
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": moment(stream.created_at),
        "EnhancedMonitoring": [{"ShardLevelMetrics": list(stream.metrics)}],
        "EncryptionType": "KMS" if stream.key_id else "NONE",
    }
    return {**found, "KeyId": stream.key_id} if stream.key_id else found


def shown_shard(stream: Stream, row: Row) -> dict[str, Any]:
    """A shard as the lists show it."""
    span = {"StartingSequenceNumber": shown_sequence(stream.id, row["first"], row["number"])}
    if row["closed_at"] is not None:
        span["EndingSequenceNumber"] = shown_sequence(stream.id, row["last"], row["number"])
    found: dict[str, Any] = {
        "ShardId": shard_name(row["number"]),
        "HashKeyRange": {"StartingHashKey": str(int(row["low"])), "EndingHashKey": str(int(row["high"]))},
        "SequenceNumberRange": span,
    }
    for member, column in (("ParentShardId", "parent"), ("AdjacentParentShardId", "adjacent")):
        if row[column] is not None:
            found[member] = shard_name(row[column])
    return found


@operation("ListStreams")
async def list_streams(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name."""
    limit = min(params.get("Limit", _MOST_STREAMS), _MOST_STREAMS)
    try:
        after = name_of(params.get("NextToken")) or params.get("ExclusiveStartStreamName", "")
    except ValueError:
        raise invalid("NextToken is invalid.") from None
    found = kinesis.database.read_now(lambda tx: store.listed(tx, ctx.scope, after, limit + 1))
    more = len(found) > limit
    summaries = [
        {
            "StreamName": stream.of.name,
            "StreamARN": stream.of.arn,
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": stream.mode},
            "StreamCreationTimestamp": moment(stream.created_at),
        }
        for stream in found[:limit]
    ]
    answer: dict[str, Any] = {
        "StreamNames": [one["StreamName"] for one in summaries],
        "HasMoreStreams": more,
        "StreamSummaries": summaries,
    }
    return {**answer, "NextToken": token_of(found[limit - 1].of.name)} if more else answer


@operation("ListShards")
async def list_shards(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All shards that can still be read, or those of a filter. A token holds for five minutes."""
    limit, now = min(params.get("MaxResults", _MOST_SHARDS), _MOST_SHARDS), ctx.clock.now()
    token = _token(params, now)
    after = token["after"] if token else params.get("ExclusiveStartShardId")
    chosen: Params = token["filter"] if token else params.get("ShardFilter", {})
    if "Timestamp" in chosen and not token:
        chosen = {**chosen, "Timestamp": chosen["Timestamp"].timestamp()}

    def look(tx: Tx) -> tuple[Stream, list[Row]]:
        stream = store.existing(tx, named_by_arn(token["arn"])) if token else asked(tx, ctx, params)
        _check_created(stream, params)
        return stream, shard_lists.page(tx, stream, chosen, Part(after, limit + 1), now)

    stream, found = kinesis.database.read_now(look)
    answer: dict[str, Any] = {"Shards": [shown_shard(stream, row) for row in found[:limit]]}
    if len(found) > limit:
        last = answer["Shards"][-1]["ShardId"]
        said = {"arn": stream.of.arn, "after": last, "filter": dict(chosen), "at": now}
        answer["NextToken"] = token_of(json.dumps(said))
    return answer


def token_arn(text: str) -> str:
    """The stream of a NextToken of ListShards. Raises InvalidArgumentException."""
    return str(_said(text)["arn"])


def _said(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json_values.parse(name_of(text))
        if found.keys() != {"arn", "after", "filter", "at"}:
            raise ValueError("not ours")
    except (ValueError, AttributeError):
        raise invalid("NextToken is invalid.") from None
    return found


def _token(params: Params, now: float) -> dict[str, Any]:
    text = params.get("NextToken")
    if text is None:
        return {}
    for member in ("StreamName", "StreamCreationTimestamp", "ExclusiveStartShardId"):
        if member in params:
            raise invalid(f"NextToken and {member} cannot be provided together.")
    found = _said(text)
    if now - found["at"] > _TOKEN_LIFE_S:
        raise ServiceError("ExpiredNextTokenException", "The NextToken has expired: 300 seconds have passed.")
    return found


def _check_created(stream: Stream, params: Params) -> None:
    """StreamCreationTimestamp tells apart two streams that had the same name one after the other."""
    given = params.get("StreamCreationTimestamp")
    if given is not None and int(given.timestamp()) != int(stream.created_at):
        raise ServiceError(
            "ResourceNotFoundException",
            f"Stream {stream.of.name} under account {stream.of.scope.account_id} was not created at {given}.",
        )


@operation("DescribeLimits")
async def describe_limits(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Of the account in this region."""

    def count(tx: Tx) -> tuple[int, int]:
        row = tx.one(
            "SELECT COUNT(*) AS number FROM kinesis_shard JOIN kinesis_stream ON stream_id = kinesis_stream.id"
            " WHERE account_id = ? AND region = ? AND closed_at IS NULL AND mode = ?",
            (*ctx.scope, PROVISIONED),
        )
        streams = tx.one(
            "SELECT COUNT(*) AS number FROM kinesis_stream WHERE account_id = ? AND region = ? AND mode = ?",
            (*ctx.scope, ON_DEMAND),
        )
        assert row is not None
        assert streams is not None
        return row["number"], streams["number"]

    open_shards, on_demand = kinesis.database.read_now(count)
    return {
        "ShardLimit": SHARD_LIMIT,
        "OpenShardCount": open_shards,
        "OnDemandStreamCount": on_demand,
        "OnDemandStreamCountLimit": ON_DEMAND_LIMIT,
        "ChannelCount": 0,
        "ChannelCountLimit": 0,
    }
