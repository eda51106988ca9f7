"""The rounds that apply Parameter Store's policies, over a real file, with a fake clock.

AWS: Systems Manager User Guide, "Assigning parameter policies in Parameter Store".
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import START, CountingIds, FakeClock
from tests.state import open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.services.ssm import store
from undercast.services.ssm.instance import Ssm
from undercast.services.ssm.models import Version
from undercast.services.ssm.notices import Notices
from undercast.services.ssm.schema import SCHEMA
from undercast.store.database import Database, SqlValue, Tx
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
ENDS = datetime.fromtimestamp(START + 10 * DAY_S, UTC).isoformat()
EXPIRATION = {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": ENDS}}
SOON = {"Type": "ExpirationNotification", "Version": "1.0", "Attributes": {"Before": "1", "Unit": "Days"}}
UNCHANGED = {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "1", "Unit": "Hours"}}


def version(name: str, *policies: Any) -> Version:
    """The first one of a parameter with these policies, put at START."""
    return Version(
        scope=SCOPE,
        name=name,
        version=1,
        value="v",
        type="String",
        key_id="",
        data_key="",
        data_type="text",
        tier="Advanced",
        description="",
        allowed_pattern="",
        policies=json.dumps(policies) if policies else "",
        applied=(),
        labels=(),
        modified_at=START,
        modified_by="me",
    )


@dataclass
class World:
    """Parameter Store on an empty database."""

    ssm: Ssm
    clock: FakeClock

    @property
    def database(self) -> Database:
        """Its own."""
        return self.ssm.database

    async def put(self, *versions: Version) -> None:
        """New parameters."""

        def write(tx: Tx) -> None:
            for one in versions:
                store.add(tx, one, {})

        await self.database.write(write)

    def told(self) -> list[tuple[str, str]]:
        """(parameter, policy) of what EventBridge is to hear, in order."""
        rows = self.database.read_now(lambda tx: tx.all("SELECT payload FROM event_delivery ORDER BY ord"))
        details = [json.loads(row["payload"])["detail"] for row in rows]
        return [(one["parameter-name"], one["policy-type"]) for one in details]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """See `World`."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"ssm": SCHEMA}) as state:
        yield World(Ssm(state.database, clock, Notices(state.outbox, CountingIds())), clock)


async def test_a_round_never_holds_the_loop(world: World) -> None:
    """However many policies are due: a hundred parameters at a time, in the store thread, until none is left."""
    await world.put(*(version(f"p{number:03}", UNCHANGED) for number in range(250)))
    world.clock.advance(HOUR_S)
    begun: dict[str, int] = {}
    for name, connection in (("inline", world.database._inline), ("thread", world.database._threaded)):

        def note(sql: str, name: str = name) -> None:
            begun[name] = begun.get(name, 0) + (sql == "BEGIN IMMEDIATE")

        connection.set_trace_callback(note)
    await world.ssm._round()
    assert (begun.get("inline", 0), begun["thread"]) == (0, 3)
    assert sorted(world.told()) == [(f"p{number:03}", "NoChangeNotification") for number in range(250)]
    await world.ssm._round()
    assert len(world.told()) == 250


async def test_what_has_expired_does_not_expire_soon(world: World) -> None:
    """Where both are due in one round, as after a jump of the clock, EventBridge hears of the expiration alone."""
    await world.put(version("a", EXPIRATION, SOON, UNCHANGED))
    world.clock.advance(11 * DAY_S)
    await world.ssm._round()
    assert world.told() == [("a", "NoChangeNotification"), ("a", "Expiration")]


def insert(tx: Tx, *, table: str, row: tuple[SqlValue, ...]) -> None:
    """A row, its columns in the order of the table's."""
    tx.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


async def test_notifications_of_before_they_were_applied(tmp_path: Path) -> None:
    """Data of the first version knew when a parameter expires, and nothing else."""
    old = Database.open(tmp_path / "state.db")
    migrate(old, "ssm", SCHEMA[:1])
    for name, given, expires_at in (
        ("none", "", None),
        ("quiet", json.dumps([UNCHANGED]), None),
        ("both", json.dumps([EXPIRATION, SOON]), START + 10 * DAY_S),
    ):
        parameter = (*SCOPE, name, 1, "{}", expires_at)
        row = (*SCOPE, name, 1, "v", "String", "", "", "text", "Advanced", "", "", given, "[]", START, "me")
        await old.write(partial(insert, table="ssm_parameter", row=parameter))
        await old.write(partial(insert, table="ssm_version", row=row))
    await old.close()
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"ssm": SCHEMA}) as state:
        world = World(Ssm(state.database, clock, Notices(state.outbox, CountingIds())), clock)
        await world.ssm._round()
        assert world.told() == []
        clock.advance(2 * HOUR_S)
        await world.ssm._round()
        assert world.told() == [("quiet", "NoChangeNotification")]
        clock.advance(9 * DAY_S)
        await world.ssm._round()
        assert world.told()[1:] == [("both", "ExpirationNotification")]
        clock.advance(DAY_S)
        await world.ssm._round()
        assert world.told()[2:] == [("both", "Expiration")]
