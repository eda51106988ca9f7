"""Consumers with enhanced fan-out.

AWS: Kinesis API Reference, RegisterStreamConsumer, SubscribeToShard.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.platform import running
from tests.services.kinesis.conftest import WHOLE, make, put, refused


def register(kinesis: Any, stream: str, name: str = "c") -> str:
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    found: str = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)["Consumer"]["ConsumerARN"]
    return found


def subscribe(kinesis: Any, consumer: str, **position: Any) -> Iterator[dict[str, Any]]:
    answer = kinesis.subscribe_to_shard(
        ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition=position or {"Type": "TRIM_HORIZON"}
    )
    for event in answer["EventStream"]:
        yield event["SubscribeToShardEvent"]


def test_consumers_are_registered_and_found(kinesis: Any, stream: str) -> None:
    """By name and by ARN; a stream with consumers is only deleted with them."""
    consumer = register(kinesis, stream)
    arn = consumer.partition("/consumer/")[0]
    found = kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="c")["ConsumerDescription"]
    assert (found["ConsumerARN"], found["ConsumerStatus"], found["StreamARN"]) == (consumer, "ACTIVE", arn)
    code, _ = refused(kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="c")
    assert code == "ResourceInUseException"
    assert [one["ConsumerName"] for one in kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]] == ["c"]
    kinesis.tag_resource(ResourceARN=consumer, Tags={"team": "a"})
    assert kinesis.list_tags_for_resource(ResourceARN=consumer)["Tags"] == [{"Key": "team", "Value": "a"}]
    code, _ = refused(kinesis.delete_stream, StreamName=stream)
    assert code == "ResourceInUseException"
    kinesis.deregister_stream_consumer(ConsumerARN=consumer)
    code, _ = refused(kinesis.describe_stream_consumer, ConsumerARN=consumer)
    assert code == "ResourceNotFoundException"


def pushed(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The next event that has records; those without only say that there are none."""
    return next(event for event in events if event["Records"])


def test_records_are_pushed_and_go_on_behind_the_continuation(kinesis: Any, stream: str) -> None:
    """What is there comes at once, what comes later too; a child is named at the end of a shard."""
    consumer = register(kinesis, stream)
    put(kinesis, stream, "a", "b")
    events = subscribe(kinesis, consumer)
    first = next(events)
    assert [record["Data"] for record in first["Records"]] == [b"a", b"b"]
    put(kinesis, stream, "c")
    assert [record["Data"] for record in pushed(events)["Records"]] == [b"c"]
    other = register(kinesis, stream, "other")
    after = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": first["ContinuationSequenceNumber"]}
    assert [record["Data"] for record in next(subscribe(kinesis, other, **after))["Records"]] == [b"c"]
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(WHOLE // 2))
    *more, last = events
    assert [child["ShardId"][-1] for child in last["ChildShards"]] == ["1", "2"]
    assert "ContinuationSequenceNumber" not in last
    assert all("ContinuationSequenceNumber" in event and "ChildShards" not in event for event in (first, *more))


def test_a_second_subscription_is_refused_for_five_seconds(kinesis: Any, stream: str) -> None:
    """ResourceInUseException; on a slow machine five seconds may have passed, and the next one is the second."""
    consumer = register(kinesis, stream)
    asked = {"ConsumerARN": consumer, "ShardId": "shardId-000000000000", "StartingPosition": {"Type": "LATEST"}}
    with pytest.raises(ClientError) as caught:
        for _ in range(10):
            kinesis.subscribe_to_shard(**asked)["EventStream"].close()
    assert caught.value.response["Error"]["Code"] == "ResourceInUseException"


def test_a_subscription_ends_after_five_minutes_or_for_a_newer_one() -> None:
    """On the platform's clock; whoever comes 5 s later takes over. A stop of the platform ends it, too."""
    with running() as platform:
        kinesis = platform.client("kinesis")
        name = make(kinesis, 1)
        consumer = register(kinesis, name)
        events = subscribe(kinesis, consumer)
        assert next(events)["Records"] == []
        platform.advance(6)
        newer = subscribe(kinesis, consumer)
        assert next(newer)["MillisBehindLatest"] == 0
        try:
            assert [event["Records"] for event in events if event["Records"]] == []
            ended = ""
        except EventStreamError as error:
            ended = str(error)
        assert "ResourceInUseException" in ended
        platform.advance(300)
        assert [event["Records"] for event in newer if event["Records"]] == []
        last = subscribe(kinesis, consumer)
        assert next(last)["Records"] == []
        platform.process.terminate()
        assert [event["Records"] for event in last if event["Records"]] == [], "a stop ends it, and cuts nothing off"
