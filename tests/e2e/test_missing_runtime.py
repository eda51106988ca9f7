"""A function that this machine has no runtime for: who sends it something finds out why nothing ran, and what to do.

.NET stands for every runtime that may be missing: no machine has it.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.e2e.test_cli import undercast
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

ACCOUNT = "455555555555"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:lacking"
REASON = re.compile(r"Undercast cannot run dotnet8 .*provided\.al2023")


class Lacking:
    """The function, and everything that may invoke it."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        create_function(platform, ACCOUNT, "lacking", "", Runtime="dotnet8")
        self.functions = self.client("lambda")
        self.queue = self.client("sqs").create_queue(QueueName="lacking")["QueueUrl"]
        kinesis = self.client("kinesis")
        kinesis.create_stream(StreamName="lacking", ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName="lacking", WaiterConfig={"Delay": 1})
        self.maps(f"arn:aws:sqs:us-east-1:{ACCOUNT}:lacking")
        self.maps(f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/lacking", StartingPosition="TRIM_HORIZON")
        for service in ("s3", "sns"):
            self.functions.add_permission(
                FunctionName="lacking",
                StatementId=service,
                Action="lambda:InvokeFunction",
                Principal=f"{service}.amazonaws.com",
            )
        self.topic = self.client("sns").create_topic(Name="lacking")["TopicArn"]
        self.client("sns").subscribe(TopicArn=self.topic, Protocol="lambda", Endpoint=ARN)
        s3 = self.client("s3")
        s3.create_bucket(Bucket="lacking")
        configuration = {"LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket="lacking", NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
        )

    def client(self, service: str) -> Any:
        return self.platform.client(service, account=ACCOUNT)

    def maps(self, source: str, **more: str) -> None:
        made = self.functions.create_event_source_mapping(EventSourceArn=source, FunctionName="lacking", **more)
        until(lambda: self.functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled")


@pytest.fixture(scope="module")
def lacking(platform: RunningPlatform) -> Lacking:
    return Lacking(platform)


SENT: Mapping[str, Callable[[Lacking], Any]] = {
    "sqs": lambda it: it.client("sqs").send_message(QueueUrl=it.queue, MessageBody="m"),
    "kinesis": lambda it: it.client("kinesis").put_record(StreamName="lacking", Data=b"d", PartitionKey="k"),
    "lambda": lambda it: it.functions.invoke(FunctionName="lacking", InvocationType="Event", Payload=b"{}"),
    "s3": lambda it: it.client("s3").put_object(Bucket="lacking", Key="k", Body=b"b"),
    "sns": lambda it: it.client("sns").publish(TopicArn=it.topic, Message="m"),
}


@pytest.mark.parametrize("service", SENT)
def test_the_trace_of_what_was_sent_ends_with_the_reason(lacking: Lacking, service: str) -> None:
    """Below the delivery is the error that names what to do."""
    asked = SENT[service](lacking)["ResponseMetadata"]["RequestId"]

    def told() -> bool:
        found = lacking.platform.ask(f"/_undercast/trace/{asked}")
        kinds = {node["id"]: node["kind"] for node in found["nodes"]}
        labels = {node["id"]: node["label"] for node in found["nodes"]}
        return any(kinds[edge["from"]] == "delivery" and REASON.search(labels[edge["to"]]) for edge in found["edges"])

    until(told)


def test_status_tells_from_the_creation_on_until_it_is_deleted(platform: RunningPlatform) -> None:
    """CreateFunction succeeds as on AWS; no invocation is needed to find out."""
    account = "466666666666"
    create_function(platform, account, "untried", "", Runtime="dotnet8")

    def shown() -> list[str]:
        lines = undercast("status", url=platform.url)[0].splitlines()
        return [line for line in lines if line.startswith("untried ") and account in line]

    until(lambda: bool(shown()))
    (mine,) = shown()
    assert mine.split()[:4] == ["untried", account, "us-east-1", "dotnet8"]
    assert "provided.al2023" in mine
    platform.client("lambda", account=account).delete_function(FunctionName="untried")
    until(lambda: not shown())


def test_logs_tells_it_beside_the_log(platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error: the log group has only what AWS would have written, and there is none yet."""
    account = "477777777777"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    create_function(platform, account, "untried", "", Runtime="dotnet8")
    until(lambda: any(account in one["function"] for one in platform.ask("/_undercast/status")["cannot_run"]))
    told = undercast("logs", "untried", url=platform.url, expect=1)[1]
    assert told.startswith("undercast: untried cannot be run here: Undercast cannot run dotnet8")
    platform.client("logs", account=account).create_log_group(logGroupName="/aws/lambda/untried")
    shown, told = undercast("logs", "untried", url=platform.url)
    assert (shown, told.count("cannot be run here")) == ("", 1)


def test_logs_that_are_followed_wait_for_the_first_run(
    platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no log group before it: `--tail` is what a user begins before the first event."""
    account = "488888888888"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_ENDPOINT_URL", platform.url)
    create_function(platform, account, "later", "def handler(event, context):\n    print('at last')\n")
    command = [sys.executable, "-m", "undercast", "logs", "later", "--tail"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        try:
            platform.client("lambda", account=account).invoke(FunctionName="later", Payload=json.dumps({}))
            assert following.stdout is not None
            assert any("at last" in line for line in following.stdout)
        finally:
            following.terminate()
