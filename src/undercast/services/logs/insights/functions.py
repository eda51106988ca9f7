"""The functions of values of one row, and the operators.

Pure. A function of something missing gives nothing, but for those that ask whether it is there.
AWS: CloudWatch Logs User Guide, "Boolean, comparison, numeric, datetime, and other functions".
"""

import ipaddress
import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from undercast.core import json_values
from undercast.core.record import record
from undercast.services.logs.insights.periods import Period, begin_of, next_begin, period_of
from undercast.services.logs.insights.values import Moment, Value, compare, is_true, number_of, text_of

AGGREGATES = frozenset({
    "count", "count_distinct", "sum", "avg", "min", "max", "pct", "percentile", "stddev", "earliest", "latest",
    "sortsfirst", "sortslast",
})  # fmt: skip
_MAX_TEXT = 262_144
"""What concat and replace make at most."""
_MAX_INTEGER = 1 << 63


@record(kw_only=False)
class Function:
    """How many arguments, and what it does with their values."""

    apply: Callable[..., Value]
    least: int = 1
    most: int = 1


def _of_numbers(compute: Callable[..., float]) -> Callable[..., Value]:
    def apply(*values: Value) -> Value:
        numbers = [number_of(value) for value in values]
        if any(number is None for number in numbers):
            return None
        try:
            result = compute(*numbers)
        except (ValueError, ZeroDivisionError, OverflowError):
            return None
        if isinstance(result, int) and abs(result) > _MAX_INTEGER:
            return float(result)
        return None if isinstance(result, float) and not math.isfinite(result) else result

    return apply


def _of_texts(compute: Callable[..., Value]) -> Callable[..., Value]:
    def apply(*values: Value) -> Value:
        return None if any(value is None for value in values) else compute(*map(text_of, values))

    return apply


def _divide(left: float, right: float) -> float:
    quotient = left / right
    whole = int(quotient)
    return whole if isinstance(left, int) and isinstance(right, int) and whole * right == left else quotient


def _power(left: float, right: float) -> float:
    return math.pow(left, right)


def _at(change: Callable[[int, Period], int]) -> Callable[..., Value]:
    def apply(moment: Value, length: Value) -> Value:
        at, period = number_of(moment), period_of(text_of(length))
        return Moment(change(int(at), period)) if at is not None and period is not None else None

    return apply


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if value is not None), None)


def _substr(value: Value, start: Value, length: Value = None) -> Value:
    begin, count = number_of(start), number_of(length)
    if value is None or begin is None or (length is not None and count is None):
        return None
    begin = max(int(begin), 0)
    return text_of(value)[begin:] if count is None else text_of(value)[begin : begin + max(int(count), 0)]


def _replace(value: str, old: str, new: str) -> str | None:
    if old and len(value) + value.count(old) * len(new) > _MAX_TEXT:
        return None
    return value.replace(old, new) if old else value


def _concat(*values: Value) -> Value:
    text = "".join(text_of(value) for value in values if value is not None)
    return text if len(text) <= _MAX_TEXT else None


def _trimmed(strip: Callable[[str, str | None], str]) -> Callable[..., Value]:
    def apply(value: Value, characters: Value = None) -> Value:
        return None if value is None else strip(text_of(value), None if characters is None else text_of(characters))

    return apply


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None


def _valid_ip(version: int | None) -> Callable[..., Value]:
    def apply(value: Value) -> Value:
        address = _address(text_of(value)) if value is not None else None
        return int(address is not None and version in (None, address.version))

    return apply


def _in_subnet(version: int | None) -> Callable[..., Value]:
    def apply(value: Value, subnet: Value) -> Value:
        if value is None or subnet is None:
            return 0
        address = _address(text_of(value))
        try:
            network = ipaddress.ip_network(text_of(subnet), strict=False)
        except ValueError:
            return 0
        return int(address is not None and version in (None, address.version) and address in network)

    return apply


def _parsed(value: Value) -> Value:
    try:
        found = json_values.parse(text_of(value)) if value is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def _comparison(operator: str) -> Function:
    return Function(lambda left, right: int(compare(operator, left, right)), 2, 2)


FUNCTIONS: Mapping[str, Function] = MappingProxyType({
    "abs": Function(_of_numbers(abs)),
    "ceil": Function(_of_numbers(math.ceil)),
    "floor": Function(_of_numbers(math.floor)),
    "greatest": Function(_of_numbers(lambda *numbers: max(numbers)), 1, 64),
    "least": Function(_of_numbers(lambda *numbers: min(numbers)), 1, 64),
    "log": Function(_of_numbers(math.log)),
    "sqrt": Function(_of_numbers(math.sqrt)),
    "datefloor": Function(_at(begin_of), 2, 2),
    "dateceil": Function(_at(next_begin), 2, 2),
    "frommillis": Function(_of_numbers(lambda number: Moment(int(number)))),
    "tomillis": Function(_of_numbers(int)),
    "ispresent": Function(lambda value: int(value is not None)),
    "coalesce": Function(_coalesce, 1, 64),
    "jsonparse": Function(_parsed),
    "jsonstringify": Function(lambda value: None if value is None else json.dumps(value, separators=(",", ":"))),
    "isvalidip": Function(_valid_ip(None)),
    "isvalidipv4": Function(_valid_ip(4)),
    "isvalidipv6": Function(_valid_ip(6)),
    "isipinsubnet": Function(_in_subnet(None), 2, 2),
    "isipv4insubnet": Function(_in_subnet(4), 2, 2),
    "isipv6insubnet": Function(_in_subnet(6), 2, 2),
    "isempty": Function(lambda value: int(value is None or text_of(value) == "")),
    "isblank": Function(lambda value: int(value is None or not text_of(value).strip())),
    "concat": Function(_concat, 1, 64),
    "ltrim": Function(_trimmed(str.lstrip), 1, 2),
    "rtrim": Function(_trimmed(str.rstrip), 1, 2),
    "trim": Function(_trimmed(str.strip), 1, 2),
    "strlen": Function(_of_texts(len)),
    "toupper": Function(_of_texts(str.upper)),
    "tolower": Function(_of_texts(str.lower)),
    "substr": Function(_substr, 2, 3),
    "replace": Function(_of_texts(_replace), 3, 3),
    "strcontains": Function(_of_texts(lambda value, part: int(part in value)), 2, 2),
    "bin": Function(_at(begin_of), 1, 1),
    "now": Function(lambda: None, 0, 0),
})  # fmt: skip
"""By name in lower case. `bin(5m)` is given @timestamp by whoever runs it; `now()` is known to the parser."""

OPERATORS: Mapping[str, Function] = MappingProxyType({
    "+": Function(_of_numbers(lambda left, right: left + right), 2, 2),
    "-": Function(_of_numbers(lambda left, right: left - right), 2, 2),
    "*": Function(_of_numbers(lambda left, right: left * right), 2, 2),
    "/": Function(_of_numbers(_divide), 2, 2),
    "%": Function(_of_numbers(lambda left, right: left % right), 2, 2),
    "^": Function(_of_numbers(_power), 2, 2),
    "not": Function(lambda value: int(not is_true(value))),
    **{operator: _comparison(operator) for operator in ("=", "!=", "<", "<=", ">", ">=")},
})  # fmt: skip


def member_of(document: Any, path: list[str]) -> Value:
    """What is at a path of a parsed document: names and places in lists."""
    for part in path:
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return None
    return document
