"""Subscription filters: what functions and callers write reaches a function.

AWS: CloudWatch Logs User Guide, "Example 2: Subscription filters with AWS Lambda".
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform

READ = """
import base64, gzip, json

def handler(event, context):
    message = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("GOT " + json.dumps(message))
"""
WRITE = """
def handler(event, context):
    print("wanted line")
    print("other line")
"""
Received = Callable[[int], list[dict[str, Any]]]


@pytest.fixture
def logs(platform: RunningPlatform, account: str) -> Any:
    """A client."""
    return platform.client("logs", account=account)


@pytest.fixture
def received(platform: RunningPlatform, account: str, logs: Any) -> Received:
    """A function `reader` that lets CloudWatch Logs in; called with a number, so many messages that it got."""
    create_function(platform, account, "reader", READ)
    platform.client("lambda", account=account).add_permission(
        FunctionName="reader", StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com",
        SourceAccount=account, SourceArn=f"arn:aws:logs:us-east-1:{account}:log-group:*:*",
    )  # fmt: skip

    def found(count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                events = logs.filter_log_events(logGroupName="/aws/lambda/reader", filterPattern="GOT")["events"]
            except logs.exceptions.ResourceNotFoundException:
                events = []
            if len(events) >= count:
                return [json.loads(event["message"].removeprefix("GOT ")) for event in events]
            time.sleep(0.1)
        raise AssertionError(f"{count} messages did not come")

    return found


def subscribe(logs: Any, account: str, group: str, pattern: str) -> None:
    """A filter that leads to the reader."""
    logs.put_subscription_filter(
        logGroupName=group, filterName="to-reader", filterPattern=pattern,
        destinationArn=f"arn:aws:lambda:us-east-1:{account}:function:reader",
    )  # fmt: skip


def test_put_events_and_lines_of_a_function_reach_the_function(
    platform: RunningPlatform, account: str, logs: Any, received: Received
) -> None:
    """`awslogs.data`: base64, gzip; only what matches, with the ids that FilterLogEvents shows."""
    logs.create_log_group(logGroupName="app")
    logs.create_log_stream(logGroupName="app", logStreamName="s")
    subscribe(logs, account, "app", "{ $.level = ERROR }")
    now = int(time.time() * 1000)
    lines = [json.dumps({"level": level}) for level in ("INFO", "ERROR")]
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName="app", logStreamName="s", logEvents=events)
    (message,) = received(1)
    (shown,) = logs.filter_log_events(logGroupName="app", filterPattern="ERROR")["events"]
    assert message == {
        "messageType": "DATA_MESSAGE", "owner": account, "logGroup": "app", "logStream": "s",
        "subscriptionFilters": ["to-reader"],
        "logEvents": [{"id": shown["eventId"], "timestamp": now, "message": lines[1]}],
    }  # fmt: skip
    create_function(platform, account, "writer", WRITE)
    logs.create_log_group(logGroupName="/aws/lambda/writer")
    subscribe(logs, account, "/aws/lambda/writer", "wanted")
    platform.client("lambda", account=account).invoke(FunctionName="writer")
    message = received(2)[1]
    assert message["logGroup"] == "/aws/lambda/writer"
    assert [event["message"] for event in message["logEvents"]] == ["wanted line\n"]


def test_a_function_without_permission_is_refused(platform: RunningPlatform, account: str, logs: Any) -> None:
    """Its policy must let logs.amazonaws.com in; AWS's text."""
    create_function(platform, account, "reader", READ)
    logs.create_log_group(logGroupName="app")
    with pytest.raises(logs.exceptions.InvalidParameterException, match="Make sure you have given CloudWatch Logs"):
        subscribe(logs, account, "app", "")
    assert logs.describe_subscription_filters(logGroupName="app")["subscriptionFilters"] == []
