"""The rows of CloudWatch Logs: every statement of SQL that the service has. Functions run inside a transaction."""

import json
from collections.abc import Iterator, Sequence

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.logs.classes import DELIVERY
from undercast.services.logs.followers import StreamName
from undercast.services.logs.models import Group, Position, Stream
from undercast.store.database import Row, SqlValue, Tx

ADD_GROUP = (
    "INSERT INTO logs_group (account_id, region, name, created_ms, retention_days, tags, class, kms_key, stored_bytes)"
    " VALUES (?, ?, ?, ?, NULL, ?, ?, ?, 0) ON CONFLICT DO NOTHING"
)
ADD_STREAM = (
    "INSERT INTO logs_stream (account_id, region, group_name, name, key, created_ms) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
ADD_EVENT = "INSERT INTO logs_event (id, stream_key, timestamp_ms, ingested_ms, message) VALUES (?, ?, ?, ?, ?)"
COUNT_BYTES = "UPDATE logs_group SET stored_bytes = stored_bytes + ? WHERE account_id = ? AND region = ? AND name = ?"
_PURGED_AT_ONCE = 5000
_STREAM = (
    "SELECT s.*,"
    " (SELECT MIN(timestamp_ms) FROM logs_event WHERE stream_key = s.key) AS first_ms,"
    " (SELECT MAX(timestamp_ms) FROM logs_event WHERE stream_key = s.key) AS last_ms,"
    " (SELECT ingested_ms FROM logs_event WHERE stream_key = s.key ORDER BY timestamp_ms DESC, id DESC LIMIT 1)"
    " AS ingested_ms FROM logs_stream s"
)


def next_event_id(tx: Tx) -> int:
    """Behind every event that is stored."""
    row = tx.one("SELECT MAX(id) AS last FROM logs_event")
    return (row["last"] or 0) + 1 if row else 1


def group_row(group: Group) -> tuple[SqlValue, ...]:
    """Parameters of ADD_GROUP."""
    return (
        group.scope.account_id,
        group.scope.region,
        group.name,
        group.created_ms,
        json.dumps(dict(group.tags)),
        group.group_class,
        group.kms_key,
    )


def stream_row(stream: Stream) -> tuple[SqlValue, ...]:
    """Parameters of ADD_STREAM."""
    scope = stream.scope
    return scope.account_id, scope.region, stream.group, stream.name, stream.key, stream.created_ms


def group(tx: Tx, scope: Scope, name: str) -> Group | None:
    """One group, or None."""
    row = tx.one("SELECT * FROM logs_group WHERE account_id = ? AND region = ? AND name = ?", (*scope_of(scope), name))
    return _group(row) if row else None


def groups(tx: Tx, scope: Scope, after: str) -> Iterator[Group]:
    """The groups of a scope by name, behind a name."""
    for row in tx.each(
        "SELECT * FROM logs_group WHERE account_id = ? AND region = ? AND name > ? ORDER BY name",
        (*scope_of(scope), after),
    ):
        yield _group(row)


def groups_with_retention(tx: Tx) -> list[Group]:
    """The groups whose events expire, of every scope."""
    return [
        _group(row)
        for row in tx.all("SELECT * FROM logs_group WHERE retention_days IS NOT NULL OR class = ?", (DELIVERY,))
    ]


def set_retention(tx: Tx, group: Group, days: int | None) -> None:
    """None: events never expire."""
    tx.execute(
        "UPDATE logs_group SET retention_days = ? WHERE account_id = ? AND region = ? AND name = ?",
        (days, *scope_of(group.scope), group.name),
    )


def set_key(tx: Tx, group: Group, key_arn: str) -> None:
    """ "" for none."""
    tx.execute(
        "UPDATE logs_group SET kms_key = ? WHERE account_id = ? AND region = ? AND name = ?",
        (key_arn, *scope_of(group.scope), group.name),
    )


def set_tags(tx: Tx, group: Group, tags: dict[str, str]) -> None:
    """Replace the tags."""
    tx.execute(
        "UPDATE logs_group SET tags = ? WHERE account_id = ? AND region = ? AND name = ?",
        (json.dumps(tags), *scope_of(group.scope), group.name),
    )


def delete_group(tx: Tx, scope: Scope, name: str) -> list[int] | None:
    """Group and streams go at once, their events are marked for the purge. The streams' keys; None when there is no
    such group."""
    keys = [key for _, key in stream_keys(tx, scope, name)]
    deleted = tx.execute(
        "DELETE FROM logs_group WHERE account_id = ? AND region = ? AND name = ?", (*scope_of(scope), name)
    )
    tx.execute(
        "INSERT INTO logs_purge (stream_key) SELECT key FROM logs_stream"
        " WHERE account_id = ? AND region = ? AND group_name = ?",
        (*scope_of(scope), name),
    )
    tx.execute(
        "DELETE FROM logs_stream WHERE account_id = ? AND region = ? AND group_name = ?", (*scope_of(scope), name)
    )
    return keys if deleted else None


def delete_stream(tx: Tx, stream: Stream) -> None:
    """The stream goes at once, its events are marked for the purge and do not count any more."""
    size = tx.one(
        "SELECT COALESCE(SUM(LENGTH(CAST(message AS BLOB)) + 26), 0) AS total FROM logs_event WHERE stream_key = ?",
        (stream.key,),
    )
    tx.execute(COUNT_BYTES, (-int(size["total"]) if size else 0, *scope_of(stream.scope), stream.group))
    tx.execute("INSERT INTO logs_purge (stream_key) VALUES (?)", (stream.key,))
    tx.execute(
        "DELETE FROM logs_stream WHERE account_id = ? AND region = ? AND group_name = ? AND name = ?",
        (*scope_of(stream.scope), stream.group, stream.name),
    )


def purge(tx: Tx) -> bool:
    """Remove some events of deleted streams; whether there may be more."""
    row = tx.one("SELECT stream_key FROM logs_purge LIMIT 1")
    if row is None:
        return False
    removed = tx.execute(
        "DELETE FROM logs_event WHERE id IN (SELECT id FROM logs_event WHERE stream_key = ? LIMIT ?)",
        (row["stream_key"], _PURGED_AT_ONCE),
    )
    if removed < _PURGED_AT_ONCE:
        tx.execute("DELETE FROM logs_purge WHERE stream_key = ?", (row["stream_key"],))
    return True


def expire(tx: Tx, group: Group, before_ms: int) -> bool:
    """Remove some expired events of a group; whether there may be more."""
    rows = tx.all(
        "SELECT e.id, LENGTH(CAST(e.message AS BLOB)) + 26 AS size FROM logs_stream s"
        " JOIN logs_event e ON e.stream_key = s.key"
        " WHERE s.account_id = ? AND s.region = ? AND s.group_name = ? AND e.timestamp_ms < ? LIMIT ?",
        (*scope_of(group.scope), group.name, before_ms, _PURGED_AT_ONCE),
    )
    tx.insert_many("DELETE FROM logs_event WHERE id = ?", [(row["id"],) for row in rows])
    tx.execute(COUNT_BYTES, (-sum(row["size"] for row in rows), *scope_of(group.scope), group.name))
    return len(rows) == _PURGED_AT_ONCE


def stream(tx: Tx, scope: Scope, group: str, name: str) -> Stream | None:
    """One stream, or None."""
    row = tx.one(
        f"{_STREAM} WHERE s.account_id = ? AND s.region = ? AND s.group_name = ? AND s.name = ?",
        (*scope_of(scope), group, name),
    )
    return _stream(row) if row else None


def streams(tx: Tx, scope: Scope, group: str) -> list[Stream]:
    """The streams of a group, by name."""
    rows = tx.all(
        f"{_STREAM} WHERE s.account_id = ? AND s.region = ? AND s.group_name = ? ORDER BY s.name",
        (*scope_of(scope), group),
    )
    return [_stream(row) for row in rows]


def stream_keys(tx: Tx, scope: Scope, group: str) -> list[tuple[str, int]]:
    """(name, key) of the streams of a group."""
    rows = tx.all(
        "SELECT name, key FROM logs_stream WHERE account_id = ? AND region = ? AND group_name = ? ORDER BY name",
        (*scope_of(scope), group),
    )
    return [(row["name"], row["key"]) for row in rows]


def stream_key(tx: Tx, name: StreamName) -> int | None:
    """The key of one stream, or None."""
    row = tx.one(
        "SELECT key FROM logs_stream WHERE account_id = ? AND region = ? AND group_name = ? AND name = ?",
        (*scope_of(name.scope), name.group, name.stream),
    )
    return row["key"] if row else None


def events(tx: Tx, key: int, after: Position, before: Position, *, newest_first: bool = False) -> Iterator[Row]:
    """Events of a stream strictly between two positions."""
    order = "DESC" if newest_first else "ASC"
    return tx.each(
        "SELECT id, timestamp_ms, ingested_ms, message FROM logs_event WHERE stream_key = ?"
        " AND timestamp_ms >= ? AND timestamp_ms <= ?"
        " AND (timestamp_ms > ? OR id > ?) AND (timestamp_ms < ? OR id < ?)"
        f" ORDER BY timestamp_ms {order}, id {order}",
        (key, after.timestamp_ms, before.timestamp_ms, after.timestamp_ms, after.id, before.timestamp_ms, before.id),
    )


def scope_of(scope: Scope) -> Sequence[SqlValue]:
    """The leading columns of every row."""
    return scope.account_id, scope.region


def _scope(row: Row) -> Scope:
    return Scope(AccountId(row["account_id"]), Region(row["region"]))


def _group(row: Row) -> Group:
    return Group(
        scope=_scope(row),
        name=row["name"],
        created_ms=row["created_ms"],
        retention_days=row["retention_days"],
        tags=json.loads(row["tags"]),
        group_class=row["class"],
        kms_key=row["kms_key"],
        stored_bytes=row["stored_bytes"],
    )


def _stream(row: Row) -> Stream:
    return Stream(
        scope=_scope(row),
        group=row["group_name"],
        name=row["name"],
        key=row["key"],
        created_ms=row["created_ms"],
        first_ms=row["first_ms"],
        last_ms=row["last_ms"],
        ingested_ms=row["ingested_ms"],
    )
