"""Event source mappings of tables' streams, on the real platform with functions that really run."""

import json
import random
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform, running, start, stop
from tests.services.lambda_.conftest import Account, package
from tests.services.lambda_.queues import TRUST, metric, until
from tests.services.measured import measured

SEE = """
import json

def handler(event, context):
    keys = [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
    print("KEYS " + json.dumps(keys))
    for record in event["Records"]:
        print("SAW " + json.dumps(record))
    return ANSWER(event, keys)
"""
FINE = "ANSWER = lambda event, keys: None"
RAISE = """
def ANSWER(event, keys):
    if "bad" in keys:
        raise ValueError("bad")
"""
COUNT = """
def ANSWER(event, keys):
    print("WINDOW " + json.dumps([event["isFinalInvokeForWindow"], event["state"]]))
    return {"state": {"count": event["state"].get("count", 0) + len(keys)}}
"""
REPORT = """
def ANSWER(event, keys):
    bad = [r["dynamodb"]["SequenceNumber"] for r, key in zip(event["Records"], keys) if key == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
"""


@pytest.fixture(scope="module")
def moving() -> Iterator[RunningPlatform]:
    """A platform whose clock the tests of this file advance."""
    with running() as platform:
        yield platform


@pytest.fixture
def clocked(moving: RunningPlatform) -> Account:
    """An account on it."""
    return Account(moving, f"{random.randrange(10**11, 10**12)}")


class Table:
    """A table with a stream, a function and a mapping between them."""

    def __init__(self, aws: Account, answer: str = FINE) -> None:
        self.aws = aws
        self.functions, self.dynamo = aws.client("lambda"), aws.client("dynamodb")
        made = self.dynamo.create_table(
            TableName="things",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn: str = made["TableDescription"]["LatestStreamArn"]
        self.dynamo.get_waiter("table_exists").wait(TableName="things", WaiterConfig={"Delay": 1})
        aws.create(Code={"ZipFile": package(app=f"{SEE}\n{answer}")})
        self.id = ""

    def map(self, **params: Any) -> dict[str, Any]:
        """Create the mapping and wait until it is Enabled."""
        asked = {"EventSourceArn": self.arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON", **params}
        made: dict[str, Any] = self.functions.create_event_source_mapping(**asked)
        self.id = made["UUID"]
        until(lambda: self.get()["State"] == "Enabled")
        return made

    def get(self) -> dict[str, Any]:
        """The mapping now."""
        found: dict[str, Any] = self.functions.get_event_source_mapping(UUID=self.id)
        return found

    def role(self, *actions: str) -> None:
        """The function's role, which may do so much."""
        iam = self.aws.client("iam")
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            made = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
            self.functions.update_function_configuration(FunctionName="f", Role=made["Role"]["Arn"])
            self.functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
        allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)

    def put(self, *keys: str, value: str = "1") -> None:
        """Write items, one after the other."""
        for key in keys:
            self.dynamo.put_item(TableName="things", Item={"id": {"S": key}, "v": {"N": value}})

    def lines(self, mark: str) -> list[Any]:
        """What the function printed behind a word."""
        logs = self.aws.client("logs")
        try:
            pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/f"))
        except logs.exceptions.ResourceNotFoundException:
            return []
        messages = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(message.removeprefix(mark)) for message in messages if message.startswith(mark)]

    def keys(self) -> list[str]:
        """The keys that the function was given, in order."""
        return [key for batch in self.lines("KEYS ") for key in batch]


def test_changes_of_a_table_reach_the_function_in_order(aws: Account) -> None:
    """INSERT, MODIFY, REMOVE with keys and images; LATEST leaves out what was there before (S0-03, S3d-25)."""
    table = Table(aws)
    table.put("old")
    made = table.map(StartingPosition="LATEST")
    assert (made["State"], made["StateTransitionReason"]) == ("Creating", "User action")
    assert (made["BatchSize"], made["MaximumRetryAttempts"], made["StartingPosition"]) == (100, -1, "LATEST")
    table.put("a")
    table.put("a", value="2")
    table.dynamo.delete_item(TableName="things", Key={"id": {"S": "a"}})
    until(lambda: len(table.lines("SAW ")) == 3)
    inserted, modified, removed = table.lines("SAW ")
    assert [one["eventName"] for one in (inserted, modified, removed)] == ["INSERT", "MODIFY", "REMOVE"]
    assert (inserted["eventSource"], inserted["eventSourceARN"]) == ("aws:dynamodb", table.arn)
    assert inserted["dynamodb"]["NewImage"] == {"id": {"S": "a"}, "v": {"N": "1"}}
    assert modified["dynamodb"]["OldImage"]["v"] == {"N": "1"}
    assert "NewImage" not in removed["dynamodb"]
    until(lambda: table.get()["LastProcessingResult"] == "OK")
    trace = aws.platform.ask(f"/_undercast/trace/{inserted['eventID']}")
    assert "invocation" in {node["kind"] for node in trace["nodes"]}
    listed = aws.client("cloudwatch").list_metrics(Namespace="AWS/Lambda", MetricName="IteratorAge")["Metrics"]
    assert [{"Name": "FunctionName", "Value": "f"}] in [one["Dimensions"] for one in listed]


def test_a_batch_that_fails_too_often_is_told_to_the_destination_and_left_behind(clocked: Account) -> None:
    """MaximumRetryAttempts 1: two attempts, then DDBStreamBatchInfo in the queue, and the stream goes on."""
    table = Table(clocked, RAISE)
    url = clocked.client("sqs").create_queue(QueueName="failures")["QueueUrl"]
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{clocked.id}:failures"}}
    table.map(BatchSize=1, MaximumRetryAttempts=1, DestinationConfig=destination)
    table.put("bad", "good")
    until(lambda: table.keys() == ["bad"])
    until(lambda: table.get()["LastProcessingResult"] == "PROBLEM: Function call failed")
    clocked.platform.advance(5)
    until(lambda: table.keys() == ["bad", "bad", "good"])
    (message,) = clocked.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    info = record["DDBStreamBatchInfo"]
    assert (info["batchSize"], info["streamArn"]) == (1, table.arn)
    assert info["startSequenceNumber"] == info["endSequenceNumber"]


def test_a_bucket_gets_what_failed_with_its_event(aws: Account) -> None:
    """OnFailure to S3: the record with the payload as a string, by mapping, shard and day; PutObject as the role."""
    table = Table(aws, RAISE)
    s3, bucket = aws.client("s3"), f"failures-{aws.id}"
    s3.create_bucket(Bucket=bucket)
    table.role("s3:ListBucket", "dynamodb:*")
    counts = {"Metrics": ["EventCount"]}
    settings = {"BatchSize": 1, "MaximumRetryAttempts": 0, "MetricsConfig": counts}
    settings["DestinationConfig"] = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    with pytest.raises(ClientError, match="execution role does not have permissions to call PutObject on arn:aws:s3"):
        table.map(**settings)
    table.role("s3:ListBucket", "dynamodb:*", "s3:PutObject")
    table.map(**settings)
    table.put("bad")
    until(lambda: s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1)
    key = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    record = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    shard = record["DDBStreamBatchInfo"]["shardId"]
    name = rf"aws/lambda/{table.id}/{shard}/\d{{4}}/\d\d/\d\d/\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}"
    assert re.fullmatch(name, key)
    assert (record["requestContext"]["condition"], record["version"]) == ("RetryAttemptsExhausted", "1.0")
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert json.loads(record["payload"])["Records"] == table.lines("SAW ")
    until(lambda: metric(aws, table.id, "OnFailureDestinationDeliveredEventCount") == 1)
    table.role("dynamodb:*")
    table.put("bad", value="2")
    until(lambda: metric(aws, table.id, "DroppedEventCount") == 1)


def test_a_failed_batch_is_split_until_the_bad_record_is_alone(aws: Account) -> None:
    """BisectBatchOnFunctionError; a split is no retry, so that none has to be allowed."""
    table = Table(aws, RAISE)
    table.put("a", "bad", "c", "d")
    table.map(BisectBatchOnFunctionError=True, MaximumRetryAttempts=0)
    until(lambda: ["c", "d"] in table.lines("KEYS "))
    assert table.lines("KEYS ") == [["a", "bad", "c", "d"], ["a", "bad"], ["a"], ["bad"], ["c", "d"]]


def test_a_report_moves_on_to_the_lowest_failed_record(clocked: Account) -> None:
    """ReportBatchItemFailures: what is before it is done, what is behind it comes again."""
    table = Table(clocked, REPORT)
    table.put("a", "bad", "c")
    table.map(FunctionResponseTypes=["ReportBatchItemFailures"], MaximumRetryAttempts=1)
    until(lambda: table.lines("KEYS ") == [["a", "bad", "c"]])
    clocked.platform.advance(5)
    until(lambda: table.lines("KEYS ") == [["a", "bad", "c"], ["bad", "c"]])


def test_a_tumbling_window_of_a_table_keeps_its_state(clocked: Account) -> None:
    """TumblingWindowInSeconds: what the batches gave back comes with the last invocation."""
    table = Table(clocked, COUNT)
    table.map(TumblingWindowInSeconds=900, BatchSize=1)
    clocked.platform.advance(900 - clocked.platform.ask("/_undercast/status")["clock"]["now"] % 900)  # a window begins
    table.put("a", "b")
    until(lambda: table.keys() == ["a", "b"])
    clocked.platform.advance(900)
    until(lambda: [True, {"count": 2}] in table.lines("WINDOW "))


def test_an_item_that_fails_holds_up_only_its_lane(aws: Account) -> None:
    """ParallelizationFactor: an item's changes stay in order, another item's go on."""
    table = Table(aws, RAISE)

    def lane(key: str) -> int:
        return zlib.crc32(json.dumps({"id": {"S": key}}).encode()) % 2

    other = next(key for key in "abcdefgh" if lane(key) != lane("bad"))
    table.put("bad", other)
    table.put("bad", other, value="2")
    table.map(BatchSize=1, ParallelizationFactor=2)
    until(lambda: table.keys().count(other) == 2)


def test_filters_skip_records(aws: Account) -> None:
    """FilterCriteria: what does not match is passed over, and counted where MetricsConfig asks for it."""
    table = Table(aws)
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"v": {"N": ["7"]}}}}
    counts = {"Metrics": ["EventCount"]}
    table.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]}, MetricsConfig=counts)
    table.put("a", "b")
    table.put("c", value="7")
    until(lambda: table.keys() == ["c"])
    until(lambda: metric(aws, table.id, "PolledEventCount") == 3)
    until(lambda: metric(aws, table.id, "FilteredOutEventCount") == 2)


def test_what_a_filter_spares_is_counted(aws: Account) -> None:
    """S4-60: a mapping with a filter reads the same records as one whose function drops them, and invokes for one."""
    table = Table(aws)
    table.put("a", "b", "c", "d")
    table.put("wanted", value="7")
    aws.create("g", Code={"ZipFile": package(app=f"{SEE}\n{FINE}")})
    settings = {"BatchSize": 1, "MetricsConfig": {"Metrics": ["EventCount"]}}
    table.map(**settings)
    dropping, pattern = table.id, {"dynamodb": {"NewImage": {"v": {"N": ["7"]}}}}
    table.map(FunctionName="g", FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]}, **settings)
    filtering, cloudwatch = table.id, aws.client("cloudwatch")
    until(lambda: metric(aws, dropping, "InvokedEventCount") == 5)
    until(lambda: metric(aws, filtering, "FilteredOutEventCount") == 4)
    assert (metric(aws, dropping, "PolledEventCount"), metric(aws, filtering, "PolledEventCount")) == (5, 5)
    until(lambda: metric(aws, filtering, "InvokedEventCount") == 1)
    until(lambda: measured(cloudwatch, "AWS/Lambda", "Invocations", FunctionName="g") == 1)
    until(lambda: measured(cloudwatch, "AWS/Lambda", "Invocations", FunctionName="f") == 5)
    reads = {"TableName": "things", "Operation": "GetRecords", "StreamLabel": table.arn.rpartition("/")[2]}
    assert measured(cloudwatch, "AWS/DynamoDB", "ReturnedRecordsCount", **reads) == 10
    assert (measured(cloudwatch, "AWS/DynamoDB", "ReturnedBytes", **reads) or 0) > 10
    assert (measured(cloudwatch, "AWS/DynamoDB", "SuccessfulRequestLatency", "SampleCount", **reads) or 0) >= 2


def test_reading_goes_on_after_a_kill(tmp_path: Path) -> None:
    """The position is committed after each batch: nothing is lost, and what was done long ago is not done again."""
    platform = start(tmp_path)
    try:
        table = Table(Account(platform, "333333333333"))
        table.map()
        table.put("a", "b")
        until(lambda: sorted(set(table.keys())) == ["a", "b"])
        until(lambda: table.get()["LastProcessingResult"] == "OK")
        time.sleep(0.5)
        platform.kill()
        platform = start(tmp_path)
        aws = Account(platform, "333333333333")
        table.aws, table.functions, table.dynamo = aws, aws.client("lambda"), aws.client("dynamodb")
        table.put("c")
        until(lambda: table.keys() == ["a", "b", "c"])
    finally:
        stop(platform)


def test_a_stream_is_refused_as_on_aws(aws: Account) -> None:
    """AWS's texts; what has no effect here is named."""
    table = Table(aws)

    def refused(text: str, **params: Any) -> None:
        asked = {"EventSourceArn": table.arn, "FunctionName": "f", "StartingPosition": "LATEST", **params}
        with pytest.raises(ClientError, match=text):
            table.functions.create_event_source_mapping(**asked)

    refused("Unsupported starting position", StartingPosition="AT_TIMESTAMP")
    refused("Stream not found", EventSourceArn=table.arn.replace("/things/", "/absent/"))
    refused("ParallelizationFactor must be 1", TumblingWindowInSeconds=5, ParallelizationFactor=2)
    refused("ScalingConfig is not valid", ScalingConfig={"MaximumConcurrency": 2})
    function, bucket = f"arn:aws:lambda:us-east-1:{aws.id}:function:f", "arn:aws:s3:::absent-from-here"
    for wrong in (function, bucket):
        refused(f"The destination ARN {wrong} is invalid", DestinationConfig={"OnFailure": {"Destination": wrong}})
    queue = {"OnSuccess": {"Destination": f"arn:aws:sqs:us-east-1:{aws.id}:q"}}
    refused("DestinationConfig.OnSuccess is not valid for DynamoDB stream", DestinationConfig=queue)
    kafka = {"OnFailure": {"Destination": "kafka://topic"}}
    refused("DestinationConfig.OnFailure.Destination=kafka://topic.*no Kafka here", DestinationConfig=kafka)
    table.role("s3:GetObject")
    refused("Cannot access stream .* Please ensure the role can perform the GetRecords")


def test_a_batch_that_is_tried_again_is_seen_as_a_problem(aws: Account) -> None:
    """API Reference, LastProcessingResult: of the last processing attempt, not of the last batch."""
    table = Table(aws, RAISE)
    table.put("a")
    table.map()
    until(lambda: table.get()["LastProcessingResult"] == "OK")
    table.put("bad")
    until(lambda: table.get()["LastProcessingResult"] == "PROBLEM: Function call failed")


def test_items_that_expired_are_filtered_by_who_removed_them(clocked: Account) -> None:
    """An event's userIdentity has type and principalId. AWS: "DynamoDB Streams and Time to Live", its filter."""
    table = Table(clocked)
    table.dynamo.update_time_to_live(
        TableName="things", TimeToLiveSpecification={"AttributeName": "v", "Enabled": True}
    )
    expiry = {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}
    table.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(expiry)}]})
    table.put("kept", value="1")
    table.put("expired", value=str(int(clocked.platform.ask("/_undercast/status")["clock"]["now"]) + 3600))
    clocked.platform.advance(2 * 3600)
    until(lambda: table.keys() == ["expired"])
    (seen,) = table.lines("SAW ")
    assert (seen["eventName"], seen["userIdentity"]) == (
        "REMOVE",
        {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    )
