"""What becomes of a stream's shards in one transaction: which are closed and which begin, before any row is written.

Pure. Each opening and each closing takes a place among the stream's sequence numbers, counted here from 0.
AWS: Kinesis Developer Guide, "Reshard a stream"; API Reference, SplitShard, MergeShards, UpdateShardCount.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Range(NamedTuple):
    """Hash keys, both ends included."""

    low: int
    high: int


class Origin(NamedTuple):
    """The numbers of the shards that a new one follows; none for those that a stream begins with."""

    parent: int | None = None
    adjacent: int | None = None


NO_ORIGIN = Origin()


class Shard(NamedTuple):
    """An open shard."""

    number: int
    keys: Range


class Opened(NamedTuple):
    """A shard that begins, and its place."""

    shard: Shard
    origin: Origin
    place: int


class ShardChanges:
    """They are gathered here, in order. `number` is the one that the next new shard gets."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.places = 0
        """How many are taken."""
        self.opened: list[Opened] = []
        self.closed: dict[int, int] = {}
        """Number of a shard -> the place of its closing; new ones that do not stay, too."""

    def begin(self, keys: Range, origin: Origin = NO_ORIGIN) -> Shard:
        """A new shard."""
        shard = Shard(self._number, keys)
        self._number += 1
        self.opened.append(Opened(shard, origin, self._place()))
        return shard

    def close(self, number: int) -> None:
        """Nothing is added to it any more."""
        self.closed[number] = self._place()

    def split(self, shard: Shard, start: int) -> tuple[Shard, Shard]:
        """Two children; the second begins at this hash key."""
        self.close(shard.number)
        origin = Origin(shard.number)
        return (
            self.begin(Range(shard.keys.low, start - 1), origin),
            self.begin(Range(start, shard.keys.high), origin),
        )

    def merge(self, shard: Shard, other: Shard) -> Shard:
        """One child of two that are adjacent."""
        for one in (shard, other):
            self.close(one.number)
        keys = Range(min(shard.keys.low, other.keys.low), max(shard.keys.high, other.keys.high))
        return self.begin(keys, Origin(shard.number, other.number))

    def scale(self, shards: Sequence[Shard], starts: Sequence[int]) -> None:
        """Shards that begin at these hash keys alone, of all that are open, both by hash keys: splits and then merges.

        One walk over both. What is right already stays.
        """
        pieces: list[Shard] = []
        left = list(reversed(starts))
        for shard in shards:
            while left and left[-1] <= shard.keys.high:
                start = left.pop()
                if start != shard.keys.low:
                    lower, shard = self.split(shard, start)
                    pieces.append(lower)
            pieces.append(shard)
        beginnings = frozenset(starts)
        merged = pieces[0]
        for piece in pieces[1:]:
            merged = piece if piece.keys.low in beginnings else self.merge(merged, piece)

    def _place(self) -> int:
        self.places += 1
        return self.places - 1
