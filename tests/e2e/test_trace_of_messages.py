"""A function tells a topic, a stream of Kinesis and an event bus; another hears of it: the trace has each way.

So has that of a client outside who does the same, or sends to a queue or writes to a table (ADR 0058).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

TELL = """
import json, os
import boto3

def handler(event, context):
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message="m")
    boto3.client("kinesis").put_record(StreamName="told", Data=b"d", PartitionKey="k")
    entry = {"Source": "test", "DetailType": "t", "Detail": "{}"}
    boto3.client("events").put_events(Entries=[entry])
"""
HEAR = """
def handler(event, context):
    kinds = [record.get("EventSource") or record["eventSource"] for record in event.get("Records", [])]
    print("HEARD", *(kinds or [event["source"]]))
"""
SERVICES = ("sns", "events")


class Telling:
    """Both functions, and what is between them."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self.platform, self.account = platform, account
        self.functions = platform.client("lambda", account=account)
        sns, events, kinesis = (platform.client(name, account=account) for name in ("sns", "events", "kinesis"))
        topic = sns.create_topic(Name="told")["TopicArn"]
        kinesis.create_stream(StreamName="told", ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName="told", WaiterConfig={"Delay": 1})
        create_function(platform, account, "tell", TELL, Timeout=30, Environment={"Variables": {"TOPIC": topic}})
        self.hear = create_function(platform, account, "hear", HEAR, Timeout=30)
        for service in SERVICES:
            self.functions.add_permission(
                FunctionName="hear",
                StatementId=service,
                Action="lambda:InvokeFunction",
                Principal=f"{service}.amazonaws.com",
            )
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=self.hear)
        events.put_rule(Name="told", EventPattern=json.dumps({"source": ["test"]}))
        events.put_targets(Rule="told", Targets=[{"Id": "1", "Arn": self.hear}])
        self.topic, self.queue = topic, f"{platform.url}/{account}/told"
        platform.client("sqs", account=account).create_queue(QueueName="told")
        self.maps(f"arn:aws:kinesis:us-east-1:{account}:stream/told", StartingPosition="TRIM_HORIZON")
        self.maps(f"arn:aws:sqs:us-east-1:{account}:told")
        self.maps(self.table(), StartingPosition="TRIM_HORIZON")

    def table(self) -> str:
        """Its stream."""
        dynamo = self.platform.client("dynamodb", account=self.account)
        made = dynamo.create_table(
            TableName="told",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )
        dynamo.get_waiter("table_exists").wait(TableName="told", WaiterConfig={"Delay": 1})
        return str(made["TableDescription"]["LatestStreamArn"])

    def maps(self, source: str, **more: str) -> None:
        made = self.functions.create_event_source_mapping(EventSourceArn=source, FunctionName="hear", **more)
        until(lambda: self.functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled")

    def ask(self, asked: str) -> dict[str, Any]:
        found: dict[str, Any] = self.platform.ask(f"/_undercast/trace/{asked}")
        return found

    def heard(self) -> set[str]:
        logs = self.platform.client("logs", account=self.account)
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/hear", filterPattern='"HEARD"')["events"]
        except logs.exceptions.ResourceNotFoundException:
            return set()
        return {event["message"].split()[1] for event in events}


@pytest.fixture(scope="module")
def telling(platform: RunningPlatform) -> Telling:
    return Telling(platform, "433333333333")


@pytest.fixture(scope="module")
def trace(telling: Telling) -> dict[str, Any]:
    """That of one invocation, behind all that it led to."""
    answer = telling.functions.invoke(FunctionName="tell", Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    until(lambda: telling.heard() == {"aws:sns", "aws:kinesis", "test"})
    return telling.ask(answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"])


@pytest.mark.parametrize("call", ["sns:Publish", "kinesis:PutRecord", "events:PutEvents"])
def test_each_way_leads_from_the_call_to_an_invocation(trace: dict[str, Any], call: str) -> None:
    """From the function's call over message, record or event to the other function, each step later than its cause."""
    nodes = {node["id"]: node for node in trace["nodes"]}
    below: dict[str, list[str]] = {}
    for edge in trace["edges"]:
        assert nodes[edge["from"]]["order"] < nodes[edge["to"]]["order"]
        below.setdefault(edge["from"], []).append(edge["to"])
    (asked,) = (one for one in below[trace["asked"]] if nodes[one]["label"].startswith(call))
    reached, waiting = set(), [asked]
    while waiting:
        one = waiting.pop()
        reached.add(one)
        waiting += below.get(one, ())
    heard = [one for one in reached if nodes[one]["label"].endswith(":function:hear")]
    assert [nodes[one]["kind"] for one in heard] == ["invocation"]


OUTSIDE: Mapping[str, tuple[str, Callable[[Telling, Any], Any], str]] = {
    "sns": ("Publish", lambda it, sns: sns.publish(TopicArn=it.topic, Message="m"), "told"),
    "sqs": ("SendMessage", lambda it, sqs: sqs.send_message(QueueUrl=it.queue, MessageBody="m"), "told"),
    "kinesis": (
        "PutRecord",
        lambda it, kinesis: kinesis.put_record(StreamName="told", Data=b"d", PartitionKey="k"),
        "stream/told",
    ),
    "events": (
        "PutEvents",
        lambda it, events: events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": "{}"}]),
        "event-bus/default",
    ),
    "dynamodb": (
        "PutItem",
        lambda it, dynamo: dynamo.put_item(TableName="told", Item={"id": {"S": "1"}}),
        "table/told",
    ),
}


@pytest.mark.parametrize("service", OUTSIDE)
def test_a_request_from_outside_is_the_named_root_of_what_it_caused(telling: Telling, service: str) -> None:
    """Its id leads to the invocation, the invocation's back to it; the root says which call it was, of what."""
    operation, call, resource = OUTSIDE[service]
    answer = call(telling, telling.platform.client(service, account=telling.account))
    asked = answer["ResponseMetadata"]["RequestId"]

    def heard() -> list[str]:
        nodes = telling.ask(asked)["nodes"]
        return [node["id"] for node in nodes if node["kind"] == "invocation"]

    until(lambda: bool(heard()))
    back = telling.ask(heard()[0])
    (root,) = (node for node in back["nodes"] if node["id"] == asked)
    arn = f"arn:aws:{service}:us-east-1:{telling.account}:{resource}"
    assert (root["kind"], root["label"]) == ("call", f"{service}:{operation} {arn}")
    order = {node["id"]: node["order"] for node in back["nodes"]}
    ends = [(edge["from"], edge["to"]) for edge in back["edges"]]
    assert all(order[start] <= order[end] for start, end in ends)
    assert not [end for start, end in ends if end == asked]
