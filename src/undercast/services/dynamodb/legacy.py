"""The parameters of the time before expressions, turned into what expressions are.

Pure. Expected, ScanFilter, QueryFilter and KeyConditions become the nodes of a condition, AttributeUpdates actions.
AWS: DynamoDB Developer Guide, "Legacy DynamoDB conditional parameters"; the texts are those of AWS's own DynamoDB
Local 2.6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from undercast.core.record import record
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.dynamodb.expressions import conditions, updates
from undercast.services.dynamodb.expressions.binding import Update
from undercast.services.dynamodb.expressions.syntax import Call, Compare, Literal, Logic, Node, Path
from undercast.services.dynamodb.expressions.updates import Action
from undercast.services.dynamodb.values import TYPES, check_names, checked, kind_of, ordering
from undercast.services.item_text import Item, Value

_LEGACY = ("Expected", "ConditionalOperator", "AttributeUpdates", "AttributesToGet", "KeyConditions", "QueryFilter",
           "ScanFilter")  # fmt: skip
_EXPRESSIONS = ("UpdateExpression", "ConditionExpression", "ProjectionExpression", "FilterExpression",
                "KeyConditionExpression")  # fmt: skip
_FILTERS = ("Expected", "QueryFilter", "ScanFilter")
EXPRESSIVE = frozenset((*_LEGACY, *_EXPRESSIONS, "ExpressionAttributeNames", "ExpressionAttributeValues"))
"""The parameters, old and new, that say more than what is read or written."""
_SIGNS = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}
_CALLS = {"CONTAINS": "contains", "BEGINS_WITH": "begins_with"}
_COUNTS = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
_CHANGES = ("ADD", "DELETE")
_ORDERED = ("S", "N", "B")
_PARTS = (*_ORDERED, "BOOL", "NULL")
_KINDS = {**dict.fromkeys(("LE", "LT", "GE", "GT", "BETWEEN", "IN"), _ORDERED), "BEGINS_WITH": ("S", "B"),
          **dict.fromkeys(("CONTAINS", "NOT_CONTAINS"), _PARTS)}  # fmt: skip


def refuse_mixture(params: Mapping[str, Any]) -> None:
    """Raises ValidationException for old and new parameters in one request."""
    old = [name for name in _LEGACY if name in params]
    if not old:
        return
    if old == ["KeyConditions"] and "KeyConditionExpression" not in params:
        # Filter expressions are older than key condition expressions. AWS's DynamoDBMapper for Java (withHashKeyValues
        # and withFilterExpression of DynamoDBQueryExpression) and guregu/dynamo send both.
        return
    if new := [name for name in _EXPRESSIONS if name in params]:
        raise invalid(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(old)}}} Expression parameters: {{{', '.join(new)}}}"
        )
    if "ConditionalOperator" in old:
        _check_combined(max(len(params.get(name) or ()) for name in _FILTERS))


def _check_combined(conditions_given: int) -> None:
    if not conditions_given:
        raise invalid("ConditionalOperator cannot be used without Filter or Expected")
    if conditions_given == 1:
        raise invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")


@dataclass(slots=True)
class Literals:
    """The values of a condition, under placeholders that are made up."""

    values: dict[str, Value] = field(default_factory=dict)

    def add(self, value: Value) -> Literal:
        """A placeholder for a value. Raises ValidationException."""
        name = f":{len(self.values)}"
        self.values[name], _ = checked(value)
        return Literal(name)


def legacy_condition(params: Mapping[str, Any], member: str = "Expected") -> Callable[[Mapping[str, Any]], bool] | None:
    """The condition that Expected, ScanFilter or QueryFilter is; None where it is not given."""
    given = params.get(member)
    if not given:
        return None
    literals = Literals()
    nodes = [condition_node(name, one, literals) for name, one in given.items()]
    operator = params.get("ConditionalOperator", "AND")
    node = nodes[0] if len(nodes) == 1 else Logic(operator, tuple(nodes))
    test, values = conditions.compiled(node), literals.values
    return lambda item: test(item, values)


def condition_node(name: str, given: Mapping[str, Any], literals: Literals) -> Node:
    """One attribute's condition. Raises ValidationException."""
    check_names((name,))
    path = Path((name,))
    operator = given.get("ComparisonOperator")
    if operator is None:
        return _exists_or_equals(name, given, literals)
    arguments = _arguments(name, operator, given)
    found = [literals.add(value) for value in arguments]
    _check_kinds(operator, [literals.values[one.name] for one in found])
    if operator in _SIGNS:
        return Compare(_SIGNS[operator], path, found[0])
    if operator in _CALLS:
        return Call(_CALLS[operator], (path, found[0]))
    if operator == "NOT_CONTAINS":
        there = Call("attribute_exists", (path,))
        return Logic("AND", (there, Logic("NOT", (Call("contains", (path, found[0])),))))
    if operator in ("NULL", "NOT_NULL"):
        return Call("attribute_not_exists" if operator == "NULL" else "attribute_exists", (path,))
    return Call(operator, (path, *found))  # IN, BETWEEN


def _check_count(operator: str, arguments: Sequence[Any]) -> None:
    wrong = not arguments if operator == "IN" else len(arguments) != _COUNTS.get(operator, 1)
    if wrong:
        raise invalid_value(f"Invalid number of argument(s) for the {operator} ComparisonOperator")


def _arguments(name: str, operator: str, given: Mapping[str, Any]) -> Sequence[Any]:
    """AttributeValueList, in Expected also Value, as many as the operator takes."""
    if "Exists" in given:
        raise invalid_value(f"Exists and ComparisonOperator cannot be used together for Attribute: {name}")
    if "Value" in given and "AttributeValueList" in given:
        raise invalid_value(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
    arguments = given.get("AttributeValueList")
    if arguments is None:
        if "Value" not in given and _COUNTS.get(operator, 1):
            raise invalid_value(
                f"Value or AttributeValueList must be used with ComparisonOperator: {operator} for Attribute: {name}"
            )
        arguments = [given["Value"]] if "Value" in given else []
    _check_count(operator, arguments)
    return list(arguments)


def _check_kinds(operator: str, values: Sequence[Value]) -> None:
    """Raises for types that the operator has not got, mixed types and bounds in the wrong order."""
    kinds = [kind_of(value) for value in values]
    for kind in kinds:
        if kind not in _KINDS.get(operator, TYPES):
            raise invalid_value(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if len(set(kinds)) > 1:
        raise invalid_value("AttributeValues inside AttributeValueList must be of same type")
    if operator == "BETWEEN" and ordering(values[0]) > ordering(values[1]):
        raise invalid(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )


def _exists_or_equals(name: str, given: Mapping[str, Any], literals: Literals) -> Node:
    path = Path((name,))
    if "AttributeValueList" in given:
        raise invalid_value(f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}")
    if given.get("Exists", True):
        if "Value" not in given:
            exists = "true" if "Exists" in given else "null"
            raise invalid_value(f"Value must be provided when Exists is {exists} for Attribute: {name}")
        return Compare("=", path, literals.add(given["Value"]))
    if "Value" in given:
        raise invalid_value(f"Value cannot be used when Exists is false for Attribute: {name}")
    return Call("attribute_not_exists", (path,))


def attributes_to_get(params: Mapping[str, Any]) -> tuple[Path, ...] | None:
    """The projection that AttributesToGet is; None where it is not given. Raises ValidationException."""
    names = params.get("AttributesToGet")
    if names is None:
        return None
    check_names(names)
    if twice := next((name for at, name in enumerate(names) if name in names[:at]), None):
        raise invalid_value(f"Duplicate value in attribute name: {twice}")
    return tuple(Path((name,)) for name in names)


def legacy_update(params: Mapping[str, Any]) -> Update | None:
    """The update that AttributeUpdates is; None where it is not given."""
    given: Mapping[str, Any] | None = params.get("AttributeUpdates")
    if given is None:
        return None
    check_names(given)
    literals = Literals()
    actions = [_action(name, one, literals) for name, one in given.items()]
    for check in updates.checks_of(actions):
        check(literals.values)
    changed = {
        name: kind_of(one["Value"]) for name, one in given.items() if "Value" in one and one.get("Action") in _CHANGES
    }
    return LegacyUpdate(tuple(actions), literals.values, changed)


@record(kw_only=False)
class LegacyUpdate(Update):
    """An update whose ADD and DELETE say in their own words what they cannot change."""

    changed: Mapping[str, str]
    """The attributes that are added to or deleted from, and the type that they must be of."""

    def applied(self, old: Item, fresh: Callable[[], Item]) -> Item:
        """The new item. Raises ValidationException."""
        if any(name in old and kind_of(old[name]) != kind for name, kind in self.changed.items()):
            raise invalid("Type mismatch for attribute to update")
        return Update.applied(self, old, fresh)


def _action(name: str, given: Mapping[str, Any], literals: Literals) -> Action:
    path, action, value = Path((name,)), given.get("Action", "PUT"), given.get("Value")
    if value is None:
        if action != "DELETE":
            raise invalid_value(f"Only DELETE action is allowed when no attribute value is specified for {name}")
        return Action("REMOVE", path)
    literal = literals.add(value)
    if action == "PUT":
        return Action("SET", path, literal)
    kind = kind_of(literals.values[literal.name])
    if action == "ADD" and kind == "L":
        empty = literals.add({"L": []})
        return Action("SET", path, Call("list_append", (Call("if_not_exists", (path, empty)), literal)))
    if action == "DELETE" and kind not in ("SS", "NS", "BS"):
        raise invalid_value(f"DELETE action with value is not supported for the type {kind}")
    if action == "ADD" and kind not in ("N", "SS", "NS", "BS"):
        raise invalid_value(f"ADD action is not supported for the type {kind}")
    return Action(action, path, literal)
