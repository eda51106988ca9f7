"""What an expression's values must be, found once they are known and before an item is looked at.

Pure. AWS: DynamoDB Developer Guide, "Condition and filter expressions"; the texts are the service's answers.
"""

from collections.abc import Callable, Iterator

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.conditions import Values
from undercast.services.dynamodb.expressions.syntax import Call, Compare, Literal, Logic, Node, Path
from undercast.services.dynamodb.values import TYPES, kind_of, ordering
from undercast.services.item_text import Value

Check = Callable[[Values], None]
_SIZED = ("S", "B", "SS", "NS", "BS", "M", "L")
_ORDERED = ("S", "N", "B")


def checks_of(kind: str, node: Node) -> tuple[Check, ...]:
    """Closures that raise ValidationException for values that an operand cannot be; so does what cannot be at all."""
    return tuple(_checks(kind, node))


def _checks(kind: str, node: Node) -> Iterator[Check]:
    if isinstance(node, Logic):
        for part in node.parts:
            yield from _checks(kind, part)
    elif isinstance(node, Compare):
        for operand in (node.left, node.right):
            yield from _checks(kind, operand)
            if node.sign not in ("=", "<>"):
                yield from _only(kind, node.sign, operand, _ORDERED)
    elif isinstance(node, Call):
        for operand in node.operands:
            yield from _checks(kind, operand)
        yield from _of_call(kind, node)


def _of_call(kind: str, node: Call) -> Iterator[Check]:
    if node.name == "begins_with":
        for operand in node.operands:
            yield from _only(kind, node.name, operand, ("S", "B"))
    elif node.name == "size":
        yield from _only(kind, node.name, node.operands[0], _SIZED)
    elif node.name == "attribute_type":
        if isinstance(node.operands[1], Path):
            raise wrong_type(kind, node.name, f"{{{','.join(TYPES)}}}")
        yield from _only(kind, node.name, node.operands[1], ("S",))
        yield lambda values: _check_type(kind, node.operands[1], values)
    elif node.name == "BETWEEN":
        for operand in node.operands:
            yield from _only(kind, node.name, operand, _ORDERED)
        yield lambda values: _check_bounds(kind, node, values)


def _only(kind: str, name: str, operand: Node, allowed: tuple[str, ...]) -> Iterator[Check]:
    if isinstance(operand, Call) and "N" not in allowed:
        raise wrong_type(kind, name, "N")  # size is the one function that is an operand
    if not isinstance(operand, Literal):
        return

    def check(values: Values) -> None:
        found = kind_of(values[operand.name])
        if found not in allowed:
            raise wrong_type(kind, name, found)

    yield check


def wrong_type(kind: str, name: str, found: str) -> ServiceError:
    """An operand of a type that the operator or function has not got."""
    return invalid(
        f"Invalid {kind}: Incorrect operand type for operator or function; operator or function: {name}, "
        f"operand type: {found}"
    )


def _check_type(kind: str, operand: Node, values: Values) -> None:
    if isinstance(operand, Literal) and (name := values[operand.name]["S"]) not in TYPES:
        shown = ",".join(TYPES)
        raise invalid(f"Invalid {kind}: Invalid attribute type name found; type: {name}, valid types: {{{shown}}}")


def _check_bounds(kind: str, node: Call, values: Values) -> None:
    _, low, high = node.operands
    if not isinstance(low, Literal) or not isinstance(high, Literal):
        return
    check_bounds(kind, values[low.name], values[high.name])


def check_bounds(kind: str, low: Value, high: Value) -> None:
    """Raises unless BETWEEN has bounds of one type, in order."""
    shown = f"lower bound operand: {_shown(low)}, upper bound operand: {_shown(high)}"
    if kind_of(low) != kind_of(high):
        text = "The BETWEEN operator requires same data type for lower and upper bounds"
        raise invalid(f"Invalid {kind}: {text}; {shown}")
    if ordering(low) > ordering(high):
        text = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
        raise invalid(f"Invalid {kind}: {text}; {shown}")


def _shown(value: Value) -> str:
    ((kind, inner),) = value.items()
    return f"AttributeValue: {{{kind}:{inner}}}"
