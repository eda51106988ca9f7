"""Records: into a shard by their hash key, and out of it from a position on.

Each function runs inside a transaction. A record is rung for after the commit (`events/arrivals.py`).
AWS: Kinesis API Reference, PutRecords, GetRecords.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from undercast.core.clock import moment
from undercast.services.kinesis import store
from undercast.services.kinesis.models import Stream, padded, shard_name, shown_sequence
from undercast.store.database import Row, Tx

MAX_BYTES = 10 * 1024 * 1024
"""Of one answer."""


class New(NamedTuple):
    """A record to be written."""

    data: bytes
    partition_key: str
    hash_key: int

    @property
    def size(self) -> int:
        """As the limits count it."""
        return len(self.data) + len(self.partition_key.encode())


class Placed(NamedTuple):
    """Where a record is."""

    shard: Row
    place: int


class Limits(NamedTuple):
    """Of one page."""

    records: int
    size: int


class Page(NamedTuple):
    """What was read at once, and where the reading goes on; None at the end of a shard that is closed."""

    records: list[dict[str, Any]]
    following: int | None
    behind_ms: int
    size: int
    children: list[dict[str, Any]]
    """ChildShards, where nothing follows."""


def shard_for(open_shards: Sequence[Row], hash_key: int) -> Row:
    """The open shard of a hash key."""
    return open_shards[bisect_right(open_shards, padded(hash_key), key=lambda row: row["low"]) - 1]


def append(tx: Tx, stream: Stream, news: Sequence[tuple[Row, New]], now: float) -> list[Placed]:
    """Records at the ends of their shards, in this order."""
    first = store.take_places(tx, stream.id, len(news))
    tx.insert_many(
        "INSERT INTO kinesis_record (shard_id, sequence, at, partition_key, encrypted, size, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (shard["id"], first + at, now, new.partition_key, bool(stream.key_id), new.size, new.data)
            for at, (shard, new) in enumerate(news)
        ],
    )
    return [Placed(shard, first + at) for at, (shard, _) in enumerate(news)]


def read(tx: Tx, stream: Stream, start: tuple[Row, int], limits: Limits, now: float) -> Page:
    """From a place in a shard on."""
    shard, following = start
    found: list[dict[str, Any]] = []
    size, last_at = 0, now
    for row in store.LOG.records(tx, shard["id"], following, stream.since(now)):
        if len(found) == limits.records or (found and size + row["size"] > limits.size):
            return Page(found, following, max(1, int((now - last_at) * 1000)), size, [])
        size += row["size"]
        found.append(_shown(stream, shard, row))
        following, last_at = row["sequence"] + 1, row["at"]
    if shard["closed_at"] is None:
        return Page(found, following, 0, size, [])
    return Page(found, None, 0, size, shown_children(tx, shard))


def _shown(stream: Stream, shard: Row, row: Row) -> dict[str, Any]:
    record = {
        "SequenceNumber": shown_sequence(stream.id, row["sequence"], shard["number"]),
        "ApproximateArrivalTimestamp": moment(row["at"]),
        "Data": row["data"],
        "PartitionKey": row["partition_key"],
    }
    return {**record, "EncryptionType": "KMS"} if row["encrypted"] else record


def shown_children(tx: Tx, shard: Row) -> list[dict[str, Any]]:
    """ChildShards, at the end of a shard."""
    return [
        {
            "ShardId": shard_name(row["number"]),
            "ParentShards": [shard_name(one) for one in (row["parent"], row["adjacent"]) if one is not None],
            "HashKeyRange": {"StartingHashKey": str(int(row["low"])), "EndingHashKey": str(int(row["high"]))},
        }
        for row in store.children(tx, shard)
    ]
