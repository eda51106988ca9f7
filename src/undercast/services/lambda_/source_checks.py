"""What a source of each kind may have, and whether the function's role may read it.

AWS: Lambda Developer Guide, "Lambda parameters for Amazon SQS event source mappings", the same for DynamoDB and for
Kinesis. Texts are AWS's where anybody has quoted them; those about FIFO's batch size, regions, the number of filters,
timestamps, tumbling windows and settings of the other kind are ours.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope, is_fifo
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.identity import root_principal
from undercast.core.service import Params
from undercast.services.event_sources import pollers
from undercast.services.event_sources.kinds import is_consumer
from undercast.services.event_sources.progress import Progress
from undercast.services.event_sources.queue_events import patterns_of
from undercast.services.lambda_ import destinations
from undercast.services.lambda_.errors import invalid
from undercast.services.lambda_.mapping_measures import EVENT_COUNT
from undercast.services.lambda_.models import Version
from undercast.services.lambda_.roles import allows, session_of

STREAM_MEMBERS = (
    "StartingPosition",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "ParallelizationFactor",
    "TumblingWindowInSeconds",
)
_QUEUE_DEFAULTS = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
_STREAM_DEFAULTS = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}
_QUEUE_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_STREAM_ACTIONS = ("GetRecords", "GetShardIterator", "DescribeStream")
"""Without ListShards a mapping of a Kinesis stream is made, too, whatever the error's text says: the roles of the
Serverless Framework (serverless/serverless issue 8540) and of chalice lack it."""
_BROKERS = ("kafka", "mq", "rds", "docdb")
_SMALL_BATCH = 10
_MAX_FILTERS = 5
_LEAST_AGE_S = 60


def is_queue(arn: str) -> bool:
    """Whether a source is a queue; else it is a stream."""
    return arn.split(":")[2] == "sqs"


def check_source(ctx: RequestContext, arn: str, params: Params) -> Mapping[str, Any]:
    """The defaults of the source's kind. Raises for sources that are none, or none here."""
    parts = arn.split(":")
    service = parts[2] if len(parts) >= 6 else ""
    if service in _BROKERS:
        raise refused_member(ctx.operation, f"EventSourceArn={arn}", "brokers are not event sources here")
    is_stream = (service == "dynamodb" and "/stream/" in parts[5]) or (
        service == "kinesis" and parts[5].startswith("stream/")
    )
    if service != "sqs" and not is_stream:
        raise invalid("Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source.")
    if parts[3] != ctx.region:
        raise invalid(f"The event source must be in the region of the function, {ctx.region}: {arn}")
    check_members(arn, params)
    if is_queue(arn):
        return _QUEUE_DEFAULTS
    _check_start(ctx, arn, params)
    return _STREAM_DEFAULTS


def _check_start(ctx: RequestContext, arn: str, params: Params) -> None:
    """AWS: CreateEventSourceMapping, StartingPosition: AT_TIMESTAMP is for Kinesis, not for tables' streams."""
    position, at = params.get("StartingPosition"), params.get("StartingPositionTimestamp")
    allowed = ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP") if _is_kinesis(arn) else ("TRIM_HORIZON", "LATEST")
    if position not in allowed:
        raise invalid(f"Unsupported starting position for arn type: {arn}")
    if (position == "AT_TIMESTAMP") != (at is not None):
        raise invalid("StartingPositionTimestamp is required for the StartingPosition AT_TIMESTAMP, and only for it.")
    if at is not None and at.timestamp() > ctx.clock.now():
        raise invalid("StartingPositionTimestamp must not be in the future.")


def _is_kinesis(arn: str) -> bool:
    return arn.split(":")[2] == "kinesis"


def check_members(arn: str, params: Params) -> None:
    """Settings of the other kind of source."""
    kind = "SQS" if is_queue(arn) else "Kinesis" if _is_kinesis(arn) else "DynamoDB stream"
    queue_lacks, table_lacks = (*STREAM_MEMBERS, "StartingPositionTimestamp"), ("StartingPositionTimestamp",)
    stream_lacks = ("ScalingConfig", pollers.MEMBER, *(() if _is_kinesis(arn) else table_lacks))
    wrong = queue_lacks if is_queue(arn) else stream_lacks
    for member in wrong:
        if member in params:
            raise invalid(f"{member} is not valid for {kind} event sources.")
    # "Not supported in CreateEventSourceMapping or UpdateEventSourceMapping": API Reference, OnSuccess.
    if params.get("DestinationConfig", {}).get("OnSuccess", {}).get("Destination"):
        raise invalid(f"DestinationConfig.OnSuccess is not valid for {kind} event sources.")
    metrics = params.get("MetricsConfig", {}).get("Metrics", ())
    for metric in metrics:
        if metric != EVENT_COUNT:
            raise invalid(f"MetricsConfig.Metrics={metric} is not valid for {kind} event sources.")


async def check(ctx: RequestContext, arn: str, settings: Mapping[str, Any], version: Version) -> None:
    """Raises AWS's errors."""
    _check_filters(settings)
    if is_queue(arn):
        _check_batch(arn, settings)
        _check_pollers(settings)
        await _check_queue(ctx, arn, version)
        return
    if settings.get("TumblingWindowInSeconds") and settings.get("ParallelizationFactor", 1) > 1:
        raise invalid("ParallelizationFactor must be 1 when TumblingWindowInSeconds is set.")
    if 0 <= settings["MaximumRecordAgeInSeconds"] < _LEAST_AGE_S:
        raise invalid(f"MaximumRecordAgeInSeconds is -1, or at least {_LEAST_AGE_S}")
    role_arn = version.configuration["Role"]
    if destination := settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
        await destinations.check_stream(ctx, destination, role_arn)
    await _check_reading(ctx, arn, role_arn)


async def _check_reading(ctx: RequestContext, arn: str, role_arn: str) -> None:
    """The role may read the stream, and subscribe to it where the source is a consumer."""
    needed = ("SubscribeToShard",) if is_consumer(arn) else _STREAM_ACTIONS
    for action in needed:
        if not await _may(ctx, role_arn, f"{arn.split(':')[2]}:{action}", arn):
            names = "SubscribeToShard" if is_consumer(arn) else (
                "GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams" if _is_kinesis(arn)
                else "GetRecords, GetShardIterator, DescribeStream, and ListStreams"
            )  # fmt: skip
            raise invalid(
                f"Cannot access stream {arn}. Please ensure the role can perform the {names} Actions on your stream in "
                "IAM."
            )


async def begin_of(ctx: RequestContext, arn: str, params: Params) -> Progress | None:
    """Where the reading of a stream begins; None for a queue. Raises for a stream that is not there."""
    if is_queue(arn):
        return None
    owner = AccountId(Arn.parse(arn).account_id)
    scope = Scope(owner, ctx.region)
    if is_consumer(arn):
        call = ("kinesis", "DescribeStreamConsumer", {"ConsumerARN": arn})
    elif _is_kinesis(arn):
        call = ("kinesis", "DescribeStreamSummary", {"StreamARN": arn})
    else:
        call = ("dynamodbstreams", "DescribeStream", {"StreamArn": arn})
    try:
        await ctx.call(*call, principal=root_principal(owner), scope=scope)
    except ServiceError as error:
        if error.code != "ResourceNotFoundException":
            raise
        raise invalid(f"Stream not found: {arn}") from error
    if params["StartingPosition"] == "AT_TIMESTAMP":
        return Progress(since=params["StartingPositionTimestamp"].timestamp())
    return Progress(since=ctx.clock.now() if params["StartingPosition"] == "LATEST" else 0.0)


def _check_filters(settings: Mapping[str, Any]) -> None:
    criteria = settings.get("FilterCriteria", {})
    if len(criteria.get("Filters", ())) > _MAX_FILTERS:
        raise invalid(f"An event source mapping has at most {_MAX_FILTERS} filters")
    try:
        patterns_of(criteria)
    except (ValueError, RecursionError) as error:
        raise invalid("Invalid filter pattern definition.") from error


def _check_batch(source_arn: str, settings: Mapping[str, Any]) -> None:
    size, window = settings["BatchSize"], settings["MaximumBatchingWindowInSeconds"]
    if is_fifo(source_arn):
        if window:
            raise invalid("Batching window is not supported for FIFO queues")
        if size > _SMALL_BATCH:
            raise invalid(f"Maximum batch size for FIFO queues is {_SMALL_BATCH}")
    if size > _SMALL_BATCH and not window:
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")


def _check_pollers(settings: Mapping[str, Any]) -> None:
    """The rules are AWS's, the texts ours."""
    config = settings.get(pollers.MEMBER)
    if not config:
        return
    if "PollerGroupName" in config:
        raise invalid(f"{pollers.MEMBER}.PollerGroupName is not valid for SQS event sources.")
    if settings.get("ScalingConfig"):
        raise invalid("ScalingConfig.MaximumConcurrency and ProvisionedPollerConfig exclude each other.")
    if min(config.values()) < pollers.LEAST:
        raise invalid(f"MinimumPollers and MaximumPollers are at least {pollers.LEAST} for SQS event sources.")
    if config["MaximumPollers"] < config["MinimumPollers"]:
        raise invalid("MaximumPollers must not be less than MinimumPollers.")


async def _check_queue(ctx: RequestContext, arn: str, version: Version) -> None:
    """The role may use it, it exists, and hides messages for as long as the function may run."""
    role_arn = version.configuration["Role"]
    for action in _QUEUE_ACTIONS:
        if not await _may(ctx, role_arn, f"sqs:{action}", arn):
            raise invalid(f"The provided execution role does not have permissions to call {action} on SQS")
    parsed = Arn.parse(arn)
    owner = AccountId(parsed.account_id)
    url = f"{ctx.endpoint}/{parsed.account_id}/{parsed.resource}"
    asked = {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]}
    scope = Scope(owner, Region(parsed.region))
    try:
        found = await ctx.call("sqs", "GetQueueAttributes", asked, principal=root_principal(owner), scope=scope)
    except ServiceError as error:
        if "QueueDoesNotExist" not in error.code and "NonExistentQueue" not in error.code:
            raise
        raise invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist."
        ) from error
    visibility_s, timeout_s = int(found["Attributes"]["VisibilityTimeout"]), version.configuration["Timeout"]
    if visibility_s < timeout_s:
        raise invalid(
            f"Queue visibility timeout: {visibility_s} seconds is less than Function timeout: {timeout_s} seconds"
        )


async def _may(ctx: RequestContext, role_arn: str, action: str, arn: str) -> bool:
    """In one account the role's policies or the source's must allow it, across accounts both. Unknown roles pass."""
    by_role = await allows(ctx, role_arn, action, arn)
    crosses = Arn.parse(arn).account_id != role_arn.split(":")[4]
    if by_role is None or (by_role and not crosses):
        return True
    if crosses and not by_role:
        return False
    return await ctx.permits(await session_of(ctx, role_arn, "lambda"), action, arn, {})
