"""Tries queries out over metrics without data: what can never be evaluated is said when it is put.

Pure, and cheap: it runs on the event loop.
AWS: CloudWatch API Reference, PutMetricAlarm, PutAnomalyDetector.
"""

from collections.abc import Callable, Sequence

from undercast.services.cloudwatch.budget import Budget
from undercast.services.cloudwatch.errors import invalid
from undercast.services.cloudwatch.expressions import Evaluation, Query, Reader
from undercast.services.cloudwatch.insights import Select
from undercast.services.cloudwatch.lines import Line, MathProblem

UNITS = 100_000
"""See `budget`."""


def try_alarm(queries: Sequence[Query], watched: Query) -> None:
    """Of an alarm that watches one of them. Raises ValidationError."""

    def search(_text: str, _stat: str, _period_s: int) -> list[Line]:
        raise MathProblem("SEARCH is not supported in alarms")

    def select(query: Select, _period_s: int) -> list[Line]:
        if query.groups:
            raise MathProblem("GROUP BY is not supported in alarms")
        return []

    def reader() -> Reader:
        return _nothing(search, select, reader)

    _try(Evaluation(queries, reader(), Budget(UNITS)), queries, watched, "an alarm watches a single time series.")


def try_detector(queries: Sequence[Query], watched: Query) -> None:
    """Of an anomaly detector of one of them, which is the past of a band. Raises ValidationError."""

    def reader() -> Reader:
        return _nothing(lambda *_: [], lambda *_: [], reader)

    evaluation = Evaluation(queries, reader(), Budget(UNITS), is_past=True)
    _try(evaluation, queries, watched, "an anomaly detector is for a single time series.")


def _nothing(
    search: Callable[[str, str, int], list[Line]],
    select: Callable[[Select, int], list[Line]],
    past: Callable[[], Reader],
) -> Reader:
    return Reader(
        line=lambda metric: Line(metric.series.name, {}, metric.period_s),
        times=lambda _: (),
        search=search,
        select=select,
        past=past,
    )


def _try(evaluation: Evaluation, queries: Sequence[Query], watched: Query, rule: str) -> None:
    for query in queries:
        if len(evaluation.result(query)) > 1 and query == watched:
            raise invalid(f"Error in expression '{query.id}': {rule}")
