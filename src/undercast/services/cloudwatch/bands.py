"""Anomaly detection: the band in which a metric is expected, from its own last two weeks.

Pure. At each time the band is the mean of what was measured before, so many standard deviations wide to both sides: at
this hour of the week where that is known, else at this hour of the day, else at all. Nothing of later times is in it.
AWS's own model is not public; as here it learns from up to two weeks, by the hour, day and week.
AWS: CloudWatch User Guide, "Using CloudWatch anomaly detection", "How anomaly detection works"; ADR 75.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from undercast.services.cloudwatch.lines import Line

FUNCTION = "ANOMALY_DETECTION_BAND"
UPPER, LOWER = "upper", "lower"
DEVIATIONS = 2.0
"""Where the function is not told another number."""
HOUR_S, DAY_S, WEEK_S = 3600, 86_400, 7 * 86_400
TRAINING_S = 2 * WEEK_S
LEAST = 3
"""Data points that tell something."""
_SEASONS = ((WEEK_S, WEEK_S - HOUR_S), (DAY_S, DAY_S - HOUR_S), (HOUR_S, 0))
"""(what comes again, how long the points of an hour of it must reach back)"""


def band(line: Line, past: Line, times: Iterable[int], deviations: float) -> list[Line]:
    """[upper, lower] of a series at these times; `past` is the series from TRAINING_S before them on."""
    model = Model(past.values)
    upper: dict[int, float] = {}
    lower: dict[int, float] = {}
    for at in times:
        found = model.expected(at)
        if found is not None:
            mean, deviation = found
            upper[at], lower[at] = mean + deviations * deviation, mean - deviations * deviation
    return [replace(line, label=UPPER, values=upper), replace(line, label=LOWER, values=lower)]


class Model:
    """What is known of a series."""

    def __init__(self, values: Mapping[int, float]) -> None:
        self._seasons = [_grouped(values, length_s) for length_s, _ in _SEASONS]

    def expected(self, at: int) -> tuple[float, float] | None:
        """(mean, standard deviation) of what was before; None where too little is known."""
        for (length_s, reach_s), groups in zip(_SEASONS, self._seasons, strict=True):
            group = groups.get(_hour(at, length_s))
            found = group.before(at, reach_s) if group is not None else None
            if found is not None:
                return found
        return None


def _hour(at: int, length_s: int) -> int:
    return at % length_s // HOUR_S


def _grouped(values: Mapping[int, float], length_s: int) -> dict[int, "_Group"]:
    found: dict[int, list[tuple[int, float]]] = {}
    for at, value in sorted(values.items()):
        found.setdefault(_hour(at, length_s), []).append((at, value))
    return {hour: _Group(points) for hour, points in found.items()}


class _Group:
    """Points in the order of time, summed up so that any stretch of them costs the same."""

    def __init__(self, points: Sequence[tuple[int, float]]) -> None:
        self._times = [at for at, _ in points]
        self._base = points[0][1]
        """Sums are of what differs from it, so that large values lose no digits."""
        self._sums, self._squares = [0.0], [0.0]
        for _, value in points:
            self._sums.append(self._sums[-1] + value - self._base)
            self._squares.append(self._squares[-1] + (value - self._base) ** 2)

    def before(self, at: int, reach_s: int) -> tuple[float, float] | None:
        """Of the points of TRAINING_S before; None for too few, or for some that do not reach back so far."""
        first, end = bisect_left(self._times, at - TRAINING_S), bisect_left(self._times, at)
        count = end - first
        if count < LEAST or self._times[end - 1] - self._times[first] < reach_s:
            return None
        mean = (self._sums[end] - self._sums[first]) / count
        square = (self._squares[end] - self._squares[first]) / count
        return self._base + mean, math.sqrt(max(0.0, square - mean * mean))
