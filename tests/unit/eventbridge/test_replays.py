"""A replay sends what is there when it sends, not what was there when it looked.

AWS: EventBridge User Guide, "Replaying archived events".
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.state import open_state
from tests.unit.eventbridge.test_expiry import archive
from tests.unit.eventbridge.test_rounds import QUEUE, SCOPE, bridge, every_minute, sent
from undercast.services.events import archives, replays, store
from undercast.services.events.instance import Events
from undercast.services.events.models import compiled
from undercast.services.events.replays import COMPLETED, FAILED, STARTING, Replay
from undercast.services.events.rounds import scheduled_event
from undercast.services.events.schema import SCHEMA
from undercast.store.database import Tx

PATTERN = '{"source": ["aws.events"]}'


def _nothing(events: Events, tx: Tx) -> None:
    """No other change."""


def _without_rule(events: Events, tx: Tx) -> None:
    name = every_minute(FakeClock()).name
    store.remove_rule(tx, name)
    events.buses.changed(tx, name.bus)


def _without_archive(events: Events, tx: Tx) -> None:
    archives.remove(tx, archive(FakeClock(), "a", 0))


@pytest.mark.parametrize(
    ("change", "expected"),
    [(_nothing, (COMPLETED, 1)), (_without_rule, (COMPLETED, 0)), (_without_archive, (FAILED, 0))],
)
async def test_what_is_deleted_before_a_replays_commit_gets_nothing(
    tmp_path: Path, change: Callable[[Events, Tx], None], expected: tuple[str, int]
) -> None:
    """The change is committed, and answered, behind the replay's look at archive and rules and before its commit."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"events": SCHEMA}) as state:
        events, one, rule = bridge(state, clock), archive(clock, "a", 0), every_minute(clock)
        event = scheduled_event(rule, clock.now(), "e")
        replay = Replay(
            scope=SCOPE, name="r", description=None, archive_arn=one.arn, destination={"Arn": rule.name.bus.arn},
            begins_at=clock.now() - 60, ends_at=clock.now() + 60, state=STARTING, reason="", started_at=clock.now(),
            ended_at=None, last_at=None, last_id=0,
        )  # fmt: skip

        def write(tx: Tx) -> None:
            archives.put(tx, one)
            archives.keep(tx, one, event, clock.now())
            store.put_rule(tx, replace(rule, pattern=PATTERN, compiled=compiled(PATTERN), schedule=""), None)
            store.put_target(tx, rule.name, {"Id": "q", "Arn": QUEUE})
            replays.put(tx, replay)

        await state.database.write(write)
        run = asyncio.create_task(replays.run(events, SCOPE, "r"))
        await asyncio.sleep(0)  # it has looked; its commit is to come
        await state.database.write(partial(change, events))
        await run
        found = state.database.read_now(lambda tx: replays.existing(tx, SCOPE, "r"))
        assert (found.state, len(sent(state))) == expected
