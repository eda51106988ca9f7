"""What functions bring into CloudWatch: Lambda's own metrics, and the embedded metric format in their logs.

AWS: Lambda Developer Guide, "Types of metrics for Lambda functions"; CloudWatch User Guide, "Specification: Embedded
metric format".
"""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

SOURCE = """
import json, time

def handler(event, context):
    if event.get("fail"):
        raise ValueError("asked to")
    if "latency" in event:
        metrics = [{"Namespace": "App", "Dimensions": [["service"], []], "Metrics": [
            {"Name": "latency", "Unit": "Milliseconds"}]}]
        print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000),
                                   "CloudWatchMetrics": metrics},
                          "service": "orders", "latency": event["latency"]}))
    return event
"""


def now_of(platform: RunningPlatform) -> float:
    """The platform's clock."""
    return float(platform.ask("/_undercast/clock", {"advance_s": 0})["now"])


def value(platform: RunningPlatform, account: str, name: str, stat: str, **more: Any) -> float | None:
    """One statistic of the last hour, over all of its minutes."""
    now = datetime.fromtimestamp(now_of(platform), UTC)
    kind = "Statistics" if stat in ("Sum", "SampleCount", "Maximum", "Average") else "ExtendedStatistics"
    dimensions = [{"Name": key, "Value": one} for key, one in more.get("dimensions", {}).items()]
    points = platform.client("cloudwatch", account=account).get_metric_statistics(
        Namespace=more.get("namespace", "AWS/Lambda"),
        MetricName=name,
        Dimensions=dimensions,
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86_400,
        **{kind: [stat]},
    )["Datapoints"]
    if not points:
        return None
    found: float = points[0].get("ExtendedStatistics", points[0])[stat]
    return found


def test_invocations_are_measured(platform: RunningPlatform, account: str) -> None:
    """By function, alias, version behind the alias, and over all functions; throttles are no invocations."""
    create_function(platform, account, "f", SOURCE)
    create_function(platform, account, "idle", SOURCE)
    client = platform.client("lambda", account=account)
    version = client.publish_version(FunctionName="f")["Version"]
    client.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    for payload in (b"{}", b'{"fail": true}', b"{}"):
        client.invoke(FunctionName="f", Payload=payload)
    for _ in range(2):
        client.invoke(FunctionName="f", Qualifier="live", Payload=b"{}")
    client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    platform.drain()
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        client.invoke(FunctionName="f")

    def metric(name: str, stat: str = "Sum", **dimensions: str) -> float | None:
        return value(platform, account, name, stat, dimensions=dimensions)

    until(lambda: metric("Duration", "SampleCount", FunctionName="f") == 6)  # the last REPORT may be behind its answer
    assert (metric("Invocations", FunctionName="f"), metric("Invocations")) == (6, 6)
    assert metric("Invocations", FunctionName="f", Resource="f") == 4
    alias = {"FunctionName": "f", "Resource": "f:live"}
    assert metric("Invocations", **alias) == 2
    assert metric("Invocations", **alias, ExecutedVersion=version) == 2
    assert (metric("Errors", FunctionName="f"), metric("Errors", **alias)) == (1, 0)
    assert metric("Errors", "Average", FunctionName="f", Resource="f") == pytest.approx(1 / 4)
    assert (metric("Throttles", FunctionName="f"), metric("Throttles", **alias)) == (1, 0)
    p50, p95, p99 = (metric("Duration", name, FunctionName="f") or 0 for name in ("p50", "p95", "p99"))
    assert 0 < p50 <= p95 <= p99
    assert metric("Invocations", FunctionName="idle") is None
    assert metric("ConcurrentExecutions", "Maximum", FunctionName="f") == 1
    assert (metric("AsyncEventsReceived", FunctionName="f"), metric("AsyncEventAge", "SampleCount")) == (1, 1)
    of_memory = {"namespace": "LambdaInsights", "dimensions": {"function_name": "f"}}
    assert value(platform, account, "used_memory_max", "SampleCount", **of_memory) == 6
    assert value(platform, account, "total_memory", "Maximum", **of_memory) == 128
    used = value(platform, account, "used_memory_max", "Maximum", **of_memory)
    assert used is not None
    assert 0 < used <= 128
    share = value(platform, account, "memory_utilization", "Maximum", **of_memory)
    assert share == pytest.approx(100 * used / 128)
    of_version = {"namespace": "LambdaInsights", "dimensions": {"function_name": "f", "version": version}}
    assert value(platform, account, "used_memory_max", "SampleCount", **of_version) == 2
    names = {one["MetricName"] for one in _listed(platform, account)}
    assert {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions", "AsyncEventAge"} <= names


def test_duration_and_memory_are_those_of_the_report(platform: RunningPlatform, account: str) -> None:
    """Of invokes without a tail, too, whose callers have their answer before the REPORT is written."""
    create_function(platform, account, "told", SOURCE)
    client = platform.client("lambda", account=account)
    for _ in range(5):
        client.invoke(FunctionName="told", Payload=b"{}")
    of_function = {"dimensions": {"FunctionName": "told"}}
    until(lambda: value(platform, account, "Duration", "SampleCount", **of_function) == 5)
    logs = platform.client("logs", account=account)

    def reports() -> list[str]:
        found = logs.filter_log_events(logGroupName="/aws/lambda/told", filterPattern="REPORT")["events"]
        return [event["message"] for event in found]

    until(lambda: len(reports()) == 5)
    durations = [float(re.search(r"\tDuration: ([\d.]+) ms", line)[1]) for line in reports()]  # type: ignore[index]
    memory = [int(re.search(r"Max Memory Used: (\d+) MB", line)[1]) for line in reports()]  # type: ignore[index]
    assert value(platform, account, "Duration", "Sum", **of_function) == pytest.approx(sum(durations), abs=0.05)
    used = {"namespace": "LambdaInsights", "dimensions": {"function_name": "told"}}
    assert value(platform, account, "used_memory_max", "Sum", **used) == sum(memory)
    assert min(memory) > 0


def test_the_command_shows_them(platform: RunningPlatform, account: str, tmp_path: Path) -> None:
    """`undercast metrics`: a line for each function; of one, or of its alias, a line for each minute, or a page."""
    create_function(platform, account, "shown", SOURCE)
    client = platform.client("lambda", account=account)
    client.create_alias(FunctionName="shown", Name="live", FunctionVersion="$LATEST")
    for payload in (b"{}", b'{"fail": true}'):
        client.invoke(FunctionName="shown", Payload=payload)
    client.invoke(FunctionName="shown", Qualifier="live", Payload=b"{}")
    of_function = {"dimensions": {"FunctionName": "shown"}}
    until(lambda: value(platform, account, "Duration", "SampleCount", **of_function) == 3)

    def shown(*arguments: str, fails: bool = False) -> str:
        environment = {**os.environ, "AWS_ENDPOINT_URL": platform.url, "AWS_ACCESS_KEY_ID": account}
        environment |= {"AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
        command = [sys.executable, "-m", "undercast", "metrics", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == (1 if fails else 0), done.stderr
        return done.stderr if fails else done.stdout

    assert "Function not found" in shown("nosuch", fails=True)
    span, head, line = shown().splitlines()
    assert span.startswith("the last 60 minutes until ")
    assert head.split()[:4] == ["function", "invocations", "errors", "throttles"]
    assert head.endswith("max MB")
    assert line.split()[:4] == ["shown", "3", "1", "0"]
    assert 0 < int(line.split()[-1]) <= 128
    low, average, high, *ranks = map(float, line.split()[4:-1])
    assert 0 < low <= average <= high
    assert sorted(ranks) == ranks
    assert sum(one["Invocations"] for one in json.loads(shown("shown:live", "--json")).values()) == 1
    assert "name it" in shown("--page", str(tmp_path / "page.html"), fails=True)
    shown("shown", "--page", str(tmp_path / "page.html"))
    drawn = (tmp_path / "page.html").read_text()
    for name, figure in (("Minimum", low), ("Maximum", high)):
        assert f"{name} {figure:.2f} ms at " in drawn


def test_a_profile_tells_round_trips_beside_durations(platform: RunningPlatform, account: str, tmp_path: Path) -> None:
    """S3d-37: `undercast profile`, of functions with text and with JSON logs; failures count; the page draws each."""
    client = platform.client("lambda", account=account)
    create_function(platform, account, "text", SOURCE)
    create_function(platform, account, "json", SOURCE, LoggingConfig={"LogFormat": "JSON"})
    client.create_alias(FunctionName="text", Name="live", FunctionVersion="$LATEST")

    def profiled(*arguments: str) -> str:
        environment = {**os.environ, "AWS_ENDPOINT_URL": platform.url, "AWS_ACCESS_KEY_ID": account}
        environment |= {"AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
        command = [sys.executable, "-m", "undercast", "profile", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout or done.stderr

    for function in ("text:live", "json"):
        found = json.loads(profiled(function, "--times", "5", "--json"))
        assert (found["invocations"], found["failed"], len(found["init_duration_ms"])) == (5, 0, 1)
        assert found["per_second"] > 0
        assert 0 < found["max_memory_used_mb"] <= 128
        trip, duration = found["ms"]["round trip"], found["ms"]["Duration"]
        assert 0 < duration["least"] <= duration["p50"] <= duration["p95"] <= duration["p99"] <= duration["most"]
        assert trip["least"] > 0  # what is beside it may be below 0: Duration goes on behind the answer
        assert trip["average"] == pytest.approx(duration["average"] + found["ms"]["beside it"]["average"])
    file = tmp_path / "profile.html"
    first, head, *rows = profiled("text", '{"fail": true}', "--times", "3", "--page", str(file)).splitlines()
    assert re.fullmatch(r"text: 3 invocations, [\d.]+ a second, 3 failed", first)
    assert head.split() == ["ms", "least", "average", "p50", "p95", "p99", "most"]
    assert [row.split("  ")[0] for row in rows[:3]] == ["round trip", "Duration", "beside it"]
    drawn = file.read_text()
    for number in (1, 2, 3):
        assert re.search(rf"round trip [\d.]+ ms, invocation {number}<", drawn)
    assert "Function not found" in profiled("nosuch")


def _listed(platform: RunningPlatform, account: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = platform.client("cloudwatch", account=account).list_metrics(Namespace="AWS/Lambda")[
        "Metrics"
    ]
    return found


def test_log_lines_become_metrics(platform: RunningPlatform, account: str) -> None:
    """Of a function, and of PutLogEvents; each set of dimensions is a metric; a broken document is only a log event."""
    create_function(platform, account, "emf", SOURCE)
    platform.advance(7200)  # functions keep this machine's time
    client = platform.client("lambda", account=account)
    for latency in ([1.5, 2.5], 4):
        payload = json.dumps({"latency": latency}).encode()
        assert "FunctionError" not in client.invoke(FunctionName="emf", Payload=payload)
    logs = platform.client("logs", account=account)
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now_ms = int(now_of(platform) * 1000)
    document = {
        "_aws": {
            "Timestamp": now_ms,
            "CloudWatchMetrics": [{"Namespace": "App", "Dimensions": [["service"]], "Metrics": [{"Name": "latency"}]}],
        },
        "service": "billing",
        "latency": 8,
    }
    broken = [{**document, "service": 1}, {**document, "latency": "8"}, {**document, "_aws": {"Timestamp": now_ms}}]
    events = [{"timestamp": now_ms, "message": json.dumps(one)} for one in (document, *broken)]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)

    def latency_of(stat: str, **dimensions: str) -> float | None:
        return value(platform, account, "latency", stat, namespace="App", dimensions=dimensions)

    assert (latency_of("Sum", service="orders"), latency_of("SampleCount", service="orders")) == (8, 3)
    assert (latency_of("Sum"), latency_of("Sum", service="billing")) == (8, 8)
    assert latency_of("SampleCount", service="billing") == 1
