"""Event source mappings of Kinesis, on the real platform with functions that really run.

AWS: Lambda Developer Guide, "Using Lambda with Kinesis" and the pages below it.
"""

import base64
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform, running, start, stop
from tests.services.lambda_.conftest import Account, package
from tests.services.lambda_.queues import TRUST, metric, until

SEE = """
import base64, json

def handler(event, context):
    texts = [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
    print("EVENT " + json.dumps(event))
    for text in texts:
        print("Decoded payload : " + text)
    print("BATCH " + json.dumps(texts))
    return ANSWER(event, texts)
"""
FINE = "ANSWER = lambda event, texts: None"
RAISE = """
def ANSWER(event, texts):
    if "bad" in texts:
        raise ValueError("bad")
"""
COUNT = """
def ANSWER(event, texts):
    return {"state": {"count": event["state"].get("count", 0) + len(texts)}}
"""
HALF = str(2**127)


@pytest.fixture(scope="module")
def moving() -> Iterator[RunningPlatform]:
    """A platform whose clock the tests of this file advance."""
    with running() as platform:
        yield platform


@pytest.fixture
def clocked(moving: RunningPlatform) -> Account:
    """An account on it."""
    return Account(moving, f"{random.randrange(10**11, 10**12)}")


class Stream:
    """A stream, a function and a mapping between them."""

    def __init__(self, aws: Account, answer: str = FINE, shards: int = 1) -> None:
        self.aws = aws
        self.functions, self.kinesis, self.logs = aws.client("lambda"), aws.client("kinesis"), aws.client("logs")
        self.kinesis.create_stream(StreamName="s", ShardCount=shards)
        self.arn = f"arn:aws:kinesis:us-east-1:{aws.id}:stream/s"
        aws.create(Code={"ZipFile": package(app=f"{SEE}\n{answer}")})
        self.id = ""

    def map(self, **params: Any) -> dict[str, Any]:
        """Create the mapping and wait until it is Enabled."""
        asked = {"EventSourceArn": self.arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON", **params}
        made: dict[str, Any] = self.functions.create_event_source_mapping(**asked)
        self.id = made["UUID"]
        self.settle()
        return made

    def settle(self) -> None:
        """Until the mapping is Enabled."""
        until(lambda: self.functions.get_event_source_mapping(UUID=self.id)["State"] == "Enabled")

    def put(self, *texts: str, key: str = "k") -> list[dict[str, Any]]:
        """Records, one after the other."""
        return [self.kinesis.put_record(StreamName="s", Data=text.encode(), PartitionKey=key) for text in texts]

    def messages(self, mark: str) -> list[str]:
        """What the function printed behind a word."""
        try:
            pages = list(self.logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/f"))
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        found = [event["message"].rstrip("\n") for page in pages for event in page["events"]]
        return [message.removeprefix(mark) for message in found if message.startswith(mark)]

    def batches(self) -> list[list[str]]:
        """The texts that each invocation was given."""
        return [json.loads(one) for one in self.messages("BATCH ")]

    def texts(self) -> list[str]:
        """All of them."""
        return [text for batch in self.batches() for text in batch]

    def events(self) -> list[dict[str, Any]]:
        """What each invocation was given."""
        return [json.loads(one) for one in self.messages("EVENT ")]


def test_a_record_reaches_the_function_as_on_aws(aws: Account) -> None:
    """S3d-25, S3d-28, S3d-29: the event's members; LATEST leaves out what was there before."""
    stream = Stream(aws)
    stream.put("old")
    made = stream.map(StartingPosition="LATEST")
    assert (made["State"], made["BatchSize"], made["ParallelizationFactor"]) == ("Creating", 100, 1)
    (listed,) = stream.functions.list_event_source_mappings(EventSourceArn=stream.arn)["EventSourceMappings"]
    assert listed["UUID"] == made["UUID"]
    (put,) = stream.put("This is a test from RaceLab. final", key="shardId-000000000000")
    until(lambda: stream.messages("Decoded payload : ") == ["This is a test from RaceLab. final"])
    (record,) = stream.events()[0]["Records"]
    came = record["kinesis"].pop("approximateArrivalTimestamp")
    assert isinstance(came, float)
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "shardId-000000000000",
            "sequenceNumber": put["SequenceNumber"],
            "data": base64.b64encode(b"This is a test from RaceLab. final").decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{put['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": aws.role,
        "awsRegion": "us-east-1",
        "eventSourceARN": stream.arn,
    }
    until(lambda: stream.functions.get_event_source_mapping(UUID=stream.id)["LastProcessingResult"] == "OK")


def test_the_way_through_a_stream_is_told(aws: Account) -> None:
    """S3d-35: an invocation that puts a record, the record, and the invocation that gets it are one graph."""
    stream = Stream(aws)
    stream.map()
    source = """
import boto3

def handler(event, context):
    kinesis = boto3.client("kinesis")
    put = kinesis.put_record(StreamName="s", Data=b"from a function", PartitionKey="k")
    return put["ShardId"] + ":" + put["SequenceNumber"]
"""
    aws.create("producer", Code={"ZipFile": package(app=source)}, Timeout=30)
    answer, record_id = aws.invoke("producer")
    until(lambda: stream.texts() == ["from a function"])
    consumer = stream.events()[0]["Records"][0]["eventID"]
    assert consumer == record_id

    def is_whole() -> bool:
        trace = aws.platform.ask(f"/_undercast/trace/{answer['ResponseMetadata']['RequestId']}")
        found = {(node["kind"], node["id"]) for node in trace["nodes"]}
        return ("record", record_id) in found and sum(kind == "invocation" for kind, _ in found) == 2

    until(is_whole)


def test_order_is_kept_over_resharding_and_changes_of_the_factor(aws: Account) -> None:
    """Children after their parents, one key after the other: through splits, merges, and factors 3, 1 and 2."""
    stream = Stream(aws, shards=2)
    stream.map(BatchSize=7, ParallelizationFactor=3)
    written: dict[str, list[str]] = {f"key{number}": [] for number in range(6)}

    def write(step: int) -> None:
        for number in range(4):
            for key, texts in written.items():
                texts.append(f"{key} {step} {number}")
                stream.put(texts[-1], key=key)

    write(0)
    stream.kinesis.split_shard(StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
    write(1)
    stream.functions.update_event_source_mapping(UUID=stream.id, ParallelizationFactor=1)
    stream.kinesis.merge_shards(
        StreamName="s", ShardToMerge="shardId-000000000003", AdjacentShardToMerge="shardId-000000000001"
    )
    write(2)
    stream.settle()
    stream.functions.update_event_source_mapping(UUID=stream.id, ParallelizationFactor=2)
    stream.kinesis.update_shard_count(StreamName="s", TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    write(3)
    until(lambda: len(stream.texts()) >= 16 * len(written))
    seen = stream.texts()
    for key, texts in written.items():
        assert [text for text in seen if text.startswith(f"{key} ")] == texts


def test_another_key_goes_on_beside_one_that_fails(aws: Account) -> None:
    """ParallelizationFactor: batches of a shard at once, and a key that is stuck holds up only its lane."""
    stream = Stream(aws, RAISE)
    stream.put("bad", "behind", key="a")
    stream.put("1", "2", "3", key="d")  # of another lane than "a", by its checksum
    stream.map(BatchSize=1, ParallelizationFactor=2)
    until(lambda: [text for text in stream.texts() if text != "bad"] == ["1", "2", "3"])
    assert "behind" not in stream.texts()


def test_a_failed_batch_is_split_and_told_to_the_destination(clocked: Account) -> None:
    """BisectBatchOnFunctionError, MaximumRetryAttempts, KinesisBatchInfo; the shard goes on."""
    stream = Stream(clocked, RAISE)
    url = clocked.client("sqs").create_queue(QueueName="failures")["QueueUrl"]
    numbers = [one["SequenceNumber"] for one in stream.put("a", "bad", "c", "d")]
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{clocked.id}:failures"}}
    stream.map(BisectBatchOnFunctionError=True, MaximumRetryAttempts=1, DestinationConfig=destination)
    until(lambda: ["bad"] in stream.batches())
    clocked.platform.advance(5)
    until(lambda: ["c", "d"] in stream.batches())
    assert stream.batches() == [["a", "bad", "c", "d"], ["a", "bad"], ["a"], ["bad"], ["bad"], ["c", "d"]]
    (message,) = clocked.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    info = record["KinesisBatchInfo"]
    assert (info["shardId"], info["batchSize"], info["streamArn"]) == ("shardId-000000000000", 1, stream.arn)
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (numbers[1], numbers[1])


def test_records_that_are_too_old_are_left_out_and_a_timestamp_begins(clocked: Account) -> None:
    """MaximumRecordAgeInSeconds; AT_TIMESTAMP reads what came then or later."""
    stream = Stream(clocked)
    stream.put("early")
    clocked.platform.advance(600)
    stream.put("middle")
    iterator = stream.kinesis.get_shard_iterator(
        StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    early = stream.kinesis.get_records(ShardIterator=iterator)["Records"][0]["ApproximateArrivalTimestamp"]
    stream.map(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=early + timedelta(seconds=300))
    until(lambda: stream.texts() == ["middle"])
    found = stream.functions.get_event_source_mapping(UUID=stream.id)
    assert abs(found["StartingPositionTimestamp"] - early - timedelta(seconds=300)) < timedelta(seconds=1)
    stream.functions.delete_event_source_mapping(UUID=stream.id)
    until(lambda: not stream.functions.list_event_source_mappings()["EventSourceMappings"])
    clocked.platform.advance(400)
    stream.put("late")
    stream.map(MaximumRecordAgeInSeconds=300)
    until(lambda: stream.texts() == ["middle", "late"])


def test_a_tumbling_window_keeps_its_state(clocked: Account) -> None:
    """TumblingWindowInSeconds: the state goes from batch to batch; the last invocation has it, and no records."""
    stream = Stream(clocked, COUNT)
    stream.map(BatchSize=2, TumblingWindowInSeconds=900)
    clocked.platform.advance(900 - clocked.platform.ask("/_undercast/status")["clock"]["now"] % 900)  # a window begins
    stream.put("a", "b", "c")
    until(lambda: len(stream.texts()) == 3)
    clocked.platform.advance(900)
    until(lambda: any(event["isFinalInvokeForWindow"] for event in stream.events()))
    final = stream.events()[-1]
    assert (final["Records"], final["state"], final["isWindowTerminatedEarly"]) == ([], {"count": 3}, False)
    assert (final["shardId"], final["eventSourceARN"]) == ("shardId-000000000000", stream.arn)
    first = stream.events()[0]
    assert (first["state"], first["window"], first["isFinalInvokeForWindow"]) == ({}, final["window"], False)
    stream.put("d")
    until(lambda: len(stream.texts()) == 4)
    assert stream.events()[-1]["state"] == {}
    stream.kinesis.split_shard(StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=HALF)
    until(lambda: any(event["isWindowTerminatedEarly"] for event in stream.events()))
    assert stream.events()[-1]["state"] == {"count": 1}


def test_a_batching_window_gathers_and_filters_pass_over(clocked: Account) -> None:
    """MaximumBatchingWindowInSeconds; FilterCriteria sees data as JSON."""
    stream = Stream(clocked)
    pattern = {"data": {"city": ["Seattle"]}}
    stream.map(MaximumBatchingWindowInSeconds=300, FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    wanted = [json.dumps({"city": "Seattle", "n": number}) for number in range(3)]
    for text in wanted:
        stream.put('{"city": "Oslo"}', "no JSON", text)
    assert stream.batches() == []

    def has_come() -> bool:
        clocked.platform.advance(301)
        return stream.batches() == [wanted]

    until(has_come)


def test_a_consumer_is_a_source(aws: Account) -> None:
    """Enhanced fan-out: the role needs SubscribeToShard on the consumer, and nothing of the stream."""
    stream = Stream(aws)
    consumer = stream.kinesis.register_stream_consumer(StreamARN=stream.arn, ConsumerName="c")["Consumer"][
        "ConsumerARN"
    ]
    iam = aws.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    stream.functions.update_function_configuration(FunctionName="f", Role=role)
    asked = {"EventSourceArn": consumer, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON"}
    with pytest.raises(ClientError, match="ensure the role can perform the SubscribeToShard"):
        stream.functions.create_event_source_mapping(**asked)
    statement = {"Effect": "Allow", "Action": ["kinesis:SubscribeToShard", "logs:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)
    stream.put("a")
    stream.map(EventSourceArn=consumer)
    until(lambda: stream.texts() == ["a"])
    assert stream.events()[0]["Records"][0]["eventSourceARN"] == consumer


def test_a_role_that_may_not_list_shards_is_good_for_a_source(aws: Account) -> None:
    """The roles that the Serverless Framework and chalice make; one that may not describe the stream is refused."""
    stream = Stream(aws)
    iam = aws.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    stream.functions.update_function_configuration(FunctionName="f", Role=role)

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": [f"kinesis:{action}" for action in actions], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)

    allow("GetRecords", "GetShardIterator", "ListStreams")
    asked = {"EventSourceArn": stream.arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON"}
    text = "the GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams Actions"
    with pytest.raises(ClientError, match=text):
        stream.functions.create_event_source_mapping(**asked)
    allow("GetRecords", "GetShardIterator", "ListStreams", "DescribeStream")
    stream.put("a")
    stream.map()
    until(lambda: stream.texts() == ["a"])


def test_a_kinesis_source_is_refused_as_on_aws(aws: Account) -> None:
    """Starting positions, absent streams, settings of queues."""
    stream = Stream(aws)

    def refused(text: str, **params: Any) -> None:
        asked = {"EventSourceArn": stream.arn, "FunctionName": "f", "StartingPosition": "LATEST", **params}
        with pytest.raises(ClientError, match=text):
            stream.functions.create_event_source_mapping(**asked)

    refused("Stream not found", EventSourceArn=f"{stream.arn}2")
    refused("Stream not found", EventSourceArn=f"{stream.arn}/consumer/c:1")
    refused("StartingPositionTimestamp is required", StartingPosition="AT_TIMESTAMP")
    refused("must not be in the future", StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp="2999-01-01")
    refused("ParallelizationFactor must be 1", ParallelizationFactor=2, TumblingWindowInSeconds=10)
    refused("ScalingConfig is not valid for Kinesis", ScalingConfig={"MaximumConcurrency": 2})


def test_the_records_of_a_stream_are_counted(aws: Account) -> None:
    """MetricsConfig EventCount: what is polled, filtered out, invoked with, failed, dropped; what a destination got."""
    stream = Stream(aws, RAISE)
    stream.put("good", "other", "bad")
    stream.map(
        BatchSize=1,
        MaximumRetryAttempts=0,
        MetricsConfig={"Metrics": ["EventCount"]},
        FilterCriteria={"Filters": [{"Pattern": '{"data": [{"anything-but": "other"}]}'}]},
    )

    def counted(**wanted: float | None) -> None:
        until(lambda: {name: metric(aws, stream.id, f"{name}EventCount") for name in wanted} == wanted)

    counted(Polled=3, FilteredOut=1, Invoked=2, FailedInvoke=1, Dropped=1, OnFailureDestinationDelivered=None)
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="failures")["QueueUrl"]
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{aws.id}:failures"}}
    stream.functions.update_event_source_mapping(UUID=stream.id, DestinationConfig=destination)
    stream.settle()
    stream.put("bad")
    counted(Polled=4, FailedInvoke=2, OnFailureDestinationDelivered=1, Dropped=1)
    sqs.delete_queue(QueueUrl=url)
    stream.put("bad")
    counted(Polled=5, FailedInvoke=3, OnFailureDestinationDelivered=1, Dropped=2, Deleted=None)


def test_a_kill_does_not_bring_back_all_that_filters_left_out(tmp_path: Path) -> None:
    """How far records were passed over is committed now and then, though no batch comes of them."""
    platform = start(tmp_path)
    try:
        stream = Stream(Account(platform, "333333333333"))
        counts = {"Metrics": ["EventCount"]}
        wanted = {"Filters": [{"Pattern": '{"data": ["good"]}'}]}
        stream.map(FilterCriteria=wanted, MetricsConfig=counts)
        for _ in range(2):
            answer = stream.kinesis.put_records(
                StreamName="s", Records=[{"Data": b"other", "PartitionKey": "k"} for _ in range(500)]
            )
        last = answer["Records"][-1]["SequenceNumber"]
        until(lambda: metric(stream.aws, stream.id, "FilteredOutEventCount") == 1000)
        stream.put("other")  # it is read behind the commit
        until(lambda: metric(stream.aws, stream.id, "FilteredOutEventCount") == 1001)
        platform.kill()
        with closing(sqlite3.connect(tmp_path / "state.db")) as state:
            rows = state.execute("SELECT sequence FROM lambda_event_source_progress WHERE shard_id != ''").fetchall()
        assert [int(sequence) for (sequence,) in rows] == [int(last)]
        platform = start(tmp_path)
        aws = Account(platform, "333333333333")
        stream.aws, stream.kinesis, stream.logs = aws, aws.client("kinesis"), aws.client("logs")
        stream.put("good")
        until(lambda: stream.texts() == ["good"])
    finally:
        stop(platform)


def test_a_stream_whose_stored_filter_is_refused_now_waits_for_another(tmp_path: Path) -> None:
    """An older version took a cidr of one address. LastProcessingResult says it, and no record is passed over."""
    filters = {"Filters": [{"Pattern": '{"data": [{"cidr": "10.0.0.0/31"}]}'}]}
    platform = start(tmp_path)
    try:
        stream = Stream(Account(platform, "444444444444"))
        stream.map(FilterCriteria=filters)
        stream.put("10.0.0.0")
        until(lambda: stream.texts() == ["10.0.0.0"])
        stop(platform)
        with closing(sqlite3.connect(tmp_path / "state.db")) as state, state:
            state.execute(
                "UPDATE lambda_event_source_mapping SET configuration = replace(configuration, '.0/31', '.0/32')"
            )
        platform = start(tmp_path)
        aws = Account(platform, "444444444444")
        stream.aws, stream.functions, stream.logs = aws, aws.client("lambda"), aws.client("logs")
        stream.kinesis = aws.client("kinesis")
        stream.put("10.0.0.1")

        def result() -> str:
            return str(stream.functions.get_event_source_mapping(UUID=stream.id)["LastProcessingResult"])

        until(lambda: result().startswith("PROBLEM: it cannot be read with the settings that it has"))
        stream.functions.update_event_source_mapping(UUID=stream.id, FilterCriteria=filters)
        until(lambda: stream.texts() == ["10.0.0.0", "10.0.0.1"])
    finally:
        stop(platform)
