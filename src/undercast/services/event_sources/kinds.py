"""The two kinds of streams, as a consumer reads them: through their own operations, as its role.

AWS: Lambda Developer Guide, "Lambda parameters for Amazon Kinesis Data Streams event source mappings", the same for
DynamoDB, "Retain discarded batch records"; the records are those of "Using Lambda with Kinesis" and "with DynamoDB".
"""

import base64
from collections.abc import Mapping
from typing import Any, Protocol

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import root_principal
from undercast.services.event_sources.progress import Progress
from undercast.services.event_sources.records import Listing, Page, Record, ShardSeen, text_of

_CUT_BYTES = 128 * 1024
"""GetRecords of DynamoDB gives up to 1 MB, and a record has at most two images of 400 KB and a key: a page of less was
not cut for its size."""


class Kind(Protocol):
    """One stream."""

    @property
    def bell(self) -> str:
        """For which ARN `events/arrivals.py` rings."""
        ...

    @property
    def batch_info(self) -> str:
        """The member of a failure's record that describes the batch."""
        ...

    async def listing(self, ctx: RequestContext) -> Listing:
        """Its shards. Raises ServiceError."""
        ...

    async def iterator(self, ctx: RequestContext, shard_id: str, start: Progress) -> str:
        """Behind what is done; at the shard's begin where that has expired meanwhile. Raises ServiceError."""
        ...

    async def page(self, ctx: RequestContext, iterator: str, shard_id: str, limit: int) -> Page:
        """The next records. Raises ServiceError."""
        ...


def kind_of(source_arn: str) -> Kind:
    """Of an EventSourceArn that is none of a queue."""
    return DynamoDb(source_arn) if source_arn.split(":")[2] == "dynamodb" else Kinesis(source_arn)


def is_consumer(source_arn: str) -> bool:
    """Whether it is a consumer of a stream (enhanced fan-out)."""
    return source_arn.split(":")[2] == "kinesis" and "/consumer/" in source_arn


def stream_of(source_arn: str) -> str:
    """The stream's own ARN."""
    return source_arn.partition("/consumer/")[0]


def _start(start: Progress, sequence: str) -> dict[str, Any]:
    if start.sequence:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", sequence: start.sequence}
    if start.since:
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment(start.since)}
    return {"ShardIteratorType": "TRIM_HORIZON"}


class DynamoDb:
    """A table's stream."""

    batch_info = "DDBStreamBatchInfo"
    retention_s = 24 * 3600.0

    def __init__(self, source_arn: str) -> None:
        self.bell = self._arn = source_arn

    async def listing(self, ctx: RequestContext) -> Listing:
        """See `Kind`."""
        found: list[Mapping[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            answer = await ctx.call("dynamodbstreams", "DescribeStream", {"StreamArn": self._arn, **more})
            found += answer["StreamDescription"]["Shards"]
            last = answer["StreamDescription"].get("LastEvaluatedShardId")
            if last is None:
                break
            more = {"ExclusiveStartShardId": last}
        return Listing([_seen(shard) for shard in found], self.retention_s)

    async def iterator(self, ctx: RequestContext, shard_id: str, start: Progress) -> str:
        """See `Kind`."""
        params = {"StreamArn": self._arn, "ShardId": shard_id, **_start(start, "SequenceNumber")}
        try:
            return str((await ctx.call("dynamodbstreams", "GetShardIterator", params))["ShardIterator"])
        except ServiceError as error:
            if error.code != "TrimmedDataAccessException":
                raise
        params = {"StreamArn": self._arn, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
        return str((await ctx.call("dynamodbstreams", "GetShardIterator", params))["ShardIterator"])

    async def page(self, ctx: RequestContext, iterator: str, shard_id: str, limit: int) -> Page:
        """See `Kind`."""
        answer = await ctx.call("dynamodbstreams", "GetRecords", {"ShardIterator": iterator, "Limit": limit})
        records = answer["Records"]
        size = sum(record["dynamodb"]["SizeBytes"] for record in records)
        is_last = len(records) < limit and size < _CUT_BYTES
        return Page([self._record(record) for record in records], answer.get("NextShardIterator"), is_last=is_last)

    def _record(self, given: Mapping[str, Any]) -> Record:
        event, change = {**given, "eventSourceARN": self._arn}, given["dynamodb"]
        if identity := given.get("userIdentity"):
            # GetRecords has Type and PrincipalId, an event type and principalId.
            # AWS: DynamoDB Developer Guide, "DynamoDB Streams and Time to Live".
            event["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
        return Record(
            sequence=change["SequenceNumber"],
            arrived_at=float(change["ApproximateCreationDateTime"]),
            key=text_of(change["Keys"]),
            event=event,
            text=text_of(event),
        )


class Kinesis:
    """A stream of Kinesis, or a consumer of one.

    A consumer's records are read as the stream's owner, after the role was asked whether it may subscribe: nothing
    is pushed within one process.
    """

    batch_info = "KinesisBatchInfo"

    def __init__(self, source_arn: str) -> None:
        self.bell = stream_of(source_arn)
        self._arn = Arn.parse(source_arn)
        self._consumer = source_arn if is_consumer(source_arn) else ""

    async def listing(self, ctx: RequestContext) -> Listing:
        """See `Kind`."""
        shards: list[Mapping[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            found = (await self._call(ctx, "DescribeStream", more))["StreamDescription"]
            shards += found["Shards"]
            if not found["HasMoreShards"]:
                return Listing([_seen(shard) for shard in shards], found["RetentionPeriodHours"] * 3600.0)
            more = {"ExclusiveStartShardId": shards[-1]["ShardId"]}

    async def iterator(self, ctx: RequestContext, shard_id: str, start: Progress) -> str:
        """See `Kind`."""
        if self._consumer:
            await self._check_subscription(ctx, shard_id)
        params = {"ShardId": shard_id, **_start(start, "StartingSequenceNumber")}
        return str((await self._call(ctx, "GetShardIterator", params))["ShardIterator"])

    async def page(self, ctx: RequestContext, iterator: str, shard_id: str, limit: int) -> Page:
        """See `Kind`."""
        answer = await self._call(ctx, "GetRecords", {"ShardIterator": iterator, "Limit": limit})
        role = ctx.principal.role_arn or ""
        records = [self._record(shard_id, record, role) for record in answer["Records"]]
        return Page(records, answer.get("NextShardIterator"), is_last=answer["MillisBehindLatest"] == 0)

    async def _check_subscription(self, ctx: RequestContext, shard_id: str) -> None:
        """Raises what SubscribeToShard raises for the role."""
        params = {"ConsumerARN": self._consumer, "ShardId": shard_id, "DryRun": True}
        try:
            await ctx.call("kinesis", "SubscribeToShard", {**params, "StartingPosition": {"Type": "TRIM_HORIZON"}})
        except ServiceError as error:
            if error.code != "DryRunOperationException":
                raise

    async def _call(self, ctx: RequestContext, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        given = {"StreamARN": self.bell, **params}
        if not self._consumer:
            return await ctx.call("kinesis", operation, given)
        owner = AccountId(self._arn.account_id)
        scope = Scope(owner, Region(self._arn.region))
        return await ctx.call("kinesis", operation, given, principal=root_principal(owner), scope=scope)

    def _record(self, shard_id: str, given: Mapping[str, Any], role_arn: str) -> Record:
        arrived_at = round(given["ApproximateArrivalTimestamp"].timestamp(), 3)
        event = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": given["PartitionKey"],
                "sequenceNumber": given["SequenceNumber"],
                "data": base64.b64encode(given["Data"]).decode(),
                "approximateArrivalTimestamp": arrived_at,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{given['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role_arn,
            "awsRegion": self._arn.region,
            "eventSourceARN": str(self._arn),
        }
        return Record(
            sequence=given["SequenceNumber"],
            arrived_at=arrived_at,
            key=given["PartitionKey"],
            event=event,
            text=text_of(event),
        )


def _seen(shard: Mapping[str, Any]) -> ShardSeen:
    parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    return ShardSeen(shard["ShardId"], tuple(parent for parent in parents if parent))
