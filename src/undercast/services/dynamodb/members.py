"""Every input member of every operation that DynamoDB serves, in one of three classes (I9)."""

from collections.abc import Mapping

_NAMES = frozenset({"ExpressionAttributeNames"})
_VALUES = _NAMES | {"ExpressionAttributeValues"}
_CAPACITY = frozenset({"ReturnConsumedCapacity"})
_METRICS = _CAPACITY | {"ReturnItemCollectionMetrics"}
_CONDITION = _VALUES | _METRICS | {
    "TableName", "ConditionExpression", "Expected", "ConditionalOperator", "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
}  # fmt: skip
_READ = _VALUES | _CAPACITY | {
    "TableName", "IndexName", "Select", "AttributesToGet", "Limit", "ConsistentRead", "ConditionalOperator",
    "ExclusiveStartKey", "ProjectionExpression", "FilterExpression",
}  # fmt: skip
_TABLE = frozenset({"TableName"})
_RESTORED = frozenset({
    "TargetTableName", "BillingModeOverride", "GlobalSecondaryIndexOverride", "LocalSecondaryIndexOverride",
    "ProvisionedThroughputOverride", "SSESpecificationOverride",
})  # fmt: skip

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateTable": _TABLE | {
        "AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode",
        "ProvisionedThroughput", "StreamSpecification", "Tags", "DeletionProtectionEnabled",
        "ResourcePolicy", "SSESpecification",
    },
    "PutResourcePolicy": frozenset({
        "ResourceArn", "Policy", "ExpectedRevisionId", "ConfirmRemoveSelfResourceAccess",
    }),
    "GetResourcePolicy": frozenset({"ResourceArn"}),
    "DeleteResourcePolicy": frozenset({"ResourceArn", "ExpectedRevisionId"}),
    "UpdateTable": _TABLE | {
        "AttributeDefinitions", "BillingMode", "ProvisionedThroughput", "GlobalSecondaryIndexUpdates",
        "StreamSpecification", "DeletionProtectionEnabled", "SSESpecification",
    },
    "DescribeTable": _TABLE,
    "DeleteTable": _TABLE,
    "ListTables": frozenset({"ExclusiveStartTableName", "Limit"}),
    "DescribeLimits": frozenset(),
    "DescribeEndpoints": frozenset(),
    "UpdateContinuousBackups": _TABLE | {"PointInTimeRecoverySpecification"},
    "DescribeContinuousBackups": _TABLE,
    "RestoreTableToPointInTime": _RESTORED | {
        "SourceTableArn", "SourceTableName", "UseLatestRestorableTime", "RestoreDateTime",
    },
    "CreateBackup": _TABLE | {"BackupName"},
    "DescribeBackup": frozenset({"BackupArn"}),
    "DeleteBackup": frozenset({"BackupArn"}),
    "ListBackups": _TABLE | {
        "Limit", "TimeRangeLowerBound", "TimeRangeUpperBound", "ExclusiveStartBackupArn", "BackupType",
    },
    "RestoreTableFromBackup": _RESTORED | {"BackupArn"},
    "ExportTableToPointInTime": frozenset({
        "TableArn", "ExportTime", "ClientToken", "S3Bucket", "S3BucketOwner", "S3Prefix", "S3SseAlgorithm",
        "S3SseKmsKeyId", "ExportFormat", "ExportType", "IncrementalExportSpecification",
    }),
    "DescribeExport": frozenset({"ExportArn"}),
    "ListExports": frozenset({"TableArn", "MaxResults", "NextToken"}),
    "ImportTable": frozenset({
        "ClientToken", "S3BucketSource", "InputFormat", "InputFormatOptions", "InputCompressionType",
        "TableCreationParameters",
    }),
    "DescribeImport": frozenset({"ImportArn"}),
    "ListImports": frozenset({"TableArn", "PageSize", "NextToken"}),
    "TagResource": frozenset({"ResourceArn", "Tags"}),
    "UntagResource": frozenset({"ResourceArn", "TagKeys"}),
    "ListTagsOfResource": frozenset({"ResourceArn", "NextToken"}),
    "UpdateTimeToLive": _TABLE | {"TimeToLiveSpecification"},
    "DescribeTimeToLive": _TABLE,
    "EnableKinesisStreamingDestination": _TABLE | {"StreamArn", "EnableKinesisStreamingConfiguration"},
    "DisableKinesisStreamingDestination": _TABLE | {"StreamArn", "EnableKinesisStreamingConfiguration"},
    "UpdateKinesisStreamingDestination": _TABLE | {"StreamArn", "UpdateKinesisStreamingConfiguration"},
    "DescribeKinesisStreamingDestination": _TABLE,
    "GetItem": _NAMES | _CAPACITY | {"TableName", "Key", "AttributesToGet", "ConsistentRead", "ProjectionExpression"},
    "PutItem": _CONDITION | {"Item"},
    "UpdateItem": _CONDITION | {"Key", "AttributeUpdates", "UpdateExpression"},
    "DeleteItem": _CONDITION | {"Key"},
    "Query": _READ | {"KeyConditions", "QueryFilter", "ScanIndexForward", "KeyConditionExpression"},
    "Scan": _READ | {"ScanFilter", "TotalSegments", "Segment"},
    "BatchGetItem": _CAPACITY | {"RequestItems"},
    "BatchWriteItem": _METRICS | {"RequestItems"},
    "ExecuteStatement": _CAPACITY | {
        "Statement", "Parameters", "ConsistentRead", "NextToken", "Limit", "ReturnValuesOnConditionCheckFailure",
    },
    "BatchExecuteStatement": _CAPACITY | {"Statements"},
    "ExecuteTransaction": _CAPACITY | {"TransactStatements", "ClientRequestToken"},
    "TransactGetItems": _CAPACITY | {"TransactItems"},
    "TransactWriteItems": _METRICS | {"TransactItems", "ClientRequestToken"},
}  # fmt: skip

_ONE_PLACE = "there is one machine and one kind of disk"
_STORED = {
    "TableClass": _ONE_PLACE,
    "OnDemandThroughput": "requests are not limited",
    "WarmThroughput": "requests are not limited",
}

_STORED_OVERRIDES = {"OnDemandThroughputOverride": _STORED["OnDemandThroughput"]}

STORED: Mapping[str, Mapping[str, str]] = {
    "CreateTable": _STORED,
    "UpdateTable": _STORED,
    "RestoreTableFromBackup": _STORED_OVERRIDES,
    "RestoreTableToPointInTime": _STORED_OVERRIDES,
}

_GLOBAL = "global tables are not here"
REFUSED: Mapping[str, Mapping[str, str]] = {
    "ExportTableToPointInTime": {"FilterSpecification": "an export is of all items"},
    "RestoreTableFromBackup": {"VectorIndexOverride": "vector indexes are not here"},
    "RestoreTableToPointInTime": {"VectorIndexOverride": "vector indexes are not here"},
    "CreateTable": {
        "GlobalTableSourceArn": _GLOBAL,
        "GlobalTableSettingsReplicationMode": _GLOBAL,
        "VectorIndexes": "vector indexes are not here",
    },
    "UpdateTable": {
        "ReplicaUpdates": _GLOBAL,
        "MultiRegionConsistency": _GLOBAL,
        "GlobalTableWitnessUpdates": _GLOBAL,
        "GlobalTableSettingsReplicationMode": _GLOBAL,
        "DisassociationProtectionEnabled": _GLOBAL,
        "VectorIndexUpdates": "vector indexes are not here",
    },
}
