"""A client of Kinesis and what its tests do again and again."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

WHOLE = 2**128


@pytest.fixture
def kinesis(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("kinesis", account=account)


@pytest.fixture
def stream(kinesis: Any) -> str:
    """The name of a stream with one shard."""
    return make(kinesis, 1)


def make(kinesis: Any, shards: int) -> str:
    """A new stream with so many shards; its name."""
    name = f"s{random.randrange(10**9)}"
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    return name


def put(kinesis: Any, stream: str, *texts: str, key: str = "k", **params: Any) -> list[dict[str, Any]]:
    """Records one after the other."""
    return [kinesis.put_record(StreamName=stream, Data=text.encode(), PartitionKey=key, **params) for text in texts]


def iterator(kinesis: Any, stream: str, shard: int = 0, kind: str = "TRIM_HORIZON", **params: Any) -> str:
    """A shard iterator."""
    found: str = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=f"shardId-{shard:012d}", ShardIteratorType=kind, **params
    )["ShardIterator"]
    return found


def texts(kinesis: Any, iterator: str, **params: Any) -> list[str]:
    """The data of the records behind an iterator."""
    return [record["Data"].decode() for record in kinesis.get_records(ShardIterator=iterator, **params)["Records"]]


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """(code, message) of the error."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
