"""Values of fields: text, numbers, moments; and how they compare and are shown.

Pure. What is missing is None, and a comparison with it never holds.
"""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

Value = Any
"""str, int, float, Moment, a JSON document (dict, list) or None."""
_NUMBER = re.compile(r"\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\s*", re.ASCII)
_INTEGER = re.compile(r"\s*[-+]?\d{1,18}\s*", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 4


class Moment(int):
    """Milliseconds since 1970; shown as date and time."""

    def __str__(self) -> str:
        try:
            at = _EPOCH + timedelta(milliseconds=int(self))
        except OverflowError:
            return str(int(self))
        return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def number_of(value: Value) -> int | float | None:
    """A number, or text that is one."""
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    if _INTEGER.fullmatch(value):
        return int(value)
    if not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def text_of(value: Value) -> str:
    """As results show it: floating numbers with four digits."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        if value == int(value) and abs(value) < 1e15:
            return str(int(value))
        shown = f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")
        return shown if shown not in ("0", "-0") else f"{value:.{_DIGITS}g}"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def compare(operator: str, left: Value, right: Value) -> bool:
    """Numbers as numbers where both are, else text."""
    if left is None or right is None:
        return False
    one: Any = number_of(left)
    other: Any = number_of(right)
    if one is None or other is None:
        one, other = text_of(left), text_of(right)
    match operator:
        case "=":
            return bool(one == other)
        case "!=":
            return bool(one != other)
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case ">":
            return bool(one > other)
        case _:
            return bool(one >= other)


def order_key(value: Value) -> tuple[int, float, str]:
    """For sorting: what is missing first, then numbers, then text."""
    if value is None:
        return (0, 0.0, "")
    number = number_of(value)
    return (1, float(number), "") if number is not None else (2, 0.0, text_of(value))


def is_true(value: Value) -> bool:
    """As a condition."""
    return value is not None and value not in (0, "", "false", "0")
