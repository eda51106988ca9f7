"""Every input member of every operation that CloudWatch serves, in one of three classes (I9)."""

from collections.abc import Mapping

_NAMES = frozenset({"AlarmNames"})
_NAMED = frozenset({"AlarmName", "AlarmDescription", "Tags"})
_ACTIONS = frozenset({"ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions"})
_DETECTOR = frozenset({
    "Namespace", "MetricName", "Dimensions", "Stat", "SingleMetricAnomalyDetector", "MetricMathAnomalyDetector",
})  # fmt: skip

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "PutMetricData": frozenset({"Namespace", "MetricData"}),
    "GetMetricStatistics": frozenset({
        "Namespace", "MetricName", "Dimensions", "StartTime", "EndTime", "Period", "Statistics", "ExtendedStatistics",
        "Unit",
    }),
    "GetMetricData": frozenset({
        "MetricDataQueries", "StartTime", "EndTime", "NextToken", "ScanBy", "MaxDatapoints",
    }),
    "ListMetrics": frozenset({"Namespace", "MetricName", "Dimensions", "NextToken", "RecentlyActive"}),
    "PutMetricAlarm": _NAMED | _ACTIONS | {
        "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit",
        "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ThresholdMetricId", "ComparisonOperator",
        "TreatMissingData", "EvaluateLowSampleCountPercentile", "Metrics",
    },
    "PutCompositeAlarm": _NAMED | _ACTIONS | {
        "AlarmRule", "ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod",
    },
    "DescribeAlarms": frozenset({
        "AlarmNames", "AlarmNamePrefix", "AlarmTypes", "ChildrenOfAlarmName", "ParentsOfAlarmName", "StateValue",
        "ActionPrefix", "MaxRecords", "NextToken",
    }),
    "DescribeAlarmsForMetric": frozenset({
        "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit",
    }),
    "DescribeAlarmHistory": frozenset({
        "AlarmName", "AlarmTypes", "HistoryItemType", "StartDate", "EndDate", "MaxRecords", "NextToken", "ScanBy",
    }),
    "DeleteAlarms": _NAMES,
    "EnableAlarmActions": _NAMES,
    "DisableAlarmActions": _NAMES,
    "SetAlarmState": frozenset({"AlarmName", "StateValue", "StateReason", "StateReasonData"}),
    "TagResource": frozenset({"ResourceARN", "Tags"}),
    "UntagResource": frozenset({"ResourceARN", "TagKeys"}),
    "ListTagsForResource": frozenset({"ResourceARN"}),
    "PutDashboard": frozenset({"DashboardName", "DashboardBody", "Tags"}),
    "GetDashboard": frozenset({"DashboardName"}),
    "ListDashboards": frozenset({"DashboardNamePrefix", "NextToken"}),
    "DeleteDashboards": frozenset({"DashboardNames"}),
    "PutAnomalyDetector": _DETECTOR,
    "DeleteAnomalyDetector": _DETECTOR | {"AnomalyDetectorId"},
    "DescribeAnomalyDetectors": frozenset({
        "AnomalyDetectorIds", "AnomalyDetectorTypes", "Namespace", "MetricName", "Dimensions", "MaxResults",
        "NextToken",
    }),
}  # fmt: skip

STORED: Mapping[str, Mapping[str, str]] = {}

_ENTITIES = "entities are not supported"
_TAGS_TOLD = "notices do not tell tags"
_LINKED = "there are no linked accounts"
_MODEL = "a band comes from all data points of two weeks, by the hour in UTC"

REFUSED: Mapping[str, Mapping[str, str]] = {
    "PutAnomalyDetector": {"Configuration": _MODEL, "MetricCharacteristics": _MODEL},
    "PutMetricData": {"EntityMetricData": _ENTITIES, "StrictEntityValidation": _ENTITIES},
    "GetMetricData": {"LabelOptions": "labels have no times here"},
    "PutMetricAlarm": {
        "EvaluationWindow": "the window slides",
        "WarmUpConfiguration": "an alarm is evaluated as soon as it is put",
        "EvaluationCriteria": "PromQL is not supported",
        "EvaluationInterval": "PromQL is not supported",
        "ActionConfiguration": _TAGS_TOLD,
    },
    "PutCompositeAlarm": {"ActionConfiguration": _TAGS_TOLD},
    "DescribeAlarmHistory": {"AlarmContributorId": "alarms have no contributors"},
    "ListMetrics": {"IncludeLinkedAccounts": _LINKED, "OwningAccount": _LINKED},
}
