"""Every input member of every operation that EventBridge serves, in one of three classes (I9)."""

from collections.abc import Mapping

_PAGE = frozenset({"NextToken", "Limit"})
_RULE = frozenset({"Name", "EventBusName"})
_RESOURCE = frozenset({"ResourceARN"})

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
    "DeleteRule": {"Force": _MANAGED},
    "RemoveTargets": {"Force": _MANAGED},
}

_NO_LOGS = "buses write no logs of their own"
REFUSED: Mapping[str, Mapping[str, str]] = {
    "CreateEventBus": {"EventSourceName": "there are no partner event sources here", "LogConfig": _NO_LOGS},
    "UpdateEventBus": {"LogConfig": _NO_LOGS},
    "PutEvents": {"EndpointId": "there are no global endpoints here"},
}
