"""Metric filters and live tail through boto3, fed by a function."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.logs.test_subscriptions import WRITE


def test_lines_of_a_function_reach_metrics_and_live_tail(platform: RunningPlatform, account: str) -> None:
    """The session starts, then shows the line; the metric has it as soon as it is asked for."""
    logs = platform.client("logs", account=account, inject_host_prefix=False)
    create_function(platform, account, "writer", WRITE)
    logs.create_log_group(logGroupName="/aws/lambda/writer")
    transformation = {"metricName": "lines", "metricNamespace": "App", "metricValue": "2", "unit": "Count"}
    logs.put_metric_filter(
        logGroupName="/aws/lambda/writer",
        filterName="f",
        filterPattern="wanted",
        metricTransformations=[transformation],
    )
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:/aws/lambda/writer"
    stream = logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="wanted")["responseStream"]
    events = iter(stream)
    assert next(events)["sessionStart"]["logEventFilterPattern"] == "wanted"
    platform.client("lambda", account=account).invoke(FunctionName="writer")
    shown: list[dict[str, Any]] = []
    while not shown:
        shown = next(events)["sessionUpdate"]["sessionResults"]
    stream.close()
    assert [(one["message"], one["logGroupIdentifier"]) for one in shown] == [("wanted line\n", arn)]
    now, wide = datetime.now(UTC), timedelta(hours=1)
    cloudwatch = platform.client("cloudwatch", account=account)
    (point,) = cloudwatch.get_metric_statistics(
        Namespace="App", MetricName="lines", StartTime=now - wide, EndTime=now + wide, Period=3600,
        Statistics=["Sum", "SampleCount"], Unit="Count",
    )["Datapoints"]  # fmt: skip
    assert (point["Sum"], point["SampleCount"]) == (2, 1)


def test_a_live_tail_is_found_at_the_host_names_of_sdks(platform: RunningPlatform, account: str) -> None:
    """SDKs put a prefix before the host name, before localhost too; the signature says which service is meant."""
    logs = platform.client("logs", account=account, inject_host_prefix=False)
    logs.create_log_group(logGroupName="g")
    region = "us-east-1"
    for host in (f"stream-logs.{region}.amazonaws.com", f"streaming-logs.{region}.amazonaws.com", "stream-localhost"):

        def named(request: Any, host: str = host, **_: Any) -> None:
            request.headers["Host"] = host

        logs.meta.events.register_first("before-sign.logs.StartLiveTail", named, unique_id=host)
        stream = logs.start_live_tail(logGroupIdentifiers=[f"arn:aws:logs:{region}:{account}:log-group:g"])
        logs.meta.events.unregister("before-sign.logs.StartLiveTail", unique_id=host)
        assert "sessionStart" in next(iter(stream["responseStream"]))
        stream["responseStream"].close()
