"""Which shards of a stream may be read, and which records are done: parents before children, whatever the factor was.

Pure. A shard without a row has not begun; it is done when all lanes of some factor have ended, or when a child of it
has begun.
AWS: Lambda Developer Guide, "Polling and batching streams" (shards are processed in order, parents first).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from undercast.services.event_sources.progress import START, Lane, Progress
from undercast.services.event_sources.records import Listing, Record


class Book:
    """What is known of one consumer's reading."""

    def __init__(self, lanes: Mapping[Lane, Progress], factor: int) -> None:
        self._lanes: dict[str, dict[Lane, Progress]] = defaultdict(dict)
        self._factor = factor
        self._since = lanes.get(START, Progress()).since
        for lane, progress in lanes.items():
            if lane != START:
                self._lanes[lane.shard_id][lane] = progress

    def put(self, lane: Lane, progress: Progress) -> None:
        """As it was committed."""
        self._lanes[lane.shard_id][lane] = progress

    def forget_others(self, listing: Listing) -> list[str]:
        """Shards that are known here and not listed any more."""
        listed = {shard.id for shard in listing.shards}
        gone = [shard_id for shard_id in self._lanes if shard_id not in listed]
        for shard_id in gone:
            del self._lanes[shard_id]
        return gone

    def readable(self, listing: Listing) -> list[str]:
        """The shards that are not done and whose parents are."""
        listed = {shard.id for shard in listing.shards}
        done = self._done(listing)
        return [
            shard.id
            for shard in listing.shards
            if shard.id not in done and all(parent in done or parent not in listed for parent in shard.parents)
        ]

    def _done(self, listing: Listing) -> set[str]:
        done: set[str] = set()
        for shard in reversed(listing.shards):
            if self._has_ended(shard.id):
                done.add(shard.id)
            if shard.id in done or self._lanes.get(shard.id):
                done.update(shard.parents)
        return done

    def _has_ended(self, shard_id: str) -> bool:
        ended: dict[int, int] = defaultdict(int)
        for lane, progress in self._lanes.get(shard_id, {}).items():
            ended[lane.factor] += progress.ended
        return any(number == factor for factor, number in ended.items())

    def lanes(self, shard_id: str) -> list[tuple[Lane, Progress]]:
        """Those of the present factor that have not ended, each with where it begins."""
        found = [Lane(shard_id, self._factor, number) for number in range(self._factor)]
        return [(lane, start) for lane in found if not (start := self._start(lane)).ended]

    def _start(self, lane: Lane) -> Progress:
        known = self._lanes.get(lane.shard_id, {})
        if lane in known:
            return known[lane]
        by_factor: dict[int, list[Progress]] = defaultdict(list)
        for other, progress in known.items():
            by_factor[other.factor].append(progress)
        # Every lane of an older factor has come at least so far.
        least = [
            min((one for one in lanes if not one.ended), key=lambda one: int(one.sequence or 0), default=None)
            for factor, lanes in by_factor.items()
            if len(lanes) == factor
        ]
        furthest = max((one for one in least if one is not None), key=lambda one: int(one.sequence or 0), default=None)
        if furthest is None:
            return Progress(since=self._since)
        return Progress(sequence=furthest.sequence, since=furthest.since)

    def is_done(self, shard_id: str, record: Record) -> bool:
        """Whether an earlier factor's lane has done it."""
        return any(
            lane.number == record.lane(lane.factor) and (progress.ended or _is_behind(record, progress))
            for lane, progress in self._others(shard_id)
        )

    def _others(self, shard_id: str) -> Iterable[tuple[Lane, Progress]]:
        return ((lane, one) for lane, one in self._lanes.get(shard_id, {}).items() if lane.factor != self._factor)


def _is_behind(record: Record, progress: Progress) -> bool:
    return bool(progress.sequence) and int(record.sequence) <= int(progress.sequence)
