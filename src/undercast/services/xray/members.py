"""Every input member of every operation that X-Ray serves, in one of three classes (I9)."""

from collections.abc import Mapping

_RANGE = frozenset({"StartTime", "EndTime"})
_GROUP = frozenset({"GroupName", "GroupARN"})
_ONE_PAGE = frozenset({"NextToken"})
"""The answer is one page: any token is refused."""

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "PutTraceSegments": frozenset({"TraceSegmentDocuments"}),
    "GetTraceSummaries": _RANGE | {"TimeRangeType", "FilterExpression", "NextToken"},
    "BatchGetTraces": _ONE_PAGE | {"TraceIds"},
    "GetTraceGraph": _ONE_PAGE | {"TraceIds"},
    "GetServiceGraph": _ONE_PAGE | _RANGE | _GROUP,
    "GetTimeSeriesServiceStatistics": _ONE_PAGE | _RANGE | _GROUP | {"EntitySelectorExpression", "Period"},
    "CreateGroup": frozenset({"GroupName", "FilterExpression", "Tags"}),
    "GetGroup": _GROUP,
    "GetGroups": _ONE_PAGE,
    "UpdateGroup": _GROUP | {"FilterExpression"},
    "DeleteGroup": _GROUP,
    "TagResource": frozenset({"ResourceARN", "Tags"}),
    "UntagResource": frozenset({"ResourceARN", "TagKeys"}),
    "ListTagsForResource": _ONE_PAGE | {"ResourceARN"},
    "CreateSamplingRule": frozenset({"SamplingRule", "Tags"}),
    "UpdateSamplingRule": frozenset({"SamplingRuleUpdate"}),
    "GetSamplingRules": _ONE_PAGE,
    "GetSamplingStatisticSummaries": _ONE_PAGE,
    "DeleteSamplingRule": frozenset({"RuleName", "RuleARN"}),
    "GetSamplingTargets": frozenset({"SamplingStatisticsDocuments"}),
}

_INSIGHTS = {"InsightsConfiguration": "there are no insights: what would turn them on is refused by name"}
_ALL = "every trace that matches is told"

STORED: Mapping[str, Mapping[str, str]] = {
    "PutTelemetryRecords": dict.fromkeys(
        ("TelemetryRecords", "EC2InstanceId", "Hostname", "ResourceARN"),
        "kept for 30 days; X-Ray has no operation that reads it",
    ),
    "GetTraceSummaries": {"Sampling": _ALL, "SamplingStrategy": _ALL},
    "CreateGroup": _INSIGHTS,
    "UpdateGroup": _INSIGHTS,
}

REFUSED: Mapping[str, Mapping[str, str]] = {
    "GetTimeSeriesServiceStatistics": {"ForecastStatistics": "there are no insights that forecast"},
    "GetSamplingTargets": {"SamplingBoostStatisticsDocuments": "there is no sampling boost"},
}
