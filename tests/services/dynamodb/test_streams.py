"""DynamoDB Streams and time to live through boto3.

AWS: DynamoDB Streams API Reference; Developer Guide, "Change data capture for DynamoDB Streams".
"""

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.services.dynamodb.conftest import Make, definition, message, refused

BOTH = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.fixture
def streams(platform: RunningPlatform, account: str) -> Any:
    """A client in the test's account."""
    return platform.client("dynamodbstreams", account=account)


def arn_of(dynamodb: Any, table: str) -> str:
    """The table's latest stream."""
    arn: str = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    return arn


def shards_of(streams: Any, arn: str) -> list[dict[str, Any]]:
    """All of them."""
    found: list[dict[str, Any]] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    return found


def read_all(streams: Any, arn: str, kind: str = "TRIM_HORIZON") -> list[dict[str, Any]]:
    """Every record, parents before children."""
    found = []
    for shard in shards_of(streams, arn):
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind)
        found += streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return found


def test_insert_modify_and_remove_are_in_the_stream(dynamodb: Any, streams: Any, make_table: Make) -> None:
    """S3d-26: three records in order; a write that changes nothing has none."""
    name = make_table("pk:S sk:N", StreamSpecification=BOTH)
    key = {"pk": {"S": "a"}, "sk": {"N": "1"}}
    first, second = {**key, "v": {"B": b"\x00"}}, {**key, "v": {"S": "2"}}
    dynamodb.put_item(TableName=name, Item=first)
    dynamodb.put_item(TableName=name, Item=first)
    dynamodb.put_item(TableName=name, Item=second)
    dynamodb.delete_item(TableName=name, Key=key)
    dynamodb.delete_item(TableName=name, Key=key)
    arn = arn_of(dynamodb, name)
    assert re.fullmatch(rf"arn:aws:dynamodb:us-east-1:\d+:table/{name}/stream/\d{{4}}-\d\d-\d\dT[\d:]+\.\d{{3}}", arn)
    records = read_all(streams, arn)
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert [record["dynamodb"].get("NewImage") for record in records] == [first, second, None]
    assert [record["dynamodb"].get("OldImage") for record in records] == [None, first, second]
    for record in records:
        assert record["dynamodb"]["Keys"] == key
        assert record["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert (record["eventSource"], record["eventVersion"]) == ("aws:dynamodb", "1.1")
        assert record["awsRegion"] == "us-east-1"
        assert "userIdentity" not in record
    assert len({record["eventID"] for record in records}) == 3
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert numbers == sorted(numbers, key=int)
    assert records[0]["dynamodb"]["SizeBytes"] == 2 * (3 + 4) + 2


@pytest.mark.parametrize(
    ("view", "images"),
    [("KEYS_ONLY", set()), ("NEW_IMAGE", {"NewImage"}), ("OLD_IMAGE", {"OldImage"})],
)
def test_view_types(dynamodb: Any, streams: Any, make_table: Make, view: str, images: set[str]) -> None:
    """What of the item is in a record."""
    name = make_table(StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    for text in ("1", "2"):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}, "v": {"S": text}})
    last = read_all(streams, arn_of(dynamodb, name))[-1]["dynamodb"]
    assert {member for member in last if member.endswith("Image")} == images


def test_iterators(dynamodb: Any, streams: Any, make_table: Make) -> None:
    """TRIM_HORIZON, LATEST, AT and AFTER_SEQUENCE_NUMBER, AT_TIMESTAMP; NextShardIterator goes on."""
    name = make_table(StreamSpecification=BOTH)
    arn = arn_of(dynamodb, name)
    (shard,) = shards_of(streams, arn)
    place = {"StreamArn": arn, "ShardId": shard["ShardId"]}
    latest = streams.get_shard_iterator(**place, ShardIteratorType="LATEST")["ShardIterator"]
    for text in ("1", "2", "3"):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": text}})

    def keys(iterator: str, **more: Any) -> list[str]:
        found = streams.get_records(ShardIterator=iterator, **more)
        return [record["dynamodb"]["Keys"]["pk"]["S"] for record in found["Records"]]

    assert keys(latest) == ["1", "2", "3"]
    second = streams.get_records(ShardIterator=latest)["Records"][1]["dynamodb"]["SequenceNumber"]
    for kind, expected in (("AT_SEQUENCE_NUMBER", ["2", "3"]), ("AFTER_SEQUENCE_NUMBER", ["3"])):
        found = streams.get_shard_iterator(**place, ShardIteratorType=kind, SequenceNumber=second)
        assert keys(found["ShardIterator"]) == expected
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    found = streams.get_shard_iterator(**place, ShardIteratorType="AT_TIMESTAMP", Timestamp=hour_ago)
    assert keys(found["ShardIterator"]) == ["1", "2", "3"]
    page = streams.get_records(ShardIterator=latest, Limit=2)
    assert keys(page["NextShardIterator"]) == ["3"]
    end = streams.get_records(ShardIterator=page["NextShardIterator"])["NextShardIterator"]
    assert keys(end) == []
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "4"}})
    assert keys(end) == ["4"]


def test_a_disabled_stream_can_be_read_to_its_end(dynamodb: Any, streams: Any, make_table: Make) -> None:
    """Its shard is closed: no NextShardIterator. A stream that is enabled again is another one."""
    name = make_table(StreamSpecification=BOTH)
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}})
    old = arn_of(dynamodb, name)
    text = message(dynamodb.update_table, TableName=name, StreamSpecification=BOTH)
    assert "already has an enabled stream" in text
    dynamodb.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
    described = streams.describe_stream(StreamArn=old)["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in described["Shards"][0]["SequenceNumberRange"]
    iterator = streams.get_shard_iterator(
        StreamArn=old, ShardId=described["Shards"][0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    page = streams.get_records(ShardIterator=iterator)
    assert (len(page["Records"]), "NextShardIterator" in page) == (1, False)
    dynamodb.update_table(TableName=name, StreamSpecification=BOTH)
    assert arn_of(dynamodb, name) != old
    dynamodb.delete_table(TableName=name)
    listed = streams.list_streams(TableName=name)["Streams"]
    assert (len(listed), listed[0]["StreamArn"], listed[0]["TableName"]) == (2, old, name)
    assert len(streams.list_streams(Limit=1)["Streams"]) == 1


def test_streams_that_are_not_there(streams: Any, account: str) -> None:
    """ResourceNotFoundException; iterators that nobody gave out."""
    arn = f"arn:aws:dynamodb:us-east-1:{account}:table/none/stream/2017-05-07T00:47:26.013"
    assert refused(streams.describe_stream, StreamArn=arn)[0] == "ResourceNotFoundException"
    for text, code in (
        ("x", "ValidationException"),
        (f"{arn}|1|e30=", "ValidationException"),  # {}
        (f"{arn}|1|WzEsMiwzXQ==", "ExpiredIteratorException"),  # [1, 2, 3]: the form of ours, of the year 1970
    ):
        assert refused(streams.get_records, ShardIterator=text)[0] == code


def test_a_transaction_and_a_batch_are_in_the_stream(dynamodb: Any, streams: Any, make_table: Make) -> None:
    """In the order in which they are given."""
    name = make_table(StreamSpecification=BOTH)
    puts = [{"Put": {"TableName": name, "Item": {"pk": {"S": text}}}} for text in "ab"]
    dynamodb.transact_write_items(TransactItems=puts)
    dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": {"pk": {"S": "c"}}}}]})
    records = read_all(streams, arn_of(dynamodb, name))
    assert [record["dynamodb"]["Keys"]["pk"]["S"] for record in records] == ["a", "b", "c"]


def wait_for(condition: Any) -> None:
    """Up to ten seconds of host time."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it has not happened")


def test_time_moves_shards_retention_and_expiry() -> None:
    """Shards follow each other every four hours, records stay for 24; an expired item is removed by DynamoDB."""
    with platforms.running() as running:
        dynamodb, streams = running.client("dynamodb"), running.client("dynamodbstreams")
        dynamodb.create_table(TableName="time", StreamSpecification=BOTH, **definition("pk:S"))
        expires = {"N": str(int(time.time()) + 3 * 3600)}
        dynamodb.put_item(TableName="time", Item={"pk": {"S": "before"}, "ends": expires})
        dynamodb.update_time_to_live(
            TableName="time", TimeToLiveSpecification={"AttributeName": "ends", "Enabled": True}
        )
        dynamodb.put_item(TableName="time", Item={"pk": {"S": "after"}, "ends": expires})
        dynamodb.put_item(TableName="time", Item={"pk": {"S": "text"}, "ends": {"S": "1"}})
        arn = arn_of(dynamodb, "time")
        (first,) = shards_of(streams, arn)
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=first["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        running.advance(5 * 3600)
        wait_for(lambda: dynamodb.scan(TableName="time")["Count"] == 1)
        removed = read_all(streams, arn)[3:]
        assert [record["eventName"] for record in removed] == ["REMOVE", "REMOVE"]
        for record in removed:
            assert record["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
        old, child = shards_of(streams, arn)
        assert (old["ShardId"], child["ParentShardId"]) == (first["ShardId"], first["ShardId"])
        assert refused(streams.get_records, ShardIterator=iterator)[0] == "ExpiredIteratorException"
        running.advance(20 * 3600)
        assert [record["eventName"] for record in read_all(streams, arn)] == ["REMOVE", "REMOVE"]


def test_items_and_their_records_survive_a_kill_together(tmp_path: Path) -> None:
    """Every acknowledged write is there after SIGKILL, with its record and its index entry."""
    index = {
        "IndexName": "by-n",
        "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    running = platforms.start(tmp_path)
    acknowledged: list[str] = []
    try:
        dynamodb = running.client("dynamodb")
        params = definition("pk:S", StreamSpecification=BOTH, GlobalSecondaryIndexes=[index])
        params["AttributeDefinitions"].append({"AttributeName": "n", "AttributeType": "N"})
        dynamodb.create_table(TableName="kept", **params)
        timer = threading.Timer(0.7, running.kill)
        timer.start()
        with pytest.raises(BotoCoreError):
            for number in range(100_000):
                dynamodb.put_item(TableName="kept", Item={"pk": {"S": f"p{number:06}"}, "n": {"N": str(number % 5)}})
                acknowledged.append(f"p{number:06}")
        timer.join()
    finally:
        running.kill()
    assert len(acknowledged) > 20
    with platforms.running(tmp_path) as again:
        dynamodb, streams = again.client("dynamodb"), again.client("dynamodbstreams")
        pages = dynamodb.get_paginator("scan").paginate(TableName="kept")
        kept = sorted(item["pk"]["S"] for page in pages for item in page["Items"])
        assert kept[: len(acknowledged)] == acknowledged
        assert len(kept) <= len(acknowledged) + 1  # the one whose answer was lost
        records = read_all(streams, arn_of(dynamodb, "kept"))
        assert [record["dynamodb"]["Keys"]["pk"]["S"] for record in records] == kept[:1000]
        assert dynamodb.scan(TableName="kept", IndexName="by-n", Select="COUNT")["Count"] == len(kept)
        assert dynamodb.describe_table(TableName="kept")["Table"]["ItemCount"] == len(kept)
