"""Streams and their shards.

AWS: Kinesis API Reference, CreateStream, DescribeStream, ListStreams, ListShards, UpdateStreamMode.
"""

import json
from datetime import timedelta
from typing import Any

from tests.platform import RunningPlatform
from tests.services.kinesis.conftest import WHOLE, make, put, refused


def test_a_stream_is_described(kinesis: Any, account: str) -> None:
    """S3d-28: create-stream, describe-stream; shards share the hash keys evenly."""
    name = make(kinesis, 3)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    found = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    arn = f"arn:aws:kinesis:us-east-1:{account}:stream/{name}"
    assert (found["StreamARN"], found["StreamStatus"], found["RetentionPeriodHours"]) == (arn, "ACTIVE", 24)
    assert [shard["ShardId"] for shard in found["Shards"]] == [f"shardId-{number:012d}" for number in range(3)]
    ranges = [shard["HashKeyRange"] for shard in found["Shards"]]
    assert [one["StartingHashKey"] for one in ranges] == [str(place * (WHOLE // 3)) for place in range(3)]
    assert ranges[2]["EndingHashKey"] == str(WHOLE - 1)
    summary = kinesis.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["ConsumerCount"], summary["EncryptionType"]) == (3, 0, "NONE")
    page = kinesis.describe_stream(StreamName=name, Limit=1, ExclusiveStartShardId="shardId-000000000000")
    assert [shard["ShardId"] for shard in page["StreamDescription"]["Shards"]] == ["shardId-000000000001"]
    assert page["StreamDescription"]["HasMoreShards"] is True


def test_names_are_taken_once_and_streams_are_deleted(kinesis: Any, account: str) -> None:
    """AWS's texts."""
    name = make(kinesis, 1)
    code, text = refused(kinesis.create_stream, StreamName=name, ShardCount=1)
    assert (code, text) == ("ResourceInUseException", f"Stream {name} under account {account} already exists.")
    put(kinesis, name, "a")
    kinesis.delete_stream(StreamName=name)
    code, text = refused(kinesis.describe_stream, StreamName=name)
    assert (code, text) == ("ResourceNotFoundException", f"Stream {name} under account {account} not found.")
    code, _ = refused(kinesis.describe_stream)
    assert code == "InvalidArgumentException"


def test_streams_and_shards_are_listed_page_by_page(kinesis: Any) -> None:
    """NextToken names the stream; nothing else may be said beside it."""
    names = sorted(make(kinesis, 1) for _ in range(3))
    assert [
        name for page in kinesis.get_paginator("list_streams").paginate(Limit=2) for name in page["StreamNames"]
    ] == names
    name = make(kinesis, 5)
    found, more = [], {"StreamName": name}
    while more:
        page = kinesis.list_shards(MaxResults=2, **more)
        found.append([shard["ShardId"][-1] for shard in page["Shards"]])
        more = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert found == [["0", "1"], ["2", "3"], ["4"]]
    created = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamCreationTimestamp"]
    assert len(kinesis.list_shards(StreamName=name, StreamCreationTimestamp=created)["Shards"]) == 5
    code, _ = refused(kinesis.list_shards, StreamName=name, StreamCreationTimestamp=created - timedelta(days=1))
    assert code == "ResourceNotFoundException"
    token = kinesis.list_shards(StreamName=name, MaxResults=2)["NextToken"]
    code, text = refused(kinesis.list_shards, StreamName=name, NextToken=token)
    assert (code, text) == ("InvalidArgumentException", "NextToken and StreamName cannot be provided together.")


def test_a_stream_on_demand_manages_its_shards(kinesis: Any, account: str) -> None:
    """Four at first; not to be split by hand, and AUTO ignores partition keys."""
    kinesis.create_stream(
        StreamName="d", StreamModeDetails={"StreamMode": "ON_DEMAND"}, RecordDistributionStrategy="AUTO"
    )
    found = kinesis.describe_stream_summary(StreamName="d")["StreamDescriptionSummary"]
    assert (found["OpenShardCount"], found["StreamModeDetails"]) == (4, {"StreamMode": "ON_DEMAND"})
    assert found["RecordDistributionStrategy"] == "AUTO"
    code, _ = refused(kinesis.update_shard_count, StreamName="d", TargetShardCount=5, ScalingType="UNIFORM_SCALING")
    assert code == "ValidationException"
    used = {kinesis.put_record(StreamName="d", Data=b"x")["ShardId"] for _ in range(40)}
    assert len(used) > 1
    arn = found["StreamARN"]
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"})
    assert {one["ShardId"] for one in put(kinesis, "d", "x", "y", "z")} <= {f"shardId-{n:012d}" for n in range(4)}
    code, _ = refused(kinesis.put_record, StreamName="d", Data=b"x")
    assert code == "InvalidArgumentException"
    limits = kinesis.describe_limits()
    assert (limits["OpenShardCount"], limits["OnDemandStreamCount"]) == (4, 0)


def test_another_account_needs_the_streams_policy(platform: RunningPlatform, kinesis: Any, stream: str) -> None:
    """A resource policy with the caller's account; by ARN only."""
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    other = platform.client("kinesis", account="555555555555")
    record = {"StreamARN": arn, "Data": b"x", "PartitionKey": "k"}
    code, _ = refused(other.put_record, **record)
    assert code == "AccessDeniedException"
    allow = {"Effect": "Allow", "Principal": {"AWS": "555555555555"}, "Action": "kinesis:PutRecord", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    kinesis.put_resource_policy(ResourceARN=arn, Policy=policy)
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == policy
    assert other.put_record(**record)["ShardId"] == "shardId-000000000000"
    kinesis.delete_resource_policy(ResourceARN=arn)
    code, _ = refused(kinesis.get_resource_policy, ResourceARN=arn)
    assert code == "ResourceNotFoundException"
    assert refused(other.put_record, **record)[0] == "AccessDeniedException"


def test_a_new_stream_of_an_old_name_has_no_policy(platform: RunningPlatform, kinesis: Any, stream: str) -> None:
    """A policy goes with its stream."""
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    allow = {"Effect": "Allow", "Principal": {"AWS": "555555555555"}, "Action": "kinesis:PutRecord", "Resource": arn}
    kinesis.put_resource_policy(ResourceARN=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    other = platform.client("kinesis", account="555555555555")
    record = {"StreamARN": arn, "Data": b"x", "PartitionKey": "k"}
    other.put_record(**record)
    kinesis.delete_stream(StreamName=stream)
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    assert refused(other.put_record, **record)[0] == "AccessDeniedException"
