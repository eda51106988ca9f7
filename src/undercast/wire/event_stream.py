"""application/vnd.amazon.eventstream: messages with typed headers, each guarded by two CRCs.

Pure, both ways; the decoder takes bytes as they come.
AWS: Smithy, "Amazon Event Stream Specification"; Transcribe Developer Guide, "Event stream encoding".
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from undercast.core.errors import ServiceError
from undercast.core.record import record

MAX_HEADERS_BYTES = 128 * 1024
MAX_PAYLOAD_BYTES = 24 * 1024 * 1024
_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_OVERHEAD_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGERS = {1: (2, ">b"), 2: (3, ">h"), 4: (4, ">i"), 8: (5, ">q")}
_BY_TYPE = {kind: struct.Struct(layout) for kind, layout in _INTEGERS.values()}


@record(kw_only=False)
class SizedInt:
    """An integer header of a given width (1, 2, 4 or 8 bytes); a plain int is 4 bytes, or 8 where it must be."""

    value: int
    size_bytes: int


HeaderValue = bool | int | SizedInt | bytes | str | datetime | UUID


@record
class Message:
    """One message. Decoded integers are plain ints, timestamps are datetime in UTC with milliseconds."""

    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    payload: bytes = b""


def encode_message(headers: Mapping[str, HeaderValue], payload: bytes = b"") -> bytes:
    """The bytes of a message. Raises ValueError when it is larger than the format allows."""
    head = b"".join([_encode_header(name, value) for name, value in headers.items()])
    if len(head) > MAX_HEADERS_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("the event is larger than an event stream message can be")
    prelude = _PRELUDE.pack(_OVERHEAD_BYTES + len(head) + len(payload), len(head))
    guarded = b"".join((prelude, _CRC.pack(zlib.crc32(prelude)), head, payload))
    return guarded + _CRC.pack(zlib.crc32(guarded))


class MessageDecoder:
    """Turns bytes, cut anywhere, into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises SerializationException for what is no event stream."""
        self._data += data
        messages = []
        while len(self._data) >= _OVERHEAD_BYTES:
            total, headers = _PRELUDE.unpack_from(self._data)
            (crc,) = _CRC.unpack_from(self._data, 8)
            if crc != zlib.crc32(self._data[:8]):
                raise _broken("prelude checksum mismatch")
            if headers > MAX_HEADERS_BYTES or total > _OVERHEAD_BYTES + headers + MAX_PAYLOAD_BYTES:
                raise _broken("message too large")
            if total < _OVERHEAD_BYTES + headers:
                raise _broken("lengths do not add up")
            if len(self._data) < total:
                break
            message = bytes(self._data[:total])
            del self._data[:total]
            if _CRC.unpack_from(message, total - 4)[0] != zlib.crc32(message[:-4]):
                raise _broken("message checksum mismatch")
            messages.append(
                Message(headers=_decode_headers(message[12 : 12 + headers]), payload=message[12 + headers : -4])
            )
        return messages

    def end(self) -> None:
        """Raises SerializationException when the stream ended within a message."""
        if self._data:
            raise _broken("the stream ended within a message")


def _encode_header(name: str, value: HeaderValue) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) < 256:
        raise ValueError(f"an event header's name is 1 to 255 bytes: {name!r}")
    return bytes((len(encoded),)) + encoded + _encode_value(value)


def _encode_value(value: HeaderValue) -> bytes:
    if isinstance(value, bool):
        return b"\0" if value else b"\1"
    if isinstance(value, int):
        value = SizedInt(value, 4 if -(1 << 31) <= value < 1 << 31 else 8)
    if isinstance(value, SizedInt):
        kind, _ = _INTEGERS[value.size_bytes]
        try:
            return bytes((kind,)) + _BY_TYPE[kind].pack(value.value)
        except struct.error as problem:
            raise ValueError(f"{value.value} does not fit into {value.size_bytes} bytes") from problem
    if isinstance(value, datetime):
        return b"\x08" + struct.pack(">q", (value - _EPOCH) // timedelta(milliseconds=1))
    if isinstance(value, UUID):
        return b"\x09" + value.bytes
    kind, data = (7, value.encode()) if isinstance(value, str) else (6, value)
    if len(data) > 0x7FFF:
        raise ValueError("an event header's value is at most 32,767 bytes")
    return bytes((kind,)) + struct.pack(">H", len(data)) + data


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            size = data[at]
            name = _exactly(data, at + 1, size).decode()
            at += 1 + size
            if name in headers or not name:
                raise _broken(f"header {name!r} is empty or comes twice")
            headers[name], at = _decode_value(data[at], data, at + 1)
    except (IndexError, UnicodeDecodeError, struct.error, OverflowError):
        raise _broken("malformed headers") from None
    return headers


def _decode_value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    if kind in (0, 1):
        return kind == 0, at
    if kind in _BY_TYPE:
        layout = _BY_TYPE[kind]
        return layout.unpack_from(data, at)[0], at + layout.size
    if kind in (6, 7):
        (size,) = struct.unpack_from(">H", data, at)
        value = _exactly(data, at + 2, size)
        return value if kind == 6 else value.decode(), at + 2 + size
    if kind == 8:
        return _EPOCH + timedelta(milliseconds=struct.unpack_from(">q", data, at)[0]), at + 8
    if kind == 9:
        return UUID(bytes=_exactly(data, at, 16)), at + 16
    raise _broken(f"header type {kind} is unknown")


def _exactly(data: bytes, at: int, size: int) -> bytes:
    value = data[at : at + size]
    if len(value) != size:
        raise IndexError
    return value


def _broken(reason: str) -> ServiceError:
    return ServiceError("SerializationException", f"Invalid event stream: {reason}")
