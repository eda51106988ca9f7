"""Numbers that are used once, also where what had them is gone: each kind has a table of one AUTOINCREMENT column.

For the ids of tables that were made without AUTOINCREMENT and that others refer to: such a table cannot be made anew
by a migration, for DROP TABLE deletes what refers to its rows. The column's table stays empty; what was the last number
is SQLite's to remember, also behind `undercast reset`.
SQLite: https://sqlite.org/autoinc.html, https://sqlite.org/lang_droptable.html
"""

from undercast.store.transaction import Tx


def next_number(tx: Tx, table: str) -> int:
    """One that was never given, of the table with the column `id`. Within the transaction that uses it."""
    tx.execute(f"INSERT INTO {table} DEFAULT VALUES")
    row = tx.one(f"SELECT MAX(id) AS id FROM {table}")
    tx.execute(f"DELETE FROM {table}")
    if row is None:
        raise ValueError(f"{table} gives no number")
    return int(row["id"])
