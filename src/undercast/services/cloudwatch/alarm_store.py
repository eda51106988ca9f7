"""Rows of alarms and of their history, in state.db: a change of state commits together with its deliveries.

AWS: CloudWatch User Guide, "Using Amazon CloudWatch alarms" (history is kept for 30 days).
"""

import json
from collections.abc import Iterator
from dataclasses import asdict

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.cloudwatch.alarms import NOTHING_HELD, Alarm, HistoryItem, State, Suppression
from undercast.store.database import Row, Tx
from undercast.store.statements import upsert

HISTORY_S = 30 * 86_400
_EXPIRED_AT_ONCE = 20
"""For each item that is added, on the event loop."""


def put(tx: Tx, alarm: Alarm) -> None:
    """Add or replace an alarm."""
    state = alarm.state
    tx.execute(
        upsert(
            "cloudwatch_alarm",
            "account_id, region, name",
            "kind, settings, actions_enabled, state, reason, reason_data, updated_at, transitioned_at,"
            " configured_at, tags, suppression",
        ),
        (
            *(*alarm.scope, alarm.name, alarm.kind, json.dumps(dict(alarm.settings)), int(alarm.actions_enabled)),
            *(state.value, state.reason, state.data, state.updated_at, state.transitioned_at),
            *(alarm.configured_at, json.dumps(dict(alarm.tags)), _held(alarm.suppression)),
        ),
    )


def _held(suppression: Suppression) -> str:
    return json.dumps(asdict(suppression)) if suppression != NOTHING_HELD else ""


def _suppression(text: str) -> Suppression:
    if not text:
        return NOTHING_HELD
    held = json.loads(text)
    return Suppression(**{**held, "told": State(**held["told"]) if held["told"] else None})


def alarm_of(row: Row) -> Alarm:
    """The alarm that a row holds."""
    return Alarm(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        kind=row["kind"],
        settings=json.loads(row["settings"]),
        actions_enabled=bool(row["actions_enabled"]),
        state=State(
            value=row["state"],
            reason=row["reason"],
            data=row["reason_data"],
            updated_at=row["updated_at"],
            transitioned_at=row["transitioned_at"],
        ),
        configured_at=row["configured_at"],
        tags=json.loads(row["tags"]),
        suppression=_suppression(row["suppression"]),
    )


def find(tx: Tx, scope: Scope, name: str) -> Alarm | None:
    """None where there is no such alarm."""
    row = tx.one("SELECT * FROM cloudwatch_alarm WHERE account_id = ? AND region = ? AND name = ?", (*scope, name))
    return alarm_of(row) if row is not None else None


def of_scope(tx: Tx, scope: Scope, kind: str | None = None) -> list[Alarm]:
    """Alarms by name."""
    rows = tx.all(
        "SELECT * FROM cloudwatch_alarm WHERE account_id = ? AND region = ? AND (? IS NULL OR kind = ?) ORDER BY name",
        (*scope, kind, kind),
    )
    return [alarm_of(row) for row in rows]


def of_kind(tx: Tx, kind: str) -> list[Alarm]:
    """Those of every account and region."""
    return [alarm_of(row) for row in tx.all("SELECT * FROM cloudwatch_alarm WHERE kind = ?", (kind,))]


def holding_back(tx: Tx) -> list[Alarm]:
    """Composite alarms of every account and region whose actions wait for a period to end."""
    return [alarm_of(row) for row in tx.all("SELECT * FROM cloudwatch_alarm WHERE suppression LIKE '%Period%'")]


def delete(tx: Tx, scope: Scope, name: str) -> bool:
    """Whether it was there."""
    where = "account_id = ? AND region = ? AND name = ?"
    return tx.execute(f"DELETE FROM cloudwatch_alarm WHERE {where}", (*scope, name)) > 0


def note(tx: Tx, item: HistoryItem) -> None:
    """Add to the history; some of what is too old goes, which nobody sees any more."""
    tx.execute(
        "DELETE FROM cloudwatch_alarm_history WHERE id IN (SELECT id FROM cloudwatch_alarm_history"
        " WHERE account_id = ? AND region = ? AND at < ? LIMIT ?)",
        (*item.scope, item.at - HISTORY_S, _EXPIRED_AT_ONCE),
    )
    tx.execute(
        "INSERT INTO cloudwatch_alarm_history (account_id, region, name, kind, at, type, summary, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*item.scope, item.name, item.kind, item.at, item.type, item.summary, item.data),
    )


def history(tx: Tx, scope: Scope, since: float, *, newest_first: bool) -> Iterator[HistoryItem]:
    """All that has happened in a scope since, in order."""
    order = "DESC" if newest_first else "ASC"
    rows = tx.each(
        "SELECT * FROM cloudwatch_alarm_history WHERE account_id = ? AND region = ? AND at >= ?"
        f" ORDER BY at {order}, id {order}",
        (*scope, since),
    )
    for row in rows:
        yield HistoryItem(
            scope=scope,
            name=row["name"],
            kind=row["kind"],
            at=row["at"],
            type=row["type"],
            summary=row["summary"],
            data=row["data"],
        )
