"""What a shard takes and gives in a second, where shards are held to it (`--throttle-streams`).

In memory, on the platform clock: a bucket that holds one second's worth. Without the option everything passes.
AWS: Kinesis Developer Guide, "Quotas and limits": 1,000 records or 1 MB a second written, 5 calls or 2 MB a second
read; 10 MB may be read at once, and the calls of the next five seconds are refused then.
"""

from undercast.core.clock import PlatformClock
from undercast.core.rates import Bucket, Buckets

WRITTEN_RECORDS, WRITTEN_BYTES = 1000.0, 1024.0 * 1024
READ_CALLS, READ_BYTES = 5.0, 2.0 * 1024 * 1024


class Throttle:
    """The buckets of all shards."""

    def __init__(self, clock: PlatformClock, *, enabled: bool) -> None:
        self._enabled = enabled
        self._buckets: Buckets[tuple[int, str]] = Buckets(clock)

    def writes(self, shard_id: int, size: int) -> bool:
        """Whether a record of this size may be written now; it is counted then."""
        if not self._enabled:
            return True
        records = self._bucket(shard_id, "records", WRITTEN_RECORDS)
        sizes = self._bucket(shard_id, "written", WRITTEN_BYTES)
        # A record beyond 1 MB is let through when the bucket is full.
        if records.left < 1 or sizes.left < min(size, WRITTEN_BYTES):
            return False
        records.left -= 1
        sizes.left -= size
        return True

    def reads(self, shard_id: int) -> bool:
        """Whether the shard may be read now; the call is counted then."""
        if not self._enabled:
            return True
        calls, sizes = self._bucket(shard_id, "calls", READ_CALLS), self._bucket(shard_id, "read", READ_BYTES)
        if calls.left < 1 or sizes.left <= 0:
            return False
        calls.left -= 1
        return True

    def has_read(self, shard_id: int, size: int) -> None:
        """What the call has given: more than a second's worth is owed."""
        if self._enabled:
            self._bucket(shard_id, "read", READ_BYTES).left -= size

    def forget(self) -> None:
        """Rows were deleted behind our back."""
        self._buckets.forget()

    def _bucket(self, shard_id: int, kind: str, rate: float) -> Bucket:
        return self._buckets.find((shard_id, kind), rate, rate)
