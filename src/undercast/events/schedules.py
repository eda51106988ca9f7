"""Schedule expressions: when do rate(), cron() and at() come round next?

Pure. Times in and out are seconds since the epoch; a cron expression and an at() are read in a time zone.
AWS: EventBridge User Guide, "Setting a schedule pattern for scheduled rules"; EventBridge Scheduler User Guide,
"Schedule types in EventBridge Scheduler" (time zones, daylight saving time). ADR 0042 says why this is our own.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from undercast.core.record import record

_UNITS_S: Mapping[str, float] = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_RATE = re.compile(r"rate\((\d{1,9})\s+(minute|hour|day)(s?)\)", re.ASCII)
_CRON = re.compile(r"cron\(\s*([^()]*?)\s*\)")
_AT = re.compile(r"at\(\s*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\s*\)", re.ASCII)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_OVER_AT = datetime(_LAST_YEAR + 1, 1, 3, tzinfo=UTC).timestamp()
"""The last year is over in every time zone."""
_SATURDAY, _SUNDAY = 7, 1
OnDay = Callable[[date], bool]


class InvalidSchedule(ValueError):
    """The text is no schedule expression."""


@record
class Rate:
    """rate(5 minutes): every so many seconds from its anchor on."""

    period_s: float

    def after(self, moment: float, *, anchor: float, zone: tzinfo = UTC) -> float | None:
        """The first time behind the moment; the first of all is one period behind the anchor."""
        if moment < anchor:
            return anchor + self.period_s
        return anchor + ((moment - anchor) // self.period_s + 1) * self.period_s

    def last(self, span: tuple[float, float], *, anchor: float, zone: tzinfo = UTC) -> float | None:
        """The last time behind the first moment of a span, up to the second one; None for none."""
        turns = (span[1] - anchor) // self.period_s
        at = anchor + turns * self.period_s
        return at if turns >= 1 and at > span[0] else None


@record
class Once:
    """at(2026-11-29T12:00:00): one time, in the schedule's time zone."""

    local: datetime

    def after(self, moment: float, *, anchor: float, zone: tzinfo = UTC) -> float | None:
        """That time, once only."""
        at = self.local.replace(tzinfo=zone).timestamp()
        return at if at > moment else None

    def last(self, span: tuple[float, float], *, anchor: float, zone: tzinfo = UTC) -> float | None:
        """See `Rate.last`."""
        at = self.after(span[0], anchor=anchor, zone=zone)
        return at if at is not None and at <= span[1] else None


@record
class Cron:
    """cron(minutes hours day-of-month month day-of-week year)."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    on_day: OnDay

    def after(self, moment: float, *, anchor: float, zone: tzinfo = UTC) -> float | None:
        """The first time behind the moment; None when no year is left.

        A local time that daylight saving time leaves out is left out; one that comes twice counts once.
        """
        if moment > _OVER_AT:  # the last moments of 9999 are no date in zones that are ahead
            return None
        begin = datetime.fromtimestamp(moment, zone)
        for day in self._days(begin.date()):
            for hour in self.hours:
                if day == begin.date() and hour < begin.hour:
                    continue
                for minute in self.minutes:
                    at = _at(day, (hour, minute), zone)
                    if at is not None and at > moment:
                        return at
        return None

    def last(self, span: tuple[float, float], *, anchor: float, zone: tzinfo = UTC) -> float | None:
        """See `Rate.last`."""
        begin, end = (datetime.fromtimestamp(moment, zone) for moment in span)
        for back in range((end.date() - begin.date()).days + 1):
            day = end.date() - timedelta(days=back)
            if day.year not in self.years or day.month not in self.months or not self.on_day(day):
                continue
            for hour in reversed(self.hours):
                if back == 0 and hour > end.hour:
                    continue
                for minute in reversed(self.minutes):
                    at = _at(day, (hour, minute), zone)
                    if at is not None and at <= span[1]:
                        return at if at > span[0] else None
        return None

    def _days(self, first: date) -> Iterator[date]:
        for year in range(first.year, _LAST_YEAR + 1):
            if year not in self.years:
                continue
            for month in range(first.month if year == first.year else 1, 13):
                if month not in self.months:
                    continue
                for number in range(1, monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= first and self.on_day(day):
                        yield day


Schedule = Rate | Cron | Once


def _at(day: date, time: tuple[int, int], zone: tzinfo) -> float | None:
    """A local time, hour and minute, as a moment; None for one that daylight saving time leaves out."""
    at = datetime(day.year, day.month, day.day, *time, tzinfo=zone).timestamp()
    return at if datetime.fromtimestamp(at, zone).hour == time[0] else None


@lru_cache(maxsize=1024)
def parse_schedule(text: str, *, of_scheduler: bool = False) -> Schedule:
    """Raises InvalidSchedule. EventBridge Scheduler has at(), too, and minds no plural; rules have neither.

    AWS: EventBridge Scheduler API Reference, CreateSchedule: "a value as a positive integer, and a unit with the
    following options: minute | minutes | hour | hours | day | days".
    """
    if (found := _RATE.fullmatch(text)) is not None:
        is_plural = int(found[1]) > 1 if of_scheduler else bool(found[3])
        return _rate(int(found[1]), found[2], is_plural)
    if (found := _CRON.fullmatch(text)) is not None:
        return _cron(found[1].split())
    if of_scheduler and (found := _AT.fullmatch(text)) is not None:
        try:
            return Once(local=datetime.fromisoformat(found[1]))
        except ValueError as error:
            raise InvalidSchedule(text) from error
    raise InvalidSchedule(text)


def _rate(value: int, unit: str, is_plural: bool) -> Rate:
    """One minute, two minutes: a rule takes no "1 minutes"."""
    if value < 1 or (value > 1) is not is_plural:
        raise InvalidSchedule(unit)
    return Rate(period_s=value * _UNITS_S[unit])


def _cron(fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise InvalidSchedule("six fields")
    minutes, hours, day_of_month, months, day_of_week, years = (field.upper() for field in fields)
    if (day_of_month == "?") == (day_of_week == "?"):
        raise InvalidSchedule("one of the two days is ?")
    return Cron(
        minutes=tuple(sorted(_values(minutes, 0, 59))),
        hours=tuple(sorted(_values(hours, 0, 23))),
        months=_values(months, 1, 12, _MONTHS),
        years=_values(years, _FIRST_YEAR, _LAST_YEAR),
        on_day=_weekday(day_of_week) if day_of_month == "?" else _month_day(day_of_month),
    )


def _values(field: str, lowest: int, highest: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The numbers that a field of lists, ranges and steps means. A range that ends before it begins goes round."""
    found: set[int] = set()
    for item in field.split(","):
        span, slash, step = item.partition("/")
        if slash and not (step.isascii() and step.isdigit() and 0 < int(step) <= highest):
            raise InvalidSchedule(item)
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = lowest, highest
        else:
            low = _number(first, lowest, highest, names)
            high = _number(last, lowest, highest, names) if dash else (highest if slash else low)
        width = highest - lowest + 1
        for offset in range(0, (high - low) % width + 1, int(step or 1)):
            found.add(lowest + (low - lowest + offset) % width)
    return frozenset(found)


def _number(text: str, lowest: int, highest: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + 1
    if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
        raise InvalidSchedule(text)
    return int(text)


def _month_day(field: str) -> OnDay:
    """Days of the month: numbers, L (the last one), 3W (the weekday nearest to the third), LW."""
    if field == "*":
        return lambda day: True
    tests = tuple(_one_month_day(item) for item in field.split(","))
    return lambda day: any(test(day) for test in tests)


def _one_month_day(item: str) -> OnDay:
    if item == "L":
        return lambda day: day.day == _last(day)
    if item == "LW":
        return lambda day: day == _nearest_weekday(day.replace(day=_last(day)))
    if item.endswith("W"):
        wanted = _number(item[:-1], 1, 31, ())
        return lambda day: wanted <= _last(day) and day == _nearest_weekday(day.replace(day=wanted))
    values = _values(item, 1, 31)
    return lambda day: day.day in values


def _last(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date) -> date:
    """In the same month: Saturday the 1st means Monday the 3rd."""
    kind = _weekday_number(day)
    if kind == _SATURDAY:
        return day.replace(day=day.day - 1 if day.day > 1 else day.day + 2)
    if kind == _SUNDAY:
        return day.replace(day=day.day + 1 if day.day < _last(day) else day.day - 2)
    return day


def _weekday_number(day: date) -> int:
    """1 is Sunday, 7 is Saturday."""
    return day.isoweekday() % 7 + 1


def _weekday(field: str) -> OnDay:
    """Days of the week: numbers and names, L (Saturday), 6L (the month's last Friday), 3#2 (the second Tuesday)."""
    if field == "*":
        return lambda day: True
    if "#" in field:
        kind, _, place = field.partition("#")
        wanted, nth = _number(kind, 1, 7, _WEEKDAYS), _number(place, 1, 5, ())
        return lambda day: _weekday_number(day) == wanted and (day.day - 1) // 7 + 1 == nth
    tests = tuple(_one_weekday(item) for item in field.split(","))
    return lambda day: any(test(day) for test in tests)


def _one_weekday(item: str) -> OnDay:
    if "/" in item:
        raise InvalidSchedule(item)
    if item == "L":
        return lambda day: _weekday_number(day) == _SATURDAY
    if item.endswith("L"):
        wanted = _number(item[:-1], 1, 7, _WEEKDAYS)
        return lambda day: _weekday_number(day) == wanted and day.day > _last(day) - 7
    values = _values(item, 1, 7, _WEEKDAYS)
    return lambda day: _weekday_number(day) in values
