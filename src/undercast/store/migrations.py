"""Versioned schemas: one list of steps per owner, SQL or a function, each in one transaction.

A function is for rows that need more than SQL which SQLite and PostgreSQL share (ADR 66).
A step is never edited, only followed by another. Data of a newer version is refused before anything is changed.
A file without any tables gets them as all steps leave them, in one transaction: tables that are made and then altered
cost twice, for SQLite reads its whole schema again for each ALTER TABLE.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping

from undercast.core.record import record
from undercast.store.database import Database
from undercast.store.errors import NewerData
from undercast.store.transaction import Tx

Step = str | Callable[[Tx], None]
_TABLE = "CREATE TABLE IF NOT EXISTS schema_version (name TEXT PRIMARY KEY, version INTEGER NOT NULL)"
_VERSION = re.compile(r"^-- version (\S+) (\d+)$", re.MULTILINE)


@record
class Whole:
    """All tables of a file: the statements that make them, and the version of each owner that they are of."""

    versions: Mapping[str, int]
    statements: tuple[str, ...]


def whole_of(script: str) -> Whole:
    """What `script_of` has written."""
    versions = {name: int(version) for name, version in _VERSION.findall(script)}
    return Whole(versions=versions, statements=tuple(statements(script)))


def script_of(database: Database) -> str:
    """The tables of a file that has been migrated, as a script. Raises ValueError for rows that the steps have made."""
    made = database.read_now(_made)
    heads = [f"-- version {name} {version}" for name, version in sorted(versions_in(database).items())]
    return "\n".join((*heads, *(f"{sql};" for sql in made), ""))


def _made(tx: Tx) -> list[str]:
    rows = tx.all("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    ours = [row for row in rows if row["name"] not in ("schema_version", "sqlite_sequence")]
    for name in (row["name"] for row in ours if row["type"] == "table"):
        if tx.one(f"SELECT 1 FROM {name}") is not None:
            raise ValueError(f"a step has made rows of {name}, which a script of tables has not")
    return [row["sql"] for row in ours]


def migrate(database: Database, name: str, migrations: tuple[Step, ...]) -> None:
    """Bring the tables of `name` to version len(migrations). A step that was interrupted is run again whole."""
    migrate_all(database, {name: migrations})


def migrate_all(
    database: Database, schemas: Mapping[str, tuple[Step, ...]], whole: Callable[[], Whole] | None = None
) -> None:
    """`migrate` for many owners. Nothing is changed when one of them has newer data. Raises NewerData.

    `whole` is asked for a file without tables.
    """
    check_all(database, schemas)
    versions = versions_in(database)
    if not versions:
        database.write_now(lambda tx: _make(tx, whole() if whole is not None else Whole(versions={}, statements=())))
        versions = versions_in(database)
    for name, migrations in schemas.items():
        for version in range(versions.get(name, 0), len(migrations)):
            _step(database, name, version + 1, migrations[version])


def check_all(database: Database, schemas: Mapping[str, tuple[Step, ...]]) -> None:
    """Raises NewerData where `migrate_all` would. Changes nothing."""
    versions = versions_in(database)
    for name, migrations in schemas.items():
        if versions.get(name, 0) > len(migrations):
            raise NewerData(
                f"{database.path} holds version {versions[name]} of {name}'s data; this program knows version "
                f"{len(migrations)}. Install the version that wrote it, or start with another folder (--data)."
            )


def versions_in(database: Database) -> dict[str, int]:
    """By owner; nothing in a file that was never migrated."""
    return database.read_now(_versions)


def statements(script: str) -> Iterator[str]:
    """The statements of a script. A ";" in a string, a comment or a trigger's body ends none."""
    pending = ""
    for part in script.split(";"):
        pending += part + ";"
        if sqlite3.complete_statement(pending):
            if pending.strip(" \n\t;"):
                yield pending
            pending = ""
    if pending.strip(" \n\t;"):
        raise ValueError(f"incomplete SQL: {pending}")


def _versions(tx: Tx) -> dict[str, int]:
    if tx.one("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'") is None:
        return {}
    return {row["name"]: row["version"] for row in tx.all("SELECT name, version FROM schema_version")}


def _make(tx: Tx, whole: Whole) -> None:
    tx.execute(_TABLE)
    for statement in whole.statements:
        tx.execute(statement)
    tx.insert_many("INSERT INTO schema_version (name, version) VALUES (?, ?)", whole.versions.items())


def _step(database: Database, name: str, version: int, step: Step) -> None:
    def apply(tx: Tx) -> None:
        if isinstance(step, str):
            for statement in statements(step):
                tx.execute(statement)
        else:
            step(tx)
        tx.execute(
            "INSERT INTO schema_version (name, version) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            (name, version),
        )

    database.write_now(apply)
