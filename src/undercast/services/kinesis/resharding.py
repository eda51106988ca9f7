"""Shards that are split, merged, and made more or fewer: parents are closed, their children begin, in one transaction.

AWS: Kinesis Developer Guide, "Reshard a stream"; API Reference, SplitShard, MergeShards, UpdateShardCount.
"""

from collections.abc import Iterable

from undercast.services.kinesis import store
from undercast.services.kinesis.errors import invalid
from undercast.services.kinesis.models import Stream, shard_name, starts_of
from undercast.services.kinesis.shard_changes import Range, Shard
from undercast.store.database import Row, Tx


def begin(tx: Tx, stream: Stream, ranges: Iterable[Range], now: float) -> None:
    """The shards that a stream begins with."""
    changes = store.shard_changes(tx, stream.id)
    for keys in ranges:
        changes.begin(keys)
    store.change_shards(tx, stream.id, changes, now)


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
    changes = store.shard_changes(tx, stream.id)
    changes.split(_shard_of(shard), start)
    store.change_shards(tx, stream.id, changes, now)


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
    changes = store.shard_changes(tx, stream.id)
    changes.merge(_shard_of(shard), _shard_of(other))
    store.change_shards(tx, stream.id, changes, now)


def scale(tx: Tx, stream: Stream, count: int, now: float) -> None:
    """So many open shards of equal size, by splits and then merges; what is right already stays."""
    changes = store.shard_changes(tx, stream.id)
    changes.scale([_shard_of(row) for row in store.open_shards(tx, stream.id)], starts_of(count))
    store.change_shards(tx, stream.id, changes, now)


def _shard_of(row: Row) -> Shard:
    return Shard(row["number"], Range(int(row["low"]), int(row["high"])))


def _check_open(stream: Stream, shard: Row) -> None:
    if shard["closed_at"] is not None:
        raise invalid(
            f"Shard {shard_name(shard['number'])} in stream {stream.of.name} under account "
            f"{stream.of.scope.account_id} is not open."
        )
