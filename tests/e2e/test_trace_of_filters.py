"""What a filter keeps from a function: the trace of what was sent says which filter, and of whom."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

ACCOUNT = "499999999999"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:choosy"
GOOD, BAD = json.dumps({"kind": "good"}), json.dumps({"kind": "bad"})


class Filtered:
    """A function behind everything that has filters, which want what is good."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        create_function(platform, ACCOUNT, "choosy", "def handler(event, context):\n    return None\n")
        self.queue = self.client("sqs").create_queue(QueueName="choosy")["QueueUrl"]
        self.piped = self.client("sqs").create_queue(QueueName="piped")["QueueUrl"]
        kinesis = self.client("kinesis")
        kinesis.create_stream(StreamName="choosy", ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName="choosy", WaiterConfig={"Delay": 1})
        prefix = f"us-east-1:{ACCOUNT}"
        self.of_queue = self.maps(f"arn:aws:sqs:{prefix}:choosy", "body")
        self.of_stream = self.maps(f"arn:aws:kinesis:{prefix}:stream/choosy", "data", StartingPosition="TRIM_HORIZON")
        self.topic = self.client("sns").create_topic(Name="choosy")["TopicArn"]
        policy = {"FilterPolicy": GOOD.replace('"good"', '["good"]'), "FilterPolicyScope": "MessageBody"}
        self.client("sns").subscribe(TopicArn=self.topic, Protocol="lambda", Endpoint=ARN, Attributes=policy)
        self.client("events").put_rule(Name="choosy", EventPattern=json.dumps({"detail": {"kind": ["good"]}}))
        self.client("events").put_targets(Rule="choosy", Targets=[{"Id": "1", "Arn": ARN}])
        self.pipe(f"arn:aws:sqs:{prefix}:piped")
        self.bucket()

    def client(self, service: str) -> Any:
        return self.platform.client(service, account=ACCOUNT)

    def maps(self, source: str, member: str, **more: str) -> str:
        functions = self.client("lambda")
        criteria = {"Filters": [{"Pattern": json.dumps({member: {"kind": ["good"]}})}]}
        made = functions.create_event_source_mapping(
            EventSourceArn=source, FunctionName="choosy", FilterCriteria=criteria, **more
        )["UUID"]
        until(lambda: functions.get_event_source_mapping(UUID=made)["State"] == "Enabled")
        return str(made)

    def pipe(self, source: str) -> None:
        trust = {"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = self.client("iam").create_role(
            RoleName="piper", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        self.client("iam").put_role_policy(
            RoleName="piper",
            PolicyName="all",
            PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
            ),
        )
        filters = {"Filters": [{"Pattern": json.dumps({"body": {"kind": ["good"]}})}]}
        pipes = self.client("pipes")
        pipes.create_pipe(
            Name="choosy", RoleArn=role, Source=source, Target=ARN, SourceParameters={"FilterCriteria": filters}
        )
        until(lambda: pipes.describe_pipe(Name="choosy")["CurrentState"] == "RUNNING")

    def bucket(self) -> None:
        self.client("lambda").add_permission(
            FunctionName="choosy", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
        )
        self.client("s3").create_bucket(Bucket="choosy")
        rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".jpg"}]
        wish = {"LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
        self.client("s3").put_bucket_notification_configuration(
            Bucket="choosy", NotificationConfiguration={"LambdaFunctionConfigurations": [wish]}
        )


@pytest.fixture(scope="module")
def filtered(platform: RunningPlatform) -> Filtered:
    return Filtered(platform)


def put_event(it: Filtered) -> Any:
    entry = {"Source": "test", "DetailType": "t", "Detail": BAD}
    return it.client("events").put_events(Entries=[entry])


SENT: Mapping[str, tuple[Callable[[Filtered], Any], Callable[[Filtered], str]]] = {
    "queue": (
        lambda it: it.client("sqs").send_message(QueueUrl=it.queue, MessageBody=BAD),
        lambda it: f"1 filtered out by event source mapping {it.of_queue} of {ARN}",
    ),
    "stream": (
        lambda it: it.client("kinesis").put_record(StreamName="choosy", Data=BAD.encode(), PartitionKey="k"),
        lambda it: f"1 filtered out by event source mapping {it.of_stream} of {ARN}",
    ),
    "pipe": (
        lambda it: it.client("sqs").send_message(QueueUrl=it.piped, MessageBody=BAD),
        lambda it: "1 filtered out by pipe choosy",
    ),
    "topic": (
        lambda it: it.client("sns").publish(TopicArn=it.topic, Message=BAD),
        lambda it: f"filtered out by 1 of 1 subscriptions: {ARN}",
    ),
    "bus": (put_event, lambda it: "not matched by 1 of 1 rules: choosy"),
    "bucket": (
        lambda it: it.client("s3").put_object(Bucket="choosy", Key="in/cat.png", Body=b"x"),
        lambda it: f"not for 1 of 1 destinations of the bucket: {ARN} (keys in/*.jpg)",
    ),
}


@pytest.mark.parametrize("way", SENT)
def test_the_trace_says_which_filter_left_it_out(filtered: Filtered, way: str) -> None:
    """Below the message, record, event or object of the call."""
    send, said = SENT[way]
    asked = send(filtered)["ResponseMetadata"]["RequestId"]

    def told() -> list[str]:
        found = filtered.platform.ask(f"/_undercast/trace/{asked}")
        kinds = {node["id"]: node["kind"] for node in found["nodes"]}
        assert "invocation" not in kinds.values()
        labels = {node["id"]: node["label"] for node in found["nodes"]}
        ends = [
            edge["to"] for edge in found["edges"] if kinds[edge["from"]] in ("message", "record", "event", "object")
        ]
        return [labels[end] for end in ends if kinds[end] == "filtered"]

    until(lambda: bool(told()))
    assert told() == [said(filtered)]
