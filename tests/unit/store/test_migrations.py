"""Versioned schemas: steps run once, in order, whole or not at all."""

import sqlite3
from pathlib import Path

import pytest

from undercast.store.database import Database
from undercast.store.errors import NewerData
from undercast.store.migrations import (
    Whole,
    check_all,
    migrate,
    migrate_all,
    script_of,
    statements,
    versions_in,
    whole_of,
)

ONE = "CREATE TABLE a_thing (id TEXT PRIMARY KEY); CREATE INDEX a_thing_id ON a_thing (id);"
TWO = "ALTER TABLE a_thing ADD COLUMN note TEXT NOT NULL DEFAULT ';';"


def tables(database: Database) -> set[str]:
    rows = database.read_now(lambda tx: tx.all("SELECT name FROM sqlite_master WHERE type = 'table'"))
    return {row["name"] for row in rows}


async def test_steps_run_once_and_go_on_where_they_ended(tmp_path: Path) -> None:
    """A later version adds steps; rows of the earlier one stay."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "a", (ONE,))
    await database.write(lambda tx: tx.execute("INSERT INTO a_thing (id) VALUES ('kept')"))
    migrate(database, "a", (ONE, TWO))
    migrate(database, "a", (ONE, TWO))
    row = await database.read(lambda tx: tx.one("SELECT id, note FROM a_thing"))
    assert row is not None
    assert tuple(row) == ("kept", ";")
    await database.close()


async def test_step_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Each step is one transaction: SQLite's DDL is transactional."""
    database = Database.open(tmp_path / "state.db")
    with pytest.raises(sqlite3.OperationalError):
        migrate(database, "a", (ONE, "CREATE TABLE b (x TEXT); CREATE TABLE a_thing (x TEXT);"))
    assert tables(database) == {"schema_version", "a_thing"}
    migrate(database, "a", (ONE, "CREATE TABLE b (x TEXT);"))
    assert tables(database) == {"schema_version", "a_thing", "b"}
    await database.close()


async def test_newer_data_is_refused_before_anything_changes(tmp_path: Path) -> None:
    """An older program must not touch what it does not understand."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "b", ("CREATE TABLE b (x TEXT);", "CREATE TABLE b2 (x TEXT);"))
    with pytest.raises(NewerData, match=r"version 2 of b's data; this program knows version 1"):
        migrate_all(database, {"a": (ONE,), "b": ("CREATE TABLE b (x TEXT);",)})
    assert "a_thing" not in tables(database)
    with pytest.raises(NewerData, match="this program knows version 1"):
        check_all(database, {"a": (ONE,), "b": ("CREATE TABLE b (x TEXT);",)})
    await database.close()


async def test_to_check_a_file_changes_nothing(tmp_path: Path) -> None:
    """A start looks before it is ready, and makes the tables behind that."""
    database = Database.open(tmp_path / "state.db")
    check_all(database, {"a": (ONE,)})
    assert (tables(database), versions_in(database)) == (set(), {})
    migrate_all(database, {"a": (ONE,)})
    check_all(database, {"a": (ONE,)})
    assert versions_in(database) == {"a": 1}
    await database.close()


async def test_a_file_without_tables_gets_them_at_once_and_then_what_is_newer(tmp_path: Path) -> None:
    """As all steps leave them. One that has tables already goes step by step, and nobody asks for the whole."""
    old = Database.open(tmp_path / "old.db")
    migrate(old, "a", (ONE, TWO))
    made = whole_of(script_of(old))
    assert (made.versions, len(made.statements)) == ({"a": 2}, 2)
    new = Database.open(tmp_path / "new.db")
    migrate_all(new, {"a": (ONE, TWO, "CREATE TABLE c (x TEXT);"), "b": ("CREATE TABLE b (x TEXT);",)}, lambda: made)
    assert versions_in(new) == {"a": 3, "b": 1}
    assert tables(new) == {"schema_version", "a_thing", "b", "c"}
    await new.write(lambda tx: tx.execute("INSERT INTO a_thing (id) VALUES ('x')"))
    assert [tuple(row) for row in await new.read(lambda tx: tx.all("SELECT * FROM a_thing"))] == [("x", ";")]

    def never() -> Whole:
        raise AssertionError("it has tables")

    migrate_all(old, {"a": (ONE, TWO), "b": ("CREATE TABLE b (x TEXT);",)}, never)
    assert versions_in(old) == {"a": 2, "b": 1}
    for database in (old, new):
        await database.close()


async def test_rows_that_steps_make_are_in_no_script_of_tables(tmp_path: Path) -> None:
    """It would leave them out of a new folder."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "a", (ONE, "INSERT INTO a_thing (id) VALUES ('made');"))
    with pytest.raises(ValueError, match="rows of a_thing"):
        script_of(database)
    await database.close()


def test_statements_end_where_sql_says() -> None:
    """A ";" in a string, a comment or a trigger's body ends no statement."""
    script = """
        CREATE TABLE t (a TEXT DEFAULT ';'); -- one; comment
        CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; SELECT 1; END;
        ;
    """
    assert [statement.split()[1] for statement in statements(script)] == ["TABLE", "one;"]
