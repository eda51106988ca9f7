"""Attribute values as DynamoDB JSON: `{"S": "text"}`, as they arrive, are kept and go out.

Pure. `checked` gives the canonical form (numbers written plainly, sets in order), in which equal values are equal
structures. B is bytes in a request and base64 in the stored text.
AWS: DynamoDB API Reference, AttributeValue; Developer Guide, "DynamoDB item sizes and formats".
"""

from collections.abc import Callable, Container, Mapping
from decimal import Decimal
from typing import Any

from undercast.services.dynamodb import numbers
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.item_text import Item, Value

MAX_ITEM_BYTES = 400 * 1024
MAX_DEPTH = 32
TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")
_OVERHEAD = 3
"""Bytes of a map or list, besides one for each element."""
_EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
_SEVERAL = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)


def checked(value: Value, depth: int = 0) -> tuple[Value, int]:
    """(canonical form, size in bytes). Raises ValidationException."""
    if len(value) != 1:
        raise invalid(_SEVERAL if value else _EMPTY)
    ((kind, inner),) = value.items()
    if kind == "S":
        return value, len(inner) if inner.isascii() else len(inner.encode())
    if kind == "N":
        text = numbers.canonical(inner)
        return (value if text is inner else {"N": text}), numbers.size_of(text)
    return _OTHERS[kind](value, inner, depth)


def checked_item(item: Mapping[str, Value]) -> tuple[Item, int]:
    """(canonical form, size in bytes) of all attributes. Raises ValidationException."""
    check_names(item)
    found: Item = {}
    size = 0
    for name, value in item.items():
        found[name], more = checked(value)
        size += more + (len(name) if name.isascii() else len(name.encode()))
    return found, size


def check_names(names: Container[str]) -> None:
    """Raises ValidationException for an attribute without a name. AWS: Developer Guide, "Naming rules"."""
    if "" in names:
        raise invalid("Empty attribute name")


def item_size(item: Mapping[str, Value]) -> int:
    """In bytes, of an item in canonical form."""
    return sum(text_size(name) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """In bytes, of a value in canonical form."""
    ((kind, inner),) = value.items()
    if kind == "S":
        return text_size(inner)
    if kind == "N":
        return numbers.size_of(inner)
    if kind == "B":
        return len(inner)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "M":
        return _OVERHEAD + sum(text_size(name) + value_size(one) + 1 for name, one in inner.items())
    if kind == "L":
        return _OVERHEAD + sum(value_size(one) + 1 for one in inner)
    return sum(_member_size(kind, one) for one in inner)


def text_size(text: str) -> int:
    """In bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def _member_size(kind: str, member: Any) -> int:
    return numbers.size_of(member) if kind == "NS" else len(member) if kind == "BS" else text_size(member)


def _binary(value: Value, inner: bytes, depth: int) -> tuple[Value, int]:
    return value, len(inner)


def _boolean(value: Value, inner: bool, depth: int) -> tuple[Value, int]:
    return value, 1


def _null(value: Value, inner: bool, depth: int) -> tuple[Value, int]:
    if not inner:
        raise invalid_value("Null attribute value types must have the value of true")
    return value, 1


def _map(value: Value, inner: Mapping[str, Value], depth: int) -> tuple[Value, int]:
    _check_depth(depth)
    check_names(inner)
    found = {}
    size = _OVERHEAD
    for name, one in inner.items():
        found[name], more = checked(one, depth + 1)
        size += more + text_size(name) + 1
    return {"M": found}, size


def _list(value: Value, inner: list[Value], depth: int) -> tuple[Value, int]:
    _check_depth(depth)
    found = []
    size = _OVERHEAD
    for one in inner:
        kept, more = checked(one, depth + 1)
        found.append(kept)
        size += more + 1
    return {"L": found}, size


def check_depth(value: Value, depth: int) -> None:
    """Raises ValidationException for a canonical value that is too deep where it is put, so many levels down."""
    ((kind, inner),) = value.items()
    if kind in ("M", "L"):
        _check_depth(depth)
        for one in inner.values() if kind == "M" else inner:
            check_depth(one, depth + 1)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise invalid("Nesting Levels have exceeded supported limits")


def _string_set(value: Value, inner: list[str], depth: int) -> tuple[Value, int]:
    return _set("SS", inner, inner, "An string set  may not be empty")


def _number_set(value: Value, inner: list[str], depth: int) -> tuple[Value, int]:
    return _set("NS", [numbers.canonical(one) for one in inner], inner, "An number set  may not be empty")


def _binary_set(value: Value, inner: list[bytes], depth: int) -> tuple[Value, int]:
    return _set("BS", inner, inner, "Binary sets should not be empty")


def _set(kind: str, members: list[Any], given: list[Any], empty: str) -> tuple[Value, int]:
    if not members:
        raise invalid_value(empty)
    if len(set(members)) != len(members):
        shown = ", ".join(f"java.nio.HeapByteBuffer[pos=0 lim={len(one)} cap={len(one)}]" if kind == "BS" else one
                          for one in given)  # fmt: skip
        raise invalid_value(f"Input collection [{shown}] contains duplicates.")
    return set_of(kind, members), sum(_member_size(kind, one) for one in members)


def set_of(kind: str, members: list[Any]) -> Value:
    """A set in canonical form, from members that are."""
    return {kind: sorted(members, key=Decimal) if kind == "NS" else sorted(members)}


_OTHERS: Mapping[str, Callable[[Value, Any, int], tuple[Value, int]]] = {
    "B": _binary, "BOOL": _boolean, "NULL": _null, "M": _map, "L": _list,
    "SS": _string_set, "NS": _number_set, "BS": _binary_set,
}  # fmt: skip


def kind_of(value: Value) -> str:
    """ "S", "N", ..."""
    return next(iter(value))


def ordering(value: Value) -> Any:
    """What compares as values of this type do; None for types without an order."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return Decimal(inner)
    return inner if kind in ("S", "B") else None
