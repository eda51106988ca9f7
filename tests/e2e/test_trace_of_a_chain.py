"""S3 -> function -> SQS -> function -> DynamoDB -> stream -> function: the graph, whatever the functions' clocks say.

Each environment's clock is 150 ms wrong, one ahead, the next behind. The queue and the stream hand over batches, so the
graph joins again. The table is in another region.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

HOME, AWAY = "us-east-1", "us-west-2"
PARTS = ("a", "b", "c")
SKEW_S = 0.15
SKEWED = """
import datetime, json, os, time

TRUE, SKEW = time.time, float(os.environ["SKEW_S"])
time.time = lambda: TRUE() + SKEW
time.time_ns = lambda: int(time.time() * 1e9)

class Skewed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)

datetime.datetime = Skewed
import boto3

def clock():
    # Read between two looks at the true time: a busy machine may pause between any two.
    while True:
        before, shown, after = TRUE(), datetime.datetime.now().timestamp(), TRUE()
        if after - before < 0.004:
            return str(round(shown - after, 2))
"""
SEND = f"""{SKEWED}
def handler(event, context):
    queue = boto3.client("sqs")
    for part in {PARTS!r}:
        body = json.dumps({{"part": part, "clocks": [clock()]}})
        queue.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=body)
"""
WRITE = f"""{SKEWED}
def handler(event, context):
    table = boto3.client("dynamodb", region_name="{AWAY}")
    for record in event["Records"]:
        said = json.loads(record["body"])
        clocks = json.dumps([*said["clocks"], clock()])
        table.put_item(TableName="parts", Item={{"id": {{"S": said["part"]}}, "clocks": {{"S": clocks}}}})
"""
READ = f"""{SKEWED}
def handler(event, context):
    images = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    clocks = [[*json.loads(image["clocks"]["S"]), clock()] for image in images]
    print("SEEN " + json.dumps(clocks))
"""


class Chain:
    """The three stages in an account of their own; one put goes through them."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self.platform, self.account = platform, account
        self.sqs = platform.client("sqs", account=account)
        self.queue: str = self.sqs.create_queue(QueueName="parts")["QueueUrl"]
        dynamo = platform.client("dynamodb", account=account, region=AWAY)
        made = dynamo.create_table(
            TableName="parts",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.stream: str = made["TableDescription"]["LatestStreamArn"]
        dynamo.get_waiter("table_exists").wait(TableName="parts", WaiterConfig={"Delay": 1})
        self.first = self.stage("first", SEND, SKEW_S, QUEUE=self.queue)
        self.second = self.stage("second", WRITE, -SKEW_S)
        self.third = self.stage("third", READ, SKEW_S, region=AWAY)
        self.bucket = f"chain-{account}"
        s3 = platform.client("s3", account=account)
        s3.create_bucket(Bucket=self.bucket)
        platform.client("lambda", account=account).add_permission(
            FunctionName="first", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
        )
        wish = {"LambdaFunctionArn": self.first, "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [wish]}
        )
        self.s3 = s3

    def stage(self, name: str, source: str, skew_s: float, *, region: str = HOME, **variables: str) -> str:
        environment = {"Variables": {"SKEW_S": str(skew_s), **variables}}
        settings: dict[str, Any] = {"Environment": environment, "Timeout": 30}
        return create_function(self.platform, self.account, name, source, region=region, **settings)

    def run(self) -> str:
        """Put an object and see it through. Batches are whole: who reads them is connected when they are there."""
        put = self.s3.put_object(Bucket=self.bucket, Key="o", Body=b"x")
        until(lambda: self.waiting() == len(PARTS))
        here = self.platform.client("lambda", account=self.account)
        there = self.platform.client("lambda", account=self.account, region=AWAY)
        queue_arn = f"arn:aws:sqs:{HOME}:{self.account}:parts"
        here.create_event_source_mapping(EventSourceArn=queue_arn, FunctionName="second", BatchSize=10)
        dynamo = self.platform.client("dynamodb", account=self.account, region=AWAY)
        until(lambda: dynamo.scan(TableName="parts")["Count"] == len(PARTS))
        there.create_event_source_mapping(
            EventSourceArn=self.stream, FunctionName="third", StartingPosition="TRIM_HORIZON"
        )
        until(lambda: bool(self.seen()))
        request_id: str = put["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
        return request_id

    def waiting(self) -> int:
        name = "ApproximateNumberOfMessages"
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=[name])
        return int(found["Attributes"][name])

    def seen(self) -> list[str]:
        """What the last stage printed: for each part the errors of the three clocks."""
        logs = self.platform.client("logs", account=self.account, region=AWAY)
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/third", filterPattern='"SEEN"')["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]


@pytest.fixture(scope="module")
def chain(platform: RunningPlatform) -> Chain:
    return Chain(platform, "411111111111")


@pytest.fixture(scope="module")
def asked(chain: Chain) -> str:
    return chain.run()


def kind_of(node: dict[str, Any]) -> str:
    return re.sub(r"sequencer=.*", "", f"{node['kind']} {node['label']}")


def test_the_whole_graph_is_told_in_causal_order(chain: Chain, asked: str) -> None:
    """Every cause stands before its effect; three messages and three records come together in one invocation each."""
    (seen,) = chain.seen()
    assert json.loads(seen.removeprefix("SEEN ")) == [["0.15", "-0.15", "0.15"]] * len(PARTS)
    trace = chain.platform.ask(f"/_undercast/trace/{asked}")
    invoked = "invocation lambda:Invoke"
    queue_arn = f"arn:aws:sqs:{HOME}:{chain.account}:parts"
    table_arn = f"arn:aws:dynamodb:{AWAY}:{chain.account}:table/parts"
    put, created = f"call s3:PutObject {chain.bucket}/o", f"object s3:ObjectCreated:Put {chain.bucket}/o"
    first, second, third = (f"{invoked} {arn}" for arn in (chain.first, chain.second, chain.third))
    kinds = {node["id"]: kind_of(node) for node in trace["nodes"]}
    pairs = Counter((kinds[edge["from"]], kinds[edge["to"]]) for edge in trace["edges"])
    three = len(PARTS)
    message = next(kind for kind in kinds.values() if kind.startswith("message "))
    send, write, record = f"call sqs:SendMessage {queue_arn}", f"call dynamodb:PutItem {table_arn}", "record record in "
    assert pairs == {
        (put, created): 1,
        (created, first): 1,
        (first, send): three,
        (send, message): three,
        (message, second): three,
        (second, write): three,
        (write, record + chain.stream): three,
        (record + chain.stream, third): three,
    }
    order = {node["id"]: node["order"] for node in trace["nodes"]}
    assert all(order[edge["from"]] < order[edge["to"]] for edge in trace["edges"])
    assert len({node["environment_id"] for node in trace["nodes"] if node["kind"] == "invocation"}) == 3


def test_the_last_invocation_knows_the_put_as_its_root(chain: Chain, asked: str) -> None:
    """From a line of the last function's log back to the put, across two regions."""
    trace = chain.platform.ask(f"/_undercast/trace/{asked}")
    (last,) = (node["id"] for node in trace["nodes"] if node["label"].endswith(":third"))
    back = chain.platform.ask(f"/_undercast/trace/{last}")
    assert {node["id"] for node in back["nodes"]} == {node["id"] for node in trace["nodes"]}


def test_undercast_trace_shows_a_batch_once(chain: Chain, asked: str) -> None:
    """A node of several causes is printed below the first, and named again below the others."""
    done = subprocess.run(
        [sys.executable, "-m", "undercast", "trace", asked],
        capture_output=True,
        text=True,
        env={**os.environ, "AWS_ENDPOINT_URL": chain.platform.url},
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == f"s3:PutObject {chain.bucket}/o  call {asked}"
    for arn in (chain.second, chain.third):
        marks = [line.endswith("(above)") for line in lines if f"lambda:Invoke {arn} " in line]
        assert marks == [False, True, True]
