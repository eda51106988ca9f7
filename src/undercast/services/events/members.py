"""Every input member of every operation that EventBridge serves, in one of three classes (I9)."""

from collections.abc import Mapping

_PAGE = frozenset({"NextToken", "Limit"})
_RULE = frozenset({"Name", "EventBusName"})
_RESOURCE = frozenset({"ResourceARN"})
_NAME = frozenset({"Name"})
_CONNECTION = _NAME | {"Description", "AuthParameters", "KmsKeyIdentifier"}
_DESTINATION = _NAME | {
    "Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod", "InvocationRateLimitPerSecond",
}  # fmt: skip
_ARCHIVE = frozenset({"ArchiveName", "Description", "EventPattern", "RetentionDays"})
_REPLAY = frozenset({"ReplayName"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateEventBus": frozenset({"Name", "Description", "Tags"}),
    "UpdateEventBus": frozenset({"Name", "Description"}),
    "DeleteEventBus": frozenset({"Name"}),
    "DescribeEventBus": frozenset({"Name"}),
    "ListEventBuses": _PAGE | {"NamePrefix"},
    "PutPermission": frozenset({"EventBusName", "Action", "Principal", "StatementId", "Condition", "Policy"}),
    "RemovePermission": frozenset({"EventBusName", "StatementId", "RemoveAllPermissions"}),
    "PutEvents": frozenset({"Entries"}),
    "TestEventPattern": frozenset({"EventPattern", "Event"}),
    "PutRule": _RULE | {"ScheduleExpression", "EventPattern", "State", "Description", "RoleArn", "Tags"},
    "DescribeRule": _RULE,
    "EnableRule": _RULE,
    "DisableRule": _RULE,
    "DeleteRule": _RULE,
    "ListRules": _PAGE | {"NamePrefix", "EventBusName"},
    "ListRuleNamesByTarget": _PAGE | {"TargetArn", "EventBusName"},
    "PutTargets": frozenset({"Rule", "EventBusName", "Targets"}),
    "ListTargetsByRule": _PAGE | {"Rule", "EventBusName"},
    "RemoveTargets": frozenset({"Rule", "EventBusName", "Ids"}),
    "CreateConnection": _CONNECTION | {"AuthorizationType"},
    "UpdateConnection": _CONNECTION | {"AuthorizationType"},
    "DeauthorizeConnection": _NAME,
    "DeleteConnection": _NAME,
    "DescribeConnection": _NAME,
    "ListConnections": _PAGE | {"NamePrefix", "ConnectionState"},
    "CreateApiDestination": _DESTINATION,
    "UpdateApiDestination": _DESTINATION,
    "DeleteApiDestination": _NAME,
    "DescribeApiDestination": _NAME,
    "ListApiDestinations": _PAGE | {"NamePrefix", "ConnectionArn"},
    "CreateArchive": _ARCHIVE | {"EventSourceArn"},
    "UpdateArchive": _ARCHIVE,
    "DeleteArchive": frozenset({"ArchiveName"}),
    "DescribeArchive": frozenset({"ArchiveName"}),
    "ListArchives": _PAGE | {"NamePrefix", "EventSourceArn", "State"},
    "StartReplay": _REPLAY | {"Description", "EventSourceArn", "EventStartTime", "EventEndTime", "Destination"},
    "CancelReplay": _REPLAY,
    "DescribeReplay": _REPLAY,
    "ListReplays": _PAGE | {"NamePrefix", "State", "EventSourceArn"},
    "TagResource": _RESOURCE | {"Tags"},
    "UntagResource": _RESOURCE | {"TagKeys"},
    "ListTagsForResource": _RESOURCE,
}

_ON_DISK = "events are not encrypted on disk"
_ENCRYPTION_ONLY = "only events that cannot be encrypted go there"
_MANAGED = "no rule here is managed by an AWS service"
STORED: Mapping[str, Mapping[str, str]] = {
    "CreateEventBus": {"KmsKeyIdentifier": _ON_DISK, "DeadLetterConfig": _ENCRYPTION_ONLY},
    "UpdateEventBus": {"KmsKeyIdentifier": _ON_DISK, "DeadLetterConfig": _ENCRYPTION_ONLY},
    "CreateArchive": {"KmsKeyIdentifier": _ON_DISK},
    "UpdateArchive": {"KmsKeyIdentifier": _ON_DISK},
    "DeleteRule": {"Force": _MANAGED},
    "RemoveTargets": {"Force": _MANAGED},
}

_PRIVATE = "there are no private APIs here"
_NO_LOGS = "buses write no logs of their own"
REFUSED: Mapping[str, Mapping[str, str]] = {
    "CreateEventBus": {"EventSourceName": "there are no partner event sources here", "LogConfig": _NO_LOGS},
    "UpdateEventBus": {"LogConfig": _NO_LOGS},
    "CreateConnection": {"InvocationConnectivityParameters": _PRIVATE},
    "UpdateConnection": {"InvocationConnectivityParameters": _PRIVATE},
    "PutEvents": {"EndpointId": "there are no global endpoints here"},
}
