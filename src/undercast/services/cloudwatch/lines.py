"""Time series and what metric math's operators and functions do to them.

Pure. A point that is not there counts as 0 for an operator between two series; a division by zero, and all else that is
no number, drops the point.
AWS: CloudWatch User Guide, "Metric math syntax and functions" (basic arithmetic, comparison, functions).
"""

import math
import operator
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from functools import partial
from itertools import pairwise

from undercast.core.clock import moment
from undercast.core.record import record


class MathProblem(ValueError):
    """An expression that cannot be computed."""


@record(kw_only=False)
class Line:
    """One time series: begin of a period -> value, in the order of time."""

    label: str
    values: Mapping[int, float]
    period_s: int
    properties: Mapping[str, str] = field(default_factory=dict)
    """Of the metric that it is: MetricName, Namespace, Dim.X, ... for labels."""


Value = float | str | Line | list[Line]
Binary = Callable[[float, float], float]

_FUNCTIONS: dict[str, Binary] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "&&": lambda left, right: float(bool(left) and bool(right)),
    "||": lambda left, right: float(bool(left) or bool(right)),
}
OPERATORS = frozenset(_FUNCTIONS)


def computed(function: Callable[..., float], *values: float) -> float | None:
    """The result, or None where it is no number."""
    try:
        result = function(*values)
    except (ArithmeticError, ValueError):
        return None
    return float(result) if isinstance(result, int | float) and math.isfinite(result) else None


def mapped(value: Value, function: Callable[[float], float]) -> Value:
    """The function of each point."""
    if isinstance(value, str):
        raise MathProblem("text is no operand")
    if isinstance(value, float):
        return _number(computed(function, value))
    if isinstance(value, Line):
        return replace(value, values=_kept((at, computed(function, one)) for at, one in value.values.items()))
    return [line for one in value if isinstance(line := mapped(one, function), Line)]


def binary(sign: str, left: Value, right: Value) -> Value:
    """Left and right by an operator, point by point where they are series."""
    function = _FUNCTIONS[sign]
    if isinstance(left, str) or isinstance(right, str):
        raise MathProblem("text is no operand")
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            raise MathProblem("arrays of different lengths cannot be combined")
        return [_pair(function, one, other) for one, other in zip(left, right, strict=True)]
    if isinstance(left, list):
        return [_pair(function, one, right) for one in left if not isinstance(right, list)]
    if isinstance(right, list):
        return [replace(_pair(function, left, one), label=one.label) for one in right]
    if isinstance(left, float) and isinstance(right, float):
        return _number(computed(function, left, right))
    return _pair(function, left, right)


def _pair(function: Binary, left: float | Line, right: float | Line) -> Line:
    if isinstance(left, Line) and isinstance(right, Line):
        times = sorted({*left.values, *right.values})
        values = _kept((at, computed(function, left.values.get(at, 0.0), right.values.get(at, 0.0))) for at in times)
        return replace(left, values=values, period_s=min(left.period_s, right.period_s))
    if isinstance(left, Line):
        other = float(right) if isinstance(right, float) else 0.0
        return replace(left, values=_kept((at, computed(function, one, other)) for at, one in left.values.items()))
    assert isinstance(right, Line)
    return replace(right, values=_kept((at, computed(function, left, one)) for at, one in right.values.items()))


def _number(value: float | None) -> float:
    """A number that is none drops the points that it is combined with."""
    return math.nan if value is None else value


def _kept(pairs: Iterable[tuple[int, float | None]]) -> dict[int, float]:
    return {at: value for at, value in pairs if value is not None}


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of all there is. Not `statistics.pstdev`, which computes with fractions."""
    mean = math.fsum(values) / len(values)
    return math.hypot(*(value - mean for value in values)) / math.sqrt(len(values))  # squares of 1e200 are too large


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "STDDEV": deviation,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}


def aggregate(name: str, value: Value) -> Value:
    """One number of a series, or one series of several."""
    function = AGGREGATES[name]
    if isinstance(value, Line):
        if not value.values:
            return 0.0
        return _number(computed(partial(function, list(value.values.values()))))
    if not isinstance(value, list):
        raise MathProblem(f"{name} needs time series")
    if not value:
        return []
    there: dict[int, list[float]] = {}
    for line in value:
        for at, one in line.values.items():
            there.setdefault(at, []).append(one)
    number = len(value)
    if name == "AVG":  # a value that is missing counts as 0
        function = lambda values: math.fsum(values) / number  # noqa: E731
    values = _kept((at, computed(partial(function, there[at]))) for at in sorted(there))
    return Line(name, values, min(line.period_s for line in value))


def stepwise(name: str, line: Line) -> Line:
    """DIFF, DIFF_TIME, RATE: each point against the one before it. RUNNING_SUM: all points so far."""
    pairs = list(line.values.items())
    if name == "RUNNING_SUM":
        total = 0.0
        sums = {at: (total := total + value) for at, value in pairs}
        return replace(line, values=sums)
    values: dict[int, float] = {}
    for (before, earlier), (at, value) in pairwise(pairs):
        seconds = float(at - before)
        values[at] = {"DIFF": value - earlier, "DIFF_TIME": seconds, "RATE": (value - earlier) / seconds}[name]
    return replace(line, values=values)


def filled(line: Line, how: Value, times: Sequence[int]) -> Line:
    """FILL: every time has a value, where `how` gives one."""
    if how == "LINEAR":
        return replace(line, values=_linear(line.values, times))
    values: dict[int, float] = {}
    last: float | None = None
    for at in times:
        last = line.values.get(at, last)
        if at in line.values:
            values[at] = line.values[at]
        elif isinstance(how, float):
            if math.isfinite(how):
                values[at] = how
        elif isinstance(how, Line):
            if at in how.values:
                values[at] = how.values[at]
        elif how == "REPEAT":
            if last is not None:
                values[at] = last
        else:
            raise MathProblem("FILL takes a number, a time series, REPEAT or LINEAR")
    return replace(line, values=values)


def _linear(values: Mapping[int, float], times: Sequence[int]) -> dict[int, float]:
    known = sorted(values)
    found: dict[int, float] = {}
    for at in times:
        place = bisect_left(known, at)
        if at in values:
            found[at] = values[at]
        elif 0 < place < len(known):
            first, last = known[place - 1], known[place]
            found[at] = values[first] + (values[last] - values[first]) * (at - first) / (last - first)
    return found


_CALENDAR: dict[str, Callable[[datetime], float]] = {
    "MINUTE": lambda at: at.minute,
    "HOUR": lambda at: at.hour,
    "DAY": lambda at: at.isoweekday(),
    "DATE": lambda at: at.day,
    "MONTH": lambda at: at.month,
    "YEAR": lambda at: at.year,
    "EPOCH": lambda at: at.timestamp(),
}
CALENDAR = frozenset(_CALENDAR)


def calendar(name: str, line: Line, times: Sequence[int]) -> Line:
    """MINUTE, HOUR, DAY (Monday is 1), ...: each value is of its time, in UTC."""
    return replace(line, values={at: float(_CALENDAR[name](moment(at))) for at in times})


def chosen(condition: Value, yes: Value, no: Value | None) -> Value:
    """IF. Without a third argument the points whose condition is false are dropped."""
    if isinstance(condition, float):
        return yes if condition else (no if no is not None else _empty(yes))
    if not isinstance(condition, Line) or isinstance(yes, list | str) or isinstance(no, list | str):
        raise MathProblem("IF takes numbers and single time series")
    values: dict[int, float] = {}
    for at, truth in condition.values.items():
        if truth:
            values[at] = yes if isinstance(yes, float) else yes.values.get(at, 0.0)
        elif isinstance(no, float):
            values[at] = no
        elif no is not None and at in no.values:
            values[at] = no.values[at]
    return replace(condition, values={at: value for at, value in values.items() if math.isfinite(value)})


def _empty(value: Value) -> Value:
    return replace(value, values={}) if isinstance(value, Line) else Line("", {}, 60)


def ordered(lines: Sequence[Line], function: str, order: str, limit: int | None) -> list[Line]:
    """SORT: by AVG, MIN, MAX or SUM of each; those without points come last."""
    if function not in ("AVG", "MIN", "MAX", "SUM") or order not in ("ASC", "DESC"):
        raise MathProblem("SORT takes AVG, MIN, MAX or SUM, and ASC or DESC")

    def key(line: Line) -> float:
        return float(AGGREGATES[function](list(line.values.values())))

    some = sorted((line for line in lines if line.values), key=key, reverse=order == "DESC")
    return [*some, *(line for line in lines if not line.values)][:limit]
