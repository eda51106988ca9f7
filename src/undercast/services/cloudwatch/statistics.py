"""What a statistic makes of a tally: Average, p99, TM(10%:90%), PR(:300) and all the others.

Pure. Ranks are whole samples: pNN is the largest value of the lowest NN percent, rounded up, so that tmNN is the
average of what is not above pNN. Values outside a range are not above its lower bound, or above its upper.
AWS: CloudWatch User Guide, "CloudWatch statistics definitions".
"""

import math
import re
from collections.abc import Callable
from functools import lru_cache

from undercast.core.metrics import Tally

Statistic = Callable[[Tally], float | None]
Ranged = list[tuple[float, float]]
"""(value, count), lowest first."""

SIMPLE: dict[str, Statistic] = {
    "SampleCount": lambda tally: tally.count,
    "Sum": lambda tally: tally.total,
    "Average": lambda tally: tally.total / tally.count if tally.count else None,
    "Minimum": lambda tally: tally.low,
    "Maximum": lambda tally: tally.high,
}
_NUMBER = r"\d+(?:\.\d{0,10})?(?:[Ee][+-]?\d+)?"
_SHORT = re.compile(r"(p|tm|wm|tc|ts)(\d{1,2}(?:\.\d{0,10})?|100(?:\.0{0,10})?)")
_LONG = re.compile(rf"(TM|WM|TC|TS|PR)\(({_NUMBER})?(%)?:({_NUMBER})?(%)?\)")


def is_percentile(name: str) -> bool:
    """Whether it is of the form pNN."""
    found = _SHORT.fullmatch(name)
    return found is not None and found[1] == "p"


@lru_cache(maxsize=512)
def statistic(name: str) -> Statistic | None:
    """The function of a name; None for what is no statistic."""
    if name in SIMPLE:
        return SIMPLE[name]
    if name == "IQM":
        return _extended("TM", 25.0, 75.0, percent=True)
    if short := _SHORT.fullmatch(name):
        kind, upper = short[1].upper(), float(short[2])
        if kind == "P":
            return lambda tally: _percentile(tally, upper)
        return _extended(kind, None, upper, percent=True)
    found = _LONG.fullmatch(name)
    if found is None or (found[2] is None and found[4] is None):
        return None
    percent = "%" in (found[3], found[5])
    if percent and (found[1] == "PR" or (found[2] is None) == bool(found[3]) or (found[4] is None) == bool(found[5])):
        return None
    bounds = tuple(None if text is None else float(text) for text in (found[2], found[4]))
    if percent and any(bound is not None and bound > 100 for bound in bounds):
        return None
    return _extended(found[1], *bounds, percent=percent)


def _values(tally: Tally) -> Ranged | None:
    """Lowest first; None where there are none to rank: statistic sets, negative values."""
    if not tally.values or tally.low < 0:
        return None
    return sorted(tally.values.items())


def _percentile(tally: Tally, percent: float) -> float | None:
    values = _values(tally)
    if values is None:
        return None
    rank = _rank(percent, sum(count for _, count in values))
    seen = 0.0
    for value, count in values:
        seen += count
        if seen >= rank:
            return value
    return values[-1][0]


def _rank(percent: float, count: float) -> float:
    return math.ceil(round(percent * count / 100, 9))


def _extended(kind: str, lower: float | None, upper: float | None, *, percent: bool) -> Statistic:
    def compute(tally: Tally) -> float | None:
        values = _values(tally)
        if values is None:
            return None
        total = sum(count for _, count in values)
        if kind == "WM":
            return _winsorized(values, total, (lower, upper), percent=percent)
        inside = _by_rank(values, total, lower, upper) if percent else _by_value(values, lower, upper)
        count = sum(one for _, one in inside)
        if kind == "TC":
            return count
        if kind == "PR":
            return 100 * count / total
        added = sum(value * one for value, one in inside)
        if kind == "TS":
            return added
        return added / count if count else None

    return compute


def _by_value(values: Ranged, lower: float | None, upper: float | None) -> Ranged:
    return [
        (value, count)
        for value, count in values
        if (lower is None or value > lower) and (upper is None or value <= upper)
    ]


def _by_rank(values: Ranged, total: float, lower: float | None, upper: float | None) -> Ranged:
    first = math.floor(round((lower or 0.0) * total / 100, 9))
    last = total if upper is None else _rank(upper, total)
    inside: Ranged = []
    seen = 0.0
    for value, count in values:
        kept = min(seen + count, last) - max(seen, first)
        if kept > 0:
            inside.append((value, kept))
        seen += count
    return inside


def _winsorized(
    values: Ranged, total: float, bounds: tuple[float | None, float | None], *, percent: bool
) -> float | None:
    lower, upper = bounds
    if percent:
        inside = _by_rank(values, total, lower, upper)
        if not inside:
            return None
        lower, upper = inside[0][0], inside[-1][0]
    low = values[0][0] if lower is None else lower
    high = values[-1][0] if upper is None else upper
    return sum(min(max(value, low), high) * count for value, count in values) / total
