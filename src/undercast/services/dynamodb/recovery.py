"""Point-in-time recovery: what the items of a table were, at any moment of the last days.

A log of what each item was before each change, written with the change and trimmed at the far end. The state at a
moment is the items of now, but for those that changed since: of these, what they were before their first change since.
So switching it on costs nothing, and the log is read from the near end.
AWS: DynamoDB Developer Guide, "Point-in-time backups for DynamoDB".
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.keys import Key
from undercast.services.dynamodb.models import Table
from undercast.store.database import Row, Tx

DEFAULT_DAYS = 35
_DAY_S = 86_400.0
_NEVER = 1e15
_TRIMMED_AT_ONCE = 1000
PAGE_ROWS, PAGE_BYTES = 10_000, 8 * 1024 * 1024
"""The most of one page: finding its place costs what has changed since its moment."""
_STATE_AT = (
    "WITH changed AS (SELECT hash, range, MIN(id) AS first FROM dynamodb_change WHERE table_id = ? AND at > ?"
    " GROUP BY hash, range)"
    " SELECT same.hash, same.range, same.size, same.item FROM dynamodb_item AS same LEFT JOIN changed"
    " ON changed.hash = same.hash AND changed.range = same.range"
    " WHERE same.table_id = ? AND (same.hash, same.range) > (?, ?) AND changed.first IS NULL"
    " UNION ALL SELECT old.hash, old.range, old.size, old.item FROM changed"
    " JOIN dynamodb_change AS old ON old.id = changed.first"
    " WHERE (changed.hash, changed.range) > (?, ?) AND old.item IS NOT NULL"
)
"""Joins, not NOT IN: SQLite compares each row with all of a list of pairs."""
_CHANGED = (
    "SELECT changed.hash, changed.range, changed.at, old.size AS old_size, old.item AS old_item,"
    " CASE WHEN later.id IS NULL THEN now.size ELSE later.size END AS new_size,"
    " CASE WHEN later.id IS NULL THEN now.item ELSE later.item END AS new_item"
    " FROM (SELECT hash, range, MIN(id) AS first, MAX(at) AS at FROM dynamodb_change"
    " WHERE table_id = ? AND at >= ? AND at < ? AND (hash, range) > (?, ?)"
    " GROUP BY hash, range ORDER BY hash, range LIMIT ?) AS changed"
    " JOIN dynamodb_change AS old ON old.id = changed.first"
    " LEFT JOIN (SELECT hash, range, MIN(id) AS id FROM dynamodb_change WHERE table_id = ? AND at >= ?"
    " GROUP BY hash, range) AS following ON following.hash = changed.hash AND following.range = changed.range"
    " LEFT JOIN dynamodb_change AS later ON later.id = following.id"
    " LEFT JOIN dynamodb_item AS now ON now.table_id = ? AND now.hash = changed.hash AND now.range = changed.range"
    " ORDER BY changed.hash, changed.range"
)
START = Key(b"", b"")
"""Before every key."""


class Span(NamedTuple):
    """The moments that a table can be restored to, both included."""

    earliest: float
    latest: float


def note(tx: Tx, table: Table, key: Key, before: tuple[float, int, str | None]) -> None:
    """`before` is when the item changes, and what it was until then: its size and text, None for none."""
    at, size, text = before
    tx.execute(
        "INSERT INTO dynamodb_change (table_id, at, hash, range, size, item) VALUES (?, ?, ?, ?, ?, ?)",
        (table.id, at, *key, size, text),
    )


def span(table: Table, now: float) -> Span:
    """Of a table whose recovery is on."""
    return Span(max(table.recovery_since, now - table.recovery_days * _DAY_S), now)


def checked(table: Table, moment: float | None, now: float) -> float:
    """`moment`, or the latest where it is None. Raises PointInTimeRecoveryUnavailableException, InvalidRestoreTime."""
    if not table.recovery_days:
        raise unavailable()
    whole = span(table, now)
    if moment is None:
        return whole.latest
    # A moment is asked for in whole seconds: that in which recovery was switched on is a good one.
    if not int(whole.earliest) <= moment <= whole.latest:
        raise ServiceError(
            "InvalidRestoreTimeException",
            "An invalid restore time was specified. RestoreDateTime must be between EarliestRestorableDateTime and "
            "LatestRestorableDateTime.",
        )
    return max(moment, whole.earliest)


def unavailable() -> ServiceError:
    """Nothing was kept."""
    return ServiceError(
        "PointInTimeRecoveryUnavailableException",
        "Point in time recovery has not yet been enabled for this source table.",
    )


def set_days(tx: Tx, table: Table, days: int, now: float) -> None:
    """Switch it on for so many days, or off with 0. What a shorter time has given up does not come back."""
    since = table.recovery_since  # of one that is off: until `trim` has taken the log away
    if days:
        since = span(table, now).earliest if table.recovery_days else now
    tx.execute("UPDATE dynamodb_table SET recovery_days = ?, recovery_since = ? WHERE id = ?", (days, since, table.id))


def described(table: Table, now: float) -> dict[str, Any]:
    """ContinuousBackupsDescription."""
    found: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
    if table.recovery_days:
        found = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": table.recovery_days,
            "EarliestRestorableDateTime": span(table, now).earliest,
            "LatestRestorableDateTime": now,
        }
    return {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": found}


def copy_to(tx: Tx, table: Table, moment: float, target: Table) -> None:
    """The items of that moment, into a table that is empty. Its indexes are the caller's to fill."""
    tx.execute(
        f"INSERT INTO dynamodb_item (table_id, hash, range, size, item) SELECT ?, * FROM ({_STATE_AT}) AS state",
        (target.id, *_state_params(table, moment, START)),
    )


def page_at(tx: Tx, table: Table, moment: float, after: Key) -> list[Row]:
    """Rows (hash, range, size, item) of that moment in the order of keys. Page by page they are one state of the table,
    whatever is written meanwhile."""
    rows = tx.each(
        f"SELECT hash, range, size, item FROM ({_STATE_AT}) AS state ORDER BY hash, range LIMIT ?",
        (*_state_params(table, moment, after), PAGE_ROWS),
    )
    return _up_to_size(rows, lambda row: int(row["size"]))


def changed_between(tx: Tx, table: Table, window: tuple[float, float], after: Key) -> list[Row]:
    """A page of rows (hash, range, at, old_size, old_item, new_size, new_item), of the keys that changed from the first
    moment on and before the second: what they were before the one and before the other, NULL for none, and the last
    change."""
    begins, ends = window
    rows = tx.each(_CHANGED, (table.id, begins, ends, *after, PAGE_ROWS, table.id, ends, table.id))
    return _up_to_size(rows, lambda row: (row["old_size"] or 0) + (row["new_size"] or 0))


def _up_to_size(rows: Iterator[Row], size_of: Callable[[Row], int]) -> list[Row]:
    page, size = [], 0
    for row in rows:
        page.append(row)
        size += size_of(row)
        if size >= PAGE_BYTES:
            break
    return page


def _state_params(table: Table, moment: float, after: Key) -> tuple[int | float | bytes, ...]:
    return (table.id, moment, table.id, *after, *after)


def trim(tx: Tx, now: float) -> bool:
    """Remove a piece of what no table can be restored to any more; whether to go on."""
    more = False
    for row in tx.all("SELECT id, recovery_days, recovery_since FROM dynamodb_table WHERE recovery_since > 0"):
        days = row["recovery_days"]
        before = max(row["recovery_since"], now - days * _DAY_S) if days else _NEVER
        removed = tx.execute(
            "DELETE FROM dynamodb_change WHERE id IN"
            " (SELECT id FROM dynamodb_change WHERE table_id = ? AND at < ? ORDER BY at LIMIT ?)",
            (row["id"], before, _TRIMMED_AT_ONCE),
        )
        if removed == _TRIMMED_AT_ONCE:
            more = True
        elif not days:
            tx.execute("UPDATE dynamodb_table SET recovery_since = 0 WHERE id = ?", (row["id"],))
    return more
