"""What a log group's class rules out, in AWS's words.

Pure. AWS: CloudWatch Logs API Reference, CreateLogGroup (logGroupClass); the announcement of Infrequent Access (no Live
Tail, no metrics from logs). The operations and texts beyond that are from users' reports: GetLogEvents, FilterLogEvents
and DescribeSubscriptionFilters (turbot/steampipe-plugin-aws#2758), DescribeMetricFilters of both classes, and
PutRetentionPolicy (hashicorp/terraform-provider-aws#42657), where DescribeLogGroups shows 2 days, too. How AWS refuses
a query of a DELIVERY group is nowhere to be found: the text is that of its retention.
"""

from undercast.core.errors import ServiceError

STANDARD, INFREQUENT_ACCESS, ESSENTIALS, DELIVERY = "STANDARD", "INFREQUENT_ACCESS", "ESSENTIALS", "DELIVERY"
DELIVERY_KEPT_DAYS, DELIVERY_SHOWN_DAYS = 1, 2
"""The API Reference says that events are kept for one day; retentionInDays of such a group is 2."""
_METRICS = frozenset({"PutMetricFilter", "DescribeMetricFilters"})
_STANDARD_ONLY = {
    INFREQUENT_ACCESS: _METRICS
    | {"GetLogEvents", "FilterLogEvents", "StartLiveTail", "PutSubscriptionFilter", "DescribeSubscriptionFilters"},
    DELIVERY: _METRICS,
}
_NOT_OF_DELIVERY = frozenset({"PutRetentionPolicy", "DeleteRetentionPolicy", "StartQuery"})


def check(group_class: str, operation: str) -> None:
    """Raises ValidationException where a group of this class does not have the operation."""
    if operation in _STANDARD_ONLY.get(group_class, ()):
        raise ServiceError("ValidationException", "This operation is only supported on the Standard log class.")
    if group_class == DELIVERY and operation in _NOT_OF_DELIVERY:
        raise ServiceError("ValidationException", "This operation is not supported for Delivery log class")


def alike(group_class: str) -> frozenset[str]:
    """The classes that DescribeLogGroups finds for one. AWS: API Reference, DescribeLogGroups, logGroupClass."""
    cheap = frozenset({INFREQUENT_ACCESS, ESSENTIALS})
    return cheap if group_class in cheap else frozenset({group_class})
