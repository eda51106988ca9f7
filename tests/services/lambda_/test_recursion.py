"""Loops of functions, queues and topics, on the real platform: functions that really run send with boto3.

AWS: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops".
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platform import RunningPlatform, running
from tests.services.lambda_.conftest import Account, package
from tests.services.lambda_.queues import until
from undercast.services.lambda_.lineage import mark

PASS_ON = """
import os, boto3

def handler(event, context):
    for record in event["Records"]:
        body = record["body"] if "body" in record else record["Sns"]["Message"]
        print("SAW", body)
        if body == os.environ.get("LAST", ""):
            continue
        text, target = str(int(body) + 1), os.environ["TARGET"]
        if ":sns:" in target:
            boto3.client("sns").publish(TopicArn=target, Message=text)
        else:
            boto3.client("sqs").send_message(QueueUrl=target, MessageBody=text)
"""


@pytest.fixture(scope="module")
def moved() -> Iterator[RunningPlatform]:
    """A platform of this file's own, whose clock it may move."""
    with running() as platform:
        yield platform


@pytest.fixture
def own(moved: RunningPlatform) -> Account:
    """An account of the test's own there."""
    return Account(moved, f"{random.randrange(10**11, 10**12)}")


class Loop:
    """Queues, topics and functions of one account."""

    def __init__(self, aws: Account) -> None:
        self.aws = aws
        self.sqs, self.sns, self.functions = (aws.client(name) for name in ("sqs", "sns", "lambda"))
        self.mapping = ""

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        """(URL, ARN)."""
        url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:{self.aws.id}:{name}"

    def function(self, name: str, target: str, last: str = "") -> str:
        """Its ARN."""
        variables = {"TARGET": target, "LAST": last}
        settings = {"Timeout": 30, "MemorySize": 512}  # on a busy machine boto3 takes its time
        made = self.aws.create(
            name, Code={"ZipFile": package(app=PASS_ON)}, Environment={"Variables": variables}, **settings
        )
        return str(made["FunctionArn"])

    def map(self, queue_arn: str, function: str, **params: Any) -> None:
        """Let a function work off a queue."""
        made = self.functions.create_event_source_mapping(EventSourceArn=queue_arn, FunctionName=function, **params)
        self.mapping = made["UUID"]

    def subscribe(self, topic_arn: str, function_arn: str) -> None:
        """Let a topic invoke a function."""
        permission = {"Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com", "SourceArn": topic_arn}
        self.functions.add_permission(FunctionName=function_arn, StatementId="sns", **permission)
        self.sns.subscribe(TopicArn=topic_arn, Protocol="lambda", Endpoint=function_arn)

    def seen(self, function: str) -> list[str]:
        """The bodies that a function printed."""
        try:
            pages = self.aws.client("logs").get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{function}"
            )  # fmt: skip
            lines = [event["message"].strip() for page in pages for event in page["events"]]
        except self.aws.client("logs").exceptions.ResourceNotFoundException:
            return []
        return [line.removeprefix("SAW ") for line in lines if line.startswith("SAW ")]

    def letter(self, url: str) -> dict[str, Any]:
        """The one message of a queue."""
        (message,) = self.sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=20, AttributeNames=["All"], MessageAttributeNames=["All"]
        )["Messages"]
        return dict(message)

    def dropped(self, function: str) -> float:
        """The metric RecursiveInvocationsDropped."""
        dimensions = [{"Name": "FunctionName", "Value": function}]
        found = self.aws.client("cloudwatch").get_metric_data(
            StartTime=0,
            EndTime=4_000_000_000,
            MetricDataQueries=[
                {
                    "Id": "m",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/Lambda",
                            "MetricName": "RecursiveInvocationsDropped",
                            "Dimensions": dimensions,
                        },
                        "Period": 86400,
                        "Stat": "Sum",
                    },
                }
            ],
        )["MetricDataResults"][0]["Values"]
        return float(sum(found))


def numbers(last: int) -> list[str]:
    """Bodies from 0 on."""
    return sorted(str(number) for number in range(last))


def test_a_queue_that_its_function_fills_again(own: Account) -> None:
    """16 runs; the next message stays, is tried as often as its queue says, and goes to the dead-letter queue."""
    loop = Loop(own)
    dead_url, dead_arn = loop.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = loop.queue("q", RedrivePolicy=redrive)
    loop.function("f", url)
    loop.map(arn, "f")
    loop.sqs.send_message(QueueUrl=url, MessageBody="0")
    until(lambda: loop.dropped("f") == 1 and len(loop.seen("f")) >= 16)
    own.platform.advance(31)
    letter = loop.letter(dead_url)
    assert (letter["Body"], sorted(loop.seen("f"))) == ("16", numbers(16))
    assert f"Lineage={mark(f'arn:aws:lambda:us-east-1:{own.id}:function:f')}:16" in (
        letter["Attributes"]["AWSTraceHeader"].replace("%3A", ":")
    )


def test_a_topic_that_its_function_publishes_to(own: Account) -> None:
    """16 runs; the next event goes to the on-failure destination and the dead-letter queue of the function."""
    loop = Loop(own)
    failed_url, failed_arn = loop.queue("failed")
    dead_url, dead_arn = loop.queue("dead")
    topic = loop.sns.create_topic(Name="t")["TopicArn"]
    function = loop.function("f", topic)
    loop.functions.update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": dead_arn})
    loop.functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    loop.functions.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnFailure": {"Destination": failed_arn}}
    )
    loop.subscribe(topic, function)
    loop.sns.publish(TopicArn=topic, Message="0")
    record = json.loads(loop.letter(failed_url)["Body"])
    assert record["requestContext"]["condition"] == "RecursiveInvocationException"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"]["Records"][0]["Sns"]["Message"] == "16"
    letter = json.loads(loop.letter(dead_url)["Body"])
    assert letter["Records"][0]["Sns"]["Message"] == "16"
    until(lambda: len(loop.seen("f")) >= 16)
    assert sorted(loop.seen("f")) == numbers(16)


def test_a_loop_of_a_queue_a_topic_and_two_functions(own: Account) -> None:
    """Each function runs 16 times; the one that would be the first to run again is stopped."""
    loop = Loop(own)
    url, arn = loop.queue("q")
    topic = loop.sns.create_topic(Name="t")["TopicArn"]
    loop.function("first", topic)
    loop.subscribe(topic, loop.function("second", url))
    loop.map(arn, "first")
    loop.sqs.send_message(QueueUrl=url, MessageBody="0")
    until(lambda: loop.dropped("first") == 1)
    until(lambda: len(loop.seen("first")) >= 16 and len(loop.seen("second")) >= 16)
    assert sorted(loop.seen("first"), key=int) == [str(number) for number in range(0, 32, 2)]
    assert sorted(loop.seen("second"), key=int) == [str(number) for number in range(1, 32, 2)]


def test_a_loop_that_is_allowed_goes_on(own: Account) -> None:
    """PutFunctionRecursionConfig Allow."""
    loop = Loop(own)
    url, arn = loop.queue("q")
    loop.function("f", url, last="18")
    loop.functions.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    loop.map(arn, "f")
    loop.sqs.send_message(QueueUrl=url, MessageBody="0")
    until(lambda: len(loop.seen("f")) >= 19)
    assert sorted(loop.seen("f")) == numbers(19)


def test_the_record_of_an_invocation_carries_the_chain(own: Account) -> None:
    """What a destination causes is counted, too: no SDK sends it."""
    loop = Loop(own)
    url, arn = loop.queue("q")
    made = own.create(Code={"ZipFile": package(app="def handler(event, context):\n    pass")})
    loop.functions.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    loop.functions.invoke(FunctionName="f", InvocationType="Event")
    header = loop.letter(url)["Attributes"]["AWSTraceHeader"]
    assert header.endswith(f";Lineage={mark(made['FunctionArn'])}:1")


def test_what_is_in_a_batch_beside_a_loop_is_processed(own: Account) -> None:
    """Each message is counted by its own chain."""
    loop = Loop(own)
    url, arn = loop.queue("q")
    function = loop.function("f", url, last="7")
    loop.map(arn, "f", Enabled=False)
    until(lambda: loop.functions.get_event_source_mapping(UUID=loop.mapping)["State"] == "Disabled")
    header = f"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;Lineage={mark(function)}:16"
    looped = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
    for attributes in ({}, looped, {}, looped, {}):
        loop.sqs.send_message(QueueUrl=url, MessageBody="7", MessageSystemAttributes=attributes)
    loop.functions.update_event_source_mapping(UUID=loop.mapping, Enabled=True)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> list[str]:
        found = loop.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [found[name] for name in names]

    until(lambda: left() == ["0", "2"] and len(loop.seen("f")) >= 3)
    until(lambda: loop.dropped("f") >= 1)
    assert loop.seen("f") == ["7"] * 3
