"""The rounds that apply Parameter Store's policies, over a real file, with a fake clock.

AWS: Systems Manager User Guide, "Assigning parameter policies in Parameter Store".
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
from undercast.store.database import Database, Tx

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
HOUR_S = 3600.0
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
