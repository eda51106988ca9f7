"""Values as trees of dicts, lists and scalars: what JSON and CBOR share.

Each shape is compiled once into a closure that reads (checks types, renames, drops nulls and unknown members) and one
that writes; a shape whose values need no change writes through None, that is: not at all.
AWS: Smithy, "AWS JSON protocol shape serialization", "RPC v2 CBOR shape serialization".
"""

from collections.abc import Callable, Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.wire.model import Shape
from undercast.wire.protocols.once import once
from undercast.wire.values import in_range

Walk = Callable[[Any], Any]
_SCALARS_AS_THEY_ARE = frozenset({"string", "boolean", "integer", "long", "character"})


@record
class Leaves:
    """How one format writes and reads what it has no type for. A write of None: as it is."""

    read_blob: Walk
    read_timestamp: Walk
    read_float: Walk
    write_blob: Walk | None
    write_timestamp: Callable[[Shape], Walk]
    write_float: Walk | None


class TreeCompiler:
    """Compiles the shapes of one service for one format. Closures of recursive shapes refer to themselves.

    `plain`: members are read by their own names, not by those that the service's protocol gives them.
    """

    def __init__(self, leaves: Leaves, *, plain: bool = False) -> None:
        self._leaves = leaves
        self._plain = plain
        self._readers: dict[str, Walk] = {}
        self._writers: dict[str, Walk | None] = {}

    def reader(self, shape: Shape) -> Walk:
        """A closure from a decoded value to what botocore's client would have been given."""
        return once(self._readers, shape, self._read)

    def writer(self, shape: Shape) -> Walk | None:
        """A closure from an output value to one that the format can dump; None when it can be dumped as it is."""
        if not self.needs_walk(shape, set()):
            return None
        key = shape.key_of_definition
        if key not in self._writers:
            self._writers[key] = lambda value: self._forward(key, value)
            self._writers[key] = self._write(shape)
        return self._writers[key]

    def needs_walk(self, shape: Shape, seen: set[str]) -> bool:
        """Whether anything reachable from the shape is written differently from what it is."""
        if shape.key_of_definition in seen:
            return False
        seen.add(shape.key_of_definition)
        kind = shape.type
        if kind == "structure":
            return any(
                (member.wire_name not in (None, name)) or self.needs_walk(member, seen)
                for name, member in shape.members.items()
            )
        if kind == "list":
            return self.needs_walk(shape.member, seen)
        if kind == "map":
            return self.needs_walk(shape.value, seen)
        if kind == "blob":
            return self._leaves.write_blob is not None
        if kind in ("float", "double"):
            return self._leaves.write_float is not None
        return kind not in _SCALARS_AS_THEY_ARE

    def _forward(self, key: str, value: Any) -> Any:
        walk = self._writers[key]
        return value if walk is None else walk(value)

    def _read(self, shape: Shape) -> Walk:
        kind = shape.type
        if kind == "structure":
            return self._read_document if shape["document"] else self._read_structure(shape)
        if kind == "list":
            return _read_list(self.reader(shape.member))
        if kind == "map":
            return _read_map(self.reader(shape.value))
        if kind == "blob":
            return self._leaves.read_blob
        if kind == "timestamp":
            return self._leaves.read_timestamp
        if kind in ("float", "double"):
            return self._leaves.read_float
        if kind in ("integer", "long"):
            return _read_integer(kind)
        return _read_boolean if kind == "boolean" else _read_string

    @staticmethod
    def _read_document(value: Any) -> Any:
        return value

    def _read_structure(self, shape: Shape) -> Walk:
        members = {
            name if self._plain else member.wire_name or name: (name, self.reader(member))
            for name, member in shape.members.items()
        }

        def structure(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise wrong_type(value, "a structure")
            found: dict[str, Any] = {}
            for key, item in value.items():
                member = members.get(key)
                if member is not None and item is not None:
                    found[member[0]] = member[1](item)
            return found

        return structure

    def _write(self, shape: Shape) -> Walk | None:
        kind = shape.type
        if kind == "structure":
            return _write_structure(
                {name: (member.wire_name or name, self.writer(member)) for name, member in shape.members.items()}
            )
        if kind == "list":
            return _write_list(self.writer(shape.member))
        if kind == "map":
            return _write_map(self.writer(shape.value))
        if kind == "blob":
            return self._leaves.write_blob
        if kind == "timestamp":
            return self._leaves.write_timestamp(shape)
        if kind in ("float", "double"):
            return self._leaves.write_float
        return None


def wrong_type(value: Any, expected: str) -> ServiceError:
    """The error for a value of another type than the model's."""
    return ServiceError("SerializationException", f"{_token(value)} can not be converted to {expected}")


def _token(value: Any) -> str:
    if value is None:
        return "NULL_VALUE"
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if isinstance(value, int | float):
        return "NUMBER_VALUE"
    if isinstance(value, dict):
        return "START_OBJECT"
    return "START_ARRAY" if isinstance(value, list) else "STRING_VALUE"


def _read_string(value: Any) -> str:
    if type(value) is not str:
        raise wrong_type(value, "a String")
    return value


def _read_boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise wrong_type(value, "a Boolean")
    return value


def _read_integer(kind: str) -> Walk:
    name = "an Integer" if kind == "integer" else "a Long"

    def integer(value: Any) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise wrong_type(value, name)
        try:
            return in_range(value, kind)
        except ValueError:
            raise ServiceError("SerializationException", f"Numeric value out of range of {name[2:].strip()}") from None

    return integer


def _read_list(member: Walk) -> Walk:
    def items(value: Any) -> list[Any]:
        if type(value) is not list:
            raise wrong_type(value, "a list")
        return [member(item) for item in value]

    return items


def _read_map(member: Walk) -> Walk:
    def mapping(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise wrong_type(value, "a map")
        return {_read_string(key): member(item) for key, item in value.items() if item is not None}

    return mapping


def _write_structure(members: Mapping[str, tuple[str, Walk | None]]) -> Walk:
    def structure(value: Mapping[str, Any]) -> dict[str, Any]:
        written = {}
        for name, item in value.items():
            member = members.get(name)
            if member is not None and item is not None:
                walk = member[1]
                written[member[0]] = item if walk is None else walk(item)
        return written

    return structure


def _write_list(member: Walk | None) -> Walk | None:
    if member is None:
        return None
    return lambda value: [member(item) for item in value]


def _write_map(member: Walk | None) -> Walk | None:
    if member is None:
        return None
    return lambda value: {key: member(item) for key, item in value.items() if item is not None}
