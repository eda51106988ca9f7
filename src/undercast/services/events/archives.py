"""The rows of archives and of the events in them.

An event is in an archive by its own time; how long it stays counts from when it came.
AWS: EventBridge User Guide, "Archiving and replaying events in Amazon EventBridge".
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from undercast.core.arn import Scope
from undercast.services.events.errors import not_found
from undercast.services.events.event import Event
from undercast.services.events.models import Archive, BusName, archive_of
from undercast.store.database import Tx
from undercast.store.statements import upsert

DAY_S = 86_400.0
EXPIRED_AT_ONCE = 1000
"""Events that one commit removes: other writers wait for it."""
_KEY = "account_id = ? AND region = ? AND name = ?"
_OF_ARCHIVE = "account_id = ? AND region = ? AND archive = ?"


class Kept(NamedTuple):
    """An archived event."""

    id: int
    at: float
    text: str


class Contents(NamedTuple):
    """What is in an archive."""

    events: int
    size_bytes: int


def find(tx: Tx, scope: Scope, name: str) -> Archive | None:
    """None where there is no such archive."""
    row = tx.one(f"SELECT * FROM events_archive WHERE {_KEY}", (*scope, name))
    return None if row is None else archive_of(row)


def existing(tx: Tx, scope: Scope, name: str) -> Archive:
    """Raises ResourceNotFoundException."""
    archive = find(tx, scope, name)
    if archive is None:
        raise not_found(f"Archive {name} does not exist.")
    return archive


def of_bus(tx: Tx, name: BusName) -> Iterator[Archive]:
    """The archives of a bus."""
    rows = tx.all(
        "SELECT * FROM events_archive WHERE account_id = ? AND region = ? AND bus = ? ORDER BY name",
        (*name.scope, name.name),
    )
    return (archive_of(row) for row in rows)


def every(tx: Tx, scope: Scope) -> list[Archive]:
    """By name."""
    rows = tx.all("SELECT * FROM events_archive WHERE account_id = ? AND region = ? ORDER BY name", scope)
    return [archive_of(row) for row in rows]


def put(tx: Tx, archive: Archive) -> None:
    """Make it, or write all that it is anew; its events stay."""
    tx.execute(
        upsert(
            "events_archive",
            "account_id, region, name",
            "bus, pattern, description, retention_days, kms_key_id, created_at",
        ),
        (
            *archive.scope,
            archive.name,
            archive.bus,
            archive.pattern,
            archive.description,
            archive.retention_days,
            archive.kms_key_id,
            archive.created_at,
        ),
    )


def remove(tx: Tx, archive: Archive) -> None:
    """With its events."""
    tx.execute(f"DELETE FROM events_archive WHERE {_KEY}", (*archive.scope, archive.name))
    tx.execute(f"DELETE FROM events_archived WHERE {_OF_ARCHIVE}", (*archive.scope, archive.name))


def keep(tx: Tx, archive: Archive, event: Event, now: float) -> None:
    """Put an event into it, unless it has been deleted since the event asked for it: its name may be another's now."""
    at = datetime.fromisoformat(event.document["time"].replace("Z", "+00:00")).timestamp()
    tx.execute(
        "INSERT INTO events_archived (account_id, region, archive, at, stored_at, size, event)"
        f" SELECT ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM events_archive WHERE {_KEY} AND created_at = ?)",
        (
            *archive.scope,
            archive.name,
            at,
            now,
            len(event.text.encode()),
            event.text,
            *archive.scope,
            archive.name,
            archive.created_at,
        ),
    )


def contents(tx: Tx, archive: Archive) -> Contents:
    """How many events, and their bytes."""
    row = tx.one(
        f"SELECT COUNT(*) AS n, COALESCE(SUM(size), 0) AS bytes FROM events_archived WHERE {_OF_ARCHIVE}",
        (*archive.scope, archive.name),
    )
    return Contents(0, 0) if row is None else Contents(row["n"], row["bytes"])


def between(tx: Tx, archive: Archive, after: tuple[float, int], before: float, limit: int) -> list[Kept]:
    """Its next events behind a (time, id), up to a time, in their order."""
    rows = tx.all(
        f"SELECT id, at, event FROM events_archived WHERE {_OF_ARCHIVE} AND (at, id) > (?, ?) AND at < ?"
        " ORDER BY at, id LIMIT ?",
        (*archive.scope, archive.name, *after, before, limit),
    )
    return [Kept(row["id"], row["at"], row["event"]) for row in rows]


def ageing(tx: Tx) -> list[Archive]:
    """Those of every scope that do not keep events for ever."""
    return [archive_of(row) for row in tx.all("SELECT * FROM events_archive WHERE retention_days > 0")]


def expire(tx: Tx, archive: Archive, now: float) -> bool:
    """Remove some of what is older than its archive keeps it; whether there may be more.

    As it keeps it now: who was told of a longer retention period, a piece ago, finds everything that was there.
    """
    current = find(tx, archive.scope, archive.name)
    if current is None or not current.retention_days:
        return False
    removed = tx.execute(
        f"DELETE FROM events_archived WHERE id IN (SELECT id FROM events_archived WHERE {_OF_ARCHIVE}"
        " AND stored_at <= ? ORDER BY stored_at LIMIT ?)",
        (*archive.scope, archive.name, now - current.retention_days * DAY_S, EXPIRED_AT_ONCE),
    )
    return removed == EXPIRED_AT_ONCE


def with_replay(text: str, replay: str) -> dict[str, object]:
    """An archived event as a replay sends it."""
    return {**json.loads(text), "replay-name": replay}
