"""Tables of deliveries and edges. A migration is never edited, only followed by another."""

import json

from undercast.store.transaction import Tx


def _message_groups(tx: Tx) -> None:
    """Rows know their message group. Those that are there are read in Python: each database has its own JSON."""
    tx.execute("ALTER TABLE event_delivery ADD COLUMN message_group TEXT NOT NULL DEFAULT ''")
    tx.execute("DROP INDEX event_delivery_due")
    for row in tx.all("SELECT id, attributes FROM event_delivery WHERE target_arn LIKE '%.fifo'"):
        group = json.loads(row["attributes"]).get("group_id", "")
        tx.execute("UPDATE event_delivery SET message_group = ? WHERE id = ?", (group, row["id"]))
    tx.execute("CREATE INDEX event_delivery_due ON event_delivery (target_arn, message_group, due_at, ord, id)")


def _lists_as_json(tx: Tx) -> None:
    """Where a failure was sent was a list with spaces between."""
    for row in tx.all("SELECT ord, sent_to FROM event_dead"):
        tx.execute("UPDATE event_dead SET sent_to = ? WHERE ord = ?", (json.dumps(row["sent_to"].split()), row["ord"]))


DELIVERY = (
    """
    CREATE TABLE event_delivery (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT PRIMARY KEY, ord INTEGER NOT NULL,
        target_arn TEXT NOT NULL, kind TEXT NOT NULL, due_at REAL NOT NULL, payload BLOB NOT NULL,
        created_at REAL NOT NULL, cause_kind TEXT NOT NULL, cause_id TEXT NOT NULL, cause_environment_id TEXT,
        source_arn TEXT NOT NULL, attributes TEXT NOT NULL, attempts INTEGER NOT NULL, throttles INTEGER NOT NULL
    );
    CREATE INDEX event_delivery_due ON event_delivery (target_arn, due_at, ord, id);
    """,
    _message_groups,
    """
    CREATE TABLE event_dead (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL UNIQUE, ord INTEGER PRIMARY KEY,
        target_arn TEXT NOT NULL, kind TEXT NOT NULL, payload BLOB NOT NULL, created_at REAL NOT NULL,
        cause_kind TEXT NOT NULL, cause_id TEXT NOT NULL, cause_environment_id TEXT, source_arn TEXT NOT NULL,
        attributes TEXT NOT NULL, tries INTEGER NOT NULL, reason TEXT NOT NULL, given_up_at REAL NOT NULL,
        sent_to TEXT NOT NULL
    )
    """,
    _lists_as_json,
)
EDGE = (
    """
    CREATE TABLE causal_edge (
        account_id TEXT NOT NULL, region TEXT NOT NULL, ord INTEGER PRIMARY KEY, at REAL NOT NULL,
        from_kind TEXT NOT NULL, from_id TEXT NOT NULL, to_kind TEXT NOT NULL, to_id TEXT NOT NULL,
        label TEXT NOT NULL, environment_id TEXT NOT NULL
    );
    CREATE INDEX causal_edge_from ON causal_edge (from_id);
    CREATE INDEX causal_edge_to ON causal_edge (to_id);
    """,
    "ALTER TABLE causal_edge ADD COLUMN from_label TEXT NOT NULL DEFAULT ''",
)
"""In state.db, for edges of durable deliveries, and in journal.db, for all others."""
