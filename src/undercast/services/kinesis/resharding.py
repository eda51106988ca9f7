"""Shards that are split, merged, and made more or fewer: parents are closed, their children begin, in one transaction.

AWS: Kinesis Developer Guide, "Reshard a stream"; API Reference, SplitShard, MergeShards, UpdateShardCount.
"""

from undercast.services.kinesis import store
from undercast.services.kinesis.errors import invalid
from undercast.services.kinesis.models import HASH_KEYS, Stream, shard_name, starts_of
from undercast.services.kinesis.store import Origin, Range
from undercast.store.database import Row, Tx


def check_split(stream: Stream, shard: Row, start: int) -> None:
    """Raises InvalidArgumentException for a hash key at which the shard cannot be split."""
    low, high = int(shard["low"]), int(shard["high"])
    if not low + 1 < start < high:
        raise invalid(
            f"NewStartingHashKey {start} used in SplitShard() on shard {shard_name(shard['number'])} in stream "
            f"{stream.of.name} under account {stream.of.scope.account_id} is not both greater than one plus the "
            f"shard's StartingHashKey {low} and less than the shard's EndingHashKey {high}."
        )


def split(tx: Tx, stream: Stream, shard: Row, start: int, now: float) -> None:
    """Two children; the second begins at this hash key. Raises InvalidArgumentException."""
    _check_open(stream, shard)
    store.close_shard(tx, shard, now)
    for keys in (Range(int(shard["low"]), start - 1), Range(start, int(shard["high"]))):
        store.add_shard(tx, stream.id, keys, Origin(shard["number"]), now)


def merge(tx: Tx, stream: Stream, shard: Row, other: Row, now: float) -> None:
    """One child of both. Raises InvalidArgumentException."""
    for one in (shard, other):
        _check_open(stream, one)
    lower, upper = sorted((shard, other), key=lambda row: str(row["low"]))
    if int(lower["high"]) + 1 != int(upper["low"]):
        raise invalid(
            f"Shards {shard_name(shard['number'])} and {shard_name(other['number'])} in stream {stream.of.name} under "
            f"account {stream.of.scope.account_id} are not an adjacent pair of shards eligible for merging."
        )
    for one in (shard, other):
        store.close_shard(tx, one, now)
    keys = Range(int(lower["low"]), int(upper["high"]))
    store.add_shard(tx, stream.id, keys, Origin(shard["number"], other["number"]), now)


def scale(tx: Tx, stream: Stream, count: int, now: float) -> None:
    """So many open shards of equal size, by splits and then merges; what is right already stays."""
    starts = starts_of(count)
    for start in starts[1:]:
        shard = next(row for row in store.open_shards(tx, stream.id) if int(row["low"]) <= start <= int(row["high"]))
        if int(shard["low"]) != start:
            split(tx, stream, shard, start, now)
    for start, end in zip(starts, [*starts[1:], HASH_KEYS], strict=True):
        while len(inside := [row for row in store.open_shards(tx, stream.id) if start <= int(row["low"]) < end]) > 1:
            merge(tx, stream, inside[0], inside[1], now)


def _check_open(stream: Stream, shard: Row) -> None:
    if shard["closed_at"] is not None:
        raise invalid(
            f"Shard {shard_name(shard['number'])} in stream {stream.of.name} under account "
            f"{stream.of.scope.account_id} is not open."
        )
