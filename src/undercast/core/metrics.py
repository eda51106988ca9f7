"""Metric data on its way from whoever measures to CloudWatch, summed up in memory.

`put` costs some dictionary work and never waits; the `cloudwatch` service takes what has gathered every second and
before each reading. SIGKILL may lose that second. What is beyond the limits is not taken in; what has gathered stays.
AWS: CloudWatch User Guide, "CloudWatch concepts" (metrics, dimensions, resolution, statistics).
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from undercast.core.arn import Scope
from undercast.core.clock import Clock

Dimensions = tuple[tuple[str, str], ...]
"""(name, value) pairs in the order of their names."""

MINUTE_S = 60
MAX_DISTINCT = 200
"""So many different values of one point are kept as they are; more are rounded to two digits, which is within 5 %."""
_DIGITS = 2
MAX_POINTS, MAX_OF_SCOPE, MAX_OF_NAMESPACE = 100_000, 50_000, 25_000
"""Between two takings: of all, of an account in a region, and of a namespace there."""

log = logging.getLogger(__name__)


class Series(NamedTuple):
    """What CloudWatch calls a metric: each combination of dimensions is one of its own."""

    account_id: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions = ()

    @classmethod
    def of(cls, scope: Scope, namespace: str, name: str, dimensions: Dimensions = ()) -> "Series":
        """The series with its dimensions in order."""
        return cls(scope.account_id, scope.region, namespace, name, tuple(sorted(dimensions)))


class Point(NamedTuple):
    """Which point of a series a value belongs to. `at_s` is the platform clock's, rounded down to `width_s`."""

    series: Series
    unit: str
    at_s: int
    width_s: int


class Tally:
    """What has been seen: count, sum, extremes, and the values themselves with how often each was."""

    __slots__ = ("count", "high", "is_rounded", "low", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.low = float("inf")
        self.high = float("-inf")
        self.values: dict[float, float] | None = {}
        """None where only a statistic set is known: then there are no percentiles."""
        self.is_rounded = False

    @classmethod
    def of_set(cls, count: float, total: float, low: float, high: float) -> "Tally":
        """A statistic set. Its values are known only where they are all the same."""
        tally = cls()
        tally.count, tally.total, tally.low, tally.high = count, total, low, high
        tally.values = {low: count} if low == high and total == low * count else None
        return tally

    def add(self, value: float, count: float = 1.0) -> None:
        """One value, seen `count` times."""
        self.count += count
        self.total += value * count
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value
        values = self.values
        if values is not None:
            key = near(value) if self.is_rounded else value
            values[key] = values.get(key, 0.0) + count
            if len(values) > MAX_DISTINCT and not self.is_rounded:
                self._round(values)

    def _round(self, values: dict[float, float]) -> None:
        self.values, self.is_rounded = rounded(values), True

    @classmethod
    def of_values(cls, values: Sequence[float]) -> "Tally":
        """Many values at once."""
        tally = cls()
        if values:
            counted: dict[float, float] = dict(Counter(values))
            tally.is_rounded = len(counted) > MAX_DISTINCT
            tally.values = rounded(counted) if tally.is_rounded else counted
            tally.count, tally.total, tally.low, tally.high = float(len(values)), sum(values), min(values), max(values)
        return tally

    def merge(self, other: "Tally") -> None:
        """All that the other has seen."""
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        if self.values is None or other.values is None:
            self.values = None
            return
        if other.is_rounded and not self.is_rounded:
            self._round(self.values)
        values = self.values
        for value, count in other.values.items():
            key = near(value) if self.is_rounded else value
            values[key] = values.get(key, 0.0) + count
        if len(values) > MAX_DISTINCT and not self.is_rounded:
            self._round(values)


def near(value: float) -> float:
    """The value that stands for this one among many."""
    return float(f"{value:.{_DIGITS}g}")


def rounded(values: dict[float, float]) -> dict[float, float]:
    """Fewer values, near the ones they stand for."""
    merged: dict[float, float] = {}
    for value, count in values.items():
        key = near(value)
        merged[key] = merged.get(key, 0.0) + count
    return merged


class Metrics:
    """One per platform, for every service. Only used from the event loop."""

    def __init__(self) -> None:
        self._points: dict[Point, Tally] = {}
        self._held: Counter[tuple[str, ...]] = Counter()
        """How many points there are of an account in a region, and of a namespace there."""
        self._refused: Counter[tuple[str, str]] = Counter()
        self._sources: list[Callable[[], None]] = []

    def put(self, series: Series, value: float, at_s: float, *, unit: str = "None", count: float = 1.0) -> None:
        """A value at a moment of the platform clock, in standard resolution."""
        self.tally(series, at_s, unit).add(value, count)

    def tally(self, series: Series, at_s: float, unit: str = "None", width_s: int = MINUTE_S) -> Tally:
        """What gathers the values of one point, for whoever has several to add; nobody's where there is no room."""
        whole = int(at_s)
        point = Point(series, unit, whole - whole % width_s, width_s)
        tally = self._points.get(point)
        if tally is None:
            tally = Tally()
            if self._has_room(series):
                self._points[point] = tally
        return tally

    def _has_room(self, series: Series) -> bool:
        scope, namespace = series[:2], series[:3]
        if (
            len(self._points) >= MAX_POINTS
            or self._held[scope] >= MAX_OF_SCOPE
            or self._held[namespace] >= MAX_OF_NAMESPACE
        ):
            self._refused[scope] += 1
            return False
        self._held[scope] += 1
        self._held[namespace] += 1
        return True

    def feed(self, source: Callable[[], None]) -> None:
        """Call this before what has gathered is taken: for a service that sums up by itself on a hot path."""
        self._sources.append(source)

    def take(self) -> dict[Point, Tally]:
        """All that has gathered, which is the caller's from now on."""
        for source in self._sources:
            source()
        points, self._points = self._points, {}
        self._held.clear()
        for (account_id, region), count in self._refused.items():
            text = "%d values of new metrics of %s in %s were dropped: there are too many in a second"
            log.warning(text, count, account_id, region)
        self._refused.clear()
        return points


class Meter:
    """What a service measures where requests are served: some tenths of a microsecond each, made points when taken.

    Only used from the event loop.
    """

    def __init__(self, metrics: Metrics, clock: Clock, namespace: str) -> None:
        self._metrics = metrics
        self._clock = clock
        self._namespace = namespace
        self._seen: dict[tuple[str, Dimensions, Scope, str, int], Tally] = {}
        metrics.feed(self._hand_over)

    def put(self, scope: Scope, name: str, dimensions: Dimensions, value: float = 1.0, unit: str = "Count") -> None:
        """A value of now."""
        key = (name, dimensions, scope, unit, int(self._clock.now()) // MINUTE_S)
        tally = self._seen.get(key)
        if tally is None:
            tally = self._seen[key] = Tally()
        tally.add(value)

    def _hand_over(self) -> None:
        seen, self._seen = self._seen, {}
        for (name, dimensions, scope, unit, minute), tally in seen.items():
            series = Series.of(scope, self._namespace, name, dimensions)
            self._metrics.tally(series, minute * MINUTE_S, unit).merge(tally)
