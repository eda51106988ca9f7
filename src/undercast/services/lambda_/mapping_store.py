"""The rows of event source mappings. Each function runs inside a transaction.

AWS: Lambda API Reference, EventSourceMappingConfiguration.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.record import record
from undercast.services.event_sources.progress import Table
from undercast.store.database import Row, Tx

_TABLE = "lambda_event_source_mapping"
_KEY = "account_id = ? AND region = ? AND id = ?"

ENABLED, DISABLED, DELETING = "Enabled", "Disabled", "Deleting"
CREATING, ENABLING, DISABLING, UPDATING = "Creating", "Enabling", "Disabling", "Updating"
SETTLED = frozenset({ENABLED, DISABLED})


@record
class EventSourceMapping:
    """One mapping. `id` is AWS's UUID."""

    id: str
    scope: Scope
    source_arn: str
    function_arn: str
    """With its qualifier, where one was given."""
    configuration: Mapping[str, Any]
    """BatchSize and the other settings, by AWS's names, with the defaults of the source's kind."""
    enabled: bool
    state: str
    tags: Mapping[str, str]
    modified_at: float

    @property
    def arn(self) -> str:
        """EventSourceMappingArn."""
        return mapping_arn(self.scope, self.id)

    @property
    def settled_state(self) -> str:
        """Where its state leads to."""
        return ENABLED if self.enabled else DISABLED


class Wanted(NamedTuple):
    """Which mappings; "" for either ARN means any."""

    source_arn: str = ""
    function_arn: str = ""


def mapping_arn(scope: Scope, mapping_id: str) -> str:
    """A mapping's ARN."""
    return f"arn:aws:lambda:{scope.region}:{scope.account_id}:event-source-mapping:{mapping_id}"


def find(tx: Tx, scope: Scope, mapping_id: str) -> EventSourceMapping | None:
    """One mapping, or None."""
    row = tx.one(f"SELECT * FROM {_TABLE} WHERE {_KEY}", (scope.account_id, scope.region, mapping_id))
    return None if row is None else _mapping(row)


def by_arn(tx: Tx, arn: str) -> EventSourceMapping | None:
    """The mapping that an ARN names, or None."""
    parts = arn.split(":")
    if len(parts) != 7 or parts[2] != "lambda" or parts[5] != "event-source-mapping":
        return None
    return find(tx, Scope(AccountId(parts[4]), Region(parts[3])), parts[6])


def listed(tx: Tx, scope: Scope, wanted: Wanted, after: str, limit: int) -> list[EventSourceMapping]:
    """By id, behind a position."""
    rows = tx.all(
        f"SELECT * FROM {_TABLE} WHERE account_id = ?1 AND region = ?2 AND id > ?3"
        " AND ?4 IN ('', source_arn) AND ?5 IN ('', function_arn) ORDER BY id LIMIT ?6",
        (scope.account_id, scope.region, after, wanted.source_arn, wanted.function_arn, limit),
    )
    return [_mapping(row) for row in rows]


def every(tx: Tx) -> list[EventSourceMapping]:
    """All of all accounts, for a start."""
    return [_mapping(row) for row in tx.all(f"SELECT * FROM {_TABLE}")]


def put(tx: Tx, mapping: EventSourceMapping) -> None:
    """Insert or replace."""
    tx.execute(
        f"INSERT INTO {_TABLE} (account_id, region, id, source_arn, function_arn, configuration, enabled, state, tags,"
        " modified_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, id) DO UPDATE SET"
        " function_arn = excluded.function_arn, configuration = excluded.configuration, enabled = excluded.enabled,"
        " state = excluded.state, tags = excluded.tags, modified_at = excluded.modified_at",
        (
            mapping.scope.account_id,
            mapping.scope.region,
            mapping.id,
            mapping.source_arn,
            mapping.function_arn,
            json.dumps(dict(mapping.configuration)),
            int(mapping.enabled),
            mapping.state,
            json.dumps(dict(mapping.tags)),
            mapping.modified_at,
        ),
    )


def settle(tx: Tx, before: EventSourceMapping) -> None:
    """What its state says has been done."""
    mapping = find(tx, before.scope, before.id)
    key = before.scope.account_id, before.scope.region, before.id
    if mapping is None:
        return
    if mapping.state == DELETING:
        tx.execute(f"DELETE FROM {_TABLE} WHERE {_KEY}", key)
        tx.execute("DELETE FROM lambda_event_source_progress WHERE id = ?", (mapping.id,))
    else:
        tx.execute(f"UPDATE {_TABLE} SET state = ? WHERE {_KEY}", (mapping.settled_state, *key))


def _mapping(row: Row) -> EventSourceMapping:
    return EventSourceMapping(
        id=row["id"],
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        source_arn=row["source_arn"],
        function_arn=row["function_arn"],
        configuration=json.loads(row["configuration"]),
        enabled=bool(row["enabled"]),
        state=row["state"],
        tags=json.loads(row["tags"]),
        modified_at=row["modified_at"],
    )


def progress_of(mapping: EventSourceMapping) -> Table:
    """Where it keeps how far it has read its stream."""
    return Table(table="lambda_event_source_progress", owner="lambda_event_source_mapping", id=mapping.id)
