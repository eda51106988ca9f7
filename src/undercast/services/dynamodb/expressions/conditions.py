"""Conditions, filters and key conditions: parsed by precedence, compiled to a closure over the item.

Pure. OR binds less than AND, AND less than NOT, NOT less than a comparison. What is wrong with an expression's operands
is found when its values are known, before any item is looked at.
AWS: DynamoDB Developer Guide, "Condition and filter expressions, operators, and functions in DynamoDB".
"""

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any

from undercast.services.dynamodb.expressions.paths import value_at
from undercast.services.dynamodb.expressions.syntax import (
    MAX_DEPTH,
    WORDS,
    Call,
    Compare,
    Literal,
    Logic,
    Node,
    Path,
    Reader,
)
from undercast.services.dynamodb.values import kind_of, ordering
from undercast.services.item_text import Value

Values = Mapping[str, Value]
Getter = Callable[[Mapping[str, Value], Values], Value | None]
Test = Callable[[Mapping[str, Value], Values], bool]

SIGNS = ("=", "<>", "<", "<=", ">", ">=")
_ARITY = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2,
          "size": 1}  # fmt: skip
_MAX_IN = 100
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def parse(reader: Reader) -> Node:
    """The whole text. Raises ValidationException."""
    node = _either(reader, 0)
    if reader.next.kind != "end":
        raise reader.syntax()
    return node


def _either(reader: Reader, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise reader.wrong("The expression is nested too deeply;")
    return _chain(reader, depth, "OR", _both)


def _both(reader: Reader, depth: int) -> Node:
    return _chain(reader, depth, "AND", _unary)


def _chain(reader: Reader, depth: int, word: str, part: Callable[[Reader, int], Node]) -> Node:
    parts = [part(reader, depth)]
    while reader.takes(word):
        reader.count_operator()
        parts.append(part(reader, depth))
    return parts[0] if len(parts) == 1 else Logic(word, tuple(parts))


def _unary(reader: Reader, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise reader.wrong("The expression is nested too deeply;")
    if reader.takes("NOT"):
        reader.count_operator()
        return Logic("NOT", (_unary(reader, depth + 1),))
    if reader.sees("(") and not _brackets_operand(reader):
        reader.take()
        if reader.sees("("):
            redundant = reader.next.start
            node = _either(reader, depth + 1)
            if reader.sees(")") and reader.text[redundant] == "(" and _is_bracketed(reader, redundant):
                raise reader.wrong("The expression has redundant parentheses;")
        else:
            node = _either(reader, depth + 1)
        reader.expect(")")
        return node
    return _comparison(reader, depth)


def _brackets_operand(reader: Reader) -> bool:
    """Whether what is in the brackets that open now is compared: "(n) = :v"."""
    return reader.behind_brackets().text.upper() in (*SIGNS, "BETWEEN", "IN")


def _is_bracketed(reader: Reader, start: int) -> bool:
    """Whether the bracket at `start` ends where the reader is: then the ones around it say the same again."""
    level = 0
    inner = reader.text[start : reader.next.start].rstrip()
    for at, sign in enumerate(inner):
        level += (sign == "(") - (sign == ")")
        if level == 0:
            return at == len(inner) - 1
    return False


def _comparison(reader: Reader, depth: int) -> Node:
    left = _operand(reader, depth)
    if reader.sees(*SIGNS):
        reader.count_operator()
        sign = reader.take().text
        return Compare(sign, left, _operand(reader, depth))
    if reader.takes("BETWEEN"):
        reader.count_operator()
        low = _operand(reader, depth)
        reader.expect("AND")
        return Call("BETWEEN", (left, low, _operand(reader, depth)))
    if reader.takes("IN"):
        return _in(reader, left, depth)
    if isinstance(left, Call) and left.name != "size":
        return left
    if isinstance(left, Call):
        raise reader.wrong("The function is not allowed to be used this way in an expression; function: size")
    raise reader.syntax()


def _in(reader: Reader, left: Node, depth: int) -> Node:
    reader.count_operator()
    reader.expect("(")
    choices = [_operand(reader, depth)]
    while reader.takes(","):
        choices.append(_operand(reader, depth))
    reader.expect(")")
    if len(choices) > _MAX_IN:
        raise reader.wrong(f"The IN operator is provided with too many operands; number of operands: {len(choices)}")
    return Call("IN", (left, *choices))


def _operand(reader: Reader, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise reader.wrong("The expression is nested too deeply;")
    token = reader.next
    if token.kind == "value":
        return reader.literal()
    if reader.takes("("):
        node = _operand(reader, depth + 1)
        reader.expect(")")
        return node
    if token.kind == "name" and reader.after_next.text == "(" and not token.text.startswith("#"):
        if token.text.upper() in WORDS:
            raise reader.syntax()
        return _function(reader, depth)
    return reader.path()


def _function(reader: Reader, depth: int) -> Call:
    name = reader.take().text
    reader.expect("(")
    operands = [_operand(reader, depth + 1)]
    while reader.takes(","):
        operands.append(_operand(reader, depth + 1))
    reader.expect(")")
    if name not in _ARITY:
        if name in ("if_not_exists", "list_append"):
            raise reader.wrong(f"The function is not allowed in a condition expression; function: {name}")
        raise reader.wrong(f"Invalid function name; function: {name}")
    if len(operands) != _ARITY[name]:
        raise reader.wrong("Incorrect number of operands for operator or function; "
                           f"operator or function: {name}, number of operands: {len(operands)}")  # fmt: skip
    for operand in operands:
        if isinstance(operand, Call) and operand.name != "size":
            raise reader.wrong("The function is not allowed to be used this way in an expression; "
                               f"function: {operand.name}")  # fmt: skip
    if name.startswith("attribute_") and not isinstance(operands[0], Path):
        raise reader.wrong(f"Operator or function requires a document path; operator or function: {name}")
    return Call(name, tuple(operands))


def check_names(reader: Reader, node: Node) -> None:
    """Raises when an operator has the same path on both sides, or a function stands where only a value can."""
    if isinstance(node, Logic):
        for part in node.parts:
            check_names(reader, part)
        return
    sign = node.sign if isinstance(node, Compare) else node.name if isinstance(node, Call) else ""
    operands = (node.left, node.right) if isinstance(node, Compare) else node.operands if isinstance(node, Call) else ()
    for operand in operands:
        if isinstance(operand, Call) and operand.name != "size":
            raise reader.wrong("The function is not allowed to be used this way in an expression; "
                               f"function: {operand.name}")  # fmt: skip
    if operands and isinstance(operands[0], Path) and operands[0] in operands[1:]:
        raise reader.wrong("The first operand must be distinct from the remaining operands for this operator or "
                           f"function; operator: {sign}, first operand: {operands[0]}")  # fmt: skip


def getter(node: Node) -> Getter:
    """A closure that gives an operand's value, None where the item has not got it."""
    if isinstance(node, Literal):
        name = node.name
        return lambda item, values: values[name]
    if isinstance(node, Path):
        return _path_getter(node.parts)
    if isinstance(node, Call) and node.name == "size":
        return _size_getter(getter(node.operands[0]))
    raise TypeError(f"{node} is no operand")


def _path_getter(parts: tuple[str | int, ...]) -> Getter:
    first = str(parts[0])
    if len(parts) == 1:
        return lambda item, values: item.get(first)

    def nested(item: Mapping[str, Value], values: Values) -> Value | None:
        return value_at(item, parts)

    return nested


def _size_getter(inner: Getter) -> Getter:
    def size(item: Mapping[str, Value], values: Values) -> Value | None:
        value = inner(item, values)
        if value is None or kind_of(value) in ("N", "BOOL", "NULL"):
            return None
        return {"N": str(len(value[kind_of(value)]))}

    return size


def compiled(node: Node) -> Test:
    """A closure that says whether an item meets the condition."""
    if isinstance(node, Logic):
        return _logic(node)
    if isinstance(node, Compare):
        return _compare(node.sign, getter(node.left), getter(node.right))
    if isinstance(node, Call):
        return _call(node)
    raise TypeError(f"{node} is no condition")


def _logic(node: Logic) -> Test:
    tests = tuple(compiled(part) for part in node.parts)
    if node.word == "NOT":
        (test,) = tests
        return lambda item, values: not test(item, values)
    if node.word == "AND":
        return lambda item, values: all(test(item, values) for test in tests)
    return lambda item, values: any(test(item, values) for test in tests)


def _compare(sign: str, left: Getter, right: Getter) -> Test:
    if sign in ("=", "<>"):
        # What is not there equals nothing, not even what else is not there: then <> holds.
        wanted = sign == "="

        def equal(item: Mapping[str, Value], values: Values) -> bool:
            one = left(item, values)
            return (one is not None and one == right(item, values)) is wanted

        return equal
    order = _ORDERS[sign]
    return lambda item, values: ordered(order, left(item, values), right(item, values))


def ordered(order: Callable[[Any, Any], bool], one: Value | None, other: Value | None) -> bool:
    """Whether both are there, of one type that has an order, and in this order."""
    if one is None or other is None or kind_of(one) != kind_of(other):
        return False
    first = ordering(one)
    return first is not None and order(first, ordering(other))


def _call(node: Call) -> Test:
    first, *rest = (getter(operand) for operand in node.operands)
    if node.name == "attribute_exists":
        return lambda item, values: first(item, values) is not None
    if node.name == "attribute_not_exists":
        return lambda item, values: first(item, values) is None
    if node.name == "BETWEEN":
        low, high = rest
        return lambda item, values: (
            ordered(ge, first(item, values), low(item, values)) and ordered(le, first(item, values), high(item, values))
        )
    if node.name == "IN":
        return lambda item, values: (
            (found := first(item, values)) is not None and any(found == one(item, values) for one in rest)
        )
    test = {"attribute_type": _is_type, "begins_with": begins_with, "contains": contains}[node.name]
    (second,) = rest
    return lambda item, values: test(first(item, values), second(item, values))


def _is_type(value: Value | None, kind: Value | None) -> bool:
    return value is not None and kind is not None and kind_of(value) == kind.get("S")


def begins_with(value: Value | None, prefix: Value | None) -> bool:
    """Of strings and binaries."""
    if value is None or prefix is None:
        return False
    kind = kind_of(value)
    return kind in ("S", "B") and kind in prefix and bool(value[kind].startswith(prefix[kind]))


def contains(value: Value | None, part: Value | None) -> bool:
    """A piece of a string or binary, a member of a set, an element of a list."""
    if value is None or part is None:
        return False
    kind, wanted = kind_of(value), kind_of(part)
    if kind in ("S", "B"):
        return kind == wanted and part[kind] in value[kind]
    if kind == "L":
        return part in value["L"]
    return kind == wanted + "S" and part[wanted] in value[kind]


def paths_of(node: Node) -> tuple[Path, ...]:
    """The document paths of a condition, or of an operand."""
    if isinstance(node, Path):
        return (node,)
    if isinstance(node, Literal):
        return ()
    inner = (
        node.parts if isinstance(node, Logic) else node.operands if isinstance(node, Call) else (node.left, node.right)
    )
    return tuple(path for part in inner for path in paths_of(part))


def attributes_of(node: Node) -> tuple[str, ...]:
    """The top-level attributes that a condition looks at."""
    return tuple(str(path.parts[0]) for path in paths_of(node))
