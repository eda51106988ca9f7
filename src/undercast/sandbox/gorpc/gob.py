"""Go's encoding/gob, as much of it as messages of structs need.

Pure and bounded: the peer is a function, so every count is checked against the bytes that are there before anything is
made of it. Structs become dictionaries by field name; fields with their zero value are left out, as on the wire.
Go: package encoding/gob, "Encoding Details".
"""

from collections.abc import Mapping, Sequence

from undercast.core.record import record

Value = bool | int | float | str | bytes | list["Value"] | dict[str, "Value"]

_BOOL, _INT, _UINT, _FLOAT, _BYTES, _STRING = 1, 2, 3, 4, 5, 6
_FIRST_ID = 65
"""Ids that an encoder gives to its own types begin here; below 64 are Go's own."""
_MAX_TYPES = 64
_MAX_ID = 1 << 20
_MAX_DEPTH = 16
_MAX_ELEMENTS = 100_000


class GobError(Exception):
    """The bytes are no gob that a Lambda function sends."""


@record(kw_only=False)
class Struct:
    """A struct type to encode: its name, and (field, type) in order; a type is a built-in's id or a Struct."""

    name: str
    fields: tuple[tuple[str, "int | Struct"], ...]


BOOL, INT, UINT, BYTES, STRING = _BOOL, _INT, _UINT, _BYTES, _STRING


class Encoder:
    """Writes values to one stream: a type is described before its first value."""

    def __init__(self) -> None:
        self._ids: dict[Struct, int] = {}

    def encode(self, kind: Struct, values: Mapping[str, object]) -> bytes:
        """One value, with what the other side has not been told of its type."""
        described = bytearray()
        number = self._describe(kind, described)
        body = _int(number) + self._struct(kind, values)
        return bytes(described) + _uint(len(body)) + body

    def _describe(self, kind: Struct, out: bytearray) -> int:
        known = self._ids.get(kind)
        if known is not None:
            return known
        number = self._ids[kind] = _FIRST_ID + len(self._ids)
        later = bytearray()
        fields = bytearray()
        for name, inner in kind.fields:
            inner_id = self._describe(inner, later) if isinstance(inner, Struct) else inner
            fields += b"\x01" + _bytes(name.encode()) + b"\x01" + _int(inner_id) + b"\x00"
        # wireType{StructT: &structType{CommonType{Name, Id}, Field}}; deltas between field numbers, 0 ends a struct.
        wire = b"\x03\x01\x01" + _bytes(kind.name.encode()) + b"\x01" + _int(number) + b"\x00"
        if kind.fields:
            wire += b"\x01" + _uint(len(kind.fields)) + bytes(fields)
        body = _int(-number) + wire + b"\x00\x00"
        out += _uint(len(body)) + body + later
        return number

    def _struct(self, kind: Struct, values: Mapping[str, object]) -> bytes:
        out = bytearray()
        last = -1
        for index, (name, inner) in enumerate(kind.fields):
            value = values.get(name)
            if not value:
                continue
            out += _uint(index - last)
            last = index
            out += self._struct(inner, _mapping(value)) if isinstance(inner, Struct) else _scalar(inner, value)
        return bytes(out) + b"\x00"


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a struct needs a mapping, not {type(value).__name__}")
    return value


def _scalar(kind: int, value: object) -> bytes:
    if kind == _BYTES and isinstance(value, bytes):
        return _bytes(value)
    if kind == _STRING and isinstance(value, str):
        return _bytes(value.encode())
    if kind == _INT and isinstance(value, int):
        return _int(value)
    if kind in (_UINT, _BOOL) and isinstance(value, int):
        return _uint(int(value))
    raise TypeError(f"cannot encode {type(value).__name__} as type {kind}")


def _uint(number: int) -> bytes:
    if number < 128:
        return bytes((number,))
    size = (number.bit_length() + 7) // 8
    return bytes((256 - size,)) + number.to_bytes(size, "big")


def _int(number: int) -> bytes:
    return _uint(~number << 1 | 1 if number < 0 else number << 1)


def _bytes(data: bytes) -> bytes:
    return _uint(len(data)) + data


def message_size(data: Sequence[int], offset: int = 0) -> tuple[int, int] | None:
    """Where the message at the offset begins and ends, or None when its length has not arrived yet."""
    if len(data) <= offset:
        return None
    first = data[offset]
    if first < 128:
        return offset + 1, offset + 1 + first
    size = 256 - first
    if size > 8:
        raise GobError("a message has an impossible length")
    if len(data) < offset + 1 + size:
        return None
    begin = offset + 1 + size
    return begin, begin + int.from_bytes(bytes(data[offset + 1 : begin]), "big")


@record(kw_only=False)
class _Type:
    """A type that the peer has described: a struct with fields, or a list of one type."""

    fields: tuple[tuple[str, int], ...] = ()
    element: int = 0


class Decoder:
    """Reads the messages of one stream, without their length prefixes."""

    def __init__(self) -> None:
        self._types: dict[int, _Type] = {}

    def decode(self, message: bytes) -> dict[str, Value] | None:
        """A struct's fields; None for a message that only describes a type. Raises GobError."""
        reader = _Reader(message)
        number = reader.signed()
        if number < 0:
            self._learn(-number, reader)
            return None
        value = self._value(number, reader, 0)
        if reader.left() or not isinstance(value, dict):
            raise GobError("a message is not one struct")
        return value

    def _learn(self, number: int, reader: "_Reader") -> None:
        if not 64 <= number <= _MAX_ID or number in self._types or len(self._types) >= _MAX_TYPES:
            raise GobError("a type has an impossible number, or there are too many")
        wire = self._wire_struct("wireType", reader, 0)
        kind, described = next(iter(wire.items()), ("", None))
        if reader.left() or len(wire) != 1 or not isinstance(described, dict):
            raise GobError("a description of a type is broken")
        if kind == "StructT":
            self._types[number] = _Type(fields=_field_list(described.get("Field", [])))
        elif kind in ("SliceT", "ArrayT"):
            element = described.get("Elem", 0)
            self._types[number] = _Type(element=element if isinstance(element, int) else 0)
        else:
            raise GobError(f"a type is a {kind}")

    def _wire_struct(self, name: str, reader: "_Reader", depth: int) -> dict[str, Value]:
        """A struct of Go's own description language."""
        found: dict[str, Value] = {}
        for index in reader.field_numbers(depth):
            fields = _DESCRIPTIONS[name]
            if index >= len(fields):
                raise GobError("a description of a type is broken")
            field, kind = fields[index]
            found[field] = self._described(kind, reader, depth + 1)
        return found

    def _described(self, kind: str, reader: "_Reader", depth: int) -> Value:
        if kind == "string":
            return reader.text()
        if kind == "int":
            return reader.signed()
        if kind == "[]fieldType":
            return [self._wire_struct("fieldType", reader, depth) for _ in range(reader.count())]
        return self._wire_struct(kind, reader, depth)

    def _value(self, kind: int, reader: "_Reader", depth: int) -> Value:
        if kind == _BOOL:
            return bool(reader.uint())
        if kind == _INT:
            return reader.signed()
        if kind == _UINT:
            return reader.uint()
        if kind == _BYTES:
            return reader.blob()
        if kind == _STRING:
            return reader.text()
        described = self._types.get(kind)
        if described is None:
            raise GobError(f"type {kind} was not described")
        if described.element:
            reader.enter(depth)
            return [self._value(described.element, reader, depth + 1) for _ in range(reader.count())]
        found: dict[str, Value] = {}
        for index in reader.field_numbers(depth):
            if index >= len(described.fields):
                raise GobError("a struct has a field too many")
            name, inner = described.fields[index]
            found[name] = self._value(inner, reader, depth + 1)
        return found


_DESCRIPTIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "wireType": (
        ("ArrayT", "arrayType"),
        ("SliceT", "sliceType"),
        ("StructT", "structType"),
        ("MapT", "mapType"),
        ("GobEncoderT", "encoderType"),
        ("BinaryMarshalerT", "encoderType"),
        ("TextMarshalerT", "encoderType"),
    ),
    "CommonType": (("Name", "string"), ("Id", "int")),
    "arrayType": (("CommonType", "CommonType"), ("Elem", "int"), ("Len", "int")),
    "sliceType": (("CommonType", "CommonType"), ("Elem", "int")),
    "structType": (("CommonType", "CommonType"), ("Field", "[]fieldType")),
    "fieldType": (("Name", "string"), ("Id", "int")),
    "mapType": (("CommonType", "CommonType"), ("Key", "int"), ("Elem", "int")),
    "encoderType": (("CommonType", "CommonType"),),
}
"""Go's encoding/gob/type.go: how a stream describes its types."""


def _field_list(value: Value) -> tuple[tuple[str, int], ...]:
    fields = []
    for field in value if isinstance(value, list) else []:
        name, kind = (field.get("Name"), field.get("Id", 0)) if isinstance(field, dict) else (None, 0)
        if not isinstance(name, str) or not isinstance(kind, int):
            raise GobError("a field of a type is broken")
        fields.append((name, kind))
    return tuple(fields)


class _Reader:
    """Reads one message; never beyond its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._elements = 0

    def left(self) -> int:
        return len(self._data) - self._at

    def uint(self) -> int:
        first = self._take(1)[0]
        if first < 128:
            return first
        size = 256 - first
        if size > 8:
            raise GobError("a number is too long")
        return int.from_bytes(self._take(size), "big")

    def signed(self) -> int:
        number = self.uint()
        return ~(number >> 1) if number & 1 else number >> 1

    def blob(self) -> bytes:
        return self._take(self.uint())

    def text(self) -> str:
        return self.blob().decode("utf-8", "replace")

    def count(self) -> int:
        """How many elements follow; each takes a byte at least."""
        number = self.uint()
        self._elements += number
        if number > self.left() or self._elements > _MAX_ELEMENTS:
            raise GobError("a list is longer than its message")
        return number

    def enter(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise GobError("values are nested too deeply")

    def field_numbers(self, depth: int) -> "_FieldNumbers":
        """The numbers of the fields that a struct has, in turn, until its end."""
        self.enter(depth)
        return _FieldNumbers(self)

    def _take(self, size: int) -> bytes:
        if size > self.left():
            raise GobError("a message ends too early")
        begin = self._at
        self._at += size
        return self._data[begin : self._at]


class _FieldNumbers:
    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._last = -1

    def __iter__(self) -> "_FieldNumbers":
        return self

    def __next__(self) -> int:
        delta = self._reader.uint()
        if delta == 0:
            raise StopIteration
        self._last += delta
        return self._last
