"""The rows of groups and schedules.

AWS: EventBridge Scheduler API Reference.
"""

import json
from typing import NamedTuple

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.scheduler.errors import no_group, no_schedule
from undercast.services.scheduler.models import DEFAULT_GROUP, Group, MadeBy, Planned, group_of, planned_of
from undercast.store.database import Row, Tx
from undercast.store.statements import upsert

_GROUP = "account_id = ? AND region = ? AND name = ?"
_KEY = "account_id = ? AND region = ? AND grp = ? AND name = ?"


_AT_ONCE = 100
"""Rows that are read together where most may be left out."""


class Key(NamedTuple):
    """Which schedule."""

    scope: Scope
    group: str
    name: str


class Turn(NamedTuple):
    """When a schedule comes round, and when its target is called then."""

    nominal_at: float
    next_at: float


class Wanted(NamedTuple):
    """Which schedules a list is of; None for every group or state."""

    scope: Scope
    group: str | None
    prefix: str
    state: str | None


class Due(NamedTuple):
    """A schedule that has come round."""

    key: Key
    turn: Turn


def find_group(tx: Tx, scope: Scope, name: str) -> Group | None:
    """None where there is no such group. Every account and region has a default one."""
    row = tx.one(f"SELECT * FROM scheduler_group WHERE {_GROUP}", (*scope, name))
    if row is not None:
        return group_of(row)
    if name != DEFAULT_GROUP:
        return None
    return Group(scope=scope, name=name, tags={}, made_by=MadeBy("", ""), created_at=None, changed_at=None)


def existing_group(tx: Tx, scope: Scope, name: str) -> Group:
    """Raises ResourceNotFoundException."""
    group = find_group(tx, scope, name)
    if group is None:
        raise no_group(name)
    return group


def groups(tx: Tx, scope: Scope) -> list[Group]:
    """By name, the default one among them."""
    rows = tx.all("SELECT * FROM scheduler_group WHERE account_id = ? AND region = ?", scope)
    found = {group.name: group for group in map(group_of, rows)}
    found.setdefault(DEFAULT_GROUP, existing_group(tx, scope, DEFAULT_GROUP))
    return sorted(found.values(), key=lambda group: group.name)


def put_group(tx: Tx, group: Group, now: float) -> None:
    """Make it, or write all that it is anew."""
    tx.execute(
        upsert("scheduler_group", "account_id, region, name", "tags, token, digest, created_at, changed_at"),
        (
            *group.scope,
            group.name,
            json.dumps(dict(group.tags)),
            *group.made_by,
            now if group.created_at is None else group.created_at,
            now,
        ),
    )


def remove_group(tx: Tx, group: Group) -> None:
    """With its schedules."""
    tx.execute(f"DELETE FROM scheduler_group WHERE {_GROUP}", (*group.scope, group.name))
    tx.execute(
        "DELETE FROM scheduler_schedule WHERE account_id = ? AND region = ? AND grp = ?", (*group.scope, group.name)
    )


def find(tx: Tx, scope: Scope, group: str, name: str) -> Planned | None:
    """None where there is no such schedule."""
    row = tx.one(f"SELECT * FROM scheduler_schedule WHERE {_KEY}", (*scope, group, name))
    return None if row is None else planned_of(row)


def existing(tx: Tx, scope: Scope, group: str, name: str) -> Planned:
    """Raises ResourceNotFoundException."""
    planned = find(tx, scope, group, name)
    if planned is None:
        raise no_schedule(name)
    return planned


def some(tx: Tx, wanted: Wanted, after: tuple[str, str], limit: int) -> list[Planned]:
    """The first so many behind a group and name, in their order. What is on no page is read for a state alone."""
    found: list[Planned] = []
    at_once = limit if wanted.state is None else max(limit, _AT_ONCE)
    while True:
        where, values = _behind(wanted, after)
        rows = tx.all(f"SELECT * FROM scheduler_schedule WHERE {where} ORDER BY grp, name LIMIT ?", (*values, at_once))
        found += [one for one in map(planned_of, rows) if wanted.state in (None, one.given["State"])]
        if len(rows) < at_once or len(found) >= limit:
            return found[:limit]
        after = (rows[-1]["grp"], rows[-1]["name"])


def _behind(wanted: Wanted, after: tuple[str, str]) -> tuple[str, list[str]]:
    """Of one group by the name alone: of both, SQLite would sort the group before it gives the first row."""
    where, values = "account_id = ? AND region = ?", [*wanted.scope]
    if wanted.group is None:
        where, values = f"{where} AND (grp, name) > (?, ?)", [*values, *after]
    else:
        name = after[1] if after[0] == wanted.group else ""
        where, values = f"{where} AND grp = ? AND name > ?", [*values, wanted.group, name]
    if wanted.prefix:
        where, values = f"{where} AND substr(name, 1, {len(wanted.prefix)}) = ?", [*values, wanted.prefix]
    return where, values


def put(tx: Tx, one: Planned, turn: Turn | None) -> None:
    """Make it, or write all that it is anew."""
    tx.execute(
        upsert(
            "scheduler_schedule",
            "account_id, region, grp, name",
            "given, begins_at, ends_at, token, digest, created_at, changed_at, anchored_at, nominal_at, next_at",
        ),
        (
            *one.scope,
            one.group,
            one.name,
            json.dumps(dict(one.given)),
            one.begins_at,
            one.ends_at,
            *one.made_by,
            one.created_at,
            one.changed_at,
            one.anchored_at,
            None if turn is None else turn.nominal_at,
            None if turn is None else turn.next_at,
        ),
    )


def comes_round(tx: Tx, key: Key, turn: Turn | None) -> None:
    """Its next turn; None when it does not come again."""
    nominal_at, next_at = (None, None) if turn is None else turn
    tx.execute(
        f"UPDATE scheduler_schedule SET nominal_at = ?, next_at = ? WHERE {_KEY}",
        (nominal_at, next_at, *key.scope, key.group, key.name),
    )


def remove(tx: Tx, one: Planned) -> None:
    """It is gone."""
    tx.execute(f"DELETE FROM scheduler_schedule WHERE {_KEY}", (*one.scope, one.group, one.name))


def next_round(tx: Tx) -> float | None:
    """When the first of all targets is called."""
    row = tx.one("SELECT MIN(next_at) AS at FROM scheduler_schedule WHERE next_at IS NOT NULL")
    return None if row is None else row["at"]


def due(tx: Tx, now: float) -> list[Due]:
    """Schedules whose targets are to be called; the earliest first."""
    rows = tx.all(
        "SELECT account_id, region, grp, name, nominal_at, next_at FROM scheduler_schedule WHERE next_at <= ?"
        " ORDER BY next_at LIMIT 100",
        (now,),
    )
    return [Due(_key(row), Turn(row["nominal_at"], row["next_at"])) for row in rows]


def _key(row: Row) -> Key:
    return Key(Scope(AccountId(row["account_id"]), Region(row["region"])), row["grp"], row["name"])
