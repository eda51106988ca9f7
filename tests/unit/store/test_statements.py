"""Statements that both databases understand."""

from pathlib import Path

from undercast.store.database import Database
from undercast.store.statements import upsert


def test_a_row_is_made_or_its_other_columns_are_replaced(tmp_path: Path) -> None:
    """By its key."""
    put = upsert("t", "a, b", "c, d")
    assert put == (
        "INSERT INTO t (a, b, c, d) VALUES (?, ?, ?, ?) ON CONFLICT (a, b) DO UPDATE SET c = excluded.c, d = excluded.d"
    )
    database = Database.open(tmp_path / "state.db")
    try:
        database.write_now(lambda tx: tx.execute("CREATE TABLE t (a TEXT, b TEXT, c TEXT, d TEXT, PRIMARY KEY (a, b))"))
        for row in (("a", "b", "1", "2"), ("a", "c", "3", "4"), ("a", "b", "5", "6")):
            database.write_now(lambda tx, row=row: tx.execute(put, row))  # type: ignore[misc]
        rows = database.read_now(lambda tx: tx.all("SELECT a, b, c, d FROM t ORDER BY a, b"))
        assert [tuple(row) for row in rows] == [("a", "b", "5", "6"), ("a", "c", "3", "4")]
    finally:
        database.drop()
