"""Consumers of event sources at work, behind resets and failing writes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock
from undercast.core import recurring
from undercast.events.poller import FIRST_BATCHES, Processed
from undercast.services.event_sources.following import Following, Rows
from undercast.store.database import Database, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A row, which each test changes by hand."""

    id: str


class Fed:
    """A source with a single batch, which runs until it is cancelled or let go."""

    most = FIRST_BATCHES
    at_first = FIRST_BATCHES

    def __init__(self) -> None:
        self.takes = 0
        self.runs = asyncio.Event()
        self.goes_on = asyncio.Event()

    def crowded(self) -> bool:
        """See `poller.Source`."""
        return False

    async def take(self) -> Any:
        """See `poller.Source`."""
        self.takes += 1
        if self.takes > 1:
            await asyncio.Event().wait()
        return "batch"

    async def process(self, batch: Any) -> Processed:
        """See `poller.Source`."""
        self.runs.set()
        await self.goes_on.wait()
        return Processed()

    async def close(self) -> None:
        """See `poller.Source`."""


@dataclass(slots=True, kw_only=True)
class World:
    """A service's consumers."""

    database: Database
    settled: list[str] = field(default_factory=list)
    refusals: int = 0
    """How many more writes of a settled state the disk refuses."""
    sources: list[Fed] = field(default_factory=list)

    def rows(self) -> Rows[Consumer]:
        """All are read, and under way."""
        return Rows(every=lambda _: [], is_read=lambda _: True, is_under_way=lambda _: True, settle=self.settle)

    def settle(self, tx: Tx, row: Consumer) -> None:
        """See `Rows`."""
        if self.refusals:
            self.refusals -= 1
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise full
        self.settled.append(row.id)

    def source(self, row: Consumer) -> Fed:
        """See `Following.start`."""
        self.sources.append(Fed())
        return self.sources[-1]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """With an empty store."""
    database = Database.open(tmp_path / "state.db")
    yield World(database=database)
    await database.close()


@pytest.fixture
async def following(world: World) -> AsyncIterator[Following[Consumer]]:
    """Started."""
    following = Following(world.database, FakeClock(), world.rows())
    following.start(world.source)
    yield following
    await following.stop()


async def follow(world: World, following: Following[Consumer], row: Consumer) -> None:
    """Commit a change of it."""
    await world.database.write(lambda tx: following.follow(tx, row))


async def until(condition: Callable[[], object]) -> None:
    """However busy the machine is."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def breath() -> None:
    """Let what can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_reset_leaves_no_reader_of_a_consumer_whose_change_waited_for_a_batch(
    world: World, following: Following[Consumer]
) -> None:
    """The change waits for what runs under the older settings; the reset ends that batch and must not let it go on."""
    row = Consumer(id="one")
    await follow(world, following, row)
    await until(lambda: world.sources and world.sources[0].runs.is_set())
    await follow(world, following, row)
    await breath()
    following.clear()
    world.sources[0].goes_on.set()
    await breath()
    assert len(world.sources) == 1
    await follow(world, following, Consumer(id="two"))
    await until(lambda: len(world.sources) == 2 and world.sources[1].runs.is_set())


async def test_a_source_that_cannot_be_made_says_so_and_its_row_is_settled(
    world: World, following: Following[Consumer]
) -> None:
    """Else every later change would be ResourceInUseException, and nothing would tell why nothing is read."""

    def refuse(row: Consumer) -> Fed:
        raise ValueError("mask bits must be < 32")

    following.start(refuse)
    await follow(world, following, Consumer(id="one"))
    await until(lambda: world.settled == ["one"] and "mask bits must be < 32" in following.result(Consumer(id="one")))
    assert following.result(Consumer(id="one")).startswith("PROBLEM: ")
    following.start(world.source)
    await follow(world, following, Consumer(id="one"))
    await until(lambda: world.sources and world.sources[0].runs.is_set())


async def test_settled_state_is_written_however_often_the_store_refuses_it(
    world: World, following: Following[Consumer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every later change would be ResourceInUseException until a restart."""
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(recurring, "rest", rest)
    world.refusals = 3
    await follow(world, following, Consumer(id="one"))
    await until(lambda: world.settled)
    assert (world.settled, rests) == (["one"], [1.0, 2.0, 4.0])
