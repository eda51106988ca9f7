"""Shards that are split, merged, made more and fewer.

AWS: Kinesis Developer Guide, "Reshard a stream"; API Reference, SplitShard, MergeShards, UpdateShardCount.
"""

from typing import Any

import pytest

from tests.services.kinesis.conftest import WHOLE, iterator, make, put, refused, texts


def shards(kinesis: Any, stream: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kinesis.list_shards(StreamName=stream, **params)["Shards"]
    return found


def open_ranges(kinesis: Any, stream: str) -> list[tuple[int, int]]:
    found = shards(kinesis, stream, ShardFilter={"Type": "AT_LATEST"})
    ranges = [shard["HashKeyRange"] for shard in found]
    return sorted((int(one["StartingHashKey"]), int(one["EndingHashKey"])) for one in ranges)


def test_a_shard_is_split_and_merged(kinesis: Any, stream: str) -> None:
    """The parent is closed and says at its end which children follow; order goes from parent to child."""
    put(kinesis, stream, "before")
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(WHOLE // 2))
    put(kinesis, stream, "low", key="a")
    put(kinesis, stream, "high", key="b")
    parent, low, high = shards(kinesis, stream)
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert (low["ParentShardId"], high["ParentShardId"]) == (parent["ShardId"], parent["ShardId"])
    assert low["SequenceNumberRange"]["StartingSequenceNumber"] > parent["SequenceNumberRange"]["EndingSequenceNumber"]
    end = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    assert "NextShardIterator" not in end
    assert [child["ShardId"] for child in end["ChildShards"]] == [low["ShardId"], high["ShardId"]]
    assert [texts(kinesis, iterator(kinesis, stream, shard)) for shard in (0, 1, 2)] == [["before"], ["low"], ["high"]]
    kinesis.merge_shards(StreamName=stream, ShardToMerge=low["ShardId"], AdjacentShardToMerge=high["ShardId"])
    merged = shards(kinesis, stream)[-1]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == (low["ShardId"], high["ShardId"])
    assert open_ranges(kinesis, stream) == [(0, WHOLE - 1)]
    code, text = refused(kinesis.split_shard, StreamName=stream, ShardToSplit=merged["ShardId"], NewStartingHashKey="0")
    assert (code, text.partition(" used ")[0]) == ("InvalidArgumentException", "NewStartingHashKey 0")
    code, _ = refused(
        kinesis.split_shard, StreamName=stream, ShardToSplit="shardId-000000000099", NewStartingHashKey="5"
    )
    assert code == "ResourceNotFoundException"


@pytest.mark.parametrize("name", ["0", "shardId-0", "x-0", "-000", "shardId-000000000000", "x-0-5"])
def test_a_shard_is_named_by_its_number(kinesis: Any, name: str) -> None:
    """Whatever stands before it, as recorded from AWS by kinesalite's tests."""
    stream = make(kinesis, 1)
    put(kinesis, stream, "a")
    got = kinesis.get_shard_iterator(StreamName=stream, ShardId=name, ShardIteratorType="TRIM_HORIZON")
    assert texts(kinesis, got["ShardIterator"]) == ["a"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("5", "Shard shardId-000000000005 in stream {} under account {} does not exist"),
        ("x-2147483647", "Shard shardId-002147483647 in stream {} under account {} does not exist"),
        ("2147483648", "Could not find shard 2147483648 in stream {} under account {}."),
        ("2.14E4", "Could not find shard 2.14E4 in stream {} under account {}."),
        ("0-x", "Could not find shard 0-x in stream {} under account {}."),
    ],
)
def test_a_shard_that_is_not_there_is_told_apart_from_a_name_of_none(kinesis: Any, name: str, text: str) -> None:
    """AWS's two texts."""
    stream = make(kinesis, 1)
    asked = {"StreamName": stream, "ShardId": name, "ShardIteratorType": "LATEST"}
    account = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamARN"].split(":")[4]
    assert refused(kinesis.get_shard_iterator, **asked) == ("ResourceNotFoundException", text.format(stream, account))


def test_shards_that_are_not_adjacent_are_not_merged(kinesis: Any) -> None:
    """AWS's text."""
    name = make(kinesis, 3)
    code, text = refused(
        kinesis.merge_shards, StreamName=name, ShardToMerge="shardId-000000000000",
        AdjacentShardToMerge="shardId-000000000002",
    )  # fmt: skip
    assert code == "InvalidArgumentException"
    assert text.endswith("are not an adjacent pair of shards eligible for merging.")


def test_the_number_of_shards_is_changed(kinesis: Any) -> None:
    """Equal ranges, reached by splits and merges; at most double, at least half."""
    name = make(kinesis, 2)
    for count in (3, 6, 4, 2):
        answer = kinesis.update_shard_count(StreamName=name, TargetShardCount=count, ScalingType="UNIFORM_SCALING")
        assert answer["TargetShardCount"] == count
        size = WHOLE // count
        starts = [place * size for place in range(count)]
        assert open_ranges(kinesis, name) == list(
            zip(starts, [*(one - 1 for one in starts[1:]), WHOLE - 1], strict=True)
        )
    for count in (5, 7):
        code, text = refused(
            kinesis.update_shard_count, StreamName=name, TargetShardCount=count, ScalingType="UNIFORM_SCALING"
        )
        assert code == "LimitExceededException"
        assert text.endswith(f"Current open shard count: 2 Target shard count: {count}")
    by_parent = {shard["ShardId"]: shard for shard in shards(kinesis, name)}
    assert any("ParentShardId" in shard for shard in by_parent.values())
    for shard in by_parent.values():
        assert shard.get("ParentShardId", shard["ShardId"]) in by_parent


def test_shards_are_filtered(kinesis: Any, stream: str) -> None:
    """AT_TRIM_HORIZON, AT_LATEST, AFTER_SHARD_ID, FROM_TIMESTAMP."""
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(WHOLE // 2))

    def found(**chosen: Any) -> str:
        return "".join(shard["ShardId"][-1] for shard in shards(kinesis, stream, ShardFilter=chosen))

    assert found(Type="FROM_TRIM_HORIZON") == "012"
    assert found(Type="AT_TRIM_HORIZON") == "0"
    assert found(Type="AT_LATEST") == "12"
    assert found(Type="AFTER_SHARD_ID", ShardId="shardId-000000000001") == "2"
    created = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamCreationTimestamp"]
    assert found(Type="FROM_TIMESTAMP", Timestamp=created) == "012"
