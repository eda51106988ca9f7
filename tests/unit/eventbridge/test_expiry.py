"""Archived events that are older than their archive keeps them.

AWS: EventBridge User Guide, "Archiving events".
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.state import open_state
from tests.unit.eventbridge.test_rounds import SCOPE, bridge, every_minute
from undercast.core.context import Cause
from undercast.services.events import archives, dispatch
from undercast.services.events.expiry import Expiry
from undercast.services.events.models import Archive, BusName
from undercast.services.events.rounds import scheduled_event
from undercast.services.events.schema import SCHEMA
from undercast.store.database import SqlValue, Tx


def archive(clock: FakeClock, name: str, days: int) -> Archive:
    """Of the default bus."""
    return Archive(
        scope=SCOPE, name=name, bus="default", pattern="", compiled=None, description=None, retention_days=days,
        kms_key_id="", created_at=clock.now(),
    )  # fmt: skip


async def test_events_expire_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are; those of younger age, and of archives without an end, stay."""
    monkeypatch.setattr(archives, "EXPIRED_AT_ONCE", 10)
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"events": SCHEMA}) as state:
        events = bridge(state, clock)
        event = scheduled_event(every_minute(clock), clock.now(), "e")
        days, ever = archive(clock, "days", 2), archive(clock, "ever", 0)

        def keep(tx: Tx, count: int) -> None:
            for one in (days, ever):
                archives.put(tx, one)
                for _ in range(count):
                    archives.keep(tx, one, event, clock.now())

        def counts() -> list[int]:
            return [state.database.read_now(partial(archives.contents, archive=one)).events for one in (days, ever)]

        await state.database.write(lambda tx: keep(tx, 35))
        clock.advance(2 * archives.DAY_S - 1)
        await state.database.write(lambda tx: keep(tx, 5))
        await Expiry(events).round()
        assert counts() == [40, 40]
        clock.advance(1)
        assert await state.database.write(lambda tx: archives.expire(tx, days, clock.now()))
        assert counts() == [30, 40]
        await Expiry(events).round()
        assert counts() == [5, 40]


async def test_what_an_archive_has_become_meanwhile_counts(tmp_path: Path) -> None:
    """RetentionDays that UpdateArchive has made longer; a deleted archive keeps no event that was on its way to it."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"events": SCHEMA}) as state:
        events = bridge(state, clock)
        event = scheduled_event(every_minute(clock), clock.now(), "e")
        one = archive(clock, "a", 1)

        def write(tx: Tx) -> None:
            archives.put(tx, one)
            archives.keep(tx, one, event, clock.now())

        await state.database.write(write)
        clock.advance(2 * archives.DAY_S)
        for days in (0, 3):
            changed = replace(one, retention_days=days)
            await state.database.write(partial(archives.put, archive=changed))
            assert not await state.database.write(partial(archives.expire, archive=one, now=clock.now()))
            assert state.database.read_now(partial(archives.contents, archive=one)).events == 1
        bus = events.buses.get(BusName(SCOPE, "default"))
        arrived = dispatch.arrival(bus, event, Cause(kind="internal"))
        assert arrived.archives
        await state.database.write(partial(archives.remove, archive=one))
        await state.database.write(partial(archives.put, archive=archive(clock, "a", 1)))
        await state.database.write(lambda tx: dispatch.store(events, tx, arrived))
        assert state.database.read_now(partial(archives.contents, archive=one)).events == 0


async def test_expiry_and_counts_are_answered_by_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither looks for its events in those themselves, nor in those of other archives."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"events": SCHEMA}) as state:
        asked: list[tuple[str, Sequence[SqlValue]]] = []
        query = Tx._query

        def noted(tx: Tx, sql: str, params: Sequence[SqlValue]) -> sqlite3.Cursor:
            asked.append((sql, params))
            return query(tx, sql, params)

        one = archive(clock, "a", 1)
        await state.database.write(partial(archives.put, archive=one))
        monkeypatch.setattr(Tx, "_query", noted)
        await state.database.read(lambda tx: archives.contents(tx, one))
        await state.database.write(lambda tx: archives.expire(tx, one, clock.now()))
        monkeypatch.undo()
        of_events = [(sql, params) for sql, params in asked if "events_archived" in sql]
        assert len(of_events) == 2
        for sql, params in of_events:
            plan = state.database.read_now(partial(Tx.all, sql=f"EXPLAIN QUERY PLAN {sql}", params=params))
            assert any("COVERING INDEX events_archived_age" in row["detail"] for row in plan), sql
