"""Rates that callers are held to where that is asked for: buckets that fill with time, on the platform's clock.

In memory only. AWS: each service's quotas; how full a bucket may be is the service's own.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from undercast.core.clock import PlatformClock

K = TypeVar("K", bound=Hashable)

_MOST_KEPT = 10_000
"""Beyond them all begin full again."""


@dataclass(slots=True)
class Bucket:
    """What is left to take. Below zero it is owed."""

    left: float
    at: float
    """When that was so, in seconds of the platform's clock."""


class Buckets(Generic[K]):
    """One for each name that was asked for."""

    def __init__(self, clock: PlatformClock) -> None:
        self._clock = clock
        self._kept: dict[K, Bucket] = {}

    def find(self, key: K, rate: float, most: float) -> Bucket:
        """As it is now: filled by `rate` a second, up to `most`. A new one is full."""
        now = self._clock.now()
        bucket = self._kept.get(key)
        if bucket is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            bucket = self._kept[key] = Bucket(most, now)
        passed_s = max(0.0, now - bucket.at)  # the machine's clock may be set back
        bucket.left, bucket.at = min(most, bucket.left + rate * passed_s), now
        return bucket

    def forget(self) -> None:
        """The rows that they are named by were deleted behind our back."""
        self._kept.clear()
