"""Streams, shards, consumers, and the numbers of Kinesis: hash keys and sequence numbers.

Pure. A sequence number has 56 digits as on AWS: 49, the stream, the place in the stream, the shard.
AWS: Kinesis Developer Guide, "Amazon Kinesis Data Streams terminology and concepts"; API Reference, PutRecord.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.record import record
from undercast.services.kinesis.errors import invalid
from undercast.store.database import Row

PROVISIONED, ON_DEMAND = "PROVISIONED", "ON_DEMAND"
AUTO, BY_KEY = "AUTO", "USER_PARTITION_KEY"
HASH_KEYS = 2**128
HOUR_S = 3600.0
_SEQUENCE = re.compile(r"49([0-9]{14})([0-9]{30})([0-9]{10})")
_MAX_SHARD = 2**31 - 1
_CONSUMER = re.compile(r"stream/([a-zA-Z0-9_.-]+)/consumer/([a-zA-Z0-9_.-]+):([0-9]+)")


class StreamName(NamedTuple):
    """Where a stream is, and its name."""

    scope: Scope
    name: str

    @property
    def arn(self) -> str:
        """StreamARN."""
        return _arn_of(self)


@lru_cache(maxsize=1024)
def _arn_of(of: StreamName) -> str:
    """A request asks for it four times."""
    return str(Arn.of(of.scope, "kinesis", f"stream/{of.name}"))


@record
class Stream:
    """One stream. `newest` is the last sequence number that it had given when it was read."""

    id: int
    of: StreamName
    created_at: float
    mode: str
    retention_hours: int
    max_record_kib: int
    distribution: str
    key_id: str
    """Of KMS; "" without encryption."""
    metrics: Sequence[str]
    tags: Mapping[str, str]
    policy: str
    newest: int

    @property
    def is_on_demand(self) -> bool:
        """Its capacity mode."""
        return self.mode == ON_DEMAND

    def since(self, now: float) -> float:
        """What came before is expired."""
        return now - self.retention_hours * HOUR_S


class OpenStream(NamedTuple):
    """A stream with its open shards, the lowest hash keys first, as writers need it."""

    stream: Stream
    """Its `newest` may be old: a put raises it."""
    shards: Sequence[Row]


@record
class Consumer:
    """A registered consumer (enhanced fan-out)."""

    id: int
    stream_id: int
    name: str
    arn: str
    created_at: float
    tags: Mapping[str, str]
    policy: str


class Numbered(NamedTuple):
    """A sequence number in its parts."""

    stream_id: int
    place: int
    shard: int


def stream_of(row: Row) -> Stream:
    """From its row."""
    return Stream(
        id=row["id"],
        of=StreamName(Scope(AccountId(row["account_id"]), Region(row["region"])), row["name"]),
        created_at=row["created_at"],
        mode=row["mode"],
        retention_hours=row["retention_hours"],
        max_record_kib=row["max_record_kib"],
        distribution=row["distribution"],
        key_id=row["key_id"],
        metrics=_parsed(row["metrics"]),
        tags=_parsed(row["tags"]),
        policy=row["policy"],
        newest=row["newest"],
    )


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    """Nobody changes what comes of it: every request for a stream reads its row."""
    return json.loads(text)


def consumer_of(row: Row) -> Consumer:
    """From its row."""
    return Consumer(
        id=row["id"],
        stream_id=row["stream_id"],
        name=row["name"],
        arn=row["arn"],
        created_at=row["created_at"],
        tags=json.loads(row["tags"]),
        policy=row["policy"],
    )


def named_by_arn(arn: str) -> StreamName:
    """The stream of its own ARN or of a consumer's. Raises InvalidArgumentException."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "kinesis" or not parts[5].startswith("stream/"):
        raise invalid(f"The ARN {arn} is not one of a stream.")
    name = parts[5].removeprefix("stream/").partition("/")[0]
    return StreamName(Scope(AccountId(parts[4]), Region(parts[3])), name)


def is_consumer(arn: str) -> bool:
    """Whether it is the ARN of a consumer."""
    return _CONSUMER.fullmatch(arn.split(":", 5)[-1]) is not None


def shard_name(number: int) -> str:
    """ShardId."""
    return f"shardId-{number:012d}"


def shard_number(name: str) -> int | None:
    """The other way round; None for what is no shard's name.

    AWS minds the number alone: 0, shardId-0 and x-0 are shardId-000000000000. As recorded from AWS by the tests of
    github.com/mhart/kinesalite, test/getShardIterator.js.
    """
    text = (name.split("-")[1:2] or [name])[0]
    if not (text.isascii() and text.isdigit()) or int(text) > _MAX_SHARD:
        return None
    return int(text)


def shown_sequence(stream_id: int, place: int, shard: int) -> str:
    """A SequenceNumber."""
    return f"49{stream_id:014d}{place:030d}{shard:010d}"


def read_sequence(text: str) -> Numbered | None:
    """The other way round; None for a number that no stream here has given."""
    found = _SEQUENCE.fullmatch(text)
    return None if found is None else Numbered(int(found[1]), int(found[2]), int(found[3]))


def hash_key(partition_key: str) -> int:
    """AWS: MD5 maps partition keys to 128-bit integers."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


def explicit_key(text: str) -> int:
    """An ExplicitHashKey. Raises InvalidArgumentException."""
    value = int(text)
    if value >= HASH_KEYS:
        raise invalid(
            f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {text}"
        )
    return value


def padded(key: int) -> str:
    """A hash key as rows have it."""
    return f"{key:039d}"


def starts_of(count: int) -> list[int]:
    """Where each of so many shards of equal size begins."""
    size = HASH_KEYS // count
    return [place * size for place in range(count)]
