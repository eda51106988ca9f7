"""When targets of schedules are called, and when a schedule is over, on a clock of the test's own.

AWS: EventBridge Scheduler User Guide, "Configuring flexible time windows", "Deletion after schedule completion".
"""

from typing import Any

import pytest

from tests.fakes import START
from tests.unit.scheduler.test_lists import SCOPE, Caller, caller
from undercast.services.scheduler import store
from undercast.services.scheduler.models import MadeBy, Planned
from undercast.services.scheduler.rounds import Rounds, turn_of

__all__ = ("caller",)
OFF = {"Mode": "OFF"}
HOUR_S = 3600.0


def planned(expression: str, ends_at: float | None = None, **given: Any) -> Planned:
    """A schedule of now, whose target is a queue."""
    more = {
        "ScheduleExpression": expression, "State": "ENABLED", "ActionAfterCompletion": "NONE",
        "FlexibleTimeWindow": OFF, "Target": {"Arn": "arn:aws:sqs:us-west-2:111122223333:q", "RoleArn": "role"},
    }  # fmt: skip
    return Planned(
        scope=SCOPE, group="default", name="s", given={**more, **given}, begins_at=None, ends_at=ends_at,
        made_by=MadeBy("", ""), created_at=START, changed_at=START, anchored_at=START,
    )  # fmt: skip


def called(caller: Caller) -> int:
    """Invocations that are on their way."""
    read = caller.scheduler.database.read_now
    return int(read(lambda tx: tx.all("SELECT COUNT(*) AS n FROM event_delivery"))[0]["n"])


async def fires(caller: Caller, one: Planned, times: int) -> list[tuple[int, bool]]:
    """After each time that its next turn has come: how often its target was called, and whether it is still there."""
    database, clock, rounds = caller.scheduler.database, caller.clock, Rounds(caller.scheduler)
    await database.write(lambda tx: store.put(tx, one, turn_of(caller.scheduler, one, clock.now())))
    found = []
    for _ in range(times):
        next_at = await database.read(store.next_round)
        if next_at is not None:
            clock.advance(next_at - clock.now())
        await rounds.round()
        is_there = await database.read(lambda tx: store.find(tx, SCOPE, "default", "s")) is not None
        found.append((called(caller), is_there))
    return found


@pytest.mark.parametrize(("action", "is_kept"), [("DELETE", False), ("NONE", True)])
async def test_a_recurring_schedule_is_deleted_behind_its_last_time(caller: Caller, action: str, is_kept: bool) -> None:
    """ActionAfterCompletion: after the last invocation before EndDate, not after the first."""
    one = planned("rate(1 hour)", START + 3 * HOUR_S, ActionAfterCompletion=action)
    assert await fires(caller, one, 3) == [(1, True), (2, True), (3, is_kept)]


async def test_a_recurring_schedule_without_an_end_is_never_deleted(caller: Caller) -> None:
    """ActionAfterCompletion needs a completion."""
    one = planned("rate(1 hour)", ActionAfterCompletion="DELETE")
    assert await fires(caller, one, 3) == [(1, True), (2, True), (3, True)]


async def test_a_flexible_window_spreads_its_calls(caller: Caller) -> None:
    """Each within the window behind its own time, at different places of it; without one at the time itself."""
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
    flexible = planned("rate(1 hour)", FlexibleTimeWindow=window)
    turns = [turn_of(caller.scheduler, flexible, START + HOUR_S * number) for number in range(1, 40)]
    late_s = [turn.next_at - turn.nominal_at for turn in turns if turn is not None]
    assert [turn.nominal_at for turn in turns if turn] == [START + HOUR_S * number for number in range(2, 41)]
    assert 0 <= min(late_s) < 180
    assert 1620 < max(late_s) <= 1800
    assert turn_of(caller.scheduler, planned("rate(1 hour)"), START) == (START + HOUR_S, START + HOUR_S)


async def test_a_call_waits_for_its_place_in_the_window(caller: Caller) -> None:
    """And not only for the time of the schedule."""
    one = planned("rate(1 hour)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30})
    turn = turn_of(caller.scheduler, one, START)
    assert turn is not None
    await caller.scheduler.database.write(lambda tx: store.put(tx, one, turn))
    counts = []
    for at in (turn.nominal_at, turn.next_at - 1, turn.next_at):
        caller.clock.advance(at - caller.clock.now())
        await Rounds(caller.scheduler).round()
        counts.append(called(caller))
    assert counts == [0, 0, 1]
