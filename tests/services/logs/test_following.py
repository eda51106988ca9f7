"""Metric filters and live tail through boto3, fed by a function."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import platform as platforms
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
    now = datetime.fromtimestamp(platform.ask("/_undercast/status")["clock"]["now"], UTC)  # others have moved it
    wide = timedelta(hours=1)
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
    hosts = ("stream-logs.us-east-1.amazonaws.com", "streaming-logs.us-east-1.amazonaws.com", "stream-localhost")
    for host in (*hosts, "stream-logs.localhost", "stream-logs.localhost.localstack.cloud"):

        def named(request: Any, host: str = host, **_: Any) -> None:
            request.headers["Host"] = host

        logs.meta.events.register_first("before-sign.logs.StartLiveTail", named, unique_id=host)
        stream = logs.start_live_tail(logGroupIdentifiers=[f"arn:aws:logs:{region}:{account}:log-group:g"])
        logs.meta.events.unregister("before-sign.logs.StartLiveTail", unique_id=host)
        assert "sessionStart" in next(iter(stream["responseStream"]))
        stream["responseStream"].close()


def test_a_stop_ends_live_tails_first() -> None:
    """The stream ends as a stream does; nobody waits for three hours."""
    with platforms.running() as platform:
        logs = platform.client("logs", inject_host_prefix=False)
        logs.create_log_group(logGroupName="g")
        arn = "arn:aws:logs:us-east-1:000000000000:log-group:g"
        events = iter(logs.start_live_tail(logGroupIdentifiers=[arn])["responseStream"])
        assert "sessionStart" in next(events)
        platform.process.terminate()
        assert all("sessionUpdate" in event for event in events)


def test_insights_answers_what_a_function_did(platform: RunningPlatform, account: str) -> None:
    """REPORT lines by their discovered fields; an error says where the query is wrong."""
    logs = platform.client("logs", account=account)
    create_function(platform, account, "writer", WRITE)
    platform.client("lambda", account=account).invoke(FunctionName="writer", LogType="Tail")
    now, group = int(platform.ask("/_undercast/status")["clock"]["now"]), "/aws/lambda/writer"
    span = {"logGroupName": group, "startTime": now - 600, "endTime": now + 600}
    text = "filter @type = 'REPORT' | stats count(*) as n, max(@memorySize / 1000000) as mb by bin(1d)"
    query = logs.start_query(**span, queryString=text)["queryId"]
    deadline = time.monotonic() + 30
    while (told := logs.get_query_results(queryId=query))["status"] == "Running" and time.monotonic() < deadline:
        time.sleep(0.05)
    (row,) = told["results"]
    shown = {one["field"]: one["value"] for one in row}
    assert (list(shown), shown["n"], shown["mb"]) == (["bin(1d)", "n", "mb"], "1", "128")
    with pytest.raises(logs.exceptions.MalformedQueryException) as caught:
        logs.start_query(**span, queryString="fields @message | sort")
    assert caught.value.response["queryCompileError"]["location"] == {"startCharOffset": 22, "endCharOffset": 22}
