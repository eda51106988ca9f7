"""Every input member of every operation that DynamoDB Streams serves, in one of three classes (I9)."""

from collections.abc import Mapping

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "ListStreams": frozenset({"TableName", "Limit", "ExclusiveStartStreamArn"}),
    "DescribeStream": frozenset({"StreamArn", "Limit", "ExclusiveStartShardId", "ShardFilter"}),
    "GetShardIterator": frozenset({"StreamArn", "ShardId", "ShardIteratorType", "SequenceNumber", "Timestamp"}),
    "GetRecords": frozenset({"ShardIterator", "Limit"}),
}
