"""The rows of X-Ray: every statement of SQL that the service has. Functions run inside a transaction.

Which of state.db and the journal a table is in says `schema`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.services.xray.assembly import MAX_BYTES as TRACE_BYTES
from undercast.services.xray.documents import Received
from undercast.store.database import Row, SqlValue, Tx

ADD_SEGMENT = (
    "INSERT INTO xray_segment (account_id, region, trace_id, id, created_at, received_at, started_at, document)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, trace_id, id) DO UPDATE SET"
    " received_at = excluded.received_at, started_at = excluded.started_at, document = excluded.document"
)
_AT_ONCE = 500
TimeRange = Literal["TraceId", "Event", "Service"]
_COLUMNS: Mapping[TimeRange, str] = {"TraceId": "created_at", "Event": "received_at", "Service": "started_at"}


@record
class Rule:
    """A sampling rule as it was made. Times are platform-clock seconds."""

    name: str
    rule: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0
    modified_at: float = 0.0


@record
class Group:
    """A group of traces."""

    name: str
    arn: str
    filter: str
    insights: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)


def segment_row(scope: Scope, document: Received, now: float) -> tuple[SqlValue, ...]:
    """Parameters of ADD_SEGMENT."""
    times = (document.created_at, now, document.started_at)
    return (scope.account_id, scope.region, document.trace_id, document.id, *times, document.text)


def add_segments(tx: Tx, rows: Iterable[Sequence[SqlValue]]) -> None:
    """Keep documents; one that came before under its id is replaced."""
    tx.insert_many(ADD_SEGMENT, rows)


def documents(
    tx: Tx, scope: Scope, trace_ids: Sequence[str], since: float, most_bytes: int
) -> list[tuple[str, list[str]]]:
    """The documents of traces that came since a moment: of the first ids, until there are so many bytes.

    Of a trace that is too large those are left out that nobody is told, but for one.
    """
    query = (
        "SELECT document FROM xray_segment WHERE account_id = ? AND region = ? AND trace_id = ? AND received_at >= ?"
        " ORDER BY started_at, id"
    )
    found: list[tuple[str, list[str]]] = []
    total = 0
    for trace_id in trace_ids:
        texts: list[str] = []
        size = 0
        for row in tx.each(query, (scope.account_id, scope.region, trace_id, since)):
            texts.append(row["document"])
            size += len(texts[-1])
            if size > TRACE_BYTES:
                break
        found.append((trace_id, texts))
        total += size
        if total >= most_bytes:
            break
    return found


def range_query(
    scope: Scope, kind: TimeRange, times: tuple[float, float], part: tuple[int, int]
) -> tuple[str, tuple[SqlValue, ...]]:
    """What `traces_between` asks. A part is how many are skipped and how many are wanted."""
    column = _COLUMNS[kind]
    skipped, wanted = part
    return (
        f"SELECT trace_id, MAX({column}) AS at FROM xray_segment WHERE account_id = ? AND region = ?"
        f" AND {column} >= ? AND {column} <= ? GROUP BY trace_id ORDER BY at DESC, trace_id LIMIT ? OFFSET ?",
        (scope.account_id, scope.region, *times, wanted, skipped),
    )


def traces_between(
    tx: Tx, scope: Scope, kind: TimeRange, times: tuple[float, float], part: tuple[int, int]
) -> list[str]:
    """The ids of the traces of a time range, the newest first."""
    return [row["trace_id"] for row in tx.all(*range_query(scope, kind, times, part))]


def expire(tx: Tx, before: float) -> int:
    """Delete some of what came before a moment; how many segments."""
    old = tx.one("SELECT received_at FROM xray_segment WHERE received_at < ? ORDER BY received_at LIMIT 1 OFFSET ?",
                 (before, _AT_ONCE))  # fmt: skip
    last = before if old is None else old["received_at"]
    tx.execute("DELETE FROM xray_telemetry WHERE received_at < ?", (last,))
    tx.execute("DELETE FROM xray_statistics WHERE at < ?", (last,))
    return tx.execute("DELETE FROM xray_segment WHERE received_at < ?", (last,))


def add_telemetry(tx: Tx, scope: Scope, records: Iterable[str], now: float) -> None:
    """Keep what daemons say of themselves."""
    rows = [(scope.account_id, scope.region, now, record) for record in records]
    tx.insert_many("INSERT INTO xray_telemetry (account_id, region, received_at, record) VALUES (?, ?, ?, ?)", rows)


def add_statistics(tx: Tx, scope: Scope, documents: Iterable[Mapping[str, Any]]) -> None:
    """Keep what programs say of their sampling."""
    rows = [
        (
            *(scope.account_id, scope.region, one["RuleName"], one["Timestamp"].timestamp()),
            *(one["RequestCount"], one.get("BorrowCount", 0), one["SampledCount"]),
        )
        for one in documents
    ]
    tx.insert_many(
        "INSERT INTO xray_statistics (account_id, region, rule, at, requests, borrowed, sampled)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def statistics(tx: Tx, scope: Scope, since: float) -> list[Row]:
    """Sums by rule."""
    return tx.all(
        "SELECT rule, MAX(at) AS at, SUM(requests) AS requests, SUM(borrowed) AS borrowed, SUM(sampled) AS sampled"
        " FROM xray_statistics WHERE account_id = ? AND region = ? AND at >= ? GROUP BY rule ORDER BY rule",
        (scope.account_id, scope.region, since),
    )


def rules(tx: Tx, scope: Scope) -> list[Rule]:
    """Those that were made, by priority and name."""
    query = "SELECT * FROM xray_rule WHERE account_id = ? AND region = ?"
    found = [_rule(row) for row in tx.all(query, (scope.account_id, scope.region))]
    return sorted(found, key=lambda one: (one.rule["Priority"], one.name))


def put_rule(tx: Tx, scope: Scope, rule: Rule) -> None:
    """Make or change it."""
    tx.execute(
        "INSERT INTO xray_rule (account_id, region, name, rule, tags, created_at, modified_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name) DO UPDATE SET rule = excluded.rule,"
        " tags = excluded.tags, modified_at = excluded.modified_at",
        (
            *(scope.account_id, scope.region, rule.name, json.dumps(dict(rule.rule)), json.dumps(dict(rule.tags))),
            *(rule.created_at, rule.modified_at),
        ),
    )


def delete_rule(tx: Tx, scope: Scope, name: str) -> None:
    """It is gone."""
    tx.execute(
        "DELETE FROM xray_rule WHERE account_id = ? AND region = ? AND name = ?", (scope.account_id, scope.region, name)
    )


def groups(tx: Tx, scope: Scope) -> list[Group]:
    """By name."""
    query = "SELECT * FROM xray_group WHERE account_id = ? AND region = ? ORDER BY name"
    return [_group(row) for row in tx.all(query, (scope.account_id, scope.region))]


def put_group(tx: Tx, scope: Scope, group: Group) -> None:
    """Make or change it."""
    tx.execute(
        "INSERT INTO xray_group (account_id, region, name, arn, filter, insights, tags) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, region, name) DO UPDATE SET filter = excluded.filter,"
        " insights = excluded.insights, tags = excluded.tags",
        (
            *(scope.account_id, scope.region, group.name, group.arn, group.filter),
            *(json.dumps(dict(group.insights)), json.dumps(dict(group.tags))),
        ),
    )


def delete_group(tx: Tx, scope: Scope, name: str) -> None:
    """It is gone."""
    tx.execute(
        "DELETE FROM xray_group WHERE account_id = ? AND region = ? AND name = ?",
        (scope.account_id, scope.region, name),
    )


def _rule(row: Row) -> Rule:
    return Rule(
        name=row["name"],
        rule=json.loads(row["rule"]),
        tags=json.loads(row["tags"]),
        created_at=row["created_at"],
        modified_at=row["modified_at"],
    )


def _group(row: Row) -> Group:
    return Group(
        name=row["name"],
        arn=row["arn"],
        filter=row["filter"],
        insights=json.loads(row["insights"]),
        tags=json.loads(row["tags"]),
    )
