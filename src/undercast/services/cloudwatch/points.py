"""Rows of metrics: series and their points, and how points age.

What is younger than three hours keeps its width; then it is a minute's, after 15 days five minutes', after 63 days an
hour's, after 455 days nobody's. Readers go by a point's age, so that it does not matter when the rows are merged.
AWS: CloudWatch User Guide, "Metrics retention".
"""

import json
from collections.abc import Iterator
from hashlib import blake2b

from undercast.core.arn import Scope
from undercast.core.metrics import MAX_DISTINCT, Dimensions, Series, Tally, rounded
from undercast.store.database import Row, Tx
from undercast.store.transaction import SqlValue

DAY_S = 86_400
AGES: tuple[tuple[int, int], ...] = ((60, 3 * 3600), (300, 15 * DAY_S), (3600, 63 * DAY_S))
"""(width, age from which points are at least so wide)."""
KEPT_S = 455 * DAY_S
_LONG_SAMPLE = 16_384
"""In characters: more than MAX_DISTINCT rounded values take, unless they are spread over many powers of ten."""
_AT_ONCE = 200
_PIECES = 5

ADD_SERIES = (
    "INSERT INTO cloudwatch_series (key, account_id, region, namespace, name, dimensions)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_MERGED = (
    " ON CONFLICT (series, at, width, unit) DO UPDATE SET count = count + excluded.count,"
    " total = total + excluded.total, low = min(low, excluded.low), high = max(high, excluded.high),"
    " sample = sample || ',' || excluded.sample"
)
ADD_POINT = (
    "INSERT INTO cloudwatch_point (series, at, width, unit, count, total, low, high, sample)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)" + _MERGED
)


def key_of(series: Series) -> int:
    """The series' number: always the same, so that writing needs no reading."""
    text = "\0".join((*series[:4], *(part for pair in series.dimensions for part in pair)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


def series_row(key: int, series: Series) -> tuple[SqlValue, ...]:
    """Parameters of ADD_SERIES."""
    return (key, *series[:4], json.dumps(series.dimensions, separators=(",", ":")))


def series_of(row: Row) -> Series:
    """The series that a row holds."""
    dimensions: Dimensions = tuple((name, value) for name, value in json.loads(row["dimensions"]))
    return Series(row["account_id"], row["region"], row["namespace"], row["name"], dimensions)


def sample_text(tally: Tally) -> str | None:
    """See the schema."""
    values = tally.values
    if values is None:
        return None
    if len(values) > MAX_DISTINCT:
        values = rounded(values)
    return ",".join(f"{value!r}:{_short(count)}" for value, count in values.items())


def _short(count: float) -> str:
    return str(int(count)) if count == int(count) else repr(count)


def tally_of(row: Row) -> Tally:
    """The tally that a row holds."""
    tally = Tally()
    tally.count, tally.total, tally.low, tally.high = row["count"], row["total"], row["low"], row["high"]
    if row["sample"] is None:
        tally.values = None
        return tally
    values: dict[float, float] = {}
    for pair in row["sample"].split(","):
        value, _, count = pair.partition(":")
        number = float(value)
        values[number] = values.get(number, 0.0) + float(count)
    tally.values = values
    return tally


def width_at(width_s: int, age_s: float) -> int:
    """How wide a point of this age is at least."""
    for least, from_age_s in AGES:
        if age_s >= from_age_s:
            width_s = max(width_s, least)
    return width_s


def points(tx: Tx, key: int, start_s: int, end_s: int, now_s: float) -> Iterator[tuple[int, int, str, Tally]]:
    """(time, width, unit, tally) of a series from `start_s` (inclusive) to `end_s` (exclusive), oldest first."""
    rows = tx.each(
        "SELECT * FROM cloudwatch_point WHERE series = ? AND at >= ? AND at < ? ORDER BY at",
        (key, max(start_s, int(now_s) - KEPT_S), end_s),
    )
    for row in rows:
        yield row["at"], width_at(row["width"], now_s - row["at"]), row["unit"], tally_of(row)


def listed(tx: Tx, scope: Scope, namespace: str | None, name: str | None, since_s: int) -> Iterator[Series]:
    """The series that have had data since, in the order of their rows."""
    rows = tx.each(
        "SELECT * FROM cloudwatch_series WHERE account_id = ? AND region = ? AND (? IS NULL OR namespace = ?)"
        " AND (? IS NULL OR name = ?) AND EXISTS (SELECT 1 FROM cloudwatch_point WHERE series = key AND at >= ?)"
        " ORDER BY namespace, name, dimensions",
        (*scope, namespace, namespace, name, name, since_s),
    )
    return map(series_of, rows)


def shorten(tx: Tx, width_s: int, since_s: int, before_s: int | None = None) -> bool:
    """Bring long samples of a stretch of time into a short form, some at a time; whether there may be more.

    What is added to a row is put behind its sample, so that the same value may stand there many times.
    """
    rows = tx.all(
        "SELECT * FROM cloudwatch_point WHERE width = ? AND at >= ? AND (? IS NULL OR at < ?) AND length(sample) > ?"
        " LIMIT ?",
        (width_s, since_s, before_s, before_s, _LONG_SAMPLE, _AT_ONCE),
    )
    for row in rows:
        short = sample_text(tally_of(row))
        tx.execute(
            "UPDATE cloudwatch_point SET sample = ? WHERE series = ? AND at = ? AND width = ? AND unit = ?",
            (short, row["series"], row["at"], row["width"], row["unit"]),
        )
    return len(rows) == _AT_ONCE


def merge_aged(tx: Tx, now_s: int, span_s: int = 6 * 3600) -> bool:
    """Write the oldest rows that have come of age into wider ones, a span at a time; whether there may be more."""
    tx.execute("DELETE FROM cloudwatch_point WHERE width = 3600 AND at < ?", (now_s - KEPT_S,))
    for width_s, age_s in AGES:
        for narrow in (one for one in (1, 60, 300) if one < width_s):
            before = (now_s - age_s) // width_s * width_s
            oldest = tx.one("SELECT min(at) AS at FROM cloudwatch_point WHERE width = ? AND at < ?", (narrow, before))
            if oldest is None or oldest["at"] is None:
                continue
            before = min(before, (oldest["at"] + span_s) // width_s * width_s)
            tx.execute(
                "INSERT INTO cloudwatch_point (series, at, width, unit, count, total, low, high, sample)"
                " SELECT series, at - at % ?, ?, unit, count, total, low, high, sample FROM cloudwatch_point"
                " WHERE width = ? AND at < ?" + _MERGED,
                (width_s, width_s, narrow, before),
            )
            tx.execute("DELETE FROM cloudwatch_point WHERE width = ? AND at < ?", (narrow, before))
            first = oldest["at"] // width_s * width_s
            for _ in range(_PIECES):
                if not shorten(tx, width_s, first, before):
                    break
            return True
    return False


def drop_empty(tx: Tx) -> int:
    """Remove series without points; how many."""
    return tx.execute(
        "DELETE FROM cloudwatch_series WHERE NOT EXISTS (SELECT 1 FROM cloudwatch_point WHERE series = key)"
    )
