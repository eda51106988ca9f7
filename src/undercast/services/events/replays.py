"""Replays: the events of an archive go to its bus again, in the order of their times.

A replay is a row with the place that it has come to; each step of it is one commit, and it goes on after a restart.
AWS: EventBridge User Guide, "Replaying archived events"; API Reference, StartReplay, Replay.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import Cause
from undercast.core.record import record
from undercast.services.events import archives, dispatch
from undercast.services.events.errors import not_found
from undercast.services.events.event import event_of
from undercast.services.events.instance import Events
from undercast.services.events.models import Bus, BusName
from undercast.store.database import Row, Tx
from undercast.store.statements import upsert

STARTING, RUNNING, CANCELLING = "STARTING", "RUNNING", "CANCELLING"
COMPLETED, CANCELLED, FAILED = "COMPLETED", "CANCELLED", "FAILED"
LIVE = (STARTING, RUNNING, CANCELLING)
_AT_ONCE = 20
_KEY = "account_id = ? AND region = ? AND name = ?"


@record
class Replay:
    """One replay. `destination` is what StartReplay got."""

    scope: Scope
    name: str
    description: str | None
    archive_arn: str
    destination: Mapping[str, Any]
    begins_at: float
    ends_at: float
    state: str
    reason: str
    started_at: float
    ended_at: float | None
    last_at: float | None
    last_id: int

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.scope.region}:{self.scope.account_id}:replay/{self.name}"

    @property
    def archive(self) -> str:
        """The archive's name."""
        return self.archive_arn.rpartition("/")[2]


def _replay_of(row: Row) -> Replay:
    return Replay(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        description=row["description"],
        archive_arn=row["archive_arn"],
        destination=json.loads(row["destination"]),
        begins_at=row["begins_at"],
        ends_at=row["ends_at"],
        state=row["state"],
        reason=row["reason"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        last_at=row["last_at"],
        last_id=row["last_id"],
    )


def find(tx: Tx, scope: Scope, name: str) -> Replay | None:
    """None where there is no such replay."""
    row = tx.one(f"SELECT * FROM events_replay WHERE {_KEY}", (*scope, name))
    return None if row is None else _replay_of(row)


def existing(tx: Tx, scope: Scope, name: str) -> Replay:
    """Raises ResourceNotFoundException."""
    replay = find(tx, scope, name)
    if replay is None:
        raise not_found(f"Replay {name} does not exist.")
    return replay


def every(tx: Tx, scope: Scope) -> list[Replay]:
    """By name."""
    rows = tx.all("SELECT * FROM events_replay WHERE account_id = ? AND region = ? ORDER BY name", scope)
    return [_replay_of(row) for row in rows]


def put(tx: Tx, replay: Replay) -> None:
    """Make it, or write all that it is anew."""
    tx.execute(
        upsert(
            "events_replay",
            "account_id, region, name",
            "description, archive_arn, destination, begins_at, ends_at, state, reason, started_at,"
            " ended_at, last_at, last_id",
        ),
        (
            *replay.scope,
            replay.name,
            replay.description,
            replay.archive_arn,
            json.dumps(dict(replay.destination)),
            replay.begins_at,
            replay.ends_at,
            replay.state,
            replay.reason,
            replay.started_at,
            replay.ended_at,
            replay.last_at,
            replay.last_id,
        ),
    )


def resume(events: Events) -> None:
    """Go on with what had not ended when the platform did."""
    rows = events.database.read_now(lambda tx: tx.all("SELECT * FROM events_replay WHERE ended_at IS NULL"))
    for row in rows:
        replay = _replay_of(row)
        events.tasks.spawn(run(events, replay.scope, replay.name))


async def run(events: Events, scope: Scope, name: str) -> None:
    """To the end, step by step."""
    while await _step(events, scope, name):
        pass


async def _step(events: Events, scope: Scope, name: str) -> bool:
    """Whether there may be more. Archive and rules are those of the commit: others wait for it, or it for them."""

    def write(tx: Tx) -> bool:
        current = find(tx, scope, name)
        if current is None or current.state not in LIVE:
            return False
        if current.state == CANCELLING:
            return _end(events, tx, current, CANCELLED)
        archive = archives.find(tx, scope, current.archive)
        bus = events.buses.within(tx, BusName(scope, archive.bus)) if archive is not None else None
        if archive is None or bus is None:
            return _end(events, tx, current, FAILED, "The archive does not exist.")
        after = (current.begins_at, -1) if current.last_at is None else (current.last_at, current.last_id)
        kept = archives.between(tx, archive, after, current.ends_at, _AT_ONCE)
        if not kept:
            return _end(events, tx, current, COMPLETED)
        for one in kept:
            _send(events, tx, current, bus, one)
        put(tx, replace(current, state=RUNNING, last_at=kept[-1].at, last_id=kept[-1].id))
        return True

    return await events.database.write(write, long=True)


def _send(events: Events, tx: Tx, replay: Replay, bus: Bus, kept: archives.Kept) -> None:
    event = event_of(archives.with_replay(kept.text, replay.name))
    one = dispatch.arrival(bus, event, Cause(kind="internal"))
    wanted = replay.destination.get("FilterArns")
    rules = tuple(rule for rule in one.rules if not wanted or rule.name.arn in wanted)
    named = f"event {event.document['detail-type']} of {replay.arn}"
    dispatch.store(events, tx, replace(one, rules=rules, named=named))


def _end(events: Events, tx: Tx, replay: Replay, state: str, reason: str = "") -> bool:
    put(tx, replace(replay, state=state, reason=reason, ended_at=events.clock.now()))
    return False
