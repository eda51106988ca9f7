"""Evaluates the queries of one GetMetricData, or of one alarm: metrics, and expressions over them.

Synchronous, within one reading transaction. Each id is computed once, when it is first needed.
AWS: CloudWatch User Guide, "Metric math syntax and functions"; API Reference, MetricDataQuery.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from undercast.core.errors import ServiceError, refused_member
from undercast.core.metrics import Series
from undercast.core.record import record
from undercast.services.cloudwatch import bands, lines
from undercast.services.cloudwatch.budget import Budget
from undercast.services.cloudwatch.errors import invalid
from undercast.services.cloudwatch.grammar import (
    Call,
    Chain,
    Listing,
    Name,
    Node,
    Number,
    SyntaxProblem,
    Text,
    names_in,
    parse,
)
from undercast.services.cloudwatch.insights import Select, is_select
from undercast.services.cloudwatch.insights import parse as parse_select
from undercast.services.cloudwatch.lines import Line, MathProblem, Value
from undercast.services.cloudwatch.statistics import Statistic

NOT_HERE = frozenset({"INSIGHT_RULE_METRIC", "SERVICE_QUOTA", "LAMBDA", "DB_PERF_INSIGHTS"})
_EACH: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "LOG": math.log,
    "LOG10": math.log10,
}
_STEPS = frozenset({"DIFF", "DIFF_TIME", "RATE", "RUNNING_SUM"})
_WORDS = frozenset({"REPEAT", "LINEAR", "ASC", "DESC", "AVG", "MIN", "MAX", "SUM"})


@record
class MetricStat:
    """A statistic of one metric."""

    series: Series
    period_s: int
    stat: str
    compute: Statistic
    unit: str | None = None


@record
class Query:
    """One MetricDataQuery: either a metric or an expression."""

    id: str
    label: str | None
    returns: bool
    period_s: int | None = None
    """What the query itself says."""
    metric: MetricStat | None = None
    expression: str = ""


@record
class Reader:
    """Where the values of metrics come from."""

    line: Callable[[MetricStat], Line]
    times: Callable[[int], Sequence[int]]
    """Period -> the begin of each period of the stretch that is asked about."""
    search: Callable[[str, str, int], list[Line]]
    """(search expression, statistic, period) -> what it finds."""
    select: Callable[[Select, int], list[Line]]
    """(Metrics Insights query, period) -> a line for each group."""
    past: Callable[[], "Reader"]
    """The same from two weeks earlier on."""


class Evaluation:
    """See the module."""

    def __init__(
        self, queries: Sequence[Query], reader: Reader, budget: Budget | None = None, *, is_past: bool = False
    ) -> None:
        """`reader` spends of the same budget. `is_past`: of what bands are computed of; no band can be in it."""
        self._queries = {query.id: query for query in queries}
        self._reader = reader
        self._known: dict[str, Value] = {}
        self._trees: dict[str, Node] = {}
        self._budget = budget or Budget()
        self._is_past = is_past
        self._past: Evaluation | None = None
        periods = [query.metric.period_s for query in queries if query.metric is not None]
        said = [query.period_s for query in queries if query.period_s is not None]
        self._period_s = min(periods or said, default=300)

    def result(self, query: Query) -> list[Line]:
        """The series of a query. Raises ValidationError for an expression that gives none."""
        value = self._value(query.id)
        if isinstance(value, Line):
            value = [value]
        if not isinstance(value, list):
            raise _problem(query.id, "The result of an expression must be a time series or an array of time series.")
        try:
            self._spend(_size(value))  # each query gives its own
        except MathProblem as problem:
            raise _problem(query.id, str(problem)) from problem
        return value

    def _value(self, query_id: str) -> Value:
        """Without recursion: what an expression needs is computed before it, however long the chain of queries is."""
        waiting: dict[str, Iterator[str]] = {}
        needed: str | None = query_id
        while needed is not None or waiting:
            if needed is not None and needed not in self._known:
                if needed in waiting:
                    raise _problem(needed, "The expression refers to itself.")
                waiting[needed] = iter(self._needs(self._queries[needed]))
            elif needed is None:
                last, _ = waiting.popitem()
                self._known[last] = self._computed(self._queries[last])
            needed = next(waiting[next(reversed(waiting))], None) if waiting else None
        return self._known[query_id]

    def _needs(self, query: Query) -> list[str]:
        """The queries whose values an expression names."""
        if query.metric is not None or is_select(query.expression):
            return []
        try:
            self._spend(len(query.expression))
            tree = self._trees[query.id] = parse(query.expression)
        except (SyntaxProblem, MathProblem) as problem:
            raise _problem(query.id, str(problem)) from problem
        return [name for name in dict.fromkeys(names_in(tree)) if name in self._queries]

    def _computed(self, query: Query) -> Value:
        try:
            if query.metric is not None:
                return self._reader.line(query.metric)
            if is_select(query.expression):
                return self._selected(query)
            return self._node(self._trees[query.id])
        except MathProblem as problem:
            raise _problem(query.id, str(problem)) from problem

    def _spend(self, units: int) -> None:
        self._budget.spend(units)

    def _times(self, period_s: int) -> Sequence[int]:
        times = self._reader.times(period_s)
        self._spend(len(times))
        return times

    def _selected(self, query: Query) -> Value:
        if query.period_s is None:
            raise MathProblem("a Metrics Insights query needs a Period")
        self._spend(len(query.expression))
        select = parse_select(query.expression)
        lines = self._reader.select(select, query.period_s)
        return lines if select.groups else lines[0] if lines else Line(select.name, {}, query.period_s)

    def _node(self, node: Node) -> Value:
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Listing):
            return self._listing(node)
        if isinstance(node, Name):
            if node.name in self._queries:
                return self._value(node.name)
            if node.name in _WORDS:
                return node.name
            raise MathProblem(f"Unknown identifier '{node.name}'")
        return self._chain(node) if isinstance(node, Chain) else self._call(node)

    def _chain(self, chain: Chain) -> Value:
        value = self._node(chain.first)
        for sign, node in chain.rest:
            value = self._applied(sign, [value, self._node(node)])
        return value

    def _listing(self, listing: Listing) -> list[Line]:
        found: list[Line] = []
        for item in listing.items:
            lines = _lines(self._node(item))
            self._spend(len(lines))
            found += lines
        return found

    def _call(self, call: Call) -> Value:
        name = call.function
        if name in NOT_HERE:
            raise refused_member("GetMetricData", "Expression", f"the function {name} is not supported")
        if name == "PERIOD":
            return float(self._period_of(call))
        if name == bands.FUNCTION:
            return self._band(call)
        return self._applied(name, [self._node(one) for one in call.arguments])

    def _applied(self, name: str, arguments: list[Value]) -> Value:
        function = _TABLE.get(name)
        if function is None:
            raise MathProblem(f"Unsupported function '{name}'")
        self._spend(sum(map(_size, arguments)))
        try:
            return function(self, name, arguments)
        except MathProblem:
            raise
        except (IndexError, TypeError, ValueError, OverflowError) as error:
            raise MathProblem(f"Invalid arguments for '{name}'") from error

    def _period_of(self, call: Call) -> int:
        node = call.arguments[0] if len(call.arguments) == 1 else None
        query = self._queries.get(node.name) if isinstance(node, Name) else None
        if query is None or query.metric is None:
            raise MathProblem("PERIOD takes a metric")
        return query.metric.period_s

    def _band(self, call: Call) -> Value:
        """The band of a query. Its past is what the query itself comes to over a longer stretch."""
        if self._is_past:
            raise MathProblem(f"{bands.FUNCTION} cannot be part of what another band is computed of")
        node, *rest = call.arguments or (None,)
        if not isinstance(node, Name) or node.name not in self._queries or len(rest) > 1:
            raise MathProblem(f"{bands.FUNCTION} takes a metric or an expression, and a number")
        deviations = _scalar(self._node(rest[0])) if rest else bands.DEVIATIONS
        line = self._value(node.name)
        if not deviations > 0 or not isinstance(line, Line):
            raise MathProblem(f"{bands.FUNCTION} takes a single time series, and a number above 0")
        past = self._earlier()._value(node.name)
        if not isinstance(past, Line):  # IF may choose otherwise over a longer stretch
            raise MathProblem(f"{bands.FUNCTION} takes what is a single time series in the past, too")
        self._spend(_size(past))
        return bands.band(line, past, self._times(line.period_s), deviations)

    def _earlier(self) -> "Evaluation":
        """The past, for all bands the same: else a band of a band would evaluate all below it twice."""
        if self._past is None:
            queries = tuple(self._queries.values())
            self._past = Evaluation(queries, self._reader.past(), self._budget, is_past=True)
        return self._past

    # Functions: (name, arguments) -> value

    def _binary(self, name: str, arguments: list[Value]) -> Value:
        for one, other in (arguments, arguments[::-1]):
            if isinstance(one, list) and isinstance(other, Line):  # it is handled once for each
                self._spend(len(one) * _size(other))
        return lines.binary(name, arguments[0], arguments[1])

    def _minus(self, _name: str, arguments: list[Value]) -> Value:
        return lines.mapped(arguments[0], lambda value: -value)

    def _each(self, name: str, arguments: list[Value]) -> Value:
        return lines.mapped(arguments[0], _EACH[name])

    def _aggregate(self, name: str, arguments: list[Value]) -> Value:
        return lines.aggregate(name, arguments[0])

    def _step(self, name: str, arguments: list[Value]) -> Value:
        return _over(arguments[0], lambda line: lines.stepwise(name, line))

    def _fill(self, _name: str, arguments: list[Value]) -> Value:
        how = arguments[1]
        return _over(arguments[0], lambda line: lines.filled(line, how, self._times(line.period_s)))

    def _calendar(self, name: str, arguments: list[Value]) -> Value:
        return _over(arguments[0], lambda line: lines.calendar(name, line, self._times(line.period_s)))

    def _if(self, _name: str, arguments: list[Value]) -> Value:
        return lines.chosen(arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else None)

    def _metrics(self, _name: str, arguments: list[Value]) -> Value:
        wanted = arguments[0] if arguments else ""
        self._spend(len(self._queries))
        return [
            line
            for query in self._queries.values()
            if query.metric is not None and str(wanted) in query.id
            for line in _lines(self._value(query.id))
        ]

    def _time_series(self, _name: str, arguments: list[Value]) -> Value:
        value = _scalar(arguments[0])
        times = self._times(self._period_s) if math.isfinite(value) else ()
        return Line("", dict.fromkeys(times, value), self._period_s)

    def _metric_count(self, _name: str, arguments: list[Value]) -> Value:
        return float(len(_lines(arguments[0])))

    def _one_of(self, name: str, arguments: list[Value]) -> Value:
        found = _lines(arguments[0])
        if not found:
            return []
        return found[0 if name == "FIRST" else -1]

    def _remove_empty(self, _name: str, arguments: list[Value]) -> Value:
        return [line for line in _lines(arguments[0]) if line.values]

    def _slice(self, _name: str, arguments: list[Value]) -> Value:
        end = int(_scalar(arguments[2])) if len(arguments) > 2 else None
        return _lines(arguments[0])[int(_scalar(arguments[1])) : end]

    def _sort(self, _name: str, arguments: list[Value]) -> Value:
        limit = int(_scalar(arguments[3])) if len(arguments) > 3 else None
        return lines.ordered(_lines(arguments[0]), str(arguments[1]), str(arguments[2]), limit)

    def _search(self, _name: str, arguments: list[Value]) -> Value:
        expression, stat = arguments[0], arguments[1]
        if not isinstance(expression, str) or not isinstance(stat, str):
            raise MathProblem("SEARCH takes a search expression, a statistic and a period")
        period_s = int(_scalar(arguments[2])) if len(arguments) > 2 else self._period_s
        found = self._reader.search(expression, stat, period_s)
        self._spend(_size(found))
        return found


_TABLE: dict[str, Callable[[Evaluation, str, list[Value]], Value]] = {
    **dict.fromkeys(lines.OPERATORS, Evaluation._binary),
    "neg": Evaluation._minus,
    **dict.fromkeys(_EACH, Evaluation._each),
    **dict.fromkeys(lines.AGGREGATES, Evaluation._aggregate),
    **dict.fromkeys(_STEPS, Evaluation._step),
    **dict.fromkeys(lines.CALENDAR, Evaluation._calendar),
    "FILL": Evaluation._fill,
    "IF": Evaluation._if,
    "METRICS": Evaluation._metrics,
    "TIME_SERIES": Evaluation._time_series,
    "METRIC_COUNT": Evaluation._metric_count,
    "FIRST": Evaluation._one_of,
    "LAST": Evaluation._one_of,
    "REMOVE_EMPTY": Evaluation._remove_empty,
    "SLICE": Evaluation._slice,
    "SORT": Evaluation._sort,
    "SEARCH": Evaluation._search,
}


def is_band(query: Query) -> bool:
    """Whether a query is a call of ANOMALY_DETECTION_BAND, and nothing more."""
    try:
        node = parse(query.expression)
    except SyntaxProblem:
        return False
    return isinstance(node, Call) and node.function == bands.FUNCTION


def _problem(query_id: str, reason: str) -> ServiceError:
    return invalid(f"Error in expression '{query_id}': {reason}")


def _lines(value: Value) -> list[Line]:
    if isinstance(value, Line):
        return [value]
    if isinstance(value, list):
        return value
    raise MathProblem("a time series is needed, not a number or a text")


def _size(value: Value) -> int:
    """What it costs to handle it once; see `budget`."""
    if isinstance(value, list):
        return sum(map(_size, value))
    return 1 + len(value.values) if isinstance(value, Line) else 1


def _scalar(value: Value) -> float:
    if not isinstance(value, float):
        raise MathProblem("a number is needed")
    return value


def _over(value: Value, function: Callable[[Line], Line]) -> Value:
    return function(value) if isinstance(value, Line) else [function(line) for line in _lines(value)]
