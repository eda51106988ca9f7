"""Bodies too large to parse on the event loop: parsed in a thread, their base64 cut out first.

json.loads, base64 and a search hold the interpreter's lock for as long as they run, so a thread alone would not let the
loop go on: a blob of 50 MB is looked for and decoded piece by piece, and the document is parsed without it. So are the
documents themselves (`protocols.json`, `protocols.xml`).
AWS: CreateFunction takes a zip of 50 MB inside its JSON.
"""

import asyncio
import binascii
from collections.abc import Iterator
from typing import Any

from undercast.core.errors import ServiceError
from undercast.wire.call import Call
from undercast.wire.codec import Codec
from undercast.wire.draft import LARGE_BYTES
from undercast.wire.model import Shape

_MANY = 2000
"""Maps and lists in a document: reading and checking so many takes ten milliseconds, however small they are."""
_SMALL_BYTES = 8 * _MANY
"""What cannot hold so many: each takes a name besides its brackets."""
_PIECE_BYTES = 1024 * 1024  # a multiple of four: each piece is base64 of its own
_JSON = ("json", "rest-json")

Path = tuple[str, ...]


def is_large(data: bytes) -> bool:
    """Whether reading it would hold up the event loop."""
    size = len(data)
    return size > LARGE_BYTES or (size > _SMALL_BYTES and data.count(b"{") + data.count(b"[") > _MANY)


async def parse_large(codec: Codec, call: Call, data: bytes) -> dict[str, Any]:
    """`Codec.parse` in a thread. The codec was compiled on the loop: compiling is not thread-safe."""
    return await asyncio.to_thread(_parse, codec, call, data)


def _parse(codec: Codec, call: Call, data: bytes) -> dict[str, Any]:
    params = _without_blob(codec, call, data) if call.protocol in _JSON else None
    if params is None:
        return codec.parse(call, data)
    codec.check(params)
    return params


def _without_blob(codec: Codec, call: Call, data: bytes) -> dict[str, Any] | None:
    """The parameters, read around one large blob; None when there is none that can be cut out."""
    for wire_name, path in blob_paths(codec.operation.input):
        found = _find(data, wire_name)
        if found is None:
            continue
        start, end = found
        marker = f"blob at {start} to {end}".encode()
        small = data[:start] + binascii.b2a_base64(marker, newline=False) + data[end:]
        params = codec.read(call, small)
        holder = _holder(params, path)
        if holder is not None and holder.get(path[-1]) == marker:
            holder[path[-1]] = _decoded(memoryview(data)[start:end])
            return params
    return None


def blob_paths(shape: Shape, path: Path = ()) -> Iterator[tuple[str, Path]]:
    """(name on the wire, member names from the top) of blobs in a body that only structures lead to."""
    for name, member in shape.members.items():
        if member["location"] is not None or name in path:
            continue
        if member.type == "blob" and not member["streaming"]:
            yield member.wire_name or name, (*path, name)
        elif member.type == "structure":
            yield from blob_paths(member, (*path, name))


def _find(data: bytes, wire_name: str) -> tuple[int, int] | None:
    """Where the text of a member with a large string begins and ends."""
    key = b'"%s"' % wire_name.encode()
    at = position(data, key, 0, len(data))
    if at < 1 or data[at - 1 : at] == b"\\":
        return None
    at += len(key)
    while data[at : at + 1] in (b" ", b":", b"\n", b"\r", b"\t"):
        at += 1
    end = position(data, b'"', at + 1, len(data))
    if data[at : at + 1] != b'"' or end - at < LARGE_BYTES or position(data, b"\\", at, end) >= 0:
        return None
    return at + 1, end


def position(data: bytes, what: bytes, start: int, end: int) -> int:
    """`bytes.find`, which takes 22 ms for 67 MB in one piece."""
    for at in range(start, end, _PIECE_BYTES):
        found = data.find(what, at, min(at + _PIECE_BYTES + len(what) - 1, end))
        if found >= 0:
            return found
    return -1


def _holder(params: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """The structure that holds the last member of the path."""
    holder = params
    for name in path[:-1]:
        inner = holder.get(name)
        if not isinstance(inner, dict):
            return None
        holder = inner
    return holder


def _decoded(text: memoryview) -> bytes:
    try:
        return b"".join([binascii.a2b_base64(text[at : at + _PIECE_BYTES]) for at in range(0, len(text), _PIECE_BYTES)])
    except binascii.Error:
        raise ServiceError("SerializationException", "The blob is not valid base64.") from None
