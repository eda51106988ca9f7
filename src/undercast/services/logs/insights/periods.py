"""Periods of time, "5m" or "2months", and the moments at which they begin.

Pure. Months, quarters and years begin as the calendar has it, in UTC; all others are counted from 1970.
AWS: CloudWatch Logs User Guide, "Datetime functions" (units and their abbreviations).
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

_NAMES = {
    "ms": "ms msec msecs millisecond milliseconds",
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "w": "w week weeks",
    "mo": "mo mon mons month months",
    "q": "q qtr qtrs quarter quarters",
    "y": "y yr yrs year years",
}
_UNIT_OF = {name: unit for unit, names in _NAMES.items() for name in names.split()}
UNITS = "|".join(sorted(_UNIT_OF, key=len, reverse=True))
"""A regular expression of all of them."""
_PERIOD = re.compile(rf"(\d{{1,9}})({UNITS})?")
_LENGTH_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONTHS = {"mo": 1, "q": 3, "y": 12}


class Period(NamedTuple):
    """So many milliseconds, or so many months."""

    length_ms: int
    months: int = 0


@lru_cache(maxsize=256)
def period_of(text: str) -> Period | None:
    """A bare number is milliseconds; None for what is no period."""
    found = _PERIOD.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        return None
    count, unit = int(found[1]), _UNIT_OF[found[2] or "ms"]
    if unit in _MONTHS:
        return Period(0, min(count, 1000) * _MONTHS[unit])
    return Period(count * _LENGTH_MS[unit])


def begin_of(at_ms: int, period: Period) -> int:
    """The last beginning of a period before or at a moment."""
    if not period.months:
        return at_ms - at_ms % period.length_ms
    return _month_ms(_month_of(at_ms) // period.months * period.months)


def next_begin(at_ms: int, period: Period) -> int:
    """The next beginning at or behind a moment."""
    begin = begin_of(at_ms, period)
    if begin == at_ms:
        return begin
    if not period.months:
        return begin + period.length_ms
    return _month_ms(_month_of(begin) + period.months)


def _month_of(at_ms: int) -> int:
    at = datetime.fromtimestamp(min(max(at_ms / 1000, 0), 253_000_000_000), UTC)
    return at.year * 12 + at.month - 1


def _month_ms(month: int) -> int:
    year = min(max(month // 12, 1), 9999)
    return int(datetime(year, month % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
