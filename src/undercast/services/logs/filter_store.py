"""The rows of what is configured, in state.db: filters, saved queries. Functions run inside a transaction."""

import json
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.record import record
from undercast.services.logs import resource_policies
from undercast.services.logs.destination import Destination
from undercast.services.logs.followers import GroupName
from undercast.services.logs.metric_filter import MetricFilter
from undercast.services.logs.models import group_arn
from undercast.services.logs.store import scope_of
from undercast.services.logs.subscription import SubscriptionFilter
from undercast.store.database import Row, Tx
from undercast.store.statements import upsert

_OF_GROUP = "account_id = ? AND region = ? AND group_name = ?"
_NAMED = "account_id = ? AND region = ? AND name = ?"


@record
class QueryDefinition:
    """A saved query."""

    scope: Scope
    id: str
    name: str
    text: str
    groups: tuple[str, ...]
    modified_ms: int
    client_token: str = ""

    def output(self) -> dict[str, Any]:
        """QueryDefinition."""
        return {
            "queryLanguage": "CWLI",
            "queryDefinitionId": self.id,
            "name": self.name,
            "queryString": self.text,
            "lastModified": self.modified_ms,
            "logGroupNames": list(self.groups),
        }


def all_subscriptions(tx: Tx) -> list[SubscriptionFilter]:
    """Of every group of every scope."""
    return [_subscription(row) for row in tx.all("SELECT * FROM logs_subscription_filter ORDER BY name")]


def subscriptions(tx: Tx, group: GroupName) -> list[SubscriptionFilter]:
    """Of one group, by name."""
    rows = tx.all(
        f"SELECT * FROM logs_subscription_filter WHERE {_OF_GROUP} ORDER BY name",
        (*scope_of(group.scope), group.group),
    )
    return [_subscription(row) for row in rows]


def put_subscription(tx: Tx, one: SubscriptionFilter) -> None:
    """Make it, or change that of the same name."""
    tx.execute(
        "INSERT INTO logs_subscription_filter (account_id, region, group_name, name, created_ms, pattern,"
        " destination_arn, role_arn, distribution) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, region, group_name, name) DO UPDATE SET pattern = excluded.pattern,"
        " destination_arn = excluded.destination_arn, role_arn = excluded.role_arn,"
        " distribution = excluded.distribution",
        (
            *scope_of(one.scope),
            one.group,
            one.name,
            one.created_ms,
            one.pattern,
            one.destination_arn,
            one.role_arn,
            one.distribution,
        ),
    )


def delete_subscription(tx: Tx, group: GroupName, name: str) -> bool:
    """False when there is none of this name."""
    return bool(
        tx.execute(
            f"DELETE FROM logs_subscription_filter WHERE {_OF_GROUP} AND name = ?",
            (*scope_of(group.scope), group.group, name),
        )
    )


def all_metric_filters(tx: Tx) -> list[MetricFilter]:
    """Of every group of every scope."""
    return [_metric_filter(row) for row in tx.all("SELECT * FROM logs_metric_filter ORDER BY name")]


def metric_filters(tx: Tx, group: GroupName) -> list[MetricFilter]:
    """Of one group, by name."""
    rows = tx.all(
        f"SELECT * FROM logs_metric_filter WHERE {_OF_GROUP} ORDER BY name", (*scope_of(group.scope), group.group)
    )
    return [_metric_filter(row) for row in rows]


def put_metric_filter(tx: Tx, one: MetricFilter) -> None:
    """Make it, or change that of the same name."""
    tx.execute(
        "INSERT INTO logs_metric_filter (account_id, region, group_name, name, created_ms, pattern, transformation)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, group_name, name)"
        " DO UPDATE SET pattern = excluded.pattern, transformation = excluded.transformation",
        (*scope_of(one.scope), one.group, one.name, one.created_ms, one.pattern, json.dumps(dict(one.transformation))),
    )


def delete_metric_filter(tx: Tx, group: GroupName, name: str) -> bool:
    """False when there is none of this name."""
    return bool(
        tx.execute(
            f"DELETE FROM logs_metric_filter WHERE {_OF_GROUP} AND name = ?",
            (*scope_of(group.scope), group.group, name),
        )
    )


def delete_of_group(tx: Tx, group: GroupName) -> None:
    """The group is deleted."""
    for table in ("logs_subscription_filter", "logs_metric_filter"):
        tx.execute(f"DELETE FROM {table} WHERE {_OF_GROUP}", (*scope_of(group.scope), group.group))
    resource_policies.delete(tx, group.scope, resource_policies.RESOURCE, group_arn(group.scope, group.group))


def _metric_filter(row: Row) -> MetricFilter:
    return MetricFilter(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        group=row["group_name"],
        name=row["name"],
        created_ms=row["created_ms"],
        pattern=row["pattern"],
        transformation=json.loads(row["transformation"]),
    )


def destinations(tx: Tx, scope: Scope) -> list[Destination]:
    """Of a scope, by name."""
    query = "SELECT * FROM logs_destination WHERE account_id = ? AND region = ? ORDER BY name"
    return [_destination(row) for row in tx.all(query, scope_of(scope))]


def destination(tx: Tx, scope: Scope, name: str) -> Destination | None:
    """One, or None."""
    row = tx.one(f"SELECT * FROM logs_destination WHERE {_NAMED}", (*scope_of(scope), name))
    return _destination(row) if row else None


def put_destination(tx: Tx, one: Destination) -> None:
    """Make it, or change stream and role of that of the same name."""
    tx.execute(
        "INSERT INTO logs_destination (account_id, region, name, target_arn, role_arn, created_ms, policy)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name)"
        " DO UPDATE SET target_arn = excluded.target_arn, role_arn = excluded.role_arn",
        (*scope_of(one.scope), one.name, one.target_arn, one.role_arn, one.created_ms, one.policy),
    )


def set_destination_policy(tx: Tx, scope: Scope, name: str, policy: str) -> bool:
    """False when there is none of this name."""
    return bool(tx.execute(f"UPDATE logs_destination SET policy = ? WHERE {_NAMED}", (policy, *scope_of(scope), name)))


def delete_destination(tx: Tx, scope: Scope, name: str) -> bool:
    """False when there is none of this name."""
    return bool(tx.execute(f"DELETE FROM logs_destination WHERE {_NAMED}", (*scope_of(scope), name)))


def _destination(row: Row) -> Destination:
    return Destination(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        target_arn=row["target_arn"],
        role_arn=row["role_arn"],
        created_ms=row["created_ms"],
        policy=row["policy"],
    )


def query_definitions(tx: Tx, scope: Scope) -> list[QueryDefinition]:
    """Of a scope."""
    rows = tx.all("SELECT * FROM logs_query_definition WHERE account_id = ? AND region = ?", scope_of(scope))
    return [
        QueryDefinition(
            scope=scope,
            id=row["id"],
            name=row["name"],
            text=row["query"],
            groups=tuple(json.loads(row["groups"])),
            modified_ms=row["modified_ms"],
            client_token=row["client_token"],
        )
        for row in rows
    ]


def put_query_definition(tx: Tx, one: QueryDefinition) -> None:
    """Make it, or change that of the same id."""
    tx.execute(
        upsert("logs_query_definition", "account_id, region, id", "name, query, groups, modified_ms, client_token"),
        (
            *scope_of(one.scope),
            one.id,
            one.name,
            one.text,
            json.dumps(one.groups),
            one.modified_ms,
            one.client_token,
        ),
    )


def delete_query_definition(tx: Tx, scope: Scope, definition_id: str) -> bool:
    """False when there is none of this id."""
    where = "account_id = ? AND region = ? AND id = ?"
    return bool(tx.execute(f"DELETE FROM logs_query_definition WHERE {where}", (*scope_of(scope), definition_id)))


def _subscription(row: Row) -> SubscriptionFilter:
    return SubscriptionFilter(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        group=row["group_name"],
        name=row["name"],
        created_ms=row["created_ms"],
        pattern=row["pattern"],
        destination_arn=row["destination_arn"],
        role_arn=row["role_arn"],
        distribution=row["distribution"],
    )
