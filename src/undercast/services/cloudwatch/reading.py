"""From points to the data points of an answer: those of one series, summed up by period.

Synchronous, within one reading transaction. Points that have become wider than the period are left out, as on AWS.
AWS: CloudWatch API Reference, GetMetricStatistics (how times are rounded); User Guide, "Periods".
"""

from collections.abc import Callable
from typing import NamedTuple

from undercast.core.metrics import Series, Tally
from undercast.services.cloudwatch import points
from undercast.services.cloudwatch.budget import ROW
from undercast.store.database import Tx

HIGH_RESOLUTION_PERIODS = frozenset({1, 5, 10, 20, 30})


def free(_units: int) -> None:
    """What reads each metric once is bounded by that."""


class Window(NamedTuple):
    """A stretch of time cut into periods, from its start on. Seconds; the end is not part of it."""

    start_s: int
    end_s: int
    period_s: int
    spend: Callable[[int], None] = free
    """Told of each stored point that is read in it; see `budget`."""

    def starts(self) -> range:
        """Where the periods begin."""
        return range(self.start_s, self.end_s, self.period_s)


def is_period(seconds: int) -> bool:
    """Whether it can be one."""
    return seconds in HIGH_RESOLUTION_PERIODS or (seconds > 0 and seconds % 60 == 0)


def by_unit(tx: Tx, series: Series, window: Window, now_s: float) -> dict[str, dict[int, Tally]]:
    """Unit -> begin of a period -> tally of what is in it."""
    found: dict[str, dict[int, Tally]] = {}
    key = points.key_of(series)
    for at_s, width_s, unit, tally in points.points(tx, key, window.start_s, window.end_s, now_s):
        window.spend(ROW)
        if width_s > window.period_s:
            continue
        begin_s = at_s - (at_s - window.start_s) % window.period_s
        periods = found.setdefault(unit, {})
        if begin_s in periods:
            periods[begin_s].merge(tally)
        else:
            periods[begin_s] = tally
    return found


def of_unit(tx: Tx, series: Series, window: Window, now_s: float, unit: str | None) -> dict[int, Tally]:
    """The same for one unit, or for all units together."""
    found = by_unit(tx, series, window, now_s)
    if unit is not None:
        return found.get(unit, {})
    merged: dict[int, Tally] = {}
    for periods in found.values():
        merge(merged, periods)
    return dict(sorted(merged.items()))


def merge(into: dict[int, Tally], periods: dict[int, Tally]) -> None:
    """Add the tallies of other periods; they are `into`'s from then on."""
    for begin_s, tally in periods.items():
        if begin_s in into:
            into[begin_s].merge(tally)
        else:
            into[begin_s] = tally
