"""Rows of points: what is added to one, how they are merged and shortened.

AWS: CloudWatch User Guide, "Metrics retention".
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.metrics import Series, Tally
from undercast.services.cloudwatch import points
from undercast.services.cloudwatch.expressions import MetricStat
from undercast.services.cloudwatch.queries import MAX_LOOKED_AT, Source
from undercast.services.cloudwatch.schema import JOURNAL_SCHEMA
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

SERIES = Series("1", "r", "N", "m")
SERIES_SCOPE = Scope(AccountId("1"), Region("r"))
KEY = points.key_of(SERIES)
HOUR_S, DAY_S = 3600, 86_400
NOW_S = 500 * DAY_S


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """With CloudWatch's tables."""
    made = Database.open(tmp_path / "journal.db")
    migrate(made, "cloudwatch", JOURNAL_SCHEMA)
    yield made


def put(tx: Tx, at_s: int, *values: float, width_s: int = 60) -> None:
    """One point more, or more of one."""
    tally = Tally.of_values(values)
    row = (KEY, at_s, width_s, "None", tally.count, tally.total, tally.low, tally.high, points.sample_text(tally))
    tx.execute(points.ADD_SERIES, points.series_row(KEY, SERIES))
    tx.execute(points.ADD_POINT, row)


def read(tx: Tx, start_s: int = 0) -> list[tuple[int, int, float, dict[float, float] | None]]:
    """(time, width, sum, values) of all points."""
    found = points.points(tx, KEY, start_s, NOW_S + DAY_S, NOW_S)
    return [(at_s, width_s, tally.total, tally.values) for at_s, width_s, _, tally in found]


async def test_later_values_are_added_to_a_row(database: Database) -> None:
    """Count, sum, extremes and values are as if they had come together."""

    def write(tx: Tx) -> None:
        put(tx, NOW_S, 1.0, 2.0)
        put(tx, NOW_S, 2.0, 0.5)

    await database.write(write)
    ((_, _, total, values),) = await database.read(read)
    assert (total, values) == (5.5, {1.0: 1, 2.0: 2, 0.5: 1})
    await database.close()


async def test_rows_are_merged_as_they_age(database: Database) -> None:
    """Before and after the merge a reader sees the same; series without points go."""
    ages = (2 * HOUR_S, 4 * HOUR_S, 20 * DAY_S, 70 * DAY_S, 456 * DAY_S)

    def write(tx: Tx) -> None:
        for age_s in ages:
            for second in range(3):
                put(tx, (NOW_S - age_s) // HOUR_S * HOUR_S + second, 1.0, width_s=1)

    await database.write(write)
    before = await database.read(read)
    widths = [width_s for _, width_s, _, _ in before]
    assert widths == [3600] * 3 + [300] * 3 + [60] * 3 + [1] * 3
    while await database.write(lambda tx: points.merge_aged(tx, NOW_S)):
        continue
    await database.write(lambda tx: points.merge_aged(tx, NOW_S))
    after = await database.read(read)
    wide = [(width_s, total) for _, width_s, total, _ in after[:3]]
    assert (wide, [width_s for _, width_s, _, _ in after[3:]]) == ([(3600, 3), (300, 3), (60, 3)], [1, 1, 1])
    assert await database.write(points.drop_empty) == 0
    assert len(await database.read(lambda tx: list(points.listed(tx, SERIES_SCOPE, None, None, 0)))) == 1
    await database.write(lambda tx: tx.execute("DELETE FROM cloudwatch_point"))
    assert await database.write(points.drop_empty) == 1
    await database.close()


async def test_long_samples_are_shortened(database: Database) -> None:
    """A function that is busy all the time adds its values every second; count and sum stay."""

    def write(tx: Tx) -> None:
        for second in range(60):
            put(tx, NOW_S, *(1 + second / 100 + number / 1000 for number in range(100)))

    await database.write(write)
    ((_, _, total, _),) = await database.read(read)
    await database.write(lambda tx: points.shorten(tx, 60, 0))
    length = await database.read(lambda tx: tx.one("SELECT length(sample) AS length FROM cloudwatch_point"))
    assert length is not None
    assert length["length"] < 1000
    ((_, _, again, values),) = await database.read(read)
    assert values is not None
    assert (again, sum(values.values())) == (total, 6000)
    await database.close()


@pytest.mark.parametrize(("is_known", "most"), [(True, 3), (False, MAX_LOOKED_AT)])
async def test_whether_a_metric_has_values_takes_a_bounded_look(database: Database, is_known: bool, most: int) -> None:
    """It ends with the third value; where the statistic gives none, with so many points."""
    periods = 0

    def compute(_tally: Tally) -> float | None:
        nonlocal periods
        periods += 1
        return 1.0 if is_known else None

    def write(tx: Tx) -> None:
        for minute in range(MAX_LOOKED_AT + 50):
            put(tx, NOW_S - DAY_S * 10 + minute * 60, 1.0)

    await database.write(write)
    metric = MetricStat(series=SERIES, period_s=60, stat="p50", compute=compute)
    span = (NOW_S - DAY_S * 14, NOW_S)
    assert await database.read(lambda tx: Source(tx, SERIES_SCOPE, span, NOW_S).has(metric, 3)) is is_known
    assert periods == most
    await database.close()
