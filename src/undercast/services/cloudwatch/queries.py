"""MetricDataQueries of a request become queries, and queries are read.

AWS: CloudWatch API Reference, MetricDataQuery, MetricStat, GetMetricData.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any

from undercast.core.arn import Scope
from undercast.core.metrics import Series, Tally
from undercast.services.cloudwatch import points, reading
from undercast.services.cloudwatch.bands import TRAINING_S
from undercast.services.cloudwatch.budget import ROW, Budget
from undercast.services.cloudwatch.errors import invalid
from undercast.services.cloudwatch.expressions import MetricStat, Query, Reader
from undercast.services.cloudwatch.insights import Select
from undercast.services.cloudwatch.lines import Line, MathProblem
from undercast.services.cloudwatch.reading import Window
from undercast.services.cloudwatch.search import search
from undercast.services.cloudwatch.statistics import Statistic, statistic
from undercast.store.database import Tx

LISTED_S = 14 * 86_400
"""How long a series without new data is still found."""
MAX_FOUND = 500
MAX_TIMES = 100_800
"""As many as one answer has data points."""
MAX_LOOKED_AT = 5_000
"""Points that are read to find out whether a metric has any values."""
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


def dimensions_of(given: Sequence[Mapping[str, str]] | None) -> tuple[tuple[str, str], ...]:
    """Dimensions of a request."""
    return tuple((one["Name"], one["Value"]) for one in given or ())


def metric_stat(scope: Scope, given: Mapping[str, Any], where: str) -> MetricStat:
    """A MetricStat. Raises ValidationError for a statistic or period that cannot be."""
    metric, stat, period_s = given["Metric"], given["Stat"], given["Period"]
    if not reading.is_period(period_s):
        raise invalid(f"The value {period_s} for parameter {where}.Period is invalid.")
    named = Series.of(
        scope, metric.get("Namespace") or "", metric.get("MetricName") or "", dimensions_of(metric.get("Dimensions"))
    )
    compute = _statistic(stat, f"{where}.Stat")
    return MetricStat(series=named, period_s=period_s, stat=stat, compute=compute, unit=given.get("Unit"))


def _statistic(stat: str, where: str) -> Statistic:
    compute = statistic(stat)
    if compute is None:
        raise invalid(f"The value {stat} for parameter {where} is not supported.")
    return compute


def queries_of(scope: Scope, given: Sequence[Mapping[str, Any]], member: str) -> list[Query]:
    """All of them. Raises ValidationError."""
    found: list[Query] = []
    for number, one in enumerate(given, 1):
        where = f"{member}.member.{number}"
        _check(scope, one, where)
        stat = one.get("MetricStat")
        found.append(
            Query(
                id=one["Id"],
                label=one.get("Label"),
                returns=one.get("ReturnData", True),
                period_s=one.get("Period"),
                metric=None if stat is None else metric_stat(scope, stat, f"{where}.MetricStat"),
                expression=one.get("Expression") or "",
            )
        )
    if len({query.id for query in found}) < len(found):
        raise invalid(f"The values for parameter id in {member} are not unique.")
    return found


def _check(scope: Scope, given: Mapping[str, Any], where: str) -> None:
    if not _ID.fullmatch(given["Id"]):
        raise invalid(
            f"The value {given['Id']} for parameter {where}.Id is not matching the expected pattern "
            "^[a-z][a-zA-Z0-9_]*$."
        )
    if (given.get("MetricStat") is None) == (given.get("Expression") is None):
        raise invalid(
            f"The parameters {where}.MetricStat and {where}.Expression are mutually exclusive, and one is needed."
        )
    if given.get("AccountId", scope.account_id) != scope.account_id:
        raise invalid(f"The value {given['AccountId']} for parameter {where}.AccountId is no linked account.")
    period_s = given.get("Period")
    if period_s is not None and not reading.is_period(period_s):
        raise invalid(f"The value {period_s} for parameter {where}.Period is invalid.")


class Source:
    """Reads metrics for an evaluation. `anchor_s` is a moment at which a period begins, whatever its length."""

    def __init__(self, tx: Tx, scope: Scope, span: tuple[int, int], now_s: float, anchor_s: int = 0) -> None:
        self.budget = Budget()
        """Of the evaluation, too."""
        self._tx = tx
        self._scope = scope
        self._span = span
        self._now_s = now_s
        self._anchor_s = anchor_s

    def reader(self, *, counts: bool = False) -> Reader:
        """What the evaluation asks. `counts`: stored points of the metrics that queries name are paid for, too.

        Else they are not: each is read once, and AWS answers 500 of them, however long the stretch is.
        """
        line = self._counted if counts else self.line
        return Reader(line=line, times=self._times, search=self.search, select=self.select, past=self._past)

    def _past(self) -> Reader:
        span = (self._span[0] - TRAINING_S, self._span[1])
        past = Source(self._tx, self._scope, span, self._now_s, self._anchor_s)
        past.budget = self.budget
        return past.reader(counts=True)

    def _times(self, period_s: int) -> range:
        times = self._window(period_s).starts()
        if len(times) > MAX_TIMES:
            raise MathProblem(f"the time range has more than {MAX_TIMES} periods")
        return times

    def line(self, metric: MetricStat) -> Line:
        """The values of a metric, whatever is stored of it."""
        return self._line(metric, self._window(metric.period_s)._replace(spend=reading.free))

    def _counted(self, metric: MetricStat) -> Line:
        return self._line(metric, self._window(metric.period_s))

    def _line(self, metric: MetricStat, window: Window) -> Line:
        self.budget.spend(ROW)  # looking for it costs something, too
        tallies = reading.of_unit(self._tx, metric.series, window, self._now_s, metric.unit)
        values = {at: value for at, tally in tallies.items() if (value := metric.compute(tally)) is not None}
        return Line(metric.series.name, values, metric.period_s, _properties(metric))

    def has(self, metric: MetricStat, least: int) -> bool:
        """Whether a metric has so many values, as far as its first points tell."""
        window, key = self._window(metric.period_s), points.key_of(metric.series)
        rows = islice(points.points(self._tx, key, window.start_s, window.end_s, self._now_s), MAX_LOOKED_AT)
        fitting = (row for row in rows if row[1] <= window.period_s and metric.unit in (None, row[2]))
        periods = groupby(fitting, key=lambda row: (row[0] - window.start_s) // window.period_s)
        values = (metric.compute(_merged(tally for _, _, _, tally in period)) for _, period in periods)
        return len(list(islice((value for value in values if value is not None), least))) == least

    def search(self, expression: str, stat: str, period_s: int) -> list[Line]:
        """The series that a search expression finds. Raises MathProblem."""
        matches, compute = search(expression), statistic(stat)
        if compute is None or not reading.is_period(period_s):
            raise MathProblem("SEARCH takes a statistic and a period of AWS's")
        found = [one for one in self._listed(None, None) if matches(one)]
        lines = [
            self._counted(MetricStat(series=one, period_s=period_s, stat=stat, compute=compute))
            for one in found[:MAX_FOUND]
        ]
        return _told_apart(lines)

    def select(self, select: Select, period_s: int) -> list[Line]:
        """A line for each group of a Metrics Insights query."""
        groups: dict[tuple[str, ...], dict[int, Tally]] = {}
        window = self._window(period_s)
        for series in self._listed(select.namespace, select.name):
            if not select.wants(series):
                continue
            group = groups.setdefault(select.group_of(series), {})
            reading.merge(group, reading.of_unit(self._tx, series, window, self._now_s, None))
        return select.ordered([self._grouped(select, group, group_of, period_s) for group_of, group in groups.items()])

    def _listed(self, namespace: str | None, name: str | None) -> Iterator[Series]:
        for series in points.listed(self._tx, self._scope, namespace, name, int(self._now_s) - LISTED_S):
            self.budget.spend(ROW)
            yield series

    def _grouped(self, select: Select, tallies: dict[int, Tally], group: tuple[str, ...], period_s: int) -> Line:
        values = {at: value for at, tally in sorted(tallies.items()) if (value := select.value(tally)) is not None}
        properties = {f"Dim.{key}": value for key, value in zip(select.groups, group, strict=True)}
        return Line(" ".join(group) or select.name, values, period_s, properties)

    def _window(self, period_s: int) -> Window:
        start_s, end_s = self._span
        return Window(start_s - (start_s - self._anchor_s) % period_s, end_s, period_s, self.budget.spend)


def _merged(tallies: Iterator[Tally]) -> Tally:
    found = next(tallies)
    for tally in tallies:
        found.merge(tally)
    return found


def _properties(metric: MetricStat) -> dict[str, str]:
    series = metric.series
    return {
        "MetricName": series.name,
        "Namespace": series.namespace,
        "Stat": metric.stat,
        "Period": str(metric.period_s),
        "AccountId": series.account_id,
        "Region": series.region,
        **{f"Dim.{name}": value for name, value in series.dimensions},
    }


def _told_apart(lines: list[Line]) -> list[Line]:
    """Labels of several series name what they differ in: their dimensions' values, then their names."""
    names = {line.label for line in lines}

    def label(line: Line) -> str:
        values = " ".join(value for name, value in line.properties.items() if name.startswith("Dim."))
        return f"{values} {line.label}".strip() if len(names) > 1 or not values else values

    return [Line(label(line), line.values, line.period_s, line.properties) for line in lines]
