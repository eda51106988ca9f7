"""Every input member of every operation that Scheduler serves, in one of three classes (I9)."""

from collections.abc import Mapping

_NAME = frozenset({"Name"})
_PAGE = frozenset({"NextToken", "MaxResults"})
_SCHEDULE = _NAME | {
    "GroupName", "ScheduleExpression", "StartDate", "EndDate", "Description", "ScheduleExpressionTimezone", "State",
    "Target", "FlexibleTimeWindow", "ActionAfterCompletion",
}  # fmt: skip
_ARN = frozenset({"ResourceArn"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateSchedule": _SCHEDULE | {"ClientToken"},
    "UpdateSchedule": _SCHEDULE,
    "GetSchedule": _NAME | {"GroupName"},
    "DeleteSchedule": _NAME | {"GroupName"},
    "ListSchedules": _PAGE | {"GroupName", "NamePrefix", "State"},
    "CreateScheduleGroup": _NAME | {"Tags", "ClientToken"},
    "GetScheduleGroup": _NAME,
    "DeleteScheduleGroup": _NAME,
    "ListScheduleGroups": _PAGE | {"NamePrefix"},
    "TagResource": _ARN | {"Tags"},
    "UntagResource": _ARN | {"TagKeys"},
    "ListTagsForResource": _ARN,
}

_ON_DISK = "schedules are not encrypted on disk"
_AGAIN = "what is repeated changes nothing more"
STORED: Mapping[str, Mapping[str, str]] = {
    "CreateSchedule": {"KmsKeyArn": _ON_DISK},
    "UpdateSchedule": {"KmsKeyArn": _ON_DISK, "ClientToken": _AGAIN},
    "DeleteSchedule": {"ClientToken": _AGAIN},
    "DeleteScheduleGroup": {"ClientToken": _AGAIN},
}

REFUSED: Mapping[str, Mapping[str, str]] = {}
