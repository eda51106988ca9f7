"""What a parsed statement does: one write, or a span of rows with a filter.

Pure. A SELECT without an equality on the partition key is a Scan.
AWS: DynamoDB Developer Guide, "PartiQL select statements for DynamoDB".
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions import conditions, operands, updates
from undercast.services.dynamodb.expressions.binding import Update
from undercast.services.dynamodb.expressions.syntax import Call, Compare, Literal, Logic, Node, Path
from undercast.services.dynamodb.models import Index, KeySchema, Table
from undercast.services.dynamodb.partiql.parser import Statement
from undercast.services.dynamodb.ranges import Span, query_span
from undercast.services.dynamodb.values import MAX_ITEM_BYTES, checked, checked_item
from undercast.services.dynamodb.writing import CHECK, DELETE, PUT, UPDATE, Condition, Write
from undercast.services.item_text import Item, Value

Values = Mapping[str, Value]


def canonical(values: Values) -> Values:
    """Raises ValidationException for values that cannot be."""
    return {name: checked(value)[0] for name, value in values.items()}


def test_of(statement: Statement, values: Values) -> Condition | None:
    """The WHERE clause as a test of an item."""
    if statement.where is None:
        return None
    for check in operands.checks_of("WHERE clause", statement.where):
        check(values)
    test = conditions.compiled(statement.where)
    return lambda item: test(item, values)


def conjuncts(node: Node | None) -> Iterator[Node]:
    """The parts of an AND, also of one within another."""
    if isinstance(node, Logic) and node.word == "AND":
        for part in node.parts:
            yield from conjuncts(part)
    elif node is not None:
        yield node


def _on_key(node: Node, name: str) -> bool:
    """Whether a condition says something about a key attribute that an index can be asked for."""
    if isinstance(node, Compare):
        sides = (node.left, node.right)
        return Path((name,)) in sides and any(isinstance(side, Literal) for side in sides) and node.sign != "<>"
    if isinstance(node, Call) and node.name in ("BETWEEN", "begins_with"):
        return node.operands[0] == Path((name,)) and all(isinstance(one, Literal) for one in node.operands[1:])
    return False


def _equal(node: Node, name: str) -> Literal | None:
    if isinstance(node, Compare) and node.sign == "=" and _on_key(node, name):
        return node.right if isinstance(node.right, Literal) else node.left  # type: ignore[return-value]
    return None


def span_of(table: Table, index: Index | None, statement: Statement, values: Values) -> Span:
    """The rows that a SELECT goes over: a partition where WHERE names one, else all. Raises ValidationException."""
    schema: KeySchema = table.key if index is None else index.key
    forward = _forward(schema, statement)
    parts = tuple(conjuncts(statement.where))
    equal = next((part for part in parts if _equal(part, schema.hash)), None)
    if equal is None:
        if statement.order:
            raise invalid("Must have WHERE clause with the partition key in the statement when using ORDER BY clause.")
        return Span(table=table, index=index)
    ranges = [part for part in parts if schema.range and _on_key(part, schema.range)][:1]
    node: Node = Logic("AND", (equal, *ranges)) if ranges else equal
    return query_span(table, index, node, values, forward=forward)


def _forward(schema: KeySchema, statement: Statement) -> bool:
    for name, _ in statement.order:
        if name not in schema.names:
            raise invalid("Variable reference in ORDER BY clause must be part of the primary key")
    return not any(descending for name, descending in statement.order if name == schema.range)


def names_key(table: Table, statement: Statement) -> bool:
    """Whether WHERE names a whole key."""
    return all(len(_literals(statement, name)) == 1 for name in table.key.names)


def _literals(statement: Statement, name: str) -> list[Literal]:
    return [literal for part in conjuncts(statement.where) if (literal := _equal(part, name)) is not None]


def key_in(table: Table, statement: Statement, values: Values) -> Item:
    """The key that WHERE names as a whole. Raises ValidationException."""
    found: Item = {}
    for name in table.key.names:
        literals = _literals(statement, name)
        if len(literals) != 1:
            raise invalid("Where clause does not contain a mandatory equality on all key attributes")
        found[name] = values[literals[0].name]
    return found


def write_of(table: Table, statement: Statement, values: Values, parameters: Any) -> Write:
    """The write that INSERT, UPDATE, DELETE and EXISTS are. Raises ValidationException."""
    if statement.kind == "INSERT":
        return _insert(table, statement, parameters)
    test = test_of(statement, values)
    kind = {"UPDATE": UPDATE, "DELETE": DELETE, "EXISTS": CHECK}[statement.kind]
    update = None
    if kind == UPDATE:
        for check in updates.checks_of(statement.actions):
            check(values)
        update = Update(statement.actions, values)
    return Write(
        kind=kind,
        of=table.of,
        given=key_in(table, statement, values),
        size=0,
        # An item that is not there is deleted without a word.
        condition=partial(_absent_or, test) if kind == DELETE and test is not None else test,
        update=update,
        shows_on_failure=False,
    )


def _absent_or(test: Condition, item: Mapping[str, Any]) -> bool:
    return not item or test(item)


def _insert(table: Table, statement: Statement, parameters: Any) -> Write:
    assert statement.item is not None
    value = statement.item(parameters)
    if "M" not in value:
        raise invalid("INSERT takes a map of attributes as its VALUE")
    item, size = checked_item(value["M"])
    if size > MAX_ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    return Write(
        kind=PUT,
        of=table.of,
        given=item,
        size=size,
        condition=None,
        update=None,
        shows_on_failure=False,
        is_insert=True,
    )
