"""SplitShard, MergeShards, UpdateShardCount.

AWS: Kinesis API Reference, the operations of these names.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.kinesis import resharding, store
from undercast.services.kinesis.errors import limit
from undercast.services.kinesis.instance import Kinesis, asked, named
from undercast.services.kinesis.models import Stream, explicit_key
from undercast.store.database import Tx

MOST_SHARDS = 10_000


def _provisioned(tx: Tx, ctx: RequestContext, params: Params) -> Stream:
    """Raises ValidationException for a stream on demand: AWS manages its shards."""
    stream = asked(tx, ctx, params)
    if stream.is_on_demand:
        raise ServiceError(
            "ValidationException",
            f"Request is invalid. Stream {stream.of.name} under account {stream.of.scope.account_id} is in On-Demand "
            "mode.",
        )
    return stream


@operation("SplitShard")
async def split_shard(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Two children in place of a shard."""

    def write(tx: Tx) -> None:
        stream = _provisioned(tx, ctx, params)
        shard, start = store.shard(tx, stream, params["ShardToSplit"]), explicit_key(params["NewStartingHashKey"])
        resharding.check_split(stream, shard, start)
        resharding.split(tx, stream, shard, start, ctx.clock.now())
        tx.after_commit(lambda: kinesis.arrivals.ring(stream.of.arn))

    await kinesis.change(named(ctx, params), write)
    return {}


@operation("MergeShards")
async def merge_shards(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One child in place of two adjacent shards."""

    def write(tx: Tx) -> None:
        stream = _provisioned(tx, ctx, params)
        shard, other = (store.shard(tx, stream, params[name]) for name in ("ShardToMerge", "AdjacentShardToMerge"))
        resharding.merge(tx, stream, shard, other, ctx.clock.now())
        tx.after_commit(lambda: kinesis.arrivals.ring(stream.of.arn))

    await kinesis.change(named(ctx, params), write)
    return {}


@operation("UpdateShardCount")
async def update_shard_count(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """So many shards of equal size; there is one ScalingType."""
    target: int = params["TargetShardCount"]

    def write(tx: Tx) -> dict[str, Any]:
        stream = _provisioned(tx, ctx, params)
        current = store.count_open(tx, stream.id)
        _check_count(current, target)
        resharding.scale(tx, stream, target, ctx.clock.now())
        tx.after_commit(lambda: kinesis.arrivals.ring(stream.of.arn))
        shown = {"StreamName": stream.of.name, "StreamARN": stream.of.arn}
        return {**shown, "CurrentShardCount": current, "TargetShardCount": target}

    return await kinesis.change(named(ctx, params), write, long=True)


def _check_count(current: int, target: int) -> None:
    counts = f"Current open shard count: {current} Target shard count: {target}"
    if target > MOST_SHARDS:
        raise limit(f"UpdateShardCount cannot scale up to more than {MOST_SHARDS} shards. {counts}")
    if target > 2 * current:
        raise limit(f"UpdateShardCount cannot scale up over double your current open shard count. {counts}")
    if 2 * target < current:
        raise limit(f"UpdateShardCount cannot scale down below half your current open shard count. {counts}")
