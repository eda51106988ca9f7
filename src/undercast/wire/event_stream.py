"""application/vnd.amazon.eventstream: messages with typed headers, each guarded by two CRCs.

Pure. We only write them: no operation here takes events.
AWS: Smithy, "Amazon Event Stream Specification"; Transcribe Developer Guide, "Event stream encoding".
"""

import struct
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

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


def encode_message(headers: Mapping[str, HeaderValue], payload: bytes = b"") -> bytes:
    """The bytes of a message. Raises ValueError when it is larger than the format allows."""
    head = b"".join([_encode_header(name, value) for name, value in headers.items()])
    if len(head) > MAX_HEADERS_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("the event is larger than an event stream message can be")
    prelude = _PRELUDE.pack(_OVERHEAD_BYTES + len(head) + len(payload), len(head))
    guarded = b"".join((prelude, _CRC.pack(zlib.crc32(prelude)), head, payload))
    return guarded + _CRC.pack(zlib.crc32(guarded))


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
