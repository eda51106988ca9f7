"""Anomaly detection bands: what is expected of a series, and what an alarm says of it.

AWS: CloudWatch User Guide, "Using CloudWatch anomaly detection", "Alarm events and EventBridge" (samples of reasons).
"""

from dataclasses import replace

import pytest

from tests.unit.cloudwatch.test_math import TIMES, evaluated
from undercast.core.errors import ServiceError
from undercast.core.metrics import Series
from undercast.services.cloudwatch.bands import DAY_S, HOUR_S, WEEK_S, band
from undercast.services.cloudwatch.budget import Budget
from undercast.services.cloudwatch.expressions import Evaluation, MetricStat, Query, Reader
from undercast.services.cloudwatch.judging import Condition, judge
from undercast.services.cloudwatch.lines import Line
from undercast.services.cloudwatch.statistics import SIMPLE

MONDAY = 4 * DAY_S
"""The epoch was a Thursday."""


def bounds(values: dict[int, float], at: int, deviations: float = 2.0) -> tuple[float, float] | None:
    """(lower, upper) at a time."""
    line = Line("m", values, HOUR_S)
    upper, lower = band(line, line, [at], deviations)
    return (lower.values[at], upper.values[at]) if at in upper.values else None


def test_a_band_is_so_many_deviations_around_the_mean() -> None:
    """Of what was before; two points tell nothing, and what comes later is not known."""
    values = {at: float(value) for at, value in zip(range(0, 3600, 600), (1, 3, 1, 3, 1, 100), strict=True)}
    assert bounds(values, 1200) is None
    assert bounds(values, 2400) == pytest.approx((0.0, 4.0))
    assert bounds(values, 2400, 3.0) == pytest.approx((-1.0, 5.0))
    assert bounds(dict.fromkeys(range(0, 3600, 60), 0.1), 3600) == (0.1, 0.1)


def test_hours_of_the_day_and_of_the_week_are_told_apart() -> None:
    """Nine o'clock is not midnight, and Monday's nine o'clock not Tuesday's, as soon as there were two of them."""
    values = {}
    for at in range(0, 13 * DAY_S, 600):
        is_monday, is_nine = at % WEEK_S // DAY_S == MONDAY // DAY_S, at % DAY_S // HOUR_S == 9
        values[at] = (100.0 if is_monday else 50.0) if is_nine else 10.0
    monday, tuesday = MONDAY + WEEK_S + 9 * HOUR_S, MONDAY + WEEK_S + DAY_S + 9 * HOUR_S
    assert bounds(values, monday + 600) == pytest.approx((100.0, 100.0))
    assert bounds(values, tuesday + 600) == pytest.approx((50.0, 50.0))
    assert bounds(values, tuesday - HOUR_S) == pytest.approx((10.0, 10.0))
    young = {at: value for at, value in values.items() if at < 3 * DAY_S}
    assert bounds(young, 3 * DAY_S + 9 * HOUR_S) == pytest.approx((50.0, 50.0))
    assert bounds(young, 3 * DAY_S + 20 * WEEK_S) is None


def test_the_function_takes_a_series_and_a_number() -> None:
    """Two series, the upper one first; of expressions, too."""
    upper, lower = evaluated("ANOMALY_DETECTION_BAND(m1, 1)", m1=[1, 3, 1, 3, 1])
    assert (upper.values[TIMES[4]], lower.values[TIMES[4]]) == pytest.approx((3.0, 1.0))
    assert [line.label for line in evaluated("ANOMALY_DETECTION_BAND(m1)", m1=[])] == ["upper", "lower"]


@pytest.mark.parametrize("arguments", ["", "1", "m1, 0", "m1, 2, 3", "none", "e"])
def test_what_has_no_band(arguments: str) -> None:
    """ValidationError."""
    with pytest.raises(ServiceError, match="Error in expression") as caught:
        evaluated(f"ANOMALY_DETECTION_BAND({arguments})", m1=[1])
    assert caught.value.code == "ValidationError"


def reader_counting(asked: list[str]) -> Reader:
    """Of empty metrics; notes what it is asked."""

    def line(metric: MetricStat) -> Line:
        asked.append("line")
        return Line(metric.series.name, {0: 1.0}, 60)

    def past() -> Reader:
        asked.append("past")
        return reader_counting(asked)

    return Reader(line=line, times=lambda _: TIMES, search=lambda *_: [], select=lambda *_: [], past=past)


def queries_of(*expressions: str) -> list[Query]:
    """The metric m1, and e0, e1, ..."""
    stat = MetricStat(series=Series("1", "r", "N", "m"), period_s=60, stat="Sum", compute=SIMPLE["Sum"])
    told = [Query(id=f"e{n}", label=None, returns=True, expression=text) for n, text in enumerate(expressions)]
    return [Query(id="m1", label=None, returns=False, metric=stat), *told]


def test_a_band_of_a_band_is_refused_before_anything_doubles() -> None:
    """Through other queries, too; a chain of them is refused at its second band."""
    asked: list[str] = []
    names = ["m1", *(f"e{n}" for n in range(18))]
    queries = queries_of(*(f"MAX(ANOMALY_DETECTION_BAND({name}))" for name in names))
    with pytest.raises(ServiceError, match="cannot be part of what another band is computed of") as caught:
        Evaluation(queries, reader_counting(asked)).result(queries[-1])
    assert (caught.value.code, asked) == ("ValidationError", ["line", "past", "line"])


def test_many_bands_share_their_past() -> None:
    """Each metric is read once for now and once for then, however many bands there are."""
    asked: list[str] = []
    chain = ["m1 + 1", *(f"e{n} + 1" for n in range(200))]
    queries = queries_of(*chain, *(f"ANOMALY_DETECTION_BAND(e{n})" for n in range(200)))
    evaluation = Evaluation(queries, reader_counting(asked))
    assert {len(evaluation.result(query)) for query in queries[-200:]} == {2}
    assert asked == ["line", "past", "line"]


@pytest.mark.parametrize(
    ("first", "next_one", "reason"),
    [
        ("[m1, m1]", "[{0}, {0}]", "too much computing"),
        ("[m1, m1, m1]", "[ABS({0}), ABS({0}), ABS({0})]", "too much computing"),
        ("m1" + "+1" * 1000, "{0} + 1" + " + 1" * 500, "too much computing"),
    ],
)
def test_expressions_cost_only_so_much(first: str, next_one: str, reason: str) -> None:
    """Arrays that grow from query to query, and long sums one over the other."""
    queries = queries_of(first, *(next_one.format(f"e{n}") for n in range(40)))
    with pytest.raises(ServiceError, match=reason) as caught:
        Evaluation(queries, reader_counting([]), Budget(100_000)).result(queries[-1])
    assert caught.value.code == "ValidationError"


def test_a_series_that_was_an_array_has_no_band() -> None:
    """IF chooses by what it sees: over the longer stretch there may be an array."""
    queries = queries_of("IF(SUM(m1) > 1, METRICS(), m1)", "ANOMALY_DETECTION_BAND(e0)")
    earlier = replace(reader_counting([]), line=lambda metric: Line("m", {0: 9.0}, 60))
    reader = replace(reader_counting([]), past=lambda: earlier)
    with pytest.raises(ServiceError, match="a single time series in the past"):
        Evaluation(queries, reader).result(queries[-1])


SAMPLES = {
    ("LessThanLowerOrGreaterThanUpperThreshold", 0.0): (
        "ALARM",
        "Thresholds Crossed: 1 out of the last 1 datapoints [0.0 (03/10/19 15:58:00)] was less than the lower "
        "thresholds [0.5] or greater than the upper thresholds [1.5] (minimum 1 datapoint for OK -> ALARM transition).",
    ),
    ("LessThanLowerOrGreaterThanUpperThreshold", 1.0): (
        "OK",
        "Thresholds Crossed: 1 out of the last 1 datapoints [1.0 (03/10/19 15:58:00)] was not less than the lower "
        "thresholds [0.5] or not greater than the upper thresholds [1.5] (minimum 1 datapoint for ALARM -> OK "
        "transition).",
    ),
    ("GreaterThanUpperThreshold", 2.0): (
        "ALARM",
        "Thresholds Crossed: 1 out of the last 1 datapoints [2.0 (03/10/19 15:58:00)] was greater than the upper "
        "thresholds [1.5] (minimum 1 datapoint for OK -> ALARM transition).",
    ),
    ("GreaterThanUpperThreshold", 0.0): (
        "OK",
        "Thresholds Crossed: 1 out of the last 1 datapoints [0.0 (03/10/19 15:58:00)] was not greater than the upper "
        "thresholds [1.5] (minimum 1 datapoint for ALARM -> OK transition).",
    ),
    ("LessThanLowerThreshold", 0.0): (
        "ALARM",
        "Thresholds Crossed: 1 out of the last 1 datapoints [0.0 (03/10/19 15:58:00)] was less than the lower "
        "thresholds [0.5] (minimum 1 datapoint for OK -> ALARM transition).",
    ),
    ("LessThanLowerThreshold", 2.0): (
        "OK",
        "Thresholds Crossed: 1 out of the last 1 datapoints [2.0 (03/10/19 15:58:00)] was not less than the lower "
        "thresholds [0.5] (minimum 1 datapoint for ALARM -> OK transition).",
    ),
}


@pytest.mark.parametrize(("comparison", "value"), SAMPLES)
def test_reasons_of_bands_are_awss(comparison: str, value: float) -> None:
    """As in the samples of "Alarm events and EventBridge"."""
    at = 1570118280
    condition = Condition(
        comparison=comparison, threshold=0.0, periods=1, to_alarm=1, missing="missing", bounds={at: (0.5, 1.5)}
    )
    state, reason = SAMPLES[comparison, value]
    verdict = judge(condition, [(at, value)], "OK" if state == "ALARM" else "ALARM")
    assert verdict is not None
    assert (verdict.state, verdict.reason) == (state, reason)
