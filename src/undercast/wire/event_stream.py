"""The binary framing of AWS's event streams: prelude, headers, payload, two CRC-32s.

Pure. AWS: Smithy, "Amazon Event Stream specification".
"""

import struct
from collections.abc import Mapping
from zlib import crc32

HeaderValue = bool | int | bytes | str


def encode_message(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """One message. Strings are written as type 7, bytes as 6, ints as 4 (or 5 when they need 64 bits)."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    start = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return start + struct.pack(">I", crc32(start))


def _header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode()
    start = bytes((len(raw),)) + raw
    if isinstance(value, bool):
        return start + (b"\x00" if value else b"\x01")
    if isinstance(value, int):
        return start + (struct.pack(">Bi", 4, value) if -(1 << 31) <= value < 1 << 31 else struct.pack(">Bq", 5, value))
    data = value.encode() if isinstance(value, str) else value
    return start + struct.pack(">BH", 7 if isinstance(value, str) else 6, len(data)) + data
