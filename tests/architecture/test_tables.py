"""A new data folder gets its tables at once, an old one by migrations: both come to the same."""

from pathlib import Path

import pytest

from undercast.app import tables
from undercast.app.tables import Name
from undercast.store.database import Database
from undercast.store.migrations import migrate_all, script_of, versions_in

NAMES: tuple[Name, ...] = ("state", "journal")


def shape(database: Database) -> list[tuple[object, ...]]:
    """Every table, index and trigger with its SQL, which has the columns in their order, and every owner's version."""
    rows = database.read_now(
        lambda tx: tx.all("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    )
    return [*map(tuple, rows), *sorted(versions_in(database).items())]


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_a_new_folder_are_those_that_migrations_leave(tmp_path: Path, name: Name) -> None:
    """Of each service, and of what all share. Behind a further migration: python tools/tables.py."""
    migrations = getattr(tables.schemas(), name)
    ways = Database.open(tmp_path / "old.db"), Database.open(tmp_path / "new.db")
    migrate_all(ways[0], migrations)
    migrate_all(ways[1], {}, lambda: tables.whole(name))
    by_steps, at_once = map(shape, ways)
    assert at_once == by_steps, "python tools/tables.py writes them anew"
    assert script_of(ways[0]) == (tables.GENERATED / f"{name}.sql").read_text(), "python tools/tables.py writes it anew"
    for database in ways:
        database.drop()


@pytest.mark.parametrize("name", NAMES)
def test_a_new_folder_alters_no_table(tmp_path: Path, name: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step is left for it: SQLite reads its whole schema again for each ALTER TABLE, half of their cost."""
    said: list[str] = []
    database = Database.open(tmp_path / "new.db")
    database._inline.set_trace_callback(said.append)
    migrate_all(database, getattr(tables.schemas(), name), lambda: tables.whole(name))
    assert [sql for sql in said if sql.lstrip().startswith(("ALTER", "DROP", "UPDATE"))] == []
    assert said.count("COMMIT") == 1
    database.drop()
