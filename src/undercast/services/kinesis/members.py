"""Every input member of every operation that Kinesis serves, in one of three classes (I9)."""

from collections.abc import Mapping

_STREAM = frozenset({"StreamName", "StreamARN"})
_ARN = frozenset({"StreamARN"})
_RESOURCE = frozenset({"ResourceARN"})
_CONSUMER = frozenset({"StreamARN", "ConsumerName", "ConsumerARN"})
_DRY = frozenset({"DryRun"})
_KMS = frozenset({"EncryptionType", "KeyId"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateStream": frozenset({
        "StreamName", "ShardCount", "StreamModeDetails", "Tags", "MaxRecordSizeInKiB", "RecordDistributionStrategy",
    }),
    "DeleteStream": _STREAM | {"EnforceConsumerDeletion"},
    "DescribeStream": _STREAM | {"Limit", "ExclusiveStartShardId"},
    "DescribeStreamSummary": _STREAM,
    "ListStreams": frozenset({"Limit", "ExclusiveStartStreamName", "NextToken"}),
    "ListShards": _STREAM | {
        "NextToken", "ExclusiveStartShardId", "MaxResults", "StreamCreationTimestamp", "ShardFilter",
    },
    "DescribeLimits": frozenset(),
    "PutRecord": _STREAM | _DRY | {"Data", "PartitionKey", "ExplicitHashKey", "SequenceNumberForOrdering"},
    "PutRecords": _STREAM | _DRY | {"Records"},
    "GetShardIterator": _STREAM | _DRY | {"ShardId", "ShardIteratorType", "StartingSequenceNumber", "Timestamp"},
    "GetRecords": _ARN | _DRY | {"ShardIterator", "Limit"},
    "SplitShard": _STREAM | {"ShardToSplit", "NewStartingHashKey"},
    "MergeShards": _STREAM | {"ShardToMerge", "AdjacentShardToMerge"},
    "UpdateShardCount": _STREAM | {"TargetShardCount", "ScalingType"},
    "IncreaseStreamRetentionPeriod": _STREAM | {"RetentionPeriodHours"},
    "DecreaseStreamRetentionPeriod": _STREAM | {"RetentionPeriodHours"},
    "StartStreamEncryption": _STREAM,
    "StopStreamEncryption": _STREAM | _KMS,
    "EnableEnhancedMonitoring": _STREAM | {"ShardLevelMetrics"},
    "DisableEnhancedMonitoring": _STREAM | {"ShardLevelMetrics"},
    "UpdateStreamMode": _ARN | {"StreamModeDetails"},
    "UpdateMaxRecordSize": _ARN | {"MaxRecordSizeInKiB"},
    "UpdateStreamRecordDistributionStrategy": _ARN | {"RecordDistributionStrategy"},
    "AddTagsToStream": _STREAM | {"Tags"},
    "RemoveTagsFromStream": _STREAM | {"TagKeys"},
    "ListTagsForStream": _STREAM | {"ExclusiveStartTagKey", "Limit"},
    "TagResource": _RESOURCE | {"Tags"},
    "UntagResource": _RESOURCE | {"TagKeys"},
    "ListTagsForResource": _RESOURCE,
    "PutResourcePolicy": _RESOURCE | {"Policy"},
    "GetResourcePolicy": _RESOURCE,
    "DeleteResourcePolicy": _RESOURCE,
    "RegisterStreamConsumer": _ARN | {"ConsumerName", "Tags"},
    "DeregisterStreamConsumer": _CONSUMER,
    "DescribeStreamConsumer": _CONSUMER,
    "ListStreamConsumers": _ARN | {"NextToken", "MaxResults", "StreamCreationTimestamp"},
    "SubscribeToShard": _DRY | {"ConsumerARN", "ShardId", "StartingPosition"},
}  # fmt: skip

STORED: Mapping[str, Mapping[str, str]] = {
    "StartStreamEncryption": dict.fromkeys(
        _KMS, "shown by the descriptions and by each record; records are not encrypted on disk"
    ),
}

_RESERVED = "AWS's model says of it: not implemented, reserved for future use"
_WARM = "no stream is scaled ahead here"
_BY_ID = frozenset(EFFECTIVE) - {"CreateStream", "ListStreams", "DescribeLimits"}
REFUSED: Mapping[str, Mapping[str, str]] = {
    **{name: {"StreamId": _RESERVED} for name in _BY_ID},
    "CreateStream": {"WarmThroughputMiBps": _WARM},
    "UpdateStreamMode": {"StreamId": _RESERVED, "WarmThroughputMiBps": _WARM},
}
