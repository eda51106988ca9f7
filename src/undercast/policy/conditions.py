"""Condition operators of the policy language.

Compiled once per policy. Operators are ANDed, keys are ANDed, the values of one key are ORed.
AWS: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multivalued context keys".
"""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from undercast.core.record import record
from undercast.policy.patterns import Pattern
from undercast.policy.variables import KeyLookup, Template, Text, compile_template, resolve

Test = Callable[[str, KeyLookup], bool]
"""Compares one value of the request with one value of the policy."""
Compile = Callable[[str, str], Test]
"""(value in the policy, policy version) -> test."""
Quantifier = Literal["", "ForAllValues", "ForAnyValue"]


@record(kw_only=False)
class Condition:
    """One key under one operator."""

    operator: str
    key: str
    """As the policy writes it."""
    tests: tuple[Test, ...]
    negated: bool
    if_exists: bool
    quantifier: Quantifier
    must_be_null: tuple[bool, ...] = ()
    """Set for the Null operator only."""

    def holds(self, keys: KeyLookup) -> bool:
        """Whether the request fulfils the condition."""
        values = keys(self.key.lower())
        if self.must_be_null:
            return (not values) in self.must_be_null
        if not values:
            return self._holds_without_key()
        if self.quantifier == "ForAllValues":
            return all(self._fits(value, keys) for value in values)
        if self.quantifier == "ForAnyValue" or not self.negated:
            return any(self._fits(value, keys) for value in values)
        return all(self._fits(value, keys) for value in values)

    def _holds_without_key(self) -> bool:
        if self.quantifier == "ForAllValues" or self.if_exists:
            return True
        return self.negated and self.quantifier == ""

    def _fits(self, value: str, keys: KeyLookup) -> bool:
        return any(test(value, keys) for test in self.tests) != self.negated


def _string_equals(fold: Callable[[str], str]) -> Compile:
    def build(text: str, version: str) -> Test:
        template = compile_template(text, version)
        if len(template) == 1 and isinstance(template[0], Text):
            fixed = fold(template[0].text)
            return lambda value, keys: fold(value) == fixed
        return lambda value, keys: _joined(template, keys, fold) == fold(value)

    return build


def _joined(template: Template, keys: KeyLookup, fold: Callable[[str], str]) -> str | None:
    parts = resolve(template, keys)
    return None if parts is None else fold("".join(part.text for part in parts))


def _same(text: str) -> str:
    return text


def _string_like(text: str, version: str) -> Test:
    return Pattern(text, version=version).matches


def _arn_like(text: str, version: str) -> Test:
    if text == "*":
        return lambda value, keys: value.startswith("arn:")
    return Pattern(text, version=version, arn=True).matches


def _compared(parse: Callable[[str], float | None], compare: Callable[[float, float], bool]) -> Compile:
    def build(text: str, version: str) -> Test:
        fixed = parse(text)

        def test(value: str, keys: KeyLookup) -> bool:
            number = parse(value)
            return number is not None and fixed is not None and compare(number, fixed)

        return test

    return build


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _moment(text: str) -> float | None:
    """W3C date or epoch seconds."""
    if (number := _number(text)) is not None:
        return number
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _bool(text: str, version: str) -> Test:
    wanted = text.lower()
    return lambda value, keys: value.lower() == wanted


def _binary(text: str, version: str) -> Test:
    wanted = _decoded(text)
    return lambda value, keys: wanted is not None and _decoded(value) == wanted


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _ip_address(text: str, version: str) -> Test:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return lambda value, keys: False

    def test(value: str, keys: KeyLookup) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return address.version == network.version and address in network

    return test


def _orderings(name: str, parse: Callable[[str], float | None]) -> dict[str, tuple[Compile, bool]]:
    return {
        f"{name}equals": (_compared(parse, lambda a, b: a == b), False),
        f"{name}notequals": (_compared(parse, lambda a, b: a == b), True),
        f"{name}lessthan": (_compared(parse, lambda a, b: a < b), False),
        f"{name}lessthanequals": (_compared(parse, lambda a, b: a <= b), False),
        f"{name}greaterthan": (_compared(parse, lambda a, b: a > b), False),
        f"{name}greaterthanequals": (_compared(parse, lambda a, b: a >= b), False),
    }


_OPERATORS: Mapping[str, tuple[Compile, bool]] = {
    "stringequals": (_string_equals(_same), False),
    "stringnotequals": (_string_equals(_same), True),
    "stringequalsignorecase": (_string_equals(str.lower), False),
    "stringnotequalsignorecase": (_string_equals(str.lower), True),
    "stringlike": (_string_like, False),
    "stringnotlike": (_string_like, True),
    "arnequals": (_arn_like, False),
    "arnlike": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnnotlike": (_arn_like, True),
    "bool": (_bool, False),
    "binaryequals": (_binary, False),
    "ipaddress": (_ip_address, False),
    "notipaddress": (_ip_address, True),
    **_orderings("numeric", _number),
    **_orderings("date", _moment),
}
"""Lower-case operator -> (test of one value, whether the operator negates it)."""


class UnknownOperator(ValueError):
    """A condition operator that AWS does not have."""


def compile_conditions(block: Mapping[str, Mapping[str, Any]], version: str) -> tuple[Condition, ...]:
    """All conditions of a Condition element. Raises UnknownOperator."""
    return tuple(
        _compile(operator, key, _texts(values), version)
        for operator, by_key in block.items()
        for key, values in by_key.items()
    )


def _compile(operator: str, key: str, values: Sequence[str], version: str) -> Condition:
    quantifier, name, if_exists = _split(operator)
    if name == "null":
        nulls = tuple(value.lower() == "true" for value in values)
        return Condition(operator, key, (), False, if_exists, quantifier, nulls)
    if name not in _OPERATORS:
        raise UnknownOperator(operator)
    build, negated = _OPERATORS[name]
    return Condition(operator, key, tuple(build(value, version) for value in values), negated, if_exists, quantifier)


def _split(operator: str) -> tuple[Quantifier, str, bool]:
    prefix, colon, rest = operator.partition(":")
    quantifiers: dict[str, Quantifier] = {"forallvalues": "ForAllValues", "foranyvalue": "ForAnyValue"}
    if colon and prefix.lower() not in quantifiers:
        raise UnknownOperator(operator)
    name = (rest if colon else operator).lower()
    if_exists = name.endswith("ifexists")
    return quantifiers[prefix.lower()] if colon else "", name.removesuffix("ifexists"), if_exists


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in (values if isinstance(values, list) else [values])]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
