"""What CloudWatch was told of a resource."""

from typing import Any


def measured(cloudwatch: Any, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> float | None:
    """A statistic of one metric over all time; None where it has no data."""
    named = [{"Name": dimension, "Value": value} for dimension, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 86400, "Stat": statistic}}
    answer = cloudwatch.get_metric_data(StartTime=0, EndTime=4_000_000_000, MetricDataQueries=[query])
    values = answer["MetricDataResults"][0]["Values"]
    return (sum(values) if statistic == "Sum" else max(values)) if values else None
