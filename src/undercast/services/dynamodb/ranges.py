"""Which rows a Query or Scan goes over, and from where: as SQL conditions on the keys' bytes.

Pure. Every condition is one that the key's index answers by going there, so that a page costs what the page holds.
AWS: DynamoDB API Reference, Query, Scan; Developer Guide, "Key condition expressions for the Query operation".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.dynamodb.expressions.operands import check_bounds
from undercast.services.dynamodb.expressions.syntax import Call, Compare, Literal, Logic, Node, Path
from undercast.services.dynamodb.keys import (
    HASH_PREFIX,
    Key,
    after_prefix,
    check_key_value,
    encoded,
    key_in,
    partition,
)
from undercast.services.dynamodb.models import Index, KeySchema, Table
from undercast.services.dynamodb.values import checked, kind_of
from undercast.services.item_text import Item, Value

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MAX_CONDITIONS = 2
_SPACE = 2 ** (8 * HASH_PREFIX)


@record
class Position:
    """Between two rows: behind the one with this key. `base` is its joined table key, in an index."""

    key: Key
    base: bytes = b""


@record
class Span:
    """The rows of a table or of an index that a request goes over, in order."""

    table: Table
    index: Index | None
    hash: bytes | None = None
    """The partition, in a Query."""
    bounds: tuple[tuple[str, bytes], ...] = ()
    """On the sort key: (sign, bytes)."""
    segment: tuple[bytes, bytes | None] = (b"", None)
    """Of a Scan: from, and up to but not including."""
    forward: bool = True

    def sql(self, after: Position | None) -> tuple[str, list[Any]]:
        """The rows behind a position: id, size, item, hash, range, base."""
        if self.index is None:
            head = "SELECT id, size, item, hash, range, x'' AS base FROM dynamodb_item WHERE table_id = ?"
            params: list[Any] = [self.table.id]
            order = ["hash", "range"]
        else:
            # CROSS JOIN: the entries lead, never the items.
            head = (
                "SELECT dynamodb_item.id AS id, size, item, dynamodb_entry.hash AS hash, dynamodb_entry.range AS range,"
                " base FROM dynamodb_entry CROSS JOIN dynamodb_item ON dynamodb_item.id = item_id WHERE index_id = ?"
            )
            params = [self.index.id]
            order = ["dynamodb_entry.hash", "dynamodb_entry.range", "base"]
        where = [head]
        if self.hash is not None:
            where.append(f"{order[0]} = ?")
            params.append(self.hash)
            for sign, value in self.bounds:
                where.append(f"{order[1]} {sign} ?")
                params.append(value)
            order = order[1:]
        else:
            self._segment_sql(where, params, order[0])
        if after is not None:
            values = [*([after.key.hash] if self.hash is None else []), after.key.range]
            values += [after.base] if self.index is not None else []
            where.append(f"({', '.join(order)}) {'>' if self.forward else '<'} ({', '.join('?' * len(order))})")
            params += values
        direction = "" if self.forward else " DESC"
        return f"{' AND '.join(where)} ORDER BY {', '.join(name + direction for name in order)}", params

    def _segment_sql(self, where: list[str], params: list[Any], column: str) -> None:
        low, high = self.segment
        if low:
            where.append(f"{column} >= ?")
            params.append(low)
        if high is not None:
            where.append(f"{column} < ?")
            params.append(high)

    @property
    def key(self) -> KeySchema:
        """Of what is gone over."""
        return self.table.key if self.index is None else self.index.key

    def last_key(self, item: Mapping[str, Value]) -> Item:
        """The LastEvaluatedKey behind an item."""
        names = dict.fromkeys((*self.key.names, *self.table.key.names))
        return {name: item[name] for name in names}

    def position(self, given: Mapping[str, Value]) -> Position:
        """Of an ExclusiveStartKey. Raises ValidationException."""
        names = {*self.key.names, *self.table.key.names}
        item: Item = {}
        if set(given) != names:
            raise bad_start("The provided key element does not match the schema" if self.index is None else "")
        for name in names:
            item[name], _ = checked(given[name])
            if kind_of(item[name]) != self.table.types[name]:
                raise bad_start("The provided key element does not match the schema")
            check_key_value(name, item[name])
        base = key_in(self.table, item)
        at = base if self.index is None else _key(self.key, item)
        self._check_within(at)
        return Position(key=at, base=b"" if self.index is None else base.joined)

    def _check_within(self, at: Key) -> None:
        low, high = self.segment
        if self.hash is None:
            if at.hash < low or (high is not None and at.hash >= high):
                raise bad_start("Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment.")
            return
        if at.hash != self.hash or any(not _holds(at.range, sign, value) for sign, value in self.bounds):
            raise invalid("The provided starting key is outside query boundaries based on provided conditions")


def _holds(value: bytes, sign: str, bound: bytes) -> bool:
    signs = {"=": value == bound, "<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}
    return signs[sign]


def _key(schema: KeySchema, item: Mapping[str, Value]) -> Key:
    return Key(partition(item[schema.hash]), encoded(item[schema.range]) if schema.range else b"")


def bad_start(reason: str = "") -> ServiceError:
    """An ExclusiveStartKey that cannot be."""
    return invalid(f"The provided starting key is invalid{': ' if reason else ''}{reason}")


def segment_of(params: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    """The part of the partitions' hashes that a Scan's segment has. Raises ValidationException."""
    segment, total = params.get("Segment"), params.get("TotalSegments")
    if segment is None and total is None:
        return b"", None
    if total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is "
            "present"
        )
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is "
            "present"
        )
    if segment >= total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    low, high = segment * _SPACE // total, (segment + 1) * _SPACE // total
    return low.to_bytes(HASH_PREFIX, "big"), high.to_bytes(HASH_PREFIX, "big") if high < _SPACE else None


def query_span(table: Table, index: Index | None, node: Node, values: Mapping[str, Value], *, forward: bool) -> Span:
    """The rows that a key condition names. Raises ValidationException."""
    schema = table.key if index is None else index.key
    found = _by_attribute(node)
    for name in schema.names[:1]:
        if name not in found:
            raise invalid(f"Query condition missed key schema element: {name}")
    if extra := [name for name in found if name not in schema.names]:
        if len(found) > 1 and schema.range:
            raise invalid(f"Query condition missed key schema element: {schema.range}")
        raise invalid("Query key condition not supported" if extra else "")
    hash_node = found[schema.hash]
    if not isinstance(hash_node, Compare) or hash_node.sign != "=":
        raise invalid("Query key condition not supported")
    hash_value = _value(table, schema.hash, hash_node.right, values)
    bounds = _bounds(table, schema.range, found[schema.range], values) if schema.range in found else ()
    return Span(table=table, index=index, hash=partition(hash_value), bounds=bounds, forward=forward)


def _by_attribute(node: Node) -> dict[str, Node]:
    """Each key attribute's condition, the attribute on the left."""
    parts = _conjuncts(node)
    found: dict[str, Node] = {}
    for part in parts:
        if isinstance(part, Compare):
            one: Node = part
            if isinstance(part.left, Literal) and part.sign in _FLIPPED:
                one = Compare(_FLIPPED[part.sign], part.right, part.left)
            path = one.left if isinstance(one, Compare) else None
        else:
            one = part
            path = part.operands[0] if isinstance(part, Call) else None
        _check_operator(one)
        if isinstance(path, Call):
            raise invalid("KeyConditionExpressions cannot contain nested operations")
        if not isinstance(path, Path):
            lacks = "No key attribute specified"
            if isinstance(one, Call):
                lacks = f"{one.name} operator must have the key attribute as its first operand"
            raise invalid(f"Invalid condition in KeyConditionExpression: {lacks}")
        if len(path.parts) > 1:
            raise invalid("KeyConditionExpressions cannot have conditions on nested attributes")
        name = str(path.parts[0])
        if name in found:
            raise invalid("KeyConditionExpressions must only contain one condition per key")
        found[name] = one
    if len(found) > _MAX_CONDITIONS:
        raise invalid("Conditions can be of length 1 or 2 only")
    return found


def _conjuncts(node: Node) -> list[Node]:
    """The parts of an AND, also of one within another."""
    if not isinstance(node, Logic):
        return [node]
    if node.word != "AND":
        raise invalid(f"Invalid operator used in KeyConditionExpression: {node.word}")
    return [one for part in node.parts for one in _conjuncts(part)]


def _check_operator(node: Node) -> None:
    if isinstance(node, Compare) and node.sign == "<>":
        raise invalid("Invalid operator used in KeyConditionExpression: <>")
    if isinstance(node, Call) and node.name == "IN":
        raise invalid("Invalid operator used in KeyConditionExpression: IN")
    if isinstance(node, Call) and node.name not in ("BETWEEN", "begins_with"):
        raise invalid(f"Invalid operator used in KeyConditionExpression: {node.name}")


def _value(table: Table, name: str, node: Node, values: Mapping[str, Value]) -> Value:
    if not isinstance(node, Literal):
        raise invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
    value = values[node.name]
    if kind_of(value) != table.types[name]:
        raise invalid_value("Condition parameter type does not match schema type")
    if not value[kind_of(value)]:
        what = "string" if kind_of(value) == "S" else "binary"
        raise invalid(
            f"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {what} value. Key: {name}"
        )
    return value


def _bounds(table: Table, name: str, node: Node, values: Mapping[str, Value]) -> tuple[tuple[str, bytes], ...]:
    if isinstance(node, Compare):
        return ((node.sign, encoded(_value(table, name, node.right, values))),)
    assert isinstance(node, Call)
    found = [_value(table, name, operand, values) for operand in node.operands[1:]]
    if node.name == "BETWEEN":
        check_bounds("KeyConditionExpression", found[0], found[1])
        return ((">=", encoded(found[0])), ("<=", encoded(found[1])))
    if table.types[name] == "N":
        raise invalid_value("ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type")
    low = encoded(found[0])
    high = after_prefix(low)
    return ((">=", low), ("<", high)) if high is not None else ((">=", low),)
