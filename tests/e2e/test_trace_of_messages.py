"""A function tells a topic, a stream of Kinesis and an event bus; another hears of it: the trace has each way."""

import json
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
        stream = f"arn:aws:kinesis:us-east-1:{account}:stream/told"
        made = self.functions.create_event_source_mapping(
            EventSourceArn=stream, FunctionName="hear", StartingPosition="TRIM_HORIZON"
        )
        until(lambda: self.functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled")

    def heard(self) -> set[str]:
        logs = self.platform.client("logs", account=self.account)
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/hear", filterPattern='"HEARD"')["events"]
        except logs.exceptions.ResourceNotFoundException:
            return set()
        return {event["message"].split()[1] for event in events}


@pytest.fixture(scope="module")
def trace(platform: RunningPlatform) -> dict[str, Any]:
    """That of one invocation, behind all that it led to."""
    telling = Telling(platform, "433333333333")
    answer = telling.functions.invoke(FunctionName="tell", Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    until(lambda: telling.heard() == {"aws:sns", "aws:kinesis", "test"})
    found: dict[str, Any] = platform.ask(
        f"/_undercast/trace/{answer['ResponseMetadata']['HTTPHeaders']['x-amzn-requestid']}"
    )
    return found


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
