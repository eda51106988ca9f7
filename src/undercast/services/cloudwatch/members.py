"""Every input member of every operation that CloudWatch serves, in one of three classes (I9)."""

from collections.abc import Mapping

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
}  # fmt: skip

STORED: Mapping[str, Mapping[str, str]] = {}

_ENTITIES = "entities are not supported"
_LINKED = "there are no linked accounts"

REFUSED: Mapping[str, Mapping[str, str]] = {
    "PutMetricData": {"EntityMetricData": _ENTITIES, "StrictEntityValidation": _ENTITIES},
    "GetMetricData": {"LabelOptions": "labels have no times here"},
    "ListMetrics": {"IncludeLinkedAccounts": _LINKED, "OwningAccount": _LINKED},
}
