"""How far the platform clock has been advanced, and when, kept with the state whose times it set.

A restart goes on where the clock was: rows are never in the future, and a retry that was due is due.
"""

from undercast.core.clock import MOST_JUMPS, Jump
from undercast.store.database import Database, Tx


def offset_of(database: Database) -> float:
    """Seconds; 0 for a clock that was never advanced."""
    row = database.read_now(lambda tx: tx.one("SELECT offset_s FROM clock"))
    return 0.0 if row is None else float(row["offset_s"])


def jumps_of(database: Database) -> list[Jump]:
    """The latest, in their order."""
    rows = database.read_now(lambda tx: tx.all("SELECT begins_at, ends_at FROM clock_jump ORDER BY id"))
    return [Jump(row["begins_at"], row["ends_at"]) for row in rows]


def keep_offset(tx: Tx, offset_s: float, now: float) -> None:
    """Replace it, at `now` of the clock before it is advanced."""
    row = tx.one("SELECT offset_s FROM clock")
    jumped_s = offset_s - (row["offset_s"] if row is not None else 0.0)
    if jumped_s > 0:
        tx.execute("INSERT INTO clock_jump (begins_at, ends_at) VALUES (?, ?)", (now, now + jumped_s))
        tx.execute("DELETE FROM clock_jump WHERE id <= (SELECT MAX(id) FROM clock_jump) - ?", (MOST_JUMPS,))
    tx.execute(
        "INSERT INTO clock (id, offset_s) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET offset_s = excluded.offset_s",
        (offset_s,),
    )
