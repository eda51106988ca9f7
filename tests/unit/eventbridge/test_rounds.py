"""Schedules that come round, on a real database and a clock of the test's own (ADR 0042).

AWS: EventBridge User Guide, "Creating a rule that runs on a schedule".
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import State, open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.identity import root_principal
from undercast.core.metrics import Metrics
from undercast.events.alarm import Alarm
from undercast.services.events import store
from undercast.services.events.instance import Events
from undercast.services.events.measures import Measures
from undercast.services.events.models import BusName, Rule, RuleName
from undercast.services.events.operations import rules, tagging
from undercast.services.events.rounds import Rounds, next_time
from undercast.services.events.schema import SCHEMA

SCOPE = Scope(AccountId("111122223333"), Region("us-east-1"))
QUEUE = "arn:aws:sqs:us-east-1:111122223333:q"


async def nobody(*_: object, **__: object) -> Any:
    raise AssertionError("nothing is called")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def state(tmp_path: Path, clock: FakeClock) -> AsyncIterator[State]:
    async with open_state(tmp_path, clock, schemas={"events": SCHEMA}) as opened:
        yield opened


def bridge(state: State, clock: FakeClock) -> Events:
    """EventBridge over the state."""
    return Events(
        database=state.database,
        buses=store.Buses(state.database),
        outbox=state.outbox,
        causality=state.causality,
        internal=nobody,  # type: ignore[arg-type]
        clock=clock,
        host_clock=clock.host,
        ids=CountingIds(),
        profile="current",
        measures=Measures(Metrics(), clock),
        alarm=Alarm(state.database, clock, store.next_round),
        ca_bundle=Path("none"),
        connect_as_sandbox=lambda _: nobody,
    )


def every_minute(clock: FakeClock) -> Rule:
    """A rule of now."""
    return Rule(
        name=RuleName(BusName(SCOPE, "default"), "r"),
        pattern="",
        compiled=None,
        schedule="rate(1 minute)",
        state="ENABLED",
        description=None,
        role_arn="",
        created_by=SCOPE.account_id,
        anchored_at=clock.now(),
    )


async def plan(events: Events, rule: Rule) -> None:
    """Keep it, with a queue as target."""

    def write(tx: Any) -> None:
        store.put_rule(tx, rule, next_time(rule, events.clock.now()))
        store.put_target(tx, rule.name, {"Id": "q", "Arn": QUEUE})

    await events.database.write(write)


def sent(state: State) -> list[str]:
    """The times of the events that are on their way."""
    rows = state.database.read_now(lambda tx: tx.all("SELECT payload FROM event_delivery ORDER BY ord"))
    return [json.loads(row["payload"])["time"] for row in rows]


async def test_a_moved_clock_passes_every_time(state: State, clock: FakeClock) -> None:
    """Five minutes are five events, each with its own time."""
    events = bridge(state, clock)
    await plan(events, every_minute(clock))
    rounds = Rounds(events)
    clock.advance(300)
    await rounds.round()
    assert [time[-6:] for time in sent(state)] == ["14:20Z", "15:20Z", "16:20Z", "17:20Z", "18:20Z"]


async def test_of_the_times_without_a_platform_the_last_one_fires(state: State, clock: FakeClock) -> None:
    """However many there were; then it goes on as ever."""
    await plan(bridge(state, clock), every_minute(clock))
    clock.advance(3 * 86_400 + 30)
    events = bridge(state, clock)  # a new start
    rounds = Rounds(events)
    await rounds.round()
    (only,) = sent(state)
    assert only == "2023-11-17T22:13:20Z"
    clock.advance(60)
    await rounds.round()
    assert sent(state) == [only, "2023-11-17T22:14:20Z"]


async def test_a_time_fires_once(state: State, clock: FakeClock) -> None:
    """The event and the next time are one commit."""
    events = bridge(state, clock)
    await plan(events, every_minute(clock))
    clock.advance(60)
    for _ in range(3):
        await Rounds(events).round()
    assert len(sent(state)) == 1


async def test_a_time_that_is_due_is_not_passed_over(state: State, clock: FakeClock) -> None:
    """A rule is tagged, and put again as it is, after its time has come and before it fires."""
    events, rule = bridge(state, clock), every_minute(clock)
    rounds = Rounds(events)
    await plan(events, rule)
    clock.advance(180)
    ctx = RequestContext(
        request_id="r",
        scope=SCOPE,
        principal=root_principal(SCOPE.account_id),
        cause=EXTERNAL,
        clock=clock,
        host_clock=clock.host,
        ids=events.ids,
        caller=nobody,
        permits=nobody,
    )
    tags = [{"Key": "k", "Value": "v"}]
    await tagging.tag_resource(events, ctx, {"ResourceARN": rule.name.arn, "Tags": tags})
    assert await tagging.list_tags_for_resource(events, ctx, {"ResourceARN": rule.name.arn}) == {"Tags": tags}
    again = {"Name": "r", "ScheduleExpression": rule.schedule}
    await rules.put_rule(events, ctx, {**again, "State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"})
    await rules.enable_rule(events, ctx, {"Name": "r"})
    await rounds.round()
    assert len(sent(state)) == 3
    clock.advance(60)
    await rules.disable_rule(events, ctx, {"Name": "r"})
    await rules.put_rule(events, ctx, again)
    await rounds.round()
    assert len(sent(state)) == 3


async def test_a_rule_that_cannot_fire_keeps_no_other_from_it(state: State, clock: FakeClock) -> None:
    """It waits for its next time; the others fire at theirs."""
    events = bridge(state, clock)
    good = every_minute(clock)
    broken = replace(good, name=RuleName(good.name.bus, "broken"))
    for rule in (broken, good):
        await plan(events, rule)
    await events.database.write(
        lambda tx: tx.execute("UPDATE events_target SET given = '{}' WHERE rule = 'broken'")  # no longer a target
    )
    clock.advance(60)
    await Rounds(events).round()
    assert len(sent(state)) == 1
    assert events.database.read_now(lambda tx: store.due(tx, clock.now())) == []


async def test_the_event_of_a_schedule_is_named_after_its_rule(state: State, clock: FakeClock) -> None:
    """It is the root of a trace: no call and no delivery brought it."""
    events, rule = bridge(state, clock), every_minute(clock)
    await plan(events, rule)
    clock.advance(60)
    await Rounds(events).round()
    (delivery,) = state.database.read_now(lambda tx: tx.all("SELECT id FROM event_delivery"))
    root, _ = (await state.causality.trace(delivery["id"])).nodes
    assert (root.kind, root.label) == ("event", f"event Scheduled Event of {rule.name.arn}")
