"""The rows of tables and of their indexes, and the tables that were read last.

A table is looked up by every request; what was read stays until this process changes the row.
AWS: DynamoDB API Reference, CreateTable, UpdateTable.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core.arn import Scope
from undercast.services.dynamodb.errors import in_use, no_resource
from undercast.services.dynamodb.models import Table, TableName, table_of
from undercast.services.kept import Kept
from undercast.store.database import Database, Row, Tx

_MEASURED_ITEMS = 5000
_SWEPT_AT_ONCE = 1000


class Tables(Kept[TableName, Table]):
    """See the module."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, find)

    def get(self, tx: Tx, of: TableName) -> Table:
        """For a data operation. Raises ResourceNotFoundException, also for a table that is being imported."""
        return _active(self.within(tx, of))

    def existing(self, of: TableName) -> Table:
        """The same, where no transaction runs."""
        return _active(self.find(of))


def _active(table: Table | None) -> Table:
    if table is None or table.is_importing:
        raise no_resource()
    return table


def find(tx: Tx, of: TableName) -> Table | None:
    """The table's row with its indexes."""
    row = tx.one("SELECT * FROM dynamodb_table WHERE account_id = ? AND region = ? AND name = ?", (*of.scope, of.name))
    return None if row is None else _table(tx, row)


def _table(tx: Tx, row: Row) -> Table:
    found = tx.all("SELECT id, name FROM dynamodb_index WHERE table_id = ?", (row["id"],))
    return table_of(row, {one["name"]: one["id"] for one in found})


def existing(tx: Tx, of: TableName) -> Table:
    """For an operation on the table itself. Raises ResourceNotFoundException."""
    table = find(tx, of)
    if table is None:
        raise no_resource(of.name)
    return table


def ready(tx: Tx, of: TableName) -> Table:
    """The same for one that needs a table that is ACTIVE. Raises ResourceInUseException, too."""
    table = existing(tx, of)
    if table.is_importing:
        raise in_use(f"Attempt to change a resource which is still in use: Table is being created: {of.name}")
    return table


def add(tx: Tx, of: TableName, table_id: str, definition: Mapping[str, Any], rest: tuple[str, float]) -> Table:
    """A new, empty table. `rest` are its tags, as JSON, and the time."""
    tags, now = rest
    tx.execute(
        "INSERT INTO dynamodb_table (account_id, region, name, table_id, created_at, definition, tags, ttl_attribute,"
        " ttl_changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, '', 0)",
        (*of.scope, of.name, table_id, now, json.dumps(definition), tags),
    )
    row = tx.one("SELECT id FROM dynamodb_table WHERE account_id = ? AND region = ? AND name = ?", (*of.scope, of.name))
    assert row is not None
    _set_indexes(tx, row["id"], definition)
    return existing(tx, of)


def _set_indexes(tx: Tx, row_id: int, definition: Mapping[str, Any]) -> None:
    members = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
    names = {one["IndexName"] for member in members for one in definition.get(member) or ()}
    known = {row["name"] for row in tx.all("SELECT name FROM dynamodb_index WHERE table_id = ?", (row_id,))}
    for name in known - names:
        tx.execute("DELETE FROM dynamodb_index WHERE table_id = ? AND name = ?", (row_id, name))
    for name in sorted(names - known):
        tx.execute("INSERT INTO dynamodb_index (table_id, name) VALUES (?, ?)", (row_id, name))


def set_definition(tx: Tx, table: Table, definition: Mapping[str, Any]) -> Table:
    """Replace it; indexes that are no more lose their entries, new ones are empty."""
    tx.execute("UPDATE dynamodb_table SET definition = ? WHERE id = ?", (json.dumps(definition), table.id))
    _set_indexes(tx, table.id, definition)
    return existing(tx, table.of)


def set_tags(tx: Tx, table: Table, tags: Mapping[str, str]) -> None:
    """Replace them."""
    tx.execute("UPDATE dynamodb_table SET tags = ? WHERE id = ?", (json.dumps(dict(tags)), table.id))


def set_ttl(tx: Tx, table: Table, attribute: str, now: float) -> None:
    """`attribute` is "" for none."""
    tx.execute(
        "UPDATE dynamodb_table SET ttl_attribute = ?, ttl_changed_at = ? WHERE id = ?", (attribute, now, table.id)
    )


def delete(tx: Tx, table: Table) -> None:
    """With everything in it; where that is much, it is put aside, and `sweep` takes it away in pieces."""
    row = tx.one(
        "SELECT (SELECT COUNT(*) FROM dynamodb_item WHERE table_id = ?)"
        " + (SELECT COUNT(*) FROM dynamodb_change WHERE table_id = ?) AS held",
        (table.id, table.id),
    )
    if row is not None and row["held"] > _SWEPT_AT_ONCE:
        # Nobody's account: the name is free, and no request finds it.
        tx.execute(
            "UPDATE dynamodb_table SET account_id = '', name = table_id, ttl_attribute = '', recovery_days = 0,"
            " recovery_since = 0 WHERE id = ?",
            (table.id,),
        )
        return
    tx.execute("DELETE FROM dynamodb_table WHERE id = ?", (table.id,))


def sweep(tx: Tx) -> bool:
    """Remove a piece of a deleted table; whether there is more."""
    row = tx.one("SELECT id FROM dynamodb_table WHERE account_id = '' LIMIT 1")
    if row is None:
        return False
    entries = tx.execute(
        "DELETE FROM dynamodb_entry WHERE (index_id, hash, range, base) IN (SELECT index_id, hash, range, base"
        " FROM dynamodb_entry WHERE index_id IN (SELECT id FROM dynamodb_index WHERE table_id = ?) LIMIT ?)",
        (row["id"], _SWEPT_AT_ONCE),
    )
    items = tx.execute(
        "DELETE FROM dynamodb_item WHERE id IN (SELECT id FROM dynamodb_item WHERE table_id = ? LIMIT ?)",
        (row["id"], _SWEPT_AT_ONCE),
    )
    changes = tx.execute(
        "DELETE FROM dynamodb_change WHERE id IN (SELECT id FROM dynamodb_change WHERE table_id = ? LIMIT ?)",
        (row["id"], _SWEPT_AT_ONCE),
    )
    if not entries and not items and not changes:
        tx.execute("DELETE FROM dynamodb_table WHERE id = ?", (row["id"],))
    return True


def counts(tx: Tx, table: Table) -> tuple[int, int]:
    """(items, bytes); the bytes of a large table are estimated from its first items, which are any by their hash."""
    row = tx.one("SELECT COUNT(*) AS items FROM dynamodb_item WHERE table_id = ?", (table.id,))
    items = row["items"] if row is not None else 0
    row = tx.one(
        "SELECT COUNT(*) AS items, SUM(size) AS bytes FROM"
        " (SELECT size FROM dynamodb_item WHERE table_id = ? ORDER BY hash, range LIMIT ?)",
        (table.id, _MEASURED_ITEMS),
    )
    return (items, row["bytes"] * items // row["items"]) if row is not None and row["items"] else (items, 0)


def each_name(tx: Tx, scope: Scope, after: str) -> Iterator[str]:
    """The names of an account's tables, in order."""
    rows = tx.each(
        "SELECT name FROM dynamodb_table WHERE account_id = ? AND region = ? AND name > ? ORDER BY name",
        (*scope, after),
    )
    return (row["name"] for row in rows)


def with_ttl(tx: Tx) -> list[Table]:
    """The tables of all accounts whose items expire."""
    return [_table(tx, row) for row in tx.all("SELECT * FROM dynamodb_table WHERE ttl_attribute != ''")]
