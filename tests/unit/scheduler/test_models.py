"""When a schedule comes round.

AWS: EventBridge Scheduler User Guide, "Schedule types on EventBridge Scheduler"; API Reference, StartDate, EndDate.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.scheduler.models import MadeBy, Planned

NOW = datetime(2026, 11, 29, 18, tzinfo=UTC).timestamp()


def planned(expression: str, **given: Any) -> Planned:
    """A schedule of now."""
    return Planned(
        scope=Scope(AccountId("1"), Region("r")),
        group="default",
        name="s",
        given={"ScheduleExpression": expression, "State": "ENABLED", **given},
        begins_at=None,
        ends_at=None,
        made_by=MadeBy("", ""),
        created_at=NOW,
        changed_at=NOW,
        anchored_at=NOW,
    )


def times(one: Planned, at: float = NOW - 1) -> list[float]:
    """The next three, in minutes from now."""
    found: list[float] = []
    following = one.after(at)
    while following is not None and len(found) < 3:
        found.append((following - NOW) / 60)
        following = one.after(following)
    return found


def test_a_rate_begins_now_or_at_its_start() -> None:
    """The start date is the first time."""
    rate = planned("rate(5 minutes)")
    assert times(rate) == [0, 5, 10]
    assert times(replace(rate, begins_at=NOW + 120)) == [2, 7, 12]
    assert times(replace(rate, begins_at=NOW + 120, ends_at=NOW + 430)) == [2, 7]


def test_a_cron_is_between_its_dates() -> None:
    """The first full time behind the start."""
    cron = planned("cron(0/10 * * * ? *)")
    assert times(cron) == [0, 10, 20]
    assert times(replace(cron, begins_at=NOW + 1200)) == [20, 30, 40]
    assert times(replace(cron, begins_at=NOW + 1201, ends_at=NOW + 2400)) == [30, 40]


@pytest.mark.parametrize(("state", "expected"), [("ENABLED", [30]), ("DISABLED", [])])
def test_a_one_time_schedule_knows_no_dates(state: str, expected: list[float]) -> None:
    """StartDate and EndDate are ignored; the time is in the schedule's zone."""
    once = planned("at(2026-11-29T19:30:00)", ScheduleExpressionTimezone="Africa/Lagos", State=state)
    assert times(replace(once, begins_at=NOW + 36_000, ends_at=NOW)) == expected


def test_the_last_time_that_was_missed_is_between_its_dates() -> None:
    """When the platform was off. EndDate: "the date, in UTC, before which the schedule can invoke its target"."""
    hour = (NOW - 1, NOW + 3600)
    for expression in ("rate(10 minutes)", "cron(0/10 * * * ? *)"):
        one = replace(planned(expression), begins_at=NOW)
        assert one.last(hour) == NOW + 3600
        assert replace(one, ends_at=NOW + 1500).last(hour) == NOW + 1200
        assert replace(one, ends_at=NOW + 7200).last(hour) == NOW + 3600
        assert replace(one, ends_at=NOW - 60).last(hour) is None
    once = replace(planned("at(2026-11-29T18:30:00)"), ends_at=NOW)
    assert once.last(hour) == NOW + 1800
