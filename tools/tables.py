"""Writes src/undercast/app/_generated/*.sql: the tables of a data folder as all migrations leave them.

For whoever has appended a migration; `tests/architecture/test_tables.py` compares both ways.
"""

import sys
import tempfile
from pathlib import Path

from undercast.app.tables import GENERATED, schemas
from undercast.store.database import Database
from undercast.store.migrations import migrate_all, script_of


def main() -> int:
    """Write both files."""
    of = schemas()
    for name, migrations in (("state", of.state), ("journal", of.journal)):
        with tempfile.TemporaryDirectory() as folder:
            database = Database.open(Path(folder) / "made.db")
            migrate_all(database, migrations)
            (GENERATED / f"{name}.sql").write_text(script_of(database))
            database.drop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
