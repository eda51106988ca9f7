"""CloudWatch Logs through boto3 and the AWS CLI, against the real platform."""

import json
import os
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"{random.randrange(10**11, 10**12)}"


@pytest.fixture
def logs(platform: RunningPlatform, account: str) -> Any:
    """A client with one group and one stream."""
    client = platform.client("logs", account=account)
    client.create_log_group(logGroupName="g")
    client.create_log_stream(logGroupName="g", logStreamName="s")
    return client


def put(logs: Any, *messages: str) -> dict[str, Any]:
    """Events of now, in order."""
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": message} for number, message in enumerate(messages)]
    told: dict[str, Any] = logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    return told


def test_events_come_back_as_they_were_put(logs: Any) -> None:
    """Bytes, order and times; the sequence token is returned and ignored."""
    messages = ["first", "tab\t\\n", "ünïcode 🐍", '{"a": 1}', "trailing\n"]
    told = put(logs, *messages)
    assert told["nextSequenceToken"]
    put_again = {"logGroupName": "g", "logStreamName": "s", "sequenceToken": "anything"}
    logs.put_log_events(**put_again, logEvents=[{"timestamp": int(time.time() * 1000) + 99, "message": "last"}])
    events = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in events] == [*messages, "last"]
    (group,) = logs.describe_log_groups()["logGroups"]
    assert group["storedBytes"] == sum(len(text.encode()) + 26 for text in (*messages, "last"))


def test_paginators_reach_the_end(logs: Any) -> None:
    """filter_log_events, describe_log_groups and describe_log_streams."""
    for number in range(5):
        logs.create_log_stream(logGroupName="g", logStreamName=f"t{number}")
    put(logs, *(f"line {number}" for number in range(25)))
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="g", PaginationConfig={"PageSize": 10})
    assert [event["message"] for page in pages for event in page["events"]] == [f"line {n}" for n in range(25)]
    streams = logs.get_paginator("describe_log_streams").paginate(logGroupName="g", PaginationConfig={"PageSize": 2})
    names = [stream["logStreamName"] for page in streams for stream in page["logStreams"]]
    assert names == ["s", "t0", "t1", "t2", "t3", "t4"]


def test_filter_pattern_and_errors(logs: Any) -> None:
    """A pattern of JSON, and one that is broken."""
    put(logs, '{"level": "ERROR", "code": 500}', '{"level": "INFO", "code": 200}', "ERROR plain")
    found = logs.filter_log_events(logGroupName="g", filterPattern='{ $.level = "ERR*" && $.code >= 500 }')
    assert [event["message"] for event in found["events"]] == ['{"level": "ERROR", "code": 500}']
    with pytest.raises(logs.exceptions.InvalidParameterException, match="Invalid filter pattern"):
        logs.filter_log_events(logGroupName="g", filterPattern="{ $.a }")
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="g")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="g", logStreamName="none")


def test_policy_on_a_stream_is_enforced(platform: RunningPlatform, logs: Any, account: str) -> None:
    """A user who may only put into one group; the denial names group and stream."""
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="writer")
    allowed = f"arn:aws:logs:us-east-1:{account}:log-group:g:*"
    statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": allowed}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="writer", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="writer")["AccessKey"]
    writer = platform.client("logs", account=key["AccessKeyId"], secret=key["SecretAccessKey"])
    put(writer, "allowed")
    with pytest.raises(ClientError) as caught:
        writer.get_log_events(logGroupName="g", logStreamName="s")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert f"logs:GetLogEvents on resource: arn:aws:logs:us-east-1:{account}:log-group:g:log-stream:s" in str(
        caught.value
    )


def test_calls_of_logs_tail(logs: Any) -> None:
    """`aws logs tail --follow` filters from a start time, page by page, and again from the last event's time on."""
    start = int(time.time() * 1000) - 600_000
    put(logs, "one", "two")
    tail = {"logGroupName": "g", "interleaved": True, "startTime": start}
    first = logs.filter_log_events(**tail, limit=1)
    second = logs.filter_log_events(**tail, limit=1, nextToken=first["nextToken"])
    assert [first["events"][0]["message"], second["events"][0]["message"]] == ["one", "two"]
    assert "nextToken" not in second
    later = logs.filter_log_events(**{**tail, "startTime": second["events"][0]["timestamp"]})
    assert [event["eventId"] for event in later["events"]] == [second["events"][0]["eventId"]]


def test_cli_reads_and_writes(platform: RunningPlatform, logs: Any, account: str) -> None:
    """put-log-events and get-log-events of the AWS CLI."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": platform.url,
    }

    def aws(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "awscli", "logs", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        found: dict[str, Any] = json.loads(done.stdout or "{}")
        return found

    where = ("--log-group-name", "g", "--log-stream-name", "s")
    aws("put-log-events", *where, "--log-events", f"timestamp={int(time.time() * 1000)},message=hello")
    assert [event["message"] for event in aws("get-log-events", *where)["events"]] == ["hello"]
