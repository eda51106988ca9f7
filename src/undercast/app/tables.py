"""The tables of a data folder: every owner's migrations, and what they all come to, for a folder that has none yet.

`_generated/*.sql` are written by `tools/tables.py` from the migrations; `tests/architecture/test_tables.py` compares
both ways. A step that was appended since is run behind them.
"""

from pathlib import Path
from typing import Literal

from undercast.events.schema import DELIVERY, EDGE
from undercast.services import catalogue
from undercast.store import schema as store_schema
from undercast.store.migrations import Whole, whole_of

Name = Literal["state", "journal"]
GENERATED = Path(__file__).parent / "_generated"


def schemas() -> catalogue.Schemas:
    """Migrations of the services, and of what all of them share."""
    services = catalogue.schemas()
    shared = {"blob": store_schema.BLOB, "event": DELIVERY, "causality": EDGE, "clock": store_schema.CLOCK}
    return catalogue.Schemas({**shared, **services.state}, {"causality": EDGE, **services.journal})


def whole(name: Name) -> Whole:
    """The tables of state.db or journal.db at once."""
    return whole_of((GENERATED / f"{name}.sql").read_text())
