"""How far the platform clock has been advanced, kept with the state whose times it set.

A restart goes on where the clock was: rows are never in the future, and a retry that was due is due.
"""

from undercast.store.database import Database, Tx


def offset_of(database: Database) -> float:
    """Seconds; 0 for a clock that was never advanced."""
    row = database.read_now(lambda tx: tx.one("SELECT offset_s FROM clock"))
    return 0.0 if row is None else float(row["offset_s"])


def keep_offset(tx: Tx, offset_s: float) -> None:
    """Replace it."""
    tx.execute(
        "INSERT INTO clock (id, offset_s) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET offset_s = excluded.offset_s",
        (offset_s,),
    )
