"""DynamoDB's own condition keys: what a request, a part of one or a PartiQL statement says of keys and attributes.

What binds the partition key to no values is a full table scan: it has no dynamodb:LeadingKeys.
AWS: Service Authorization Reference, "Condition keys for Amazon DynamoDB"; Developer Guide, "Using IAM policy
conditions for fine-grained access control", "IAM security policies with PartiQL", "PartiQL select statements".
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.late_keys import Keys
from undercast.services.dynamodb.expressions import conditions, updates
from undercast.services.dynamodb.expressions.binding import compiled
from undercast.services.dynamodb.expressions.syntax import Call, Compare, Literal, Logic, Node, Path
from undercast.services.dynamodb.models import Table
from undercast.services.dynamodb.partiql.parser import Make, Statement
from undercast.services.dynamodb.values import checked
from undercast.services.item_text import Value

_AS_SAID = {"Select": "dynamodb:Select", "ReturnValues": "dynamodb:ReturnValues"}
_CONDITIONS = ("ConditionExpression", "FilterExpression", "KeyConditionExpression")
_LEGACY = ("Expected", "AttributeUpdates", "ScanFilter", "QueryFilter", "KeyConditions")
EVERY = "*"
"""In dynamodb:Attributes of a read without a projection: who may read certain attributes only must name them."""


def of_request(table: Table | None, operation: str, params: Mapping[str, Any]) -> Keys:
    """Of a request for one table, or the part of a batch or transaction that is."""
    found: Keys = {key: params[member] for member, key in _AS_SAID.items() if member in params}
    items = list(_items(params))
    attributes = dict.fromkeys(name for item in items for name in item)
    attributes |= dict.fromkeys(_named(params))
    if operation in ("GetItem", "BatchGetItem", "Query", "Scan"):
        if not ("ProjectionExpression" in params or "AttributesToGet" in params):
            if params.get("Select") != "COUNT":
                attributes[EVERY] = None
            if operation in ("Query", "Scan"):
                found.setdefault("dynamodb:Select", _all_of(params))
        elif operation in ("Query", "Scan"):
            found.setdefault("dynamodb:Select", "SPECIFIC_ATTRIBUTES")
    if attributes:
        found["dynamodb:Attributes"] = tuple(attributes)
    if table is not None:
        name = _hash(table, params.get("IndexName"))
        values = [item[name] for item in items if name in item]
        if keys := tuple(dict.fromkeys(_texts([*values, *_queried(name, params)]))):
            found["dynamodb:LeadingKeys"] = keys
    return found


def of_statement(table: Table | None, statement: Statement, parameters: Sequence[Value]) -> Keys:
    """Of a PartiQL statement; of values that cannot be nothing, which the operation tells."""
    found: Keys = {}
    attributes = dict.fromkeys(str(path.parts[0]) for path in statement.used)
    item = next(_made([statement.item] if statement.item else (), statement, parameters), {}).get("M", {})
    attributes |= dict.fromkeys(item)
    if statement.kind == "SELECT":
        if statement.paths is None:
            attributes[EVERY] = None
        given = {"IndexName": statement.index} if statement.index else {}
        found["dynamodb:Select"] = _all_of(given) if statement.paths is None else "SPECIFIC_ATTRIBUTES"
    elif statement.kind in ("UPDATE", "DELETE"):
        found["dynamodb:ReturnValues"] = statement.returning
    if attributes:
        found["dynamodb:Attributes"] = tuple(attributes)
    if table is None:
        return found
    name = _hash(table, statement.index)
    literals = bound(name, statement.where)
    if statement.kind == "SELECT":
        found["dynamodb:FullTableScan"] = "true" if literals is None else "false"
    values = [item[name]] if name in item else []
    values += _made([statement.values[literal] for literal in literals or ()], statement, parameters)
    if keys := tuple(dict.fromkeys(_texts(values))):
        found["dynamodb:LeadingKeys"] = keys
    return found


def _made(makes: Iterable[Make], statement: Statement, parameters: Sequence[Value]) -> Iterator[Value]:
    if len(parameters) == statement.parameters:
        for make in makes:
            with suppress(ServiceError):  # a value that cannot be: the operation tells it, in the statement's place
                yield make(parameters)


def bound(name: str, node: Node | None) -> tuple[str, ...] | None:
    """The placeholders of the values that a condition leaves to an attribute; None where it leaves it others, too.

    "PartiQL select statements for DynamoDB": an equality or an IN; of OR in each part.
    """
    if isinstance(node, Logic) and node.word != "NOT":
        parts = [bound(name, part) for part in node.parts]
        if node.word == "OR" and None in parts:
            return None
        found = [one for part in parts if part is not None for one in part]
        return tuple(found) if found else None
    if isinstance(node, Compare) and node.sign == "=":
        sides = (node.left, node.right)
        return _literals([side for side in sides if side != Path((name,))]) if Path((name,)) in sides else None
    if isinstance(node, Call) and node.name == "IN" and node.operands[0] == Path((name,)):
        return _literals(node.operands[1:])
    return None


def _literals(nodes: Sequence[Node]) -> tuple[str, ...] | None:
    names = tuple(node.name for node in nodes if isinstance(node, Literal))
    return names if nodes and len(names) == len(nodes) else None


def _hash(table: Table, index_name: str | None) -> str:
    key = next((index.key for index in table.indexes if index.name == index_name), table.key)
    return key.hash


def _all_of(params: Mapping[str, Any]) -> str:
    return "ALL_PROJECTED_ATTRIBUTES" if "IndexName" in params else "ALL_ATTRIBUTES"


def _texts(values: Sequence[Value]) -> Iterator[str]:
    """As policies write them: a number in one way, however the request does. Of what cannot be nothing."""
    for value in values:
        try:
            ((kind, inner),) = checked(value)[0].items()
        except ServiceError:
            continue
        yield base64.b64encode(inner).decode() if kind == "B" else str(inner)


def _items(params: Mapping[str, Any]) -> Iterator[Mapping[str, Value]]:
    """The items and keys that a request says."""
    yield from (params[member] for member in ("Key", "Item") if member in params)
    yield from params.get("Keys") or ()
    for one in params.get("Requests") or ():
        put, delete = one.get("PutRequest"), one.get("DeleteRequest")
        yield put["Item"] if put else delete["Key"] if delete else {}


def _named(params: Mapping[str, Any]) -> Iterator[str]:
    """The attributes in expressions, or in what was there before them."""
    yield from params.get("AttributesToGet") or ()
    for member in _LEGACY:
        yield from params.get(member) or ()
    names = tuple((params.get("ExpressionAttributeNames") or {}).items())
    try:
        for kind in _CONDITIONS:
            if kind in params and (node := compiled(kind, params[kind], names).node) is not None:
                yield from conditions.attributes_of(node)
        if "ProjectionExpression" in params:
            found = compiled("ProjectionExpression", params["ProjectionExpression"], names).paths
            yield from (str(path.parts[0]) for path in found)
        if "UpdateExpression" in params:
            actions = compiled("UpdateExpression", params["UpdateExpression"], names).actions
            yield from (str(path.parts[0]) for path in updates.paths_of(actions))
    except ServiceError:
        return  # the operation says what is wrong


def _queried(name: str, params: Mapping[str, Any]) -> Iterator[Value]:
    """What a Query compares the partition key with."""
    if "KeyConditionExpression" in params:
        names = tuple((params.get("ExpressionAttributeNames") or {}).items())
        try:
            node = compiled("KeyConditionExpression", params["KeyConditionExpression"], names).node
        except ServiceError:
            return  # the operation says what is wrong
        given = params.get("ExpressionAttributeValues") or {}
        yield from (given[literal] for literal in bound(name, node) or () if literal in given)
    elif name in (params.get("KeyConditions") or {}):
        yield from params["KeyConditions"][name].get("AttributeValueList") or ()
