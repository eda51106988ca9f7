"""The alarm of a service's schedules. AWS: none."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from undercast.events.alarm import Alarm, fire_each
from undercast.store.database import Database, Tx


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """With one table."""
    opened = Database.open(tmp_path / "state.db")
    opened.write_now(lambda tx: tx.execute("CREATE TABLE fired (name TEXT)"))
    yield opened
    await opened.close()


async def test_a_round_that_fails_is_tried_again_after_a_rest(database: Database) -> None:
    """A longer one each time, up to a minute; a store that refuses is not asked without pause."""
    rests: list[float] = []
    clock = FakeClock()

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 8:
            raise asyncio.CancelledError

    async def fail() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    alarm = Alarm(database, clock, lambda tx: clock.now() - 1, rest)  # something is due
    with pytest.raises(asyncio.CancelledError):
        await alarm.ring("a test's schedules", fail)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_the_time_that_cannot_be_read_ends_nothing(database: Database) -> None:
    """The round is done again, after a rest."""
    rounds: list[str] = []

    async def rest(seconds: float) -> None:
        if len(rounds) == 2:
            raise asyncio.CancelledError

    async def work() -> None:
        rounds.append("round")

    def next_at(tx: Tx) -> float | None:
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(asyncio.CancelledError):
        await Alarm(database, FakeClock(), next_at, rest).ring("a test's schedules", work)
    assert len(rounds) == 2


async def test_one_that_cannot_fire_keeps_no_other_from_it(database: Database) -> None:
    """What it wrote, and wanted after the commit, is undone; what the store refuses is everybody's."""
    told: list[str] = []
    left_out: list[str] = []

    def write(tx: Tx) -> None:
        def fire(name: str) -> None:
            tx.execute("INSERT INTO fired (name) VALUES (?)", (name,))
            tx.after_commit(lambda: told.append(name))
            if name == "broken":
                raise KeyError(name)
            if name == "refused":
                tx.execute("SELECT nothing")

        def cannot(name: str) -> None:
            raise ValueError(name)

        fire_each(tx, names, fire, cannot, left_out.append)

    names = ["first", "broken", "last"]
    await database.write(write)
    rows = await database.read(lambda tx: tx.all("SELECT name FROM fired"))
    assert [row["name"] for row in rows] == told == ["first", "last"]
    assert left_out == ["broken"]
    names = ["refused"]
    with pytest.raises(sqlite3.Error):
        await database.write(write)
