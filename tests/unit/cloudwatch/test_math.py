"""Metric math, search expressions and statistics, as the User Guide's tables and examples have them.

AWS: CloudWatch User Guide, "Metric math syntax and functions", "CloudWatch search expression syntax", "CloudWatch
statistics definitions".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from undercast.core.errors import ServiceError
from undercast.core.metrics import MAX_DISTINCT, Series, Tally
from undercast.services.cloudwatch import insights
from undercast.services.cloudwatch.expressions import Evaluation, MetricStat, Query, Reader
from undercast.services.cloudwatch.lines import Line, MathProblem
from undercast.services.cloudwatch.search import search
from undercast.services.cloudwatch.statistics import SIMPLE, statistic

TIMES = range(0, 300, 60)
Given = Sequence[float | None]


def line_of(name: str, values: Given) -> Line:
    """A series of minutes; None for a point that is not there."""
    return Line(name, {at: float(one) for at, one in zip(TIMES, values, strict=False) if one is not None}, 60)


def evaluated(expression: str, **metrics: Given) -> list[Line]:
    """The lines of an expression over metrics of these ids."""
    lines = {name: line_of(name, values) for name, values in metrics.items()}

    def query(name: str) -> Query:
        series = Series("1", "r", "N", name)
        stat = MetricStat(series=series, period_s=60, stat="Sum", compute=SIMPLE["Sum"])
        return Query(id=name, label=None, returns=False, metric=stat)

    def reader() -> Reader:
        return Reader(
            line=lambda metric: lines[metric.series.name],
            times=lambda _: TIMES,
            search=lambda text, stat, period_s: [lines[name] for name in sorted(lines)],
            select=lambda select, period_s: [lines[name] for name in sorted(lines)],
            past=reader,
        )

    wanted = Query(id="e", label=None, returns=True, expression=expression)
    return Evaluation([*map(query, metrics), wanted], reader()).result(wanted)


def values_of(expression: str, **metrics: Given) -> list[float | None]:
    """The one line of it, minute by minute."""
    (line,) = evaluated(expression, **metrics)
    width = max((len(values) for values in metrics.values()), default=len(TIMES))
    return [line.values.get(at) for at in TIMES[:width]]


M: Mapping[str, Given] = {"metric1": [30, 20, 0, 0], "metric2": [20, None, 20, None]}
IFS: Mapping[str, Given] = {"m1": [1, 1, 0, 0, None], "m2": [30, None, 0, 0, 30], "m3": [0, 0, 20, None, 20]}


@pytest.mark.parametrize(
    ("expression", "metrics", "expected"),
    [
        ("(metric1 < metric2)", M, [0, 0, 1, 0]),
        ("(metric1 >= 30)", M, [1, 0, 0, 0]),
        ("(metric1 > 15 AND metric2 > 15)", M, [1, 0, 0, 0]),
        ("IF(m1, m2, m3)", IFS, [30, 0, 20, None, None]),
        ("IF(m1, 5, m3)", IFS, [5, 5, 20, None, None]),
        ("IF(m1, m2, 5)", IFS, [30, 0, 5, 5, None]),
        ("IF(m2 < 20, m2)", IFS, [None, None, 0, 0, None]),
        ("m1 + m2", {"m1": [1, None], "m2": [2, 3]}, [3, 3]),
        ("m1 / m2", {"m1": [4, 4], "m2": [2, None]}, [2, None]),
        ("-m1 ^ 2 + 3 * 2", {"m1": [3]}, [-3]),
        ("2 ^ 3 ^ 2 + 0 * m1", {"m1": [1]}, [512]),
        ("m1 - AVG(m1)", {"m1": [1, 3]}, [-1, 1]),
        ("SUM([m1, m2])", {"m1": [1, None], "m2": [2, 3]}, [3, 3]),
        ("AVG(METRICS())", {"m1": [1, None], "m2": [2, 3]}, [1.5, 1.5]),
        ('SUM(METRICS("a"))', {"a1": [1], "b1": [10], "a2": [2]}, [3]),
        ("DATAPOINT_COUNT(METRICS())", {"m1": [1, None], "m2": [2, 3]}, [2, 1]),
        ("100 * m2 / (m1 + m2)", {"m1": [3], "m2": [1]}, [25]),
        ("m1/PERIOD(m1)", {"m1": [120]}, [2]),
        ("DIFF(m1)", {"m1": [1, None, 4]}, [None, None, 3]),
        ("DIFF_TIME(m1)", {"m1": [1, None, 4]}, [None, None, 120]),
        ("RATE(m1)", {"m1": [1, None, 121]}, [None, None, 1]),
        ("RUNNING_SUM(m1)", {"m1": [1, None, 4]}, [1, None, 5]),
        ("FILL(m1, 7)", {"m1": [1, None, 4]}, [1, 7, 4]),
        ("FILL(m1, REPEAT)", {"m1": [1, None, 4]}, [1, 1, 4]),
        ("FILL(m1, LINEAR)", {"m1": [1, None, None, 4]}, [1, 2, 3, 4]),
        ("FILL(m1, m2)", {"m1": [1, None], "m2": [8, 9]}, [1, 9]),
        ("FIRST(SORT(METRICS(), MAX, DESC))", {"m1": [1], "m2": [3], "m3": [2]}, [3]),
        ("SUM(SLICE(SORT(METRICS(), AVG, ASC), 0, 2))", {"m1": [1], "m2": [3], "m3": [2]}, [3]),
        ("m1 * METRIC_COUNT(METRICS())", {"m1": [2], "m2": [1]}, [4]),
        ("TIME_SERIES(2)", {"m1": [None, None]}, [2, 2]),
        ("ABS(m1) + CEIL(m1) + FLOOR(m1)", {"m1": [-1.5]}, [1.5 - 1 - 2]),
        ("LOG10(m1)", {"m1": [100, 0]}, [2, None]),
        ("MINUTE(m1) + HOUR(m1) + 10 * DAY(m1) + YEAR(m1)", {"m1": [None, 1]}, [2010, 2011]),
        ("EPOCH(m1)", {"m1": [None, 1]}, [0, 60]),
        ("MAX(METRICS()) - MIN(METRICS()) + STDDEV(METRICS())", {"m1": [1], "m2": [3]}, [3]),
        ("SUM(SEARCH('x', 'Sum', 60))", {"m1": [1], "m2": [3]}, [4]),
        ("m1 * (AVG(m2) / SUM(m2))", {"m1": [1], "m2": [None]}, [None]),
        ("IF(1 == 2 || 3 > 2, m1, m2)", {"m1": [1], "m2": [2]}, [1]),
    ],
)  # fmt: skip
def test_an_expression_gives(expression: str, metrics: Mapping[str, Given], expected: list[float | None]) -> None:
    """The tables and examples of the User Guide."""
    assert values_of(expression, **metrics) == expected


def test_an_array_stays_one() -> None:
    """METRICS()/100 is a series for each metric; empty ones can be removed."""
    found = evaluated("REMOVE_EMPTY(METRICS() / 100)", m1=[100], m2=[None], m3=[300])
    assert [line.values for line in found] == [{0: 1.0}, {0: 3.0}]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("SUM(m1)", "must be a time series"),
        ("FOO(m1)", "Unsupported function 'FOO'"),
        ("m1 +", "unexpected end"),
        ("m1 ? 2", "unexpected '?'"),
        ("m9", "Unknown identifier 'm9'"),
        ("e + 1", "refers to itself"),
        ("IF(m1)", "Invalid arguments for 'IF'"),
        ("(" * 100 + "m1" + ")" * 100, "nested too deeply"),
        ("'text' + m1", "text is no operand"),
    ],
)
def test_what_cannot_be_computed_is_said(expression: str, reason: str) -> None:
    """With the id of the query."""
    with pytest.raises(ServiceError, match="Error in expression 'e'") as caught:
        evaluated(expression, m1=[1])
    assert caught.value.code == "ValidationError"
    assert reason in caught.value.message


def test_what_is_missing_here_is_named() -> None:
    """AWS has it, we lack it."""
    with pytest.raises(ServiceError, match="SERVICE_QUOTA") as caught:
        evaluated("SERVICE_QUOTA(m1)", m1=[1])
    assert caught.value.code == "NotImplemented"


def series(namespace: str, name: str, **dimensions: str) -> Series:
    """One to be searched."""
    return Series("1", "r", namespace, name, tuple(sorted(dimensions.items())))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('{AWS/Lambda, FunctionName} MetricName="Errors"', ["Errors f"]),
        ("{AWS/Lambda}", ["Errors"]),
        ("count", ["CustomCount1 a"]),
        ("COUNT", ["CustomCount1 a"]),
        ("couNT", []),
        ("CustomCount", ["CustomCount1 a"]),
        ("Count1", ["CustomCount1 a"]),
        ("customcount", []),
        ("count1", []),
        ('"Custom"', []),
        ('"CustomCount1"', ["CustomCount1 a"]),
        ("network/errors", ["Network-Errors-2 b"]),
        ("Network_Errors", ["Network-Errors-2 b"]),
        ("(Custom OR network) AND NOT Namespace=Other", ["CustomCount1 a"]),
        ("NOT Namespace=AWS", ["CustomCount1 a", "Network-Errors-2 b"]),
        ('"My Dim"=f', []),
        ("D=a Custom", ["CustomCount1 a"]),
    ],
)
def test_a_search_finds(expression: str, found: list[str]) -> None:
    """Words match tokens, quoted ones whole names."""
    all_of_them = [
        series("AWS/Lambda", "Errors", FunctionName="f"),
        series("AWS/Lambda", "Errors"),
        series("Mine", "CustomCount1", D="a"),
        series("Other", "Network-Errors-2", D="b"),
    ]
    matches = search(expression)
    told = [" ".join([one.name, *(value for _, value in one.dimensions)]) for one in all_of_them if matches(one)]
    assert told == found


@pytest.mark.parametrize(
    "query",
    [
        "SELECT FOO(a) FROM b", "SELECT SUM(a)", "SELECT SUM(a FROM b", "SELECT SUM(a) FROM b WHERE c > 'd'",
        "SELECT SUM(a) FROM b WHERE c = d", "SELECT SUM(a) FROM b LIMIT 501", "SELECT SUM(a) FROM b GROUP c",
        "SELECT SUM(a) FROM AWS/Lambda", "SELECT SUM(a) FROM b ORDER BY SUM(a)",
    ],
)  # fmt: skip
def test_what_is_no_query(query: str) -> None:
    """Namespaces with a slash need quotes, values single ones; ORDER BY's function is empty."""
    with pytest.raises(MathProblem):
        insights.parse(query)


def test_a_query_is_read_whole() -> None:
    """All clauses, keywords in any case."""
    read = insights.parse(
        """select Sum("My.Metric") from schema("AWS/Lambda", FunctionName, Resource)
           where FunctionName = 'a' AND Resource != 'it\\'s'
           group by FunctionName, Resource order by MAX() desc limit 5"""
    )
    assert (read.function, read.name, read.namespace) == ("SUM", "My.Metric", "AWS/Lambda")
    assert read.schema == ("FunctionName", "Resource")
    assert read.conditions == (("FunctionName", True, "a"), ("Resource", False, "it's"))
    assert (read.groups, read.order, read.limit) == (("FunctionName", "Resource"), ("MAX", True), 5)
    assert read.wants(series("AWS/Lambda", "My.Metric", FunctionName="a", Resource="b"))
    assert not read.wants(series("AWS/Lambda", "My.Metric", FunctionName="a"))


def computed(name: str, tally: Tally) -> Any:
    """A statistic of the tally."""
    function = statistic(name)
    assert function is not None
    return function(tally)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Average", 5.5), ("SampleCount", 10), ("p50", 5), ("p90", 9), ("p99", 10), ("p0", 1), ("p100", 10),
        ("tm90", 5), ("TM(10%:90%)", 5.5), ("IQM", 5.5), ("TM(2:4)", 3.5), ("TM(:3)", 2), ("wm80", 5.2),
        ("WM(10%:90%)", 5.5), ("tc90", 9), ("TC(2:5)", 3), ("ts90", 45), ("TS(80%:)", 19), ("PR(:3)", 30),
        ("PR(3:)", 70), ("PR(2:4)", 20),
    ],
)  # fmt: skip
def test_a_statistic_of_one_to_ten(name: str, expected: float) -> None:
    """Bounds in percent, or of values: the lower one is out, the upper one in."""
    tally = Tally()
    for value in range(1, 11):
        tally.add(float(value))
    assert computed(name, tally) == pytest.approx(expected)


def test_what_has_no_ranks() -> None:
    """Statistic sets of different values, and negative ones; sets of one value have."""
    assert computed("p50", Tally.of_set(2, 3, 1, 2)) is None
    assert computed("p50", Tally.of_set(3, 6, 2, 2)) == 2
    negative = Tally()
    negative.add(-1.0)
    assert computed("p50", negative) is None
    for name in ("p101", "px", "TM(1:2%)", "PR(1%:2%)", "TM(:)", "tm", "average"):
        assert statistic(name) is None


def test_many_values_are_rounded_and_stay_near() -> None:
    """A minute's values take bounded memory; count and sum stay exact."""
    tally = Tally()
    for number in range(1, 5001):
        tally.add(number / 7)
    assert tally.values is not None
    assert (len(tally.values) <= 2 * MAX_DISTINCT, tally.count) == (True, 5000)
    assert computed("p99", tally) == pytest.approx(4950 / 7, rel=0.05)
