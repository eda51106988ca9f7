"""The frames of HTTP/2, as far as a server reads and writes them.

Pure. AWS: RFC 9113, sections 4, 6 and 7.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 6, 7, 8, 9, 11
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 3, 4, 5
MAX_HEADER_LIST_SIZE = 6
FIRST_WINDOW = 65_535
LARGEST_WINDOW = 2**31 - 1
MOST_FRAME_BYTES = 16_384
"""What we announce, and never exceed."""
_HEAD = 9


class ConnectionFailed(Exception):
    """The connection cannot go on: an error code of RFC 9113, section 7."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Frame(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def content(self) -> bytes:
        """Of DATA and HEADERS: without padding and priority. Raises ConnectionFailed."""
        payload = self.payload
        if self.flags & PADDED:
            if not payload or payload[0] >= len(payload):
                raise ConnectionFailed(PROTOCOL_ERROR, "the padding is longer than the frame")
            payload = payload[1 : len(payload) - payload[0]]
        if self.kind == HEADERS and self.flags & PRIORITISED:
            if len(payload) < 5:
                raise ConnectionFailed(FRAME_SIZE_ERROR, "a priority is cut off")
            payload = payload[5:]
        return payload


class FrameReader:
    """Puts frames together from what arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now. Raises ConnectionFailed."""
        self._buffer += data
        while len(self._buffer) >= _HEAD:
            length = int.from_bytes(self._buffer[:3])
            if length > MOST_FRAME_BYTES:
                raise ConnectionFailed(FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            end = _HEAD + length
            if len(self._buffer) < end:
                return
            frame = Frame(
                self._buffer[3],
                self._buffer[4],
                int.from_bytes(self._buffer[5:9]) & LARGEST_WINDOW,
                bytes(self._buffer[_HEAD:end]),
            )
            del self._buffer[:end]
            yield frame


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """As bytes."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def settings(values: Mapping[int, int]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


def read_settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """Key and value of each. Raises ConnectionFailed."""
    if len(payload) % 6:
        raise ConnectionFailed(FRAME_SIZE_ERROR, "settings are cut off")
    for at in range(0, len(payload), 6):
        yield int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 6])


def window_update(stream: int, bytes_more: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, bytes_more.to_bytes(4))


def header_frames(stream: int, block: bytes, *, ends: bool) -> bytes:
    """HEADERS, and CONTINUATION where the block is large."""
    parts = [block[at : at + MOST_FRAME_BYTES] for at in range(0, len(block), MOST_FRAME_BYTES)] or [b""]
    out = b""
    for place, part in enumerate(parts):
        flags = END_HEADERS if place == len(parts) - 1 else 0
        flags |= END_STREAM if ends and place == 0 else 0
        out += frame(CONTINUATION if place else HEADERS, flags, stream, part)
    return out


def goaway(last_stream: int, code: int) -> bytes:
    """A GOAWAY frame."""
    return frame(GOAWAY, 0, 0, last_stream.to_bytes(4) + code.to_bytes(4))


def reset(stream: int, code: int) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4))
