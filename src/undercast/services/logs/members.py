"""Every input member of every operation that CloudWatch Logs serves, in one of three classes (I9)."""

from collections.abc import Mapping

_GROUP = frozenset({"logGroupName"})
_STREAM = frozenset({"logGroupName", "logStreamName"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateLogGroup": frozenset({"logGroupName", "tags", "logGroupClass"}),
    "DeleteLogGroup": _GROUP,
    "DescribeLogGroups": frozenset(
        {"logGroupNamePrefix", "logGroupNamePattern", "nextToken", "limit", "logGroupClass", "logGroupIdentifiers"}
    ),
    "ListLogGroups": frozenset({"logGroupNamePattern", "logGroupClass", "nextToken", "limit", "logGroupTags"}),
    "PutResourcePolicy": frozenset({"policyName", "policyDocument", "resourceArn", "expectedRevisionId"}),
    "DescribeResourcePolicies": frozenset({"nextToken", "limit", "resourceArn", "policyScope"}),
    "DeleteResourcePolicy": frozenset({"policyName", "resourceArn", "expectedRevisionId"}),
    "AssociateKmsKey": frozenset({"logGroupName", "resourceIdentifier"}),
    "DisassociateKmsKey": frozenset({"logGroupName", "resourceIdentifier"}),
    "PutRetentionPolicy": frozenset({"logGroupName", "retentionInDays"}),
    "DeleteRetentionPolicy": _GROUP,
    "TagResource": frozenset({"resourceArn", "tags"}),
    "UntagResource": frozenset({"resourceArn", "tagKeys"}),
    "ListTagsForResource": frozenset({"resourceArn"}),
    "TagLogGroup": frozenset({"logGroupName", "tags"}),
    "UntagLogGroup": frozenset({"logGroupName", "tags"}),
    "ListTagsLogGroup": _GROUP,
    "CreateLogStream": _STREAM,
    "DeleteLogStream": _STREAM,
    "DescribeLogStreams": frozenset({
        "logGroupName", "logGroupIdentifier", "logStreamNamePrefix", "orderBy", "descending", "nextToken", "limit",
    }),
    "PutLogEvents": frozenset({"logGroupName", "logStreamName", "logEvents"}),
    "GetLogEvents": frozenset({
        "logGroupName", "logGroupIdentifier", "logStreamName", "startTime", "endTime", "nextToken", "limit",
        "startFromHead",
    }),
    "FilterLogEvents": frozenset({
        "logGroupName", "logGroupIdentifier", "logStreamNames", "logStreamNamePrefix", "startTime", "endTime",
        "filterPattern", "nextToken", "limit", "startFromHead",
    }),
    "PutSubscriptionFilter": frozenset({
        "logGroupName", "filterName", "filterPattern", "destinationArn", "roleArn", "distribution",
    }),
    "PutDestination": frozenset({"destinationName", "targetArn", "roleArn"}),
    "PutDestinationPolicy": frozenset({"destinationName", "accessPolicy"}),
    "DescribeDestinations": frozenset({"DestinationNamePrefix", "nextToken", "limit"}),
    "DeleteDestination": frozenset({"destinationName"}),
    "DescribeSubscriptionFilters": frozenset({"logGroupName", "filterNamePrefix", "nextToken", "limit"}),
    "PutMetricFilter": frozenset({"logGroupName", "filterName", "filterPattern", "metricTransformations"}),
    "DescribeMetricFilters": frozenset({
        "logGroupName", "filterNamePrefix", "nextToken", "limit", "metricName", "metricNamespace",
    }),
    "DeleteMetricFilter": frozenset({"logGroupName", "filterName"}),
    "StartLiveTail": frozenset({
        "logGroupIdentifiers", "logStreamNames", "logStreamNamePrefixes", "logEventFilterPattern",
    }),
    "StartQuery": frozenset({
        "queryLanguage", "logGroupName", "logGroupNames", "logGroupIdentifiers", "startTime", "endTime", "queryString",
        "limit",
    }),
    "GetQueryResults": frozenset({"queryId", "nextToken", "maxItems"}),
    "StopQuery": frozenset({"queryId"}),
    "DescribeQueries": frozenset({"logGroupName", "status", "maxResults", "nextToken", "queryLanguage"}),
    "GetLogRecord": frozenset({"logRecordPointer"}),
    "GetLogGroupFields": frozenset({"logGroupName", "time", "logGroupIdentifier"}),
    "PutQueryDefinition": frozenset({
        "queryLanguage", "name", "queryDefinitionId", "logGroupNames", "queryString", "clientToken",
    }),
    "DescribeQueryDefinitions": frozenset({"queryLanguage", "queryDefinitionNamePrefix", "maxResults", "nextToken"}),
    "DeleteQueryDefinition": frozenset({"queryDefinitionId"}),
    "CreateExportTask": frozenset({
        "taskName", "logGroupName", "logStreamNamePrefix", "from", "to", "destination", "destinationPrefix",
    }),
    "DescribeExportTasks": frozenset({"taskId", "statusCode", "nextToken", "limit"}),
    "CancelExportTask": frozenset({"taskId"}),
    "TestMetricFilter": frozenset({"filterPattern", "logEventMessages"}),
    "DeleteSubscriptionFilter": frozenset({"logGroupName", "filterName"}),
}  # fmt: skip

_UNMASK = {"unmask": "there are no data protection policies, so nothing is masked"}

_NO_CIPHER = "checked and shown; logs are not encrypted here, and can be read when the key is disabled later"

STORED: Mapping[str, Mapping[str, str]] = {
    "CreateLogGroup": {
        "kmsKeyId": _NO_CIPHER,
        "deletionProtectionEnabled": "false only; protection is refused",
    },
    "AssociateKmsKey": {"kmsKeyId": _NO_CIPHER},
    "PutLogEvents": {"sequenceToken": "AWS ignores it since January 2023"},
    "PutSubscriptionFilter": {
        "applyOnTransformedLogs": "false only; there are no log transformers",
    },
    "PutDestinationPolicy": {"forceUpdate": "no policy keeps another from being put here"},
    "PutMetricFilter": {"applyOnTransformedLogs": "false only; there are no log transformers"},
    "GetLogRecord": _UNMASK,
    "GetLogEvents": _UNMASK,
    "FilterLogEvents": {**_UNMASK, "interleaved": "AWS ignores it since June 2019; events are always interleaved"},
}

_LINKED = "there are no linked accounts"

REFUSED: Mapping[str, Mapping[str, str]] = {
    "DescribeLogGroups": {"accountIdentifiers": _LINKED, "includeLinkedAccounts": _LINKED},
    "ListLogGroups": {
        "accountIdentifiers": _LINKED,
        "includeLinkedAccounts": _LINKED,
        "dataSources": "groups have no data sources here",
        "fieldIndexNames": "field indexes are not supported",
    },
    "PutDestination": {"tags": "destinations have no tags here"},
    "PutQueryDefinition": {"parameters": "queries with parameters are not supported"},
    "PutLogEvents": {"entity": "entities are not supported"},
    "PutSubscriptionFilter": {
        "fieldSelectionCriteria": "system fields are not supported",
        "emitSystemFields": "system fields are not supported",
    },
    "PutMetricFilter": {
        "fieldSelectionCriteria": "system fields are not supported",
        "emitSystemFieldDimensions": "system fields are not supported",
    },
}
