"""The pattern language of filter policies and event patterns: does an event match?

Pure. A pattern is compiled once and asked often; it never raises on an event, whatever that holds. All fields of a
pattern must match (AND), one of the values of a field must (OR); an event's array matches by any of its elements.
AWS: EventBridge User Guide, "Comparison operators for use in event patterns"; SNS Developer Guide, "Filter policy
constraints", "String value matching", "Numeric value matching"; Lambda Developer Guide, "Control which events ...".
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from undercast.core.record import record

_MISSING: Any = object()
_COMPARES: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_MAX_NUMBER = 5 * 10**9
"""EventBridge's: -5.0e9 to 5.0e9."""
_MAX_INTEGER = 2**31 - 1
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_LIKE_AN_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*")
Matcher = Callable[[Any], bool]
"""Asked with one value of the event, never with an array or object; `_MISSING` where the field is not there."""
Test = Callable[[Any], bool]
"""Asked with an object of the event."""


class InvalidPattern(ValueError):
    """The pattern is not one; the text says why, as AWS does."""


@record
class Pattern:
    """A compiled pattern."""

    matches: Test
    """Whether an event, as JSON gives it, matches."""
    keys: int
    """Fields with values, nested ones counted once."""
    combinations: int
    """The product, over these fields, of the number of values times the depth: AWS's measure of complexity."""
    is_nested: bool


NOTHING = Pattern(matches=lambda event: False, keys=0, combinations=1, is_nested=False)
"""What stands for a stored pattern that an older version took and that is refused now."""


def compile_pattern(document: Any, *, largest: int | None = None) -> Pattern:
    """Raises InvalidPattern. `largest` is SNS's limit of numbers, which it holds for values to be equal to as well."""
    if not isinstance(document, dict):
        raise InvalidPattern("Filter is not an object")
    if largest is not None:
        _check_numbers(document, largest)
    if not document:
        return Pattern(matches=lambda event: True, keys=0, combinations=1, is_nested=False)
    fields = tuple(_leaves(document, 1))
    return Pattern(
        matches=_object(document),
        keys=len(fields),
        combinations=_combinations(document, 1),
        is_nested=any(depth > 1 for depth, _ in fields),
    )


def _alternatives(name: str, value: Any) -> list[dict[str, Any]] | None:
    """The alternatives of an `$or`; None where it is a field's name like any other.

    AWS: "Or" matching is meant only by an array of two or more objects whose fields are not names of operators.
    """
    if name != "$or" or not isinstance(value, list) or len(value) < 2:
        return None
    if not all(isinstance(one, dict) and one and not one.keys() & _OPERATORS.keys() for one in value):
        return None
    return value


def _leaves(document: Mapping[str, Any], depth: int) -> Iterator[tuple[int, int]]:
    """(depth, number of values) of each field that has values."""
    for name, value in document.items():
        if (alternatives := _alternatives(name, value)) is not None:
            for alternative in alternatives:
                yield from _leaves(alternative, depth)
        elif isinstance(value, dict):
            yield from _leaves(value, depth + 1)
        elif isinstance(value, list):
            yield depth, len(value)


def _combinations(document: Mapping[str, Any], depth: int) -> int:
    product = 1
    for name, value in document.items():
        if (alternatives := _alternatives(name, value)) is not None:
            product *= sum(_combinations(alternative, depth) for alternative in alternatives)
        elif isinstance(value, dict):
            product *= _combinations(value, depth + 1)
        elif isinstance(value, list):
            product *= max(1, len(value)) * depth
    return product


def _object(document: Mapping[str, Any]) -> Test:
    if not document:
        raise InvalidPattern("Empty objects are not allowed")
    tests = tuple(_field(name, value) for name, value in document.items())

    def test(event: Any) -> bool:
        if isinstance(event, list):
            return any(test(one) for one in event)
        return isinstance(event, dict) and all(one(event) for one in tests)

    return test


def _field(name: str, value: Any) -> Test:
    if (alternatives := _alternatives(name, value)) is not None:
        tests = tuple(_object(alternative) for alternative in alternatives)
        return lambda event: any(test(event) for test in tests)
    if isinstance(value, dict):
        nested = _object(value)
        absent = _may_be_absent(value)
        return lambda event: nested(event[name]) if name in event else absent
    if not isinstance(value, list):
        raise InvalidPattern(f'"{name}" must be an object or an array')
    if not value:
        raise InvalidPattern("Empty arrays are not allowed")
    matchers = tuple(_matcher(one) for one in value)
    return lambda event: _any(matchers, event.get(name, _MISSING))


def _may_be_absent(document: Mapping[str, Any]) -> bool:
    """Whether an object without the whole field matches: all it asks for is that something does not exist."""
    return all(
        _may_be_absent(value) if isinstance(value, dict) else {"exists": False} in value for value in document.values()
    )


def _any(matchers: Sequence[Matcher], value: Any) -> bool:
    if isinstance(value, list):
        if not value:
            return any(matcher([]) for matcher in matchers)
        return any(_any(matchers, one) for one in value)
    if isinstance(value, dict):
        value = _MISSING  # operators are about leaves: an object is none
    return any(matcher(value) for matcher in matchers)


def _matcher(value: Any) -> Matcher:
    if isinstance(value, dict):
        return _operator(value)
    if isinstance(value, list):
        raise InvalidPattern("Match value must be String, number, true, false, or null")
    return _equal(value)


def _equal(wanted: Any) -> Matcher:
    if wanted is None or isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, str):
        return lambda value: isinstance(value, str) and value == wanted
    return lambda value: _is_number(value) and value == wanted


def _operator(expression: Mapping[str, Any]) -> Matcher:
    if len(expression) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    ((name, argument),) = expression.items()
    make = _OPERATORS.get(name)
    if make is None:
        raise InvalidPattern(f"Unrecognized match type {name}")
    return make(argument)


def _exists(argument: Any) -> Matcher:
    if not isinstance(argument, bool):
        raise InvalidPattern("exists match pattern must be either true or false.")
    return lambda value: (value is not _MISSING) is argument


def _text_operator(name: str, argument: Any) -> Matcher:
    """prefix, suffix, equals-ignore-case or wildcard with one text; prefix and suffix also without regard to case."""
    if name in ("prefix", "suffix") and isinstance(argument, dict):
        lower = _ignoring_case(name, argument).lower()
        inner = _text_operator(name, lower)
        return lambda value: isinstance(value, str) and inner(value.lower())
    text = _of_text(name, argument)
    if name == "prefix":
        return lambda value: isinstance(value, str) and value.startswith(text)
    if name == "suffix":
        return lambda value: isinstance(value, str) and value.endswith(text)
    if name == "equals-ignore-case":
        lower = text.lower()
        return lambda value: isinstance(value, str) and value.lower() == lower
    parts = _parts(text)
    return lambda value: isinstance(value, str) and _fits(parts, value)


def _ignoring_case(name: str, argument: Mapping[str, Any]) -> str:
    if not argument:
        raise InvalidPattern(f"{name.capitalize()} expression name not found")
    first = next(iter(argument))
    if first != "equals-ignore-case":
        raise InvalidPattern(f"Unsupported {name} pattern: {first}")
    if len(argument) > 1:
        raise InvalidPattern("Only one key allowed in match expression")
    return _of_text("equals-ignore-case", argument[first])


def _of_text(name: str, argument: Any) -> str:
    if not isinstance(argument, str):
        raise InvalidPattern(f"{name} match pattern must be a string")
    return argument


def _parts(text: str) -> tuple[str, ...]:
    r"""The literals between the wildcards; `\*` and `\\` are an asterisk and a backslash."""
    parts, part, at = [], "", 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
            if at == len(text) or text[at] not in "*\\":
                raise InvalidPattern("Invalid escape character in wildcard match pattern")
            part += text[at]
        elif character == "*":
            if at and text[at - 1] == "*" and not part:
                raise InvalidPattern("Consecutive wildcard characters are not allowed")
            parts.append(part)
            part = ""
        else:
            part += character
        at += 1
    return (*parts, part)


def _fits(parts: Sequence[str], value: str) -> bool:
    """Linear: after the first part, each literal is found as early as possible. A regular expression could explode."""
    if len(parts) == 1:
        return value == parts[0]
    first, *middle, last = parts
    if not value.startswith(first) or not value.endswith(last) or len(value) < len(first) + len(last):
        return False
    at, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _anything_but(argument: Any) -> Matcher:
    if isinstance(argument, dict):
        excluded = _excluded_texts(argument)
    elif isinstance(argument, list):
        excluded = _excluded_values(argument)
    elif isinstance(argument, str) or _is_number(argument):
        excluded = (_equal(argument),)
    else:
        raise InvalidPattern("Value of anything-but must be an array or single string/number value.")
    return lambda value: value is not _MISSING and value != [] and not any(one(value) for one in excluded)


def _excluded_texts(argument: Mapping[str, Any]) -> tuple[Matcher, ...]:
    if not argument:
        raise InvalidPattern("Anything-But expression name not found")
    name = next(iter(argument))
    if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
        raise InvalidPattern(f"Unsupported anything-but pattern: {name}")
    if len(argument) > 1:
        raise InvalidPattern("Only one key allowed in match expression")
    inner = argument[name]
    texts = inner if isinstance(inner, list) else [inner]
    if not texts or (name in ("prefix", "suffix") and "" in texts):
        raise InvalidPattern("Null prefix/suffix not allowed")
    return tuple(_text_operator(name, _of_text(name, text)) for text in texts)


def _excluded_values(values: Sequence[Any]) -> tuple[Matcher, ...]:
    if not all(isinstance(value, str) or _is_number(value) for value in values):
        raise InvalidPattern("Inside anything but list, start|null|boolean is not supported.")
    if len({isinstance(value, str) for value in values}) != 1:
        raise InvalidPattern("Inside anything but list, either all values are number or string, mixed type is not "
                             "supported")  # fmt: skip
    return tuple(_equal(value) for value in values)


def _numeric(argument: Any) -> Matcher:
    if not isinstance(argument, list):
        raise InvalidPattern("Value of numeric must be an array.")
    if len(argument) not in (2, 4):
        raise InvalidPattern(
            "Too many elements in numeric expression" if len(argument) > 4 else "Invalid member in numeric match"
        )
    tests = []
    for operator, limit in zip(argument[::2], argument[1::2], strict=True):
        if not isinstance(operator, str) or operator not in _COMPARES:
            raise InvalidPattern(f"Unrecognized numeric range operator: {operator}")
        if not _is_number(limit):
            raise InvalidPattern(f"Value of {operator} must be numeric")
        _check_range(limit, _MAX_NUMBER)
        tests.append((_COMPARES[operator], limit))
    if len(argument) == 4:
        _check_bounds(argument)
    return lambda value: _is_number(value) and all(compare(value, limit) for compare, limit in tests)


def _check_bounds(argument: Sequence[Any]) -> None:
    lower, bottom, upper, top = argument
    if not lower.startswith(">"):
        raise InvalidPattern("Too many elements in numeric expression")
    if not upper.startswith("<"):
        raise InvalidPattern(f"Bad numeric range operator: {upper}")
    if bottom >= top:
        raise InvalidPattern("Bottom must be less than top")


def _check_range(number: float, largest: int) -> None:
    if not -largest <= number <= largest:
        raise InvalidPattern(f"Value must be between {-largest} and {largest}, inclusive")


def _check_numbers(value: Any, largest: int) -> None:
    """Every number of a pattern, wherever it is."""
    if _is_number(value):
        _check_range(value, largest)
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _check_numbers(one, largest)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cidr(argument: Any) -> Matcher:
    """Of https://github.com/aws/event-ruler, CIDR.java: the texts, their order, and a range from the address given."""
    if not isinstance(argument, str):
        raise InvalidPattern("prefix match pattern must be a string")
    address, slash, mask = argument.rstrip("/").partition("/")
    if not slash or "/" in mask:
        raise InvalidPattern("Malformed CIDR, one '/' required")
    if not _INTEGER.fullmatch(mask) or abs(int(mask)) > _MAX_INTEGER:
        raise InvalidPattern("Malformed CIDR, mask bits must be an integer")
    bits = int(mask)
    if bits < 0:
        raise InvalidPattern("Malformed CIDR, mask bits must not be negative")
    first = _address(address)
    if bits >= first.max_prefixlen:
        raise InvalidPattern(f"IPv{first.version} mask bits must be < {first.max_prefixlen}")
    last = ip_network((first, bits), strict=False).broadcast_address

    def inside(value: Any) -> bool:
        try:
            found = ip_address(value) if isinstance(value, str) else None
        except ValueError:
            return False
        return found is not None and found.version == first.version and int(first) <= int(found) <= int(last)

    return inside


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        kind = "Invalid" if _LIKE_AN_ADDRESS.fullmatch(text) else "Nonstandard"
        raise InvalidPattern(f"{kind} IP address: {text}") from None


_OPERATORS: Mapping[str, Callable[[Any], Matcher]] = {
    "exists": _exists,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
    "prefix": lambda argument: _text_operator("prefix", argument),
    "suffix": lambda argument: _text_operator("suffix", argument),
    "equals-ignore-case": lambda argument: _text_operator("equals-ignore-case", argument),
    "wildcard": lambda argument: _text_operator("wildcard", argument),
}
