"""What an evaluation may cost, and that what AWS allows is not refused.

AWS: CloudWatch API Reference, GetMetricData (500 queries), MetricDataQuery (Expression: up to 2,048 characters).
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cloudwatch.test_bands import queries_of, reader_counting
from tests.unit.cloudwatch.test_math import values_of
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.errors import ServiceError
from undercast.core.metrics import Series
from undercast.services.cloudwatch import points
from undercast.services.cloudwatch.budget import ROW, Budget
from undercast.services.cloudwatch.expressions import Evaluation, MetricStat, Query
from undercast.services.cloudwatch.lines import Line, aggregate, binary
from undercast.services.cloudwatch.queries import Source
from undercast.services.cloudwatch.schema import JOURNAL_SCHEMA
from undercast.services.cloudwatch.statistics import SIMPLE
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
ROWS, SERIES = 100, 20


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Twenty series of a hundred points, a minute apart."""
    database = Database.open(tmp_path / "journal.db")
    migrate(database, "cloudwatch", JOURNAL_SCHEMA)

    def fill(tx: Tx) -> None:
        for number in range(SERIES):
            key = points.key_of(series_of(number))
            tx.execute(points.ADD_SERIES, points.series_row(key, series_of(number)))
            for at in range(ROWS):
                tx.execute(points.ADD_POINT, (key, at * 60, 60, "None", 1.0, 1.0, 1.0, 1.0, "1.0:1"))

    database.write_now(fill)
    yield database
    database.drop()


def series_of(number: int) -> Series:
    return Series.of(SCOPE, "N", f"m{number}", ())


def source_of(tx: Tx, units: int) -> Source:
    """All points; with so much to spend."""
    source = Source(tx, SCOPE, (0, ROWS * 60), ROWS * 60.0)
    source.budget = Budget(units)
    return source


def query_of(number: int, period_s: int = 60) -> Query:
    stat = MetricStat(series=series_of(number), period_s=period_s, stat="Sum", compute=SIMPLE["Sum"])
    return Query(id=f"m{number}", label=None, returns=True, metric=stat)


@pytest.mark.parametrize(
    ("expression", "units", "works"),
    [
        ("", 2 * ROWS, True),
        ("", ROWS // 2, False),
        ("SEARCH('{N} m1', 'Sum', 60)", 4 * ROWS * ROW, True),
        ("SEARCH('{N} m1', 'Sum', 60)", SERIES * ROW, False),
        ("SEARCH('{N} nothing', 'Sum', 60)", SERIES * ROW // 2, False),
        ('SELECT SUM(m1) FROM "N"', 4 * ROWS * ROW, True),
        ('SELECT SUM(m1) FROM "N"', ROWS * ROW, False),
    ],
)
def test_reading_is_paid_for(database: Database, expression: str, units: int, works: bool) -> None:
    """Each stored point that is searched for, each series that a search looks at, and each value of an answer."""
    query = Query(id="e", label=None, returns=True, period_s=60, expression=expression) if expression else query_of(1)

    def read(tx: Tx) -> list[Line]:
        source = source_of(tx, units)
        return Evaluation([query], source.reader(), source.budget).result(query)

    if works:
        database.read_now(read)
    else:
        with pytest.raises(ServiceError, match="take too much computing"):
            database.read_now(read)


def test_metrics_that_a_request_names_are_summed_up_whatever_is_stored_of_them(database: Database) -> None:
    """500 metrics of three days by the hour are 36,000 data points, of 2,160,000 stored ones: AWS answers."""

    def read(tx: Tx) -> list[float]:
        source = source_of(tx, SERIES * ROW * 2)
        queries = [query_of(number, period_s=3600) for number in range(SERIES)]
        evaluation = Evaluation(queries, source.reader(), source.budget)
        return [sum(line.values.values()) for query in queries for line in evaluation.result(query)]

    assert database.read_now(read) == [float(ROWS)] * SERIES


def test_the_past_of_a_band_is_paid_from_the_same(database: Database) -> None:
    """A band reads twice; what it is computed of is counted."""
    band = Query(id="b", label=None, returns=True, expression="ANOMALY_DETECTION_BAND(m1)")

    def read(tx: Tx) -> list[Line]:
        source = source_of(tx, ROWS * ROW)
        return Evaluation([query_of(1), band], source.reader(), source.budget).result(band)

    with pytest.raises(ServiceError, match="take too much computing"):
        database.read_now(read)


def test_as_many_terms_as_an_expression_has_characters_for() -> None:
    """2,048 characters: a sum of a thousand terms, from the left."""
    assert values_of("m" + "+m" * 1023, m=[1, 2]) == [1024, 2048]
    assert values_of("m" + "-m" * 1023, m=[1, 2]) == [-1022, -2044]
    assert values_of("m1" + " && m1" * 300 + " || 0", m1=[1, 0]) == [1, 0]
    assert values_of("m" + "*m" * 9 + "/4", m=[2]) == [256]


def test_as_many_queries_one_over_the_other_as_a_request_has() -> None:
    """500 of them."""
    queries = queries_of("m1 + 1", *(f"e{number} + 1" for number in range(498)))
    (line,) = Evaluation(queries, reader_counting([])).result(queries[-1])
    assert line.values == {0: 500.0}


@pytest.mark.parametrize("expressions", [("e0 + 1",), ("e1", "e2", "e0 * 2")])
def test_a_circle_of_queries_is_refused(expressions: tuple[str, ...]) -> None:
    """ValidationError."""
    queries = queries_of(*expressions)
    with pytest.raises(ServiceError, match="refers to itself"):
        Evaluation(queries, reader_counting([])).result(queries[-1])


def test_aggregates_of_arrays_cost_no_more_than_their_points() -> None:
    """However little their times have in common: 400 series of 400 points at times of their own."""
    lines = [Line(str(one), {at * 400 + one: 1.0 for at in range(400)}, 60) for one in range(400)]
    began = time.process_time()
    for name, value in (("SUM", 1.0), ("AVG", 1 / 400), ("MAX", 1.0), ("STDDEV", 0.0), ("DATAPOINT_COUNT", 1.0)):
        result = aggregate(name, lines)
        assert isinstance(result, Line)
        assert set(result.values.values()) == {value}
    assert time.process_time() - began < 10  # some 64,000,000 look-ups each would take more


def test_what_is_combined_with_each_of_an_array_costs_that_often() -> None:
    """A long series and many short ones."""
    expression = "[" + ",".join(["m1"] * 500) + "]"
    queries = queries_of(expression, "e0 * e2", "TIME_SERIES(1)")
    with pytest.raises(ServiceError, match="take too much computing"):
        Evaluation(queries, reader_counting([]), Budget(4_000)).result(queries[2])


def test_deviations_are_of_all_there_is() -> None:
    """Of large values, too."""
    line = Line("m", {0: 1e9 + 1, 60: 1e9 + 3}, 60)
    assert aggregate("STDDEV", line) == 1.0
    total = binary("+", line, line)
    assert isinstance(total, Line)
    assert math.isclose(total.values[0], 2e9 + 2)


def test_aggregates_of_very_large_values() -> None:
    """What can be told is told; what is no number drops its point, as everywhere in metric math."""
    line, other = Line("m", {0: 1e200, 60: 3e200}, 60), Line("n", {0: 3e200, 60: 3e200}, 60)
    assert math.isclose(aggregate("STDDEV", line), 1e200)  # type: ignore[arg-type]
    result = aggregate("STDDEV", [line, other])
    assert isinstance(result, Line)
    assert {at: f"{value:.6g}" for at, value in result.values.items()} == {0: "1e+200", 60: "0"}
    huge = [Line("m", {0: 1.5e308, 60: 1.0}, 60)] * 2
    for name, there in (("SUM", 2.0), ("AVG", 1.0)):
        result = aggregate(name, huge)
        assert isinstance(result, Line)
        assert result.values == {60: there}
