"""One validator for every operation, from the constraints in botocore's models: AWS's texts before it runs (I9).

Compiled per operation: what has no constraint costs nothing, and no path is made for what keeps its constraints. All
violations are found and reported in one error.
AWS: "N validation errors detected: Value '...' at '...' failed to satisfy constraint: Member must ..." as the services
answer; the constraints are the models' `required`, `min`, `max`, `pattern` and `enum`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.wire.call import Protocol
from undercast.wire.model import OperationModel, Shape
from undercast.wire.patterns import matcher
from undercast.wire.protocols.xml import malformed

Validator = Callable[[Mapping[str, Any]], None]
Found = list["Violation"]
Check = Callable[[Any], Found]
"""What a value breaks. Paths lead from the value on: "" is the value itself."""

_CODES = ("ValidationException", "InvalidParameterException", "BadRequestException")
"""Codes by which services report violations, when an operation models them; in order of preference."""
_OPEN_ENUMS = frozenset(
    {
        ("lambda", "Runtime"),
        ("sqs", "QueueAttributeName"),
        ("sqs", "MessageSystemAttributeName"),
        ("sqs", "MessageSystemAttributeNameForSends"),
    }
)
"""Enums whose service answers an unknown value with an error of its own."""
_SHORT_TEXT, _REMEMBERED = 256, 256
"""Characters of a value that is remembered, and how many are, for each constraint."""


@record
class Violation:
    """One broken constraint. `value` is None for a missing member."""

    value: Any
    path: str
    constraint: str

    def __str__(self) -> str:
        value = "null" if self.value is None else f"'{_shown(self.value)}'"
        return f"Value {value} at '{self.path}' failed to satisfy constraint: {self.constraint}"

    def below(self, step: str) -> "Violation":
        """The same, seen from what holds the value under this name."""
        path = f"{step}.{self.path}" if self.path else step
        return Violation(value=self.value, path=path, constraint=self.constraint)


def compile_validator(operation: OperationModel, protocol: Protocol) -> Validator | None:
    """A closure that raises when the input breaks a constraint; None when there is none to break."""
    if protocol == "rest-xml":
        return _required_only(operation)
    check = _Checks().of(operation.input)
    if check is None:
        return None
    code = _code(operation, protocol)

    def validate(params: Mapping[str, Any]) -> None:
        if found := check(params):
            raise ServiceError(code, _text(found))

    return validate


def _text(found: Found) -> str:
    count = len(found)
    return f"{count} validation error{'s' if count > 1 else ''} detected: " + "; ".join(map(str, found))


def _code(operation: OperationModel, protocol: Protocol) -> str:
    modelled = next((code for code in _CODES if code in operation.errors), None)
    if modelled is not None:
        return modelled
    return "ValidationError" if protocol == "query" or operation.service.query_compatible else "ValidationException"


def _required_only(operation: OperationModel) -> Validator | None:
    """REST XML services check values themselves; the wire only holds that what must be there is there."""
    shape = operation.input
    places = {name: shape.members[name] for name in shape.required}
    inner = _Checks(values=False).of(shape)
    if not places and inner is None:
        return None

    def validate(params: Mapping[str, Any]) -> None:
        for name, member in places.items():
            if name not in params:
                raise _missing(name, member)
        if inner is not None and inner(params):
            raise malformed()

    return validate


def _missing(name: str, member: Shape) -> ServiceError:
    place = member["location"]
    wire_name = member.wire_name or name
    if place == "header":
        return ServiceError("InvalidRequest", f"Missing required header for this request: {wire_name}")
    if place is None or member.type == "structure":
        return ServiceError("MissingRequestBodyError", "Request Body is empty")
    return ServiceError("InvalidArgument", f"Missing required parameter for this request: {wire_name}")


class _Checks:
    """Compiles the shapes of one input; recursive shapes refer to themselves. `values` False: only `required`."""

    def __init__(self, *, values: bool = True) -> None:
        self._values = values
        self._compiled: dict[str, Check | None] = {}
        self._open: set[str] = set()

    def of(self, shape: Shape) -> Check | None:
        key = shape.key_of_definition
        if key in self._open:
            return lambda value: self._again(key, value)
        if key not in self._compiled:
            self._open.add(key)
            self._compiled[key] = self._compile(shape)
            self._open.discard(key)
        return self._compiled[key]

    def _again(self, key: str, value: Any) -> Found:
        check = self._compiled[key]
        return [] if check is None else check(value)

    def _compile(self, shape: Shape) -> Check | None:
        kind = shape.type
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        own = _own(self._rules(shape))
        return own if own is None or shape["pattern"] is None else _remembered(own)

    def _rules(self, shape: Shape) -> tuple["Rule", ...]:
        return scalar_rules(shape) if self._values else ()

    def _structure(self, shape: Shape) -> Check | None:
        required = shape.required
        checks = {name: check for name, member in shape.members.items() if (check := self.of(member)) is not None}
        if not required and not checks:
            return None

        def structure(value: Mapping[str, Any]) -> Found:
            found: Found = []
            for name in required:
                if name not in value:
                    path = lower_first(name)
                    found.append(Violation(value=None, path=path, constraint="Member must not be null"))
            for name, item in value.items():
                check = checks.get(name)
                if check is not None and (broken := check(item)):
                    found += [one.below(lower_first(name)) for one in broken]
            return found

        return structure

    def _list(self, shape: Shape) -> Check | None:
        own = _own(_size_rules(shape) if self._values else ())
        member = shape.member
        if member.type not in ("structure", "list", "map"):
            return _both(own, _each(self._rules(member)))
        inner = self.of(member)
        if inner is None:
            return own

        def items(value: list[Any]) -> Found:
            found: Found = []
            for position, item in enumerate(value, 1):
                if broken := inner(item):
                    found += [one.below(f"{position}.member") for one in broken]
            return found

        return _both(own, items)

    def _map(self, shape: Shape) -> Check | None:
        own = _own(_size_rules(shape) if self._values else ())
        keys = _all_of("Map keys must satisfy constraint", self._rules(shape.key), iter)
        values: Check | None
        if shape.value.type in ("structure", "list", "map"):
            values = self._map_values(shape.value)
        else:
            rules = self._rules(shape.value)
            values = _all_of("Map value must satisfy constraint", rules, lambda value: value.values())
        return _both(_both(own, keys), values)

    def _map_values(self, shape: Shape) -> Check | None:
        inner = self.of(shape)
        if inner is None:
            return None

        def values(value: Mapping[str, Any]) -> Found:
            found: Found = []
            for key, item in value.items():
                if broken := inner(item):
                    found += [one.below(f"{key}.member") for one in broken]
            return found

        return values


@record
class Rule:
    """A constraint on one value: its text, and whether a value keeps it."""

    text: str
    holds: Callable[[Any], bool]


def scalar_rules(shape: Shape) -> tuple[Rule, ...]:
    """The constraints of a string, number or blob."""
    if shape.type in ("integer", "long", "float", "double"):
        return _range_rules(shape)
    if shape.type not in ("string", "blob"):
        return ()
    rules = list(_size_rules(shape))
    if shape["pattern"] is not None and (matches := matcher(shape["pattern"])) is not None:
        rules.append(Rule(text=f"Member must satisfy regular expression pattern: {shape['pattern']}", holds=matches))
    if shape["enum"] and (shape.service_name, shape.name) not in _OPEN_ENUMS:
        allowed = frozenset(shape["enum"])
        names = ", ".join(shape["enum"])
        rules.append(Rule(text=f"Member must satisfy enum value set: [{names}]", holds=allowed.__contains__))
    return tuple(rules)


def _range_rules(shape: Shape) -> tuple[Rule, ...]:
    low, high = shape["min"], shape["max"]
    rules = []
    if high is not None:
        rules.append(
            Rule(text=f"Member must have value less than or equal to {high}", holds=lambda value: value <= high)
        )
    if low is not None:
        rules.append(
            Rule(text=f"Member must have value greater than or equal to {low}", holds=lambda value: value >= low)
        )
    return tuple(rules)


def _size_rules(shape: Shape) -> tuple[Rule, ...]:
    low, high = shape["min"], shape["max"]
    rules = []
    if high is not None:
        rules.append(
            Rule(text=f"Member must have length less than or equal to {high}", holds=lambda value: len(value) <= high)
        )
    if low:
        rules.append(
            Rule(text=f"Member must have length greater than or equal to {low}", holds=lambda value: len(value) >= low)
        )
    return tuple(rules)


def _own(rules: tuple[Rule, ...]) -> Check | None:
    if not rules:
        return None

    def check(value: Any) -> Found:
        found: Found = []
        for rule in rules:
            if not rule.holds(value):
                found.append(Violation(value=value, path="", constraint=rule.text))
        return found

    return check


def _remembered(check: Check) -> Check:
    """The same, and short texts that have kept their constraints are not held to them again.

    Names come again and again, and a pattern takes longer than everything else that is asked of one.
    """
    kept: set[str] = set()

    def once(value: Any) -> Found:
        if not isinstance(value, str) or len(value) > _SHORT_TEXT:
            return check(value)
        if value in kept:
            return []
        found = check(value)
        if not found:
            if len(kept) >= _REMEMBERED:
                kept.clear()
            kept.add(value)
        return found

    return once


def _each(rules: tuple[Rule, ...]) -> Check | None:
    return _all_of("Member must satisfy constraint", rules, iter)


def _all_of(intro: str, rules: tuple[Rule, ...], parts: Callable[[Any], Iterable[Any]]) -> Check | None:
    """A list's or map's scalars are reported together, at the list or map, with all of their constraints."""
    if not rules:
        return None
    constraint = f"{intro}: [{', '.join(rule.text for rule in rules)}]"

    def check(value: Any) -> Found:
        for rule in rules:
            if not all(map(rule.holds, parts(value))):
                return [Violation(value=value, path="", constraint=constraint)]
        return []

    return check


def _both(first: Check | None, second: Check | None) -> Check | None:
    if first is None or second is None:
        return first or second

    def check(value: Any) -> Found:
        return first(value) + second(value)

    return check


def lower_first(name: str) -> str:
    """Member names as AWS shows them in paths: "FunctionName" is "functionName"."""
    return name[:1].lower() + name[1:]


def _shown(value: Any) -> str:
    """A value as Java prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    return str(value)
