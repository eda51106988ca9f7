"""A request's expressions with its names and values: compiled once per text, bound per request.

Every name and value that is given must be used, and the other way round.
AWS: DynamoDB API Reference, PutItem, ExpressionAttributeNames, ExpressionAttributeValues.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache, partial

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions import conditions, operands, paths, updates
from undercast.services.dynamodb.expressions.conditions import Test, Values
from undercast.services.dynamodb.expressions.operands import Check
from undercast.services.dynamodb.expressions.syntax import Literal, Node, Path, Reader
from undercast.services.dynamodb.values import checked
from undercast.services.item_text import Item, Value

Names = tuple[tuple[str, str], ...]
_KEPT = 2048
_MAX_PLACEHOLDER = 255
"""Bytes, with the # or the colon. AWS: "Service, account, and table quotas", expression attribute names and values."""
_PLACEHOLDER = re.compile(r"[#:][A-Za-z0-9_]+")
_OF_VALUES = ("UpdateExpression", "ConditionExpression", "FilterExpression", "KeyConditionExpression")


@record
class Compiled:
    """What one text comes to with these names. Which of node, actions and paths is there depends on its kind."""

    reader: Reader
    """At its end; it knows which names and values were used."""
    checks: tuple[Check, ...] = ()
    node: Node | None = None
    test: Test | None = None
    actions: tuple[updates.Action, ...] = ()
    paths: tuple[Path, ...] = ()
    nested: tuple[Path, ...] = ()
    """The paths that go into an attribute, wherever they stand."""


@lru_cache(maxsize=_KEPT)
def compiled(kind: str, text: str, names: Names) -> Compiled:
    """`kind` is the parameter: "ConditionExpression", ... Raises ValidationException."""
    reader = Reader(kind, text, dict(names))
    if kind == "UpdateExpression":
        actions = updates.parse(reader)
        checks = updates.checks_of(actions)
        return Compiled(reader=reader, checks=checks, actions=actions, nested=_nested(updates.paths_of(actions)))
    if kind == "ProjectionExpression":
        found = paths.parse(reader)
        paths.check_apart(reader, found)
        return Compiled(reader=reader, paths=found, nested=_nested(found))
    node = conditions.parse(reader)
    conditions.check_names(reader, node)
    checks = operands.checks_of(kind, node)
    nested = _nested(conditions.paths_of(node))
    return Compiled(reader=reader, checks=checks, node=node, test=conditions.compiled(node), nested=nested)


def _nested(found: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(path for path in found if len(path.parts) > 1)


class Bindings:
    """The expressions of one request (or of one of its parts). Ask for each of them, then `finish`."""

    def __init__(self, params: Mapping[str, object], kinds: tuple[str, ...]) -> None:
        self._params = params
        names, values = params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
        self._names: Mapping[str, str] = names if isinstance(names, Mapping) else {}
        self._given: Mapping[str, Value] = values if isinstance(values, Mapping) else {}
        self._kinds = kinds
        if names is not None:
            self._check_names()
        self.values: Values = self._checked_values() if values is not None else {}
        self._key: Names = tuple(self._names.items())
        self.nested: tuple[Path, ...] = ()
        """The paths that go into an attribute, of the expressions that were asked for."""
        self._used_names: set[str] = set()
        self._used_values: set[str] = set()

    def _check_names(self) -> None:
        if not any(kind in self._params for kind in self._kinds):
            raise invalid("ExpressionAttributeNames can only be specified when using expressions")
        if not self._names:
            raise invalid("ExpressionAttributeNames must not be empty")
        for name, attribute in self._names.items():
            if not _PLACEHOLDER.fullmatch(name) or name[0] != "#":
                raise invalid(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{name}"')
            if len(name) > _MAX_PLACEHOLDER:
                raise invalid(f"ExpressionAttributeNames contains invalid key: {_too_long(name)}")
            if not attribute:
                raise invalid(f"ExpressionAttributeNames contains invalid value: Empty attribute name for key {name}")

    def _checked_values(self) -> Values:
        kinds = tuple(kind for kind in self._kinds if kind in _OF_VALUES)
        if not any(kind in self._params for kind in kinds):
            shown = " and ".join(sorted(kinds, key=_OF_VALUES.index))
            are = "are" if len(kinds) > 1 else "is"
            raise invalid(f"ExpressionAttributeValues can only be specified when using expressions: {shown} {are} null")
        if not self._given:
            raise invalid("ExpressionAttributeValues must not be empty")
        found: dict[str, Value] = {}
        for name, value in self._given.items():
            if not _PLACEHOLDER.fullmatch(name) or name[0] != ":":
                raise invalid(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{name}"')
            if len(name) > _MAX_PLACEHOLDER:
                raise invalid(f"ExpressionAttributeValues contains invalid key: {_too_long(name)}")
            try:
                found[name], _ = checked(value)
            except ServiceError as error:
                raise invalid(
                    f"ExpressionAttributeValues contains invalid value: {error.message} for key {name}"
                ) from None
        return found

    def _compiled(self, kind: str) -> Compiled | None:
        text = self._params.get(kind)
        if not isinstance(text, str):
            return None
        found = compiled(kind, text, self._key)
        for name in found.reader.values_used:
            if name not in self.values:
                raise invalid(
                    f"Invalid {kind}: An expression attribute value used in expression is not defined; "
                    f"attribute value: {name}"
                )
        self.nested += found.nested
        self._used_names |= found.reader.names_used
        self._used_values |= found.reader.values_used
        for check in found.checks:
            check(self.values)
        return found

    def test(self, kind: str) -> Callable[[Mapping[str, Value]], bool] | None:
        """A condition or filter on an item; None when none is given."""
        found = self._compiled(kind)
        if found is None or found.test is None:
            return None
        test, values = found.test, self.values
        return lambda item: test(item, values)

    def node(self, kind: str) -> Node | None:
        """A condition as what it says."""
        found = self._compiled(kind)
        return None if found is None else found.node

    def paths(self, kind: str = "ProjectionExpression") -> tuple[Path, ...] | None:
        """The document paths of a projection."""
        found = self._compiled(kind)
        return None if found is None else found.paths

    def update(self) -> "Update | None":
        """The update expression."""
        found = self._compiled("UpdateExpression")
        return None if found is None else Update(found.actions, self.values)

    def literal(self, node: Node) -> Value | None:
        """The value behind a placeholder; None for what is none."""
        return self.values[node.name] if isinstance(node, Literal) else None

    def finish(self) -> None:
        """Raises ValidationException when names or values are left."""
        if unused := [name for name in self._names if name not in self._used_names]:
            shown = ", ".join(unused)
            raise invalid(f"Value provided in ExpressionAttributeNames unused in expressions: keys: {{{shown}}}")
        if unused := [name for name in self._given if name not in self._used_values]:
            shown = ", ".join(unused)
            raise invalid(f"Value provided in ExpressionAttributeValues unused in expressions: keys: {{{shown}}}")


def _too_long(name: str) -> str:
    return f"The expression attribute map contains a key that is too long; size of key: {len(name)}"


@record(kw_only=False)
class Update:
    """An update expression with its values."""

    actions: tuple[updates.Action, ...]
    values: Values

    @property
    def paths(self) -> tuple[Path, ...]:
        """Everything that is written or taken away."""
        return tuple(action.path for action in self.actions)

    def of_new(self) -> "Update":
        """For an item that is not there: nothing is removed from it, below whatever path."""
        return replace(self, actions=tuple(action for action in self.actions if action.section != "REMOVE"))

    def applied(self, old: Item, fresh: Callable[[], Item]) -> Item:
        """The new item. Raises ValidationException."""
        return partial(updates.applied, self.actions)(old, fresh, self.values)
