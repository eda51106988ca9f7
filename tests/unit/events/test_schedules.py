"""Schedule expressions.

AWS: EventBridge User Guide, "Cron expressions reference"; Scheduler User Guide, "Schedule types" (time zones).
"""

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from undercast.events import schedules
from undercast.events.schedules import InvalidSchedule, Rate, parse_schedule

BERLIN = ZoneInfo("Europe/Berlin")


def times(expression: str, begin: str, zone: ZoneInfo | None = None) -> list[str]:
    """The next three, from a moment on, in local time."""
    where = zone or UTC
    at: float | None = datetime.fromisoformat(begin).replace(tzinfo=where).timestamp()
    found: list[str] = []
    schedule = parse_schedule(expression, of_scheduler=True)
    while at is not None and len(found) < 3:
        at = schedule.after(at, anchor=0.0, zone=where)
        if at is not None:
            found.append(datetime.fromtimestamp(at, where).strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 10 * * ? *)", ["2026-11-30T10:00", "2026-12-01T10:00", "2026-12-02T10:00"]),
        ("cron(15 10 ? * 6L 2019-2026)", ["2026-12-25T10:15"]),
        ("cron(0/30 23-0 ? * MON-FRI *)", ["2026-11-30T00:00", "2026-11-30T00:30", "2026-11-30T23:00"]),
        ("cron(0 0 3W * ? *)", ["2026-12-03T00:00", "2027-01-04T00:00", "2027-02-03T00:00"]),
        ("cron(0 0 1W AUG ? *)", ["2027-08-02T00:00", "2028-08-01T00:00", "2029-08-01T00:00"]),
        ("cron(0 0 L * ? *)", ["2026-11-30T00:00", "2026-12-31T00:00", "2027-01-31T00:00"]),
        ("cron(0 0 LW 1 ? *)", ["2027-01-29T00:00", "2028-01-31T00:00", "2029-01-31T00:00"]),
        ("cron(0 0 ? * 3#2 *)", ["2026-12-08T00:00", "2027-01-12T00:00", "2027-02-09T00:00"]),
        ("cron(0 0 ? * L *)", ["2026-12-05T00:00", "2026-12-12T00:00", "2026-12-19T00:00"]),
        ("cron(5,35 14 * * ? *)", ["2026-11-30T14:05", "2026-11-30T14:35", "2026-12-01T14:05"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("cron(0 0 31 2 ? *)", []),
        ("rate(5 minutes)", ["2026-11-29T18:05", "2026-11-29T18:10", "2026-11-29T18:15"]),
        ("at(2026-12-01T09:30:00)", ["2026-12-01T09:30"]),
    ],
)
def test_the_next_times(expression: str, expected: list[str]) -> None:
    """From Sunday the 29th of November 2026, 18:00."""
    assert times(expression, "2026-11-29T18:00:00") == expected


def test_daylight_saving_time() -> None:
    """A local time that is left out is skipped; one that comes twice counts once."""
    assert times("cron(30 2 * * ? *)", "2026-03-28T03:00:00", BERLIN)[0] == "2026-03-30T02:30"
    assert times("cron(30 2 * * ? *)", "2026-10-24T03:00:00", BERLIN)[:2] == ["2026-10-25T02:30", "2026-10-26T02:30"]


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)", "rate(0 minute)", "rate(5 seconds)", "rate 5 minutes",
        "rate( 5 minutes )", "rate(5 minutess)", "rate(-5 minutes)", "rate()",
        "cron(* * * * * *)",
        "cron(0 10 ? * ? *)", "cron(0 10 * * ?)", "cron(60 0 * * ? *)", "cron(0 24 * * ? *)", "cron(0 0 32 * ? *)",
        "cron(0 0 ? * 8 *)", "cron(0 0 ? * 3#6 *)", "cron(0 0 ? * 3#1,6#3 *)", "cron(0 0 * FOO ? *)",
        "cron(0/0 0 * * ? *)",
        "at(2026-12-01)", "at(2026-13-01T00:00:00)",
    ],
)  # fmt: skip
def test_what_is_no_schedule(expression: str) -> None:
    """AWS refuses them."""
    with pytest.raises(InvalidSchedule):
        parse_schedule(expression, of_scheduler=True)


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [
        ("rate(1 minutes)", 1),
        ("rate(1 hours)", 60),
        ("rate(1 days)", 1440),
        ("rate(5 minute)", 5),
        ("rate(2 day)", 2880),
    ],
)
def test_only_a_rule_minds_the_plural(expression: str, minutes: int) -> None:
    """EventBridge Scheduler names both forms of each unit, for any value; rules take one of them."""
    assert parse_schedule(expression, of_scheduler=True) == Rate(period_s=60.0 * minutes)
    with pytest.raises(InvalidSchedule):
        parse_schedule(expression)


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")])
def test_behind_the_last_year_there_is_no_time(zone: tzinfo) -> None:
    """AWS: years are 1970-2199. A start date may be in 9999, which is 10000 in Tokyo."""
    cron = parse_schedule("cron(0 12 * * ? *)")
    last = datetime(2199, 12, 31, 12, tzinfo=zone).timestamp()
    assert cron.after(last - 1, anchor=0.0, zone=zone) == last
    for at in (last, datetime(2200, 1, 3, tzinfo=UTC).timestamp(), datetime.max.replace(tzinfo=UTC).timestamp()):
        assert cron.after(at, anchor=0.0, zone=zone) is None


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("cron(0/7 * * * ? *)", UTC),
        ("cron(30 1-3 * * ? *)", BERLIN),
        ("cron(0 12 ? * MON *)", BERLIN),
        ("cron(0 0 L * ? *)", UTC),
        ("rate(3 hours)", UTC),
        ("at(2026-10-25T02:30:00)", BERLIN),
    ],
)
def test_the_last_time_of_a_span_is_that_before_the_next(expression: str, zone: tzinfo) -> None:
    """Walked and looked up: the same, over both changes of the clock."""
    schedule, anchor = parse_schedule(expression, of_scheduler=True), datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    for begin, days in (("2026-03-28T05:17:00", 3), ("2026-10-24T23:59:59", 40)):
        first = at = datetime.fromisoformat(begin).replace(tzinfo=UTC).timestamp()
        until, last = first + days * 86_400, None
        while (found := schedule.after(at, anchor=anchor, zone=zone)) is not None and found <= until:
            at = last = found
        assert schedule.last((first, until), anchor=anchor, zone=zone) == last
        assert schedule.last((until, until), anchor=anchor, zone=zone) is None


def test_the_last_time_is_not_looked_for_from_the_first_one_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of minutes: as many steps as a day has minutes, at most."""
    steps: list[date] = []
    at = schedules._at

    def counted(day: date, time: tuple[int, int], zone: tzinfo) -> float | None:
        steps.append(day)
        return at(day, time, zone)

    monkeypatch.setattr(schedules, "_at", counted)
    end = datetime(2026, 11, 29, 18, tzinfo=UTC).timestamp()
    assert parse_schedule("cron(* * * * ? *)").last((end - 365 * 86_400, end), anchor=0.0) == end
    assert 0 < len(steps) <= 1440
