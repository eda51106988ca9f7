"""CBOR (RFC 8949) as RPC v2 uses it: reads every form that decoders must take, writes the shortest one.

Pure. Malformed input raises ValueError (nesting that is too deep included). Tag 1 is a timestamp.
AWS: Smithy, "Smithy RPC v2 CBOR protocol", "shape serialization".
"""

import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from undercast.core.record import record
from undercast.wire.values import from_epoch, to_epoch

MAX_DEPTH = 256
_SIMPLE: tuple[Any, ...] = (False, True, None, None)
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_TIMESTAMP = 1
_BREAK = 0xFF


def dumps(value: Any) -> bytes:
    """Encode dicts, lists, str, bytes, bool, int, float, datetime, `Tagged` and None."""
    out = bytearray()
    _write(value, out)
    return bytes(out)


@record(kw_only=False)
class Tagged:
    """A timestamp's number as it is: AWS's older dialect counts milliseconds where RFC 8949 counts seconds."""

    number: int


def loads(data: bytes, *, timestamp_unit_s: float = 1.0) -> Any:
    """Decode one item. Raises ValueError when it is malformed or something follows it."""
    try:
        value, end = _Reader(data, timestamp_unit_s).item(0, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError):
        raise ValueError("truncated or malformed CBOR") from None
    if end != len(data):
        raise ValueError("bytes behind the CBOR item")
    return value


def _head(major: int, number: int, out: bytearray) -> None:
    major <<= 5
    if number < 24:
        out.append(major | number)
    elif number < 1 << 8:
        out += bytes((major | 24, number))
    elif number < 1 << 16:
        out += struct.pack(">BH", major | 25, number)
    elif number < 1 << 32:
        out += struct.pack(">BI", major | 26, number)
    else:
        out += struct.pack(">BQ", major | 27, number)


def _write(value: Any, out: bytearray) -> None:
    if isinstance(value, str):
        raw = value.encode("utf-8", "replace")
        _head(3, len(raw), out)
        out += raw
    elif value is None or isinstance(value, bool):
        out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _head(0 if value >= 0 else 1, value if value >= 0 else -1 - value, out)
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xFB, value)
    elif isinstance(value, datetime):
        _head(6, _TIMESTAMP, out)
        _write(to_epoch(value), out)
    elif isinstance(value, Tagged):
        _head(6, _TIMESTAMP, out)
        _write(value.number, out)
    elif isinstance(value, Mapping):
        present = [(key, item) for key, item in value.items() if item is not None]
        _head(5, len(present), out)
        for key, item in present:
            _write(key, out)
            _write(item, out)
    elif isinstance(value, bytes | bytearray):
        _head(2, len(value), out)
        out += value
    else:
        _head(4, len(value), out)
        for item in value:
            _write(item, out)


class _Reader:
    """Decodes from one buffer; positions are passed along, so nothing is copied but strings."""

    def __init__(self, data: bytes, timestamp_unit_s: float) -> None:
        self._data = data
        self._unit_s = timestamp_unit_s

    def item(self, at: int, depth: int) -> tuple[Any, int]:
        """The item that starts there and the position behind it."""
        if depth > MAX_DEPTH:
            raise ValueError("CBOR is nested too deeply")
        initial = self._data[at]
        major, info = initial >> 5, initial & 31
        if major == 7:
            return self._simple(info, at + 1)
        if info == 31:
            return self._indefinite(major, at + 1, depth)
        number, at = self._number(info, at + 1)
        if major == 0:
            return number, at
        if major == 1:
            return -1 - number, at
        if major in (2, 3):
            return self._string(major, number, at)
        if major == 4:
            return self._list(number, at, depth)
        if major == 5:
            return self._map(number, at, depth)
        return self._tagged(number, at, depth)

    def _number(self, info: int, at: int) -> tuple[int, int]:
        if info < 24:
            return info, at
        if info > 27:
            raise ValueError("reserved CBOR length")
        size = 1 << (info - 24)
        if at + size > len(self._data):
            raise ValueError("truncated CBOR")
        return int.from_bytes(self._data[at : at + size], "big"), at + size

    def _simple(self, info: int, at: int) -> tuple[Any, int]:
        if info in _FLOATS:
            code, size = _FLOATS[info]
            return struct.unpack_from(code, self._data, at)[0], at + size
        if 20 <= info <= 23:
            return _SIMPLE[info - 20], at
        raise ValueError("unknown CBOR simple value")

    def _string(self, major: int, size: int, at: int) -> tuple[Any, int]:
        if at + size > len(self._data):
            raise ValueError("truncated CBOR")
        raw = self._data[at : at + size]
        return (raw.decode() if major == 3 else raw), at + size

    def _list(self, count: int, at: int, depth: int) -> tuple[list[Any], int]:
        if count > len(self._data) - at:
            raise ValueError("truncated CBOR")
        items = []
        for _ in range(count):
            value, at = self.item(at, depth + 1)
            items.append(value)
        return items, at

    def _map(self, count: int, at: int, depth: int) -> tuple[dict[Any, Any], int]:
        if count > len(self._data) - at:
            raise ValueError("truncated CBOR")
        items = {}
        for _ in range(count):
            key, at = self.item(at, depth + 1)
            items[key], at = self.item(at, depth + 1)
        return items, at

    def _tagged(self, tag: int, at: int, depth: int) -> tuple[Any, int]:
        value, at = self.item(at, depth + 1)
        if tag != _TIMESTAMP:
            return value, at
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("a CBOR timestamp is a number")
        return from_epoch(value * self._unit_s), at

    def _indefinite(self, major: int, at: int, depth: int) -> tuple[Any, int]:
        items = []
        while self._data[at] != _BREAK:
            value, at = self.item(at, depth + 1)
            items.append(value)
        if major == 4:
            return items, at + 1
        if major == 5:
            if len(items) % 2:
                raise ValueError("a CBOR map key without a value")
            return dict(zip(items[::2], items[1::2], strict=True)), at + 1
        if major == 3:
            return "".join(items), at + 1
        if major == 2:
            return b"".join(items), at + 1
        raise ValueError("CBOR of indefinite length that has none")
