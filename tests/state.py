"""A platform's state without the platform: database, journal, blobs, outbox and causal log in one folder."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undercast.core.clock import PlatformClock
from undercast.core.config import Durability
from undercast.events import schema as events_schema
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.store import schema as store_schema
from undercast.store.blobs import BlobStore
from undercast.store.database import Database, Tx
from undercast.store.journal import Journal
from undercast.store.migrations import migrate, migrate_all

WAIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The parts of `services.parts.Parts` that keep something."""

    database: Database
    journal: Journal
    blobs: BlobStore
    causality: CausalLog
    outbox: Outbox


@asynccontextmanager
async def open_state(
    folder: Path,
    clock: PlatformClock,
    *,
    durability: Durability = "process",
    schemas: dict[str, tuple[str, ...]] | None = None,
) -> AsyncIterator[State]:
    """Open or create everything, with further schemas for state.db; close it at the end."""
    database = Database.open(folder / "state.db", durability=durability)
    journal = Journal.open(folder / "journal.db")
    ours = {"blob": store_schema.BLOB, "event": events_schema.DELIVERY, "causal": events_schema.EDGE}
    migrate_all(database, {**ours, **(schemas or {})})
    migrate(journal.database, "causal", events_schema.EDGE)
    causality = CausalLog(database, journal, clock)
    blobs = BlobStore(folder / "blobs", database)
    outbox = Outbox(database, clock, causality)
    try:
        yield State(database=database, journal=journal, blobs=blobs, causality=causality, outbox=outbox)
    finally:
        await causality.close()
        await blobs.close()
        await journal.close()
        await database.close()


@asynccontextmanager
async def halted_before_commit(database: Database, writing: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """A long write that has changed its rows; it commits, and is awaited, at the end."""
    reached, proceed = threading.Event(), threading.Event()

    def halt(sql: str) -> None:
        if sql == "COMMIT":
            reached.set()
            proceed.wait(WAIT_S)

    database._threaded.set_trace_callback(halt)
    task = asyncio.create_task(writing)
    try:
        assert await asyncio.to_thread(reached.wait, WAIT_S)
        yield
    finally:
        proceed.set()
        await task
        database._threaded.set_trace_callback(None)


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[None]:
    """The database while a long write has it, which changes nothing; what writes meanwhile waits, in its order."""
    entered, free = threading.Event(), threading.Event()

    def hold(_: Tx) -> None:
        entered.set()
        free.wait(WAIT_S)

    holding = asyncio.create_task(database.write(hold, long=True))
    try:
        assert await asyncio.to_thread(entered.wait, WAIT_S)
        yield
    finally:
        free.set()
        await holding


@asynccontextmanager
async def busy_thread(database: Database) -> AsyncIterator[None]:
    """The store thread while it reads: what is inline goes on, what is long waits."""
    entered, free = threading.Event(), threading.Event()

    def look(_: Tx) -> None:
        entered.set()
        free.wait(WAIT_S)

    looking = asyncio.create_task(database.read(look, long=True))
    try:
        assert await asyncio.to_thread(entered.wait, WAIT_S)
        yield
    finally:
        free.set()
        await looking
