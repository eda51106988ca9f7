"""Retention, encryption, monitoring, capacity mode, record size and distribution of a stream.

AWS: Kinesis API Reference, the operations of these names; Developer Guide, "Change the data retention period", "Data
protection in Amazon Kinesis Data Streams".
"""

import json
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.customer_keys import told
from undercast.services.kinesis import store
from undercast.services.kinesis.encryption import CODES
from undercast.services.kinesis.errors import invalid
from undercast.services.kinesis.instance import Kinesis, asked, named
from undercast.services.kinesis.measures import SHARD_METRICS
from undercast.services.kinesis.models import AUTO, BY_KEY, ON_DEMAND, Stream
from undercast.store.database import Tx

LEAST_HOURS, MOST_HOURS = 24, 8760


@operation("IncreaseStreamRetentionPeriod")
async def increase_stream_retention_period(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is not expired yet is kept longer."""
    return await _retain(kinesis, ctx, params, longer=True)


@operation("DecreaseStreamRetentionPeriod")
async def decrease_stream_retention_period(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is older cannot be read any more, at once."""
    return await _retain(kinesis, ctx, params, longer=False)


async def _retain(kinesis: Kinesis, ctx: RequestContext, params: Params, *, longer: bool) -> dict[str, Any]:
    hours: int = params["RetentionPeriodHours"]

    def write(tx: Tx) -> None:
        stream = asked(tx, ctx, params)
        text = f"Requested retention period ({hours} hours) for stream {stream.of.name}"
        before = stream.retention_hours
        if longer and hours < before:
            raise invalid(f"{text} can not be shorter than existing retention period ({before} hours). "
                          "Use DecreaseRetentionPeriod API.")  # fmt: skip
        if not longer and hours > before:
            raise invalid(f"{text} can not be longer than existing retention period ({before} hours). "
                          "Use IncreaseRetentionPeriod API.")  # fmt: skip
        if hours > MOST_HOURS:
            raise invalid(f"Maximum allowed retention period is {MOST_HOURS} hours. {text} is too long.")
        if hours < LEAST_HOURS:
            raise invalid(f"Minimum allowed retention period is {LEAST_HOURS} hours. {text} is too short.")
        store.change(tx, stream, retention_hours=hours)

    await kinesis.change(named(ctx, params), write)
    return {}


@operation("StartStreamEncryption")
async def start_stream_encryption(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The key is looked up; records from now on say that they are encrypted."""
    if params["EncryptionType"] != "KMS":
        raise invalid("The only valid EncryptionType of StartStreamEncryption is KMS.")
    kinesis.database.read_now(lambda tx: asked(tx, ctx, params))
    try:
        found = (await ctx.call("kms", "DescribeKey", {"KeyId": params["KeyId"]}))["KeyMetadata"]
    except ServiceError as error:
        raise told(error, CODES) from error
    if found["KeyState"] != "Enabled":
        state = "KMSDisabledException" if found["KeyState"] == "Disabled" else "KMSInvalidStateException"
        raise ServiceError(state, f"{found['Arn']} is {found['KeyState']}.")
    await kinesis.change(
        named(ctx, params), lambda tx: store.change(tx, asked(tx, ctx, params), key_id=params["KeyId"])
    )
    return {}


@operation("StopStreamEncryption")
async def stop_stream_encryption(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """KeyId is the key that the stream has."""

    def write(tx: Tx) -> None:
        stream = asked(tx, ctx, params)
        if params["EncryptionType"] != "KMS" or params["KeyId"] != stream.key_id:
            raise invalid(f"Stream {stream.of.name} is not encrypted with {params['KeyId']}.")
        store.change(tx, stream, key_id="")

    await kinesis.change(named(ctx, params), write)
    return {}


@operation("EnableEnhancedMonitoring")
async def enable_enhanced_monitoring(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """From now on CloudWatch gets these metrics of each shard."""
    return await _monitor(kinesis, ctx, params, enable=True)


@operation("DisableEnhancedMonitoring")
async def disable_enhanced_monitoring(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """No more of these."""
    return await _monitor(kinesis, ctx, params, enable=False)


async def _monitor(kinesis: Kinesis, ctx: RequestContext, params: Params, *, enable: bool) -> dict[str, Any]:
    given = set(SHARD_METRICS) if "ALL" in params["ShardLevelMetrics"] else set(params["ShardLevelMetrics"])

    def write(tx: Tx) -> dict[str, Any]:
        stream = asked(tx, ctx, params)
        wanted = set(stream.metrics) | given if enable else set(stream.metrics) - given
        after = [name for name in SHARD_METRICS if name in wanted]
        store.change(tx, stream, metrics=json.dumps(after))
        return {
            "StreamName": stream.of.name,
            "StreamARN": stream.of.arn,
            "CurrentShardLevelMetrics": list(stream.metrics),
            "DesiredShardLevelMetrics": after,
        }

    return await kinesis.change(named(ctx, params), write)


@operation("UpdateStreamMode")
async def update_stream_mode(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The shards stay as they are, as on AWS."""
    mode = params["StreamModeDetails"]["StreamMode"]

    def write(tx: Tx) -> None:
        stream = asked(tx, ctx, params)
        if mode != ON_DEMAND and stream.distribution == AUTO:
            store.change(tx, stream, distribution=BY_KEY)
        store.change(tx, stream, mode=mode)

    await kinesis.change(named(ctx, params), write)
    return {}


@operation("UpdateMaxRecordSize")
async def update_max_record_size(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """For the records from now on."""
    size = params["MaxRecordSizeInKiB"]
    await kinesis.change(named(ctx, params), lambda tx: store.change(tx, asked(tx, ctx, params), max_record_kib=size))
    return {}


@operation("UpdateStreamRecordDistributionStrategy")
async def update_distribution(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """For the records from now on; only of streams on demand."""

    def write(tx: Tx) -> None:
        stream: Stream = asked(tx, ctx, params)
        if not stream.is_on_demand:
            raise invalid("The record distribution strategy is only supported for streams in on-demand mode.")
        store.change(tx, stream, distribution=params["RecordDistributionStrategy"])

    await kinesis.change(named(ctx, params), write)
    return {}
