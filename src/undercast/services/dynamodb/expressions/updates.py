"""Update expressions: SET, REMOVE, ADD and DELETE, each at most once, applied to an item as it was before.

Pure. All right sides and all paths are those of the old item. Elements behind the end of a list are appended in the
order of their indexes; what is taken away goes last.
AWS: DynamoDB Developer Guide, "Using update expressions in DynamoDB".
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.dynamodb import numbers
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions import conditions
from undercast.services.dynamodb.expressions.conditions import Values
from undercast.services.dynamodb.expressions.operands import Check, wrong_type
from undercast.services.dynamodb.expressions.paths import check_apart, value_at
from undercast.services.dynamodb.expressions.syntax import MAX_DEPTH, Call, Literal, Node, Path, Reader
from undercast.services.dynamodb.values import check_depth, kind_of, set_of
from undercast.services.item_text import Item, Value

SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_FUNCTIONS = ("if_not_exists", "list_append")
_SIGNS = ("+", "-")
_NAMES = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "BOOL": "BOOLEAN", "NULL": "NULL", "M": "MAP", "L": "LIST",
          "SS": "STRING_SET", "NS": "NUMBER_SET", "BS": "BINARY_SET"}  # fmt: skip
_SETS = ("SS", "NS", "BS")


@record(kw_only=False)
class Action:
    """One path, and what is written there; `operand` is None for REMOVE."""

    section: str
    path: Path
    operand: Node | None = None


def parse(reader: Reader) -> tuple[Action, ...]:
    """The whole text. Raises ValidationException."""
    actions: list[Action] = []
    seen: set[str] = set()
    while reader.next.kind != "end":
        section = reader.next.text.upper()
        if section not in SECTIONS or reader.next.kind != "name":
            raise reader.syntax()
        if section in seen:
            raise reader.wrong(f'The "{section}" section can only be used once in an update expression;')
        seen.add(section)
        reader.take()
        actions.append(_action(reader, section))
        while reader.takes(","):
            actions.append(_action(reader, section))
    check_apart(reader, [action.path for action in actions])
    return tuple(actions)


def _action(reader: Reader, section: str) -> Action:
    path = reader.path()
    if section == "REMOVE":
        return Action(section, path)
    if section == "SET":
        reader.expect("=")
        return Action(section, path, _sum(reader)[0])
    if reader.next.kind != "value":
        raise reader.syntax()
    return Action(section, path, reader.literal())


def _sum(reader: Reader, depth: int = 0) -> tuple[Node, bool]:
    """An operand, or one sum of two, and whether brackets are around the whole. A sum is no operand of another one."""
    left, is_bracketed = _operand(reader, depth, may_be_sum=True)
    is_sum = isinstance(left, Call) and left.name in _SIGNS
    if (is_bracketed and is_sum) or not reader.sees(*_SIGNS):
        return left, is_bracketed
    reader.count_operator()
    sign = reader.take().text
    right, _ = _operand(reader, depth)
    return _call(reader, sign, (left, right)), False


def _operand(reader: Reader, depth: int, *, may_be_sum: bool = False) -> tuple[Node, bool]:
    """A value, path, function or, in brackets, a sum; and whether brackets are around it."""
    if depth > MAX_DEPTH:
        raise reader.wrong("The expression is nested too deeply;")
    token = reader.next
    if token.kind == "value":
        return reader.literal(), False
    if reader.takes("("):
        node, is_twice = _sum(reader, depth + 1) if may_be_sum else _operand(reader, depth + 1)
        reader.expect(")")
        if is_twice:
            raise reader.wrong("The expression has redundant parentheses;")
        return node, True
    if reader.after_next.text != "(" or token.text.startswith("#"):
        return reader.path(), False
    name = reader.take().text
    reader.take()
    operands = [_operand(reader, depth + 1)[0]]
    while reader.takes(","):
        operands.append(_operand(reader, depth + 1)[0])
    reader.expect(")")
    return _function(reader, name, operands), False


def _call(reader: Reader, name: str, operands: tuple[Node, ...]) -> Call:
    """Only a whole value can be a list_append."""
    if any(isinstance(one, Call) and one.name == "list_append" for one in operands):
        raise reader.wrong("The function is not allowed to be used this way in an expression; function: list_append")
    return Call(name, operands)


def _function(reader: Reader, name: str, operands: Sequence[Node]) -> Call:
    if name not in _FUNCTIONS:
        known = name in (
            "attribute_exists",
            "attribute_not_exists",
            "attribute_type",
            "begins_with",
            "contains",
            "size",
        )
        what = "The function is not allowed in an update expression" if known else "Invalid function name"
        raise reader.wrong(f"{what}; function: {name}")
    if len(operands) != 2:
        raise reader.wrong("Incorrect number of operands for operator or function; "
                           f"operator or function: {name}, number of operands: {len(operands)}")  # fmt: skip
    if name == "if_not_exists" and not isinstance(operands[0], Path):
        raise reader.wrong(f"Operator or function requires a document path; operator or function: {name}")
    return _call(reader, name, tuple(operands))


def paths_of(actions: Sequence[Action]) -> tuple[Path, ...]:
    """What is written, and what is read for it."""
    written = tuple(action.path for action in actions)
    return written + tuple(
        path for action in actions if action.operand is not None for path in conditions.paths_of(action.operand)
    )


def checks_of(actions: Sequence[Action]) -> tuple[Check, ...]:
    """Closures that raise for values of the wrong type."""
    return tuple(check for action in actions for check in _checks(action))


def _checks(action: Action) -> Iterator[Check]:
    if action.section in ("ADD", "DELETE"):
        yield lambda values: _check_section(action, values)
    elif action.operand is not None:
        yield from _call_checks(action.operand)


def _check_section(action: Action, values: Values) -> None:
    assert isinstance(action.operand, Literal)
    kind = kind_of(values[action.operand.name])
    if kind not in (("N", *_SETS) if action.section == "ADD" else _SETS):
        raise invalid(
            "Invalid UpdateExpression: Incorrect operand type for operator or function; "
            f"operator: {action.section}, operand type: {_NAMES[kind]}, typeSet: ALLOWED_FOR_{action.section}_OPERAND"
        )


def _call_checks(node: Node) -> Iterator[Check]:
    if not isinstance(node, Call):
        return
    wanted = {"+": "N", "-": "N", "list_append": "L"}.get(node.name)
    for operand in node.operands:
        yield from _call_checks(operand)
        if wanted is not None and isinstance(operand, Literal):
            yield _only(node.name, operand.name, wanted)


def _only(name: str, placeholder: str, wanted: str) -> Check:
    def check(values: Values) -> None:
        if (found := kind_of(values[placeholder])) != wanted:
            raise wrong_type("UpdateExpression", name, found)

    return check


def applied(actions: Sequence[Action], old: Item, fresh: Callable[[], Item], values: Values) -> Item:
    """The new item. `fresh` gives a copy of the old one that may be changed in its depths."""
    computed = [_computed(action, old, values) for action in actions]
    nested = any(len(action.path.parts) > 1 for action in actions)
    item = fresh() if nested else dict(old)
    # Every path is one of the item as it was: all maps and lists are found before the first of them changes.
    writes = list(zip([_place(item, action.path) for action in actions], computed, strict=True))
    removals = [place for place, value in writes if value is None and place.is_there]
    for place, value in sorted(writes, key=lambda write: write[0].index):
        if value is not None:
            _put(place, value)
    for place in sorted(removals, key=lambda place: place.index, reverse=True):
        del place.holder[place.part]
    return item


@record(kw_only=False)
class _Place:
    """A key of a map, or an index of a list, and the map or list itself."""

    holder: Any
    part: str | int
    depth: int

    @property
    def index(self) -> int:
        """By it elements are appended, and taken away from the last one on."""
        return self.part if isinstance(self.part, int) else -1

    @property
    def is_there(self) -> bool:
        return self.index < len(self.holder) if isinstance(self.part, int) else self.part in self.holder


def _place(item: Item, path: Path) -> _Place:
    """Raises unless what is written or taken away is in a map, or in a list, that is there."""
    *before, last = path.parts
    if not before:
        return _Place(item, last, 0)
    parent = value_at(item, tuple(before))
    kind = "L" if isinstance(last, int) else "M"
    if parent is None or kind not in parent:
        raise _bad_path()
    return _Place(parent[kind], last, len(before))


def _computed(action: Action, old: Item, values: Values) -> Value | None:
    """What is written; None to take the attribute away."""
    if action.operand is None:
        return None
    if action.section == "SET":
        return _value(action.operand, old, values)
    there = value_at(old, action.path.parts)
    operand = _value(action.operand, old, values)
    kind = kind_of(operand)
    if there is None:
        return operand if action.section == "ADD" else None
    if kind_of(there) != kind:
        raise _bad_type()
    if kind == "N":
        return {"N": numbers.added(there["N"], operand["N"])}
    if action.section == "ADD":
        return set_of(kind, list({*there[kind], *operand[kind]}))
    left = [member for member in there[kind] if member not in operand[kind]]
    return set_of(kind, left) if left else None


def _value(node: Node, old: Item, values: Values) -> Value:
    if isinstance(node, Literal):
        return values[node.name]
    if isinstance(node, Path):
        found = value_at(old, node.parts)
        if found is None:
            raise invalid("The provided expression refers to an attribute that does not exist in the item")
        return found
    assert isinstance(node, Call)
    first, second = node.operands
    if node.name == "if_not_exists":
        assert isinstance(first, Path)
        there = value_at(old, first.parts)
        return _value(second, old, values) if there is None else there
    one, other = _value(first, old, values), _value(second, old, values)
    if node.name == "list_append":
        return {"L": [*_inner(one, "L"), *_inner(other, "L")]}
    compute = numbers.added if node.name == "+" else numbers.subtracted
    return {"N": compute(_inner(one, "N"), _inner(other, "N"))}


def _inner(value: Value, kind: str) -> Any:
    if kind not in value:
        raise _bad_type()
    return value[kind]


def _put(place: _Place, value: Value) -> None:
    """Behind the end of a list an element is appended, whatever its index."""
    if place.depth:
        check_depth(value, place.depth)
    if isinstance(place.part, str) or place.is_there:
        place.holder[place.part] = value
    else:
        place.holder.append(value)


def _bad_path() -> ServiceError:
    return invalid("The document path provided in the update expression is invalid for update")


def _bad_type() -> ServiceError:
    return invalid("An operand in the update expression has an incorrect data type")
