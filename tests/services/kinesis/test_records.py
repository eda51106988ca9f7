"""Records: written by their keys, read by iterators.

AWS: Kinesis API Reference, PutRecord, PutRecords, GetShardIterator, GetRecords.
"""

import urllib.request
from datetime import timedelta
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.platform import RunningPlatform, running
from tests.services.kinesis.conftest import WHOLE, iterator, make, put, refused, texts
from tests.services.measured import measured
from undercast.wire import cbor


def test_records_come_in_order_with_growing_numbers(kinesis: Any, stream: str) -> None:
    """56 digits; an iterator behind the last record goes on with what comes later."""
    written = put(kinesis, stream, "a", "b", "c")
    numbers = [one["SequenceNumber"] for one in written]
    assert numbers == sorted(numbers)
    assert {len(number) for number in numbers} == {56}
    answer = kinesis.get_records(ShardIterator=iterator(kinesis, stream), Limit=2)
    assert [record["Data"] for record in answer["Records"]] == [b"a", b"b"]
    assert answer["MillisBehindLatest"] > 0
    answer = kinesis.get_records(ShardIterator=answer["NextShardIterator"])
    assert [record["SequenceNumber"] for record in answer["Records"]] == numbers[2:]
    assert (answer["MillisBehindLatest"], answer["Records"][0]["PartitionKey"]) == (0, "k")
    put(kinesis, stream, "d")
    assert texts(kinesis, answer["NextShardIterator"]) == ["d"]


def test_every_type_of_iterator(kinesis: Any, stream: str) -> None:
    """TRIM_HORIZON, LATEST, AT and AFTER_SEQUENCE_NUMBER, AT_TIMESTAMP."""
    latest = iterator(kinesis, stream, kind="LATEST")
    second = put(kinesis, stream, "a", "b", "c")[1]["SequenceNumber"]
    assert texts(kinesis, latest) == ["a", "b", "c"]
    assert texts(kinesis, iterator(kinesis, stream, kind="LATEST")) == []
    at = iterator(kinesis, stream, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=second)
    assert texts(kinesis, at) == ["b", "c"]
    after = iterator(kinesis, stream, kind="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=second)
    assert texts(kinesis, after) == ["c"]
    records = kinesis.get_records(ShardIterator=iterator(kinesis, stream))["Records"]
    came = records[0]["ApproximateArrivalTimestamp"]
    assert texts(kinesis, iterator(kinesis, stream, kind="AT_TIMESTAMP", Timestamp=came - timedelta(hours=1))) == [
        "a",
        "b",
        "c",
    ]
    code, text = refused(
        iterator, kinesis=kinesis, stream=stream, kind="AT_TIMESTAMP", Timestamp=came + timedelta(days=9)
    )
    assert code == "InvalidArgumentException"
    assert text.startswith("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.")
    code, text = refused(iterator, kinesis=kinesis, stream=stream, kind="AT_SEQUENCE_NUMBER")
    assert text.endswith("Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber.")
    foreign = put(kinesis, make(kinesis, 1), "x")[0]["SequenceNumber"]
    code, text = refused(
        iterator, kinesis=kinesis, stream=stream, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=foreign
    )
    assert text.endswith("is invalid because it did not come from this stream.")
    code, _ = refused(kinesis.get_records, ShardIterator="nobody's")
    assert code == "InvalidArgumentException"


def test_keys_choose_the_shard(kinesis: Any) -> None:
    """MD5 of the partition key, or the ExplicitHashKey; PutRecords answers in the order of its records."""
    name = make(kinesis, 2)
    assert put(kinesis, name, "x", key="a")[0]["ShardId"] == "shardId-000000000000"  # md5("a") = 0cc1...
    assert put(kinesis, name, "x", key="b")[0]["ShardId"] == "shardId-000000000001"  # md5("b") = 92eb...
    records = [
        {"Data": b"1", "PartitionKey": "a", "ExplicitHashKey": str(WHOLE - 1)},
        {"Data": b"2", "PartitionKey": "a"},
        {"Data": b"3", "PartitionKey": "b", "ExplicitHashKey": "0"},
    ]
    answer = kinesis.put_records(StreamName=name, Records=records)
    assert answer["FailedRecordCount"] == 0
    assert [one["ShardId"][-1] for one in answer["Records"]] == ["1", "0", "0"]
    assert texts(kinesis, iterator(kinesis, name)) == ["x", "2", "3"]
    code, _ = refused(kinesis.put_record, StreamName=name, Data=b"", PartitionKey="k", ExplicitHashKey=str(WHOLE))
    assert code == "InvalidArgumentException"


def test_sizes_are_limited(kinesis: Any, stream: str) -> None:
    """1 MiB a record by default, 10 MiB where the stream says so; 10 MiB a request; 500 records."""
    large = b"x" * (1024 * 1024)
    code, _ = refused(kinesis.put_record, StreamName=stream, Data=large, PartitionKey="k")
    assert code == "InvalidArgumentException"
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=2048)
    records = [{"Data": large, "PartitionKey": "k"}] * 4
    assert kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0
    code, text = refused(kinesis.put_records, StreamName=stream, Records=records * 3)
    assert (code, text) == ("InvalidArgumentException", "Records size exceeds 10 MB limit")
    found = kinesis.get_records(ShardIterator=iterator(kinesis, stream))["Records"]
    assert [len(record["Data"]) for record in found] == [len(large)] * 4
    code, _ = refused(kinesis.put_records, StreamName=stream, Records=[{"Data": b"", "PartitionKey": "k"}] * 501)
    assert code == "ValidationException"


def test_a_dry_run_writes_nothing(kinesis: Any, stream: str) -> None:
    """DryRunOperationException where the request would have succeeded."""
    code, _ = refused(kinesis.put_record, StreamName=stream, Data=b"x", PartitionKey="k", DryRun=True)
    assert code == "DryRunOperationException"
    assert texts(kinesis, iterator(kinesis, stream)) == []


def test_records_expire_with_the_retention_period() -> None:
    """24 hours, longer or shorter by request, on the platform's clock; iterators live five minutes."""
    with running() as platform:
        kinesis = platform.client("kinesis")
        name = make(kinesis, 1)
        old = put(kinesis, name, "old")[0]["SequenceNumber"]
        start = iterator(kinesis, name)
        token = kinesis.list_shards(StreamName=make(kinesis, 2), MaxResults=1)["NextToken"]
        assert len(kinesis.list_shards(NextToken=token)["Shards"]) == 1
        platform.advance(301)
        assert refused(kinesis.list_shards, NextToken=token)[0] == "ExpiredNextTokenException"
        code, text = refused(kinesis.decrease_stream_retention_period, StreamName=name, RetentionPeriodHours=48)
        assert (code, text.partition(" for ")[0]) == (
            "InvalidArgumentException",
            "Requested retention period (48 hours)",
        )
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
        platform.advance(25 * 3600)
        code, text = refused(kinesis.get_records, ShardIterator=start)
        assert code == "ExpiredIteratorException"
        assert text.endswith("which is further in the future than the tolerated delay of 300000 milliseconds.")
        put(kinesis, name, "new")
        assert texts(kinesis, iterator(kinesis, name)) == ["old", "new"]
        kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
        assert texts(kinesis, iterator(kinesis, name)) == ["new"]
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
        platform.advance(25 * 3600)
        put(kinesis, name, "newest")
        assert texts(kinesis, iterator(kinesis, name)) == ["newest"]
        gone = {"kind": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": old}
        assert texts(kinesis, iterator(kinesis, name, **gone)) == ["newest"]
        (shard,) = kinesis.list_shards(StreamName=name)["Shards"]
        gone["StartingSequenceNumber"] = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        assert texts(kinesis, iterator(kinesis, name, **gone)) == ["newest"]


def test_a_shards_throughput_is_kept_when_asked_for() -> None:
    """--throttle-streams: five reads and 1 MB or 1,000 records a second; PutRecords refuses record by record."""
    with running(options=["--throttle-streams"]) as platform:
        kinesis = platform.client("kinesis")
        name = make(kinesis, 1)
        records = [{"Data": b"x" * 300_000, "PartitionKey": "k"}] * 5
        answer = kinesis.put_records(StreamName=name, Records=records)
        assert [one.get("ErrorCode") for one in answer["Records"]] == [
            *[None] * 3, *["ProvisionedThroughputExceededException"] * 2,
        ]  # fmt: skip
        assert answer["FailedRecordCount"] == 2
        platform.advance(2)
        arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=10_240)
        put(kinesis, name, "x" * 8_000_000)  # more than a second's worth is owed
        code, text = refused(kinesis.put_record, StreamName=name, Data=b"x", PartitionKey="k")
        assert code == "ProvisionedThroughputExceededException"
        assert text == f"Rate exceeded for shard shardId-000000000000 in stream {name} under account 000000000000."
        platform.advance(20)
        start = iterator(kinesis, name)
        assert len(kinesis.get_records(ShardIterator=start)["Records"]) == 4
        code, _ = refused(kinesis.get_records, ShardIterator=start)
        assert code == "ProvisionedThroughputExceededException"
        cloudwatch = platform.client("cloudwatch")
        for metric, times in (("Write", 3), ("Read", 1)):
            name_of = f"{metric}ProvisionedThroughputExceeded"
            assert measured(cloudwatch, "AWS/Kinesis", name_of, StreamName=name) == times
        platform.advance(20)
        assert len(kinesis.get_records(ShardIterator=start, Limit=1)["Records"]) == 1


def test_cbor_is_spoken(platform: RunningPlatform, kinesis: Any, stream: str, account: str) -> None:
    """application/x-amz-cbor-1.1, as AWS's SDK for Java does: blobs are bytes, timestamps count milliseconds."""

    def ask(operation: str, document: dict[str, Any]) -> Any:
        headers = {
            "Content-Type": "application/x-amz-cbor-1.1",
            "X-Amz-Target": f"Kinesis_20131202.{operation}",
        }
        request = AWSRequest("POST", platform.url + "/", headers=headers, data=cbor.dumps(document))
        SigV4Auth(Credentials(account, "secret"), "kinesis", "us-east-1").add_auth(request)
        made = urllib.request.Request(platform.url + "/", data=request.data, headers=dict(request.headers))
        with urllib.request.urlopen(made, timeout=30) as answer:
            assert answer.headers["Content-Type"] == "application/x-amz-cbor-1.1"
            return cbor.loads(answer.read(), timestamp_unit_s=0.001)

    ask("PutRecord", {"StreamName": stream, "Data": b"\x00\xff", "PartitionKey": "k"})
    found = ask("GetRecords", {"ShardIterator": iterator(kinesis, stream)})["Records"][0]
    by_json = kinesis.get_records(ShardIterator=iterator(kinesis, stream))["Records"][0]
    assert (found["Data"], found["SequenceNumber"]) == (b"\x00\xff", by_json["SequenceNumber"])
    gap = abs((found["ApproximateArrivalTimestamp"] - by_json["ApproximateArrivalTimestamp"]).total_seconds())
    assert gap < 0.002
