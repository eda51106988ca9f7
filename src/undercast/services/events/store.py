"""The rows of buses, rules and targets, and the buses that were read last.

A bus is read with all its rules, whose patterns are compiled then; it stays until this process changes it.
AWS: EventBridge API Reference.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.events import archives
from undercast.services.events.errors import no_bus, no_rule
from undercast.services.events.models import (
    DEFAULT_BUS,
    Bus,
    BusName,
    Rule,
    RuleName,
    Target,
    bus_of,
    rule_of,
    target_of,
)
from undercast.services.kept import Kept
from undercast.store.database import Database, Row, Tx
from undercast.store.statements import upsert

_BUS = "account_id = ? AND region = ? AND name = ?"
_RULE = "account_id = ? AND region = ? AND bus = ? AND name = ?"
_TARGETS = "account_id = ? AND region = ? AND bus = ? AND rule = ?"


class Due(NamedTuple):
    """A rule whose schedule has come round, and the time."""

    name: RuleName
    at: float


class Buses(Kept[BusName, Bus]):
    """See the module. Every account and region has a default one, which no row needs."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, find)

    def get(self, name: BusName) -> Bus:
        """Raises ResourceNotFoundException."""
        bus = self.find(name)
        if bus is None:
            raise no_bus(name.name)
        return bus

    def rule(self, name: RuleName) -> Rule:
        """Raises ResourceNotFoundException."""
        rule = self.get(name.bus).rule(name.name)
        if rule is None:
            raise no_rule(name.name, name.bus.name)
        return rule


def find(tx: Tx, name: BusName) -> Bus | None:
    """The bus with its rules."""
    row = tx.one(f"SELECT * FROM events_bus WHERE {_BUS}", (*name.scope, name.name))
    if row is None and name.name != DEFAULT_BUS:
        return None
    rules, kept = tuple(_rules(tx, name)), tuple(archives.of_bus(tx, name))
    if row is not None:
        return bus_of(row, rules, kept)
    bus = Bus(name=name, policy=None, settings={}, tags={}, created_at=None, changed_at=None)
    return replace(bus, rules=rules, archives=kept)


def existing(tx: Tx, name: BusName) -> Bus:
    """Raises ResourceNotFoundException."""
    bus = find(tx, name)
    if bus is None:
        raise no_bus(name.name)
    return bus


def existing_rule(tx: Tx, name: RuleName) -> Rule:
    """Raises ResourceNotFoundException, for the bus or for the rule."""
    rule = existing(tx, name.bus).rule(name.name)
    if rule is None:
        raise no_rule(name.name, name.bus.name)
    return rule


def _rules(tx: Tx, name: BusName) -> Iterator[Rule]:
    key = (*name.scope, name.name)
    targets: dict[str, list[Target]] = {}
    of_bus = "account_id = ? AND region = ? AND bus = ?"
    for row in tx.all(f"SELECT * FROM events_target WHERE {of_bus} ORDER BY rule, id", key):
        targets.setdefault(row["rule"], []).append(target_of(row))
    for row in tx.all(f"SELECT * FROM events_rule WHERE {of_bus} ORDER BY name", key):
        yield rule_of(row, tuple(targets.get(row["name"], ())))


def put_bus(tx: Tx, bus: Bus, now: float) -> None:
    """Make the bus, or write all that it is anew."""
    tx.execute(
        upsert("events_bus", "account_id, region, name", "policy, settings, tags, created_at, changed_at"),
        (
            *bus.name.scope,
            bus.name.name,
            json.dumps(bus.policy) if bus.policy is not None else "",
            json.dumps(dict(bus.settings)),
            json.dumps(dict(bus.tags)),
            bus.created_at if bus.created_at is not None else now,
            now,
        ),
    )


def remove_bus(tx: Tx, name: BusName) -> None:
    """The bus, its rules and their targets are gone."""
    key = (*name.scope, name.name)
    tx.execute(f"DELETE FROM events_bus WHERE {_BUS}", key)
    for table in ("events_rule", "events_target"):
        tx.execute(f"DELETE FROM {table} WHERE account_id = ? AND region = ? AND bus = ?", key)


def buses(tx: Tx, scope: Scope, prefix: str) -> list[Bus]:
    """The buses of a scope by name, the default one among them, without their rules."""
    rows = tx.all("SELECT * FROM events_bus WHERE account_id = ? AND region = ? ORDER BY name", scope)
    found = [bus_of(row) for row in rows]
    if all(bus.name.name != DEFAULT_BUS for bus in found):
        name = BusName(scope, DEFAULT_BUS)
        found.append(Bus(name=name, policy=None, settings={}, tags={}, created_at=None, changed_at=None))
    return sorted((bus for bus in found if bus.name.name.startswith(prefix)), key=lambda bus: bus.name.name)


def put_rule(tx: Tx, rule: Rule, next_at: float | None) -> None:
    """Make the rule, or write all that it is anew; its targets stay."""
    tx.execute(
        upsert(
            "events_rule",
            "account_id, region, bus, name",
            "pattern, schedule, state, description, role_arn, created_by, tags, anchored_at, next_at",
        ),
        (
            *_key(rule.name),
            rule.pattern,
            rule.schedule,
            rule.state,
            rule.description,
            rule.role_arn,
            rule.created_by,
            json.dumps(dict(rule.tags)),
            rule.anchored_at,
            next_at,
        ),
    )


def tag_rule(tx: Tx, name: RuleName, tags: Mapping[str, str]) -> None:
    """Its tags alone: a time that is due is not passed over."""
    tx.execute(f"UPDATE events_rule SET tags = ? WHERE {_RULE}", (json.dumps(dict(tags)), *_key(name)))


def _key(name: RuleName) -> tuple[str, str, str, str]:
    return (*name.bus.scope, name.bus.name, name.name)


def remove_rule(tx: Tx, name: RuleName) -> None:
    """The rule is gone."""
    tx.execute(f"DELETE FROM events_rule WHERE {_RULE}", _key(name))
    tx.execute(f"DELETE FROM events_target WHERE {_TARGETS}", _key(name))


def next_at(tx: Tx, name: RuleName) -> float | None:
    """When its schedule comes next; None where it does not."""
    row = tx.one(f"SELECT next_at FROM events_rule WHERE {_RULE}", _key(name))
    return None if row is None else row["next_at"]


def comes_round(tx: Tx, name: RuleName, next_at: float | None) -> None:
    """When its schedule comes next."""
    tx.execute(f"UPDATE events_rule SET next_at = ? WHERE {_RULE}", (next_at, *_key(name)))


def put_target(tx: Tx, name: RuleName, given: Mapping[str, Any]) -> None:
    """A target, instead of the one that has its id."""
    tx.execute(
        upsert("events_target", "account_id, region, bus, rule, id", "arn, given"),
        (*_key(name), given["Id"], given["Arn"], json.dumps(dict(given))),
    )


def remove_target(tx: Tx, name: RuleName, identifier: str) -> bool:
    """Whether it was there."""
    return bool(tx.execute(f"DELETE FROM events_target WHERE {_TARGETS} AND id = ?", (*_key(name), identifier)))


def next_round(tx: Tx) -> float | None:
    """When the first of all schedules comes round."""
    row = tx.one("SELECT MIN(next_at) AS at FROM events_rule WHERE next_at IS NOT NULL")
    return None if row is None else row["at"]


def due(tx: Tx, now: float) -> list[Due]:
    """Rules whose schedule has come round; the earliest first."""
    rows: list[Row] = tx.all(
        "SELECT account_id, region, bus, name, next_at FROM events_rule WHERE next_at <= ? ORDER BY next_at LIMIT 100",
        (now,),
    )
    return [Due(RuleName(BusName(_scope(row), row["bus"]), row["name"]), row["next_at"]) for row in rows]


def _scope(row: Row) -> Scope:
    return Scope(AccountId(row["account_id"]), Region(row["region"]))


def planned(tx: Tx, name: RuleName) -> Rule:
    """A rule that is there, with its targets."""
    row = tx.one(f"SELECT * FROM events_rule WHERE {_RULE}", _key(name))
    if row is None:
        raise no_rule(name.name, name.bus.name)
    targets = tx.all(f"SELECT * FROM events_target WHERE {_TARGETS} ORDER BY id", _key(name))
    return rule_of(row, tuple(target_of(one) for one in targets))
