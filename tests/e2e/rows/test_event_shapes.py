"""Our events beside AWS's documented examples, key by key, and through aws-lambda-go's own types (section 4).

What a Go function decodes and encodes again is what we sent; no key is missing, none is there that AWS has not. The
event of S3 is in test_event_shape.py. The examples are events/testdata of the module.
"""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.e2e.rows.go_types import GoTypes, paths
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

RECORD = """
import json

def handler(event, context):
    print("EVENT " + json.dumps(event))
    return {"state": {"1": "state1"}}
"""
REGION = "us-east-1"
_FRACTION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


class Seen:
    """A function that keeps what it was given."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self.platform, self.account = platform, account
        self.arn = create_function(platform, account, "record", RECORD)
        self.functions = self.client("lambda")

    def client(self, service: str) -> Any:
        return self.platform.client(service, account=self.account, region=REGION)

    def let_in(self, principal: str) -> None:
        self.functions.add_permission(
            FunctionName="record", StatementId="s", Action="lambda:InvokeFunction", Principal=principal
        )

    def events(self, count: int = 1) -> list[Any]:
        """So many of them, at least."""
        until(lambda: len(self._logged()) >= count)
        return self._logged()

    def map(self, arn: str, **settings: Any) -> None:
        """Put it behind a queue or a stream, which it reads from the beginning."""
        if ":sqs:" not in arn:
            settings["StartingPosition"] = "TRIM_HORIZON"
        self.functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="record", **settings)

    def _logged(self) -> list[Any]:
        logs = self.client("logs")
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/record", filterPattern='"EVENT"')["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(one["message"].removeprefix("EVENT ")) for one in found]


@pytest.fixture
def seen(platform: RunningPlatform, account: str) -> Seen:
    return Seen(platform, account)


def rounded(value: Any) -> Any:
    """Times of aws-lambda-go go through a float, or lose zeros at their end: to the millisecond they are the same."""
    if isinstance(value, Mapping):
        return {
            name: round(item, 3)
            if name.casefold().startswith("approximate") and not isinstance(item, str)
            else rounded(item)
            for name, item in value.items()
        }
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        return datetime.fromisoformat(value)
    return [rounded(item) for item in value] if isinstance(value, list) else value


def assert_alike(go: GoTypes, type_name: str, ours: Any, example: Any) -> None:
    """The same keys as in AWS's example; a Go function loses nothing."""
    assert paths(ours) == paths(example)
    assert rounded(go.through(type_name, ours)) == rounded(ours)


def test_sns(seen: Seen, go: GoTypes) -> None:
    """SNSEvent, with attributes of both kinds."""
    sns = seen.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    seen.let_in("sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=seen.arn)
    attributes = {
        "Test": {"DataType": "String", "StringValue": "TestString"},
        "TestBinary": {"DataType": "Binary", "BinaryValue": b"TestBinary"},
    }
    sns.publish(TopicArn=topic, Subject="TestInvoke", Message="Hello from SNS!", MessageAttributes=attributes)
    (ours,) = seen.events()
    assert_alike(go, "SNSEvent", ours, go.example("sns-event"))


def test_sqs(seen: Seen, go: GoTypes) -> None:
    """SQSEvent. The values that a list could have are the example's own: no queue takes lists."""
    sqs = seen.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    attributes = {
        "Attribute1": {"DataType": "String", "StringValue": "AttributeValue1"},
        "Attribute2": {"DataType": "Number", "StringValue": "123"},
        "Attribute3": {"DataType": "Binary", "BinaryValue": b"1100"},
    }
    sqs.send_message(QueueUrl=url, MessageBody="Message Body", MessageAttributes=attributes)
    seen.map(f"arn:aws:sqs:{REGION}:{seen.account}:q")
    (ours,) = seen.events()
    assert_alike(go, "SQSEvent", ours, go.example("sqs-event"))


ITEM = {
    "val": {"S": "data"}, "key": {"S": "binary"}, "asdf1": {"B": b"\0\1*A"}, "b2": {"B": b"test"},
    "asdf2": {"BS": [b"\0\1*A", b"A*\1\0"]}, "Binary": {"B": b"\0\1*A"}, "Boolean": {"BOOL": True},
    "BinarySet": {"BS": [b"\0\1*A"]}, "List": {"L": [{"S": "Cookies"}, {"S": "Coffee"}, {"N": "3.14159"}]},
    "Map": {"M": {"Name": {"S": "Joe"}, "Age": {"N": "35"}}}, "FloatNumber": {"N": "123.45"},
    "IntegerNumber": {"N": "123"}, "NumberSet": {"NS": ["1234", "567.8"]}, "Null": {"NULL": True},
    "String": {"S": "Hello"}, "StringSet": {"SS": ["Giraffe", "Zebra"]},
}  # fmt: skip
"""The example's second item, without its empty set, which no table takes."""


def table(seen: Seen, keys: Mapping[str, str]) -> str:
    """A table; the ARN of its stream."""
    made = seen.client("dynamodb").create_table(
        TableName="Example-Table",
        KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn: str = made["TableDescription"]["LatestStreamArn"]
    return arn


def test_dynamodb(seen: Seen, go: GoTypes) -> None:
    """DynamoDBEvent with every type of attribute."""
    seen.map(table(seen, {"key": "S", "val": "S"}))
    seen.client("dynamodb").put_item(TableName="Example-Table", Item=ITEM)
    (ours,) = seen.events()
    example = go.example("dynamodb-event")
    del example["Records"][0]  # with the userIdentity that an expired item has
    del example["Records"][0]["dynamodb"]["NewImage"]["EmptyStringSet"]
    assert_alike(go, "DynamoDBEvent", ours, example)


def test_dynamodb_in_a_tumbling_window(seen: Seen, go: GoTypes) -> None:
    """DynamoDBTimeWindowEvent: the second one of a window has the state that the first one gave."""
    seen.map(table(seen, {"Id": "N"}), TumblingWindowInSeconds=900)
    dynamo = seen.client("dynamodb")
    dynamo.put_item(TableName="Example-Table", Item={"Id": {"N": "101"}, "Message": {"S": "New item!"}})
    seen.events()
    dynamo.put_item(TableName="Example-Table", Item={"Id": {"N": "101"}, "Message": {"S": "This item has changed"}})
    ours = next(event for event in reversed(seen.events(2)) if event["state"])
    assert_alike(go, "DynamoDBTimeWindowEvent", ours, go.example("dynamodb-time-window-event"))


def stream(seen: Seen) -> str:
    """A stream of Kinesis."""
    seen.client("kinesis").create_stream(StreamName="simple-stream", ShardCount=1)
    return f"arn:aws:kinesis:{REGION}:{seen.account}:stream/simple-stream"


def test_kinesis(seen: Seen, go: GoTypes) -> None:
    """KinesisEvent."""
    arn = stream(seen)
    seen.client("kinesis").put_record(StreamName="simple-stream", Data=b"Hello World", PartitionKey="s1")
    seen.map(arn)
    (ours,) = seen.events()
    assert_alike(go, "KinesisEvent", ours, go.example("kinesis-event"))


def test_kinesis_in_a_tumbling_window(seen: Seen, go: GoTypes) -> None:
    """KinesisTimeWindowEvent."""
    arn, kinesis = stream(seen), seen.client("kinesis")
    seen.map(arn, TumblingWindowInSeconds=900)
    for count in (1, 2):
        kinesis.put_record(StreamName="simple-stream", Data=b"Hello, this is a test.", PartitionKey="1")
        seen.events(count)
    ours = next(event for event in reversed(seen.events(2)) if event["state"])
    example = go.example("kinesis-time-window-event")
    del example["state"]["2"]
    assert_alike(go, "KinesisTimeWindowEvent", ours, example)


@pytest.mark.parametrize("from_schedule", [False, True])
def test_eventbridge(from_schedule: bool, seen: Seen, go: GoTypes) -> None:
    """EventBridgeEvent: the envelope, of an event that was put and of one that a schedule makes."""
    events = seen.client("events")
    seen.let_in("events.amazonaws.com")
    when = {"ScheduleExpression": "rate(1 minute)"} if from_schedule else {"EventPattern": '{"source": ["app"]}'}
    rule = events.put_rule(Name="r", **when)["RuleArn"]
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": seen.arn}])
    if from_schedule:
        seen.platform.advance(60)
    else:
        events.put_events(
            Entries=[{"Source": "app", "DetailType": "d", "Detail": '{"a": 1}', "Resources": ["arn:aws:x:::y"]}]
        )
    ours = seen.events()[0]
    assert set(ours) == set(go.example("codebuild-state-change"))
    assert go.through("EventBridgeEvent", ours) == ours
    if from_schedule:
        assert (ours["detail-type"], ours["source"], ours["resources"]) == ("Scheduled Event", "aws.events", [rule])


def test_logs(seen: Seen, go: GoTypes) -> None:
    """CloudwatchLogsEvent, and what is packed in it."""
    logs = seen.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    seen.let_in("logs.amazonaws.com")
    logs.put_subscription_filter(logGroupName="g", filterName="f", filterPattern="", destinationArn=seen.arn)
    now = int(seen.platform.ask("/_undercast/status")["clock"]["now"] * 1000)
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": now, "message": "m"}])
    ours = next(one for one in map(unpacked, seen.events()) if one["messageType"] == "DATA_MESSAGE")
    assert_alike(go, "CloudwatchLogsData", ours, unpacked(go.example("cloudwatch-logs-event")))
    assert_alike(go, "CloudwatchLogsEvent", seen.events()[0], go.example("cloudwatch-logs-event"))


def unpacked(event: Any) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))


SINCE_THE_EXAMPLE = {"AlarmConfigurationUpdatedTimestamp", "OKActions[]", "AlarmActions[]", "InsufficientDataActions[]"}
"""What CloudWatch's notices have today; AWS: CloudWatch User Guide, "Alarm events and EventBridge"."""


@pytest.mark.parametrize("metrics", ["single-metric", "multiple-metrics"])
def test_an_alarm_by_sns(metrics: str, seen: Seen, go: GoTypes) -> None:
    """CloudWatchAlarmSNSPayload, the Message of an SNSEvent."""
    sns, cloudwatch = seen.client("sns"), seen.client("cloudwatch")
    topic = sns.create_topic(Name="t")["TopicArn"]
    seen.let_in("sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=seen.arn)
    dimensions = [{"Name": "InstanceId", "Value": "TestInstance"}]
    metric = {"MetricName": "NetworkOut", "Namespace": "App", "Dimensions": dimensions}
    watched: dict[str, Any] = {**metric, "Statistic": "Average", "Period": 60, "Unit": "Bytes"}
    if metrics == "multiple-metrics":
        stat = {"Metric": metric, "Period": 60, "Stat": "Average"}
        queries = [
            {"Id": "e1", "Expression": "m1*1", "Label": "Expression1", "ReturnData": True},
            {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        ]
        watched = {"Metrics": queries}
    cloudwatch.put_metric_alarm(
        AlarmName="a", AlarmDescription="d", EvaluationPeriods=1, Threshold=0.0, AlarmActions=[topic],
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="missing", **watched,
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="test")
    (ours,) = seen.events()
    said = json.loads(ours["Records"][0]["Sns"]["Message"])
    example = json.loads(go.example(f"cloudwatch-alarm-sns-payload-{metrics}")["Records"][0]["Sns"]["Message"])
    assert paths(said) - SINCE_THE_EXAMPLE == paths(example)
    again = go.through("CloudWatchAlarmSNSPayload", said)
    told = {name: value for name, value in said.items() if name in again}
    assert (told["Trigger"].keys(), told | {"Trigger": {}}) == (again["Trigger"].keys(), again | {"Trigger": {}})
    assert datetime.strptime(said["StateChangeTime"], "%Y-%m-%dT%H:%M:%S.%f%z").tzinfo is not None


def test_rotation_of_a_secret(seen: Seen, go: GoTypes) -> None:
    """SecretsManagerSecretRotationEvent, the first of its four steps."""
    secrets = seen.client("secretsmanager")
    arn = secrets.create_secret(Name="s", SecretString="x")["ARN"]
    seen.let_in("secretsmanager.amazonaws.com")
    secrets.rotate_secret(SecretId="s", RotationLambdaARN=seen.arn, RotationRules={"AutomaticallyAfterDays": 1})
    ours = next(one for one in seen.events() if one["Step"] == "createSecret")
    assert ours["SecretId"] == arn
    assert_alike(go, "SecretsManagerSecretRotationEvent", ours, go.example("secretsmanager-secret-rotation-event"))
