"""Header lists of an HTTP/2 connection, put together from HEADERS and CONTINUATION.

No I/O. AWS: RFC 9113, sections 4.3, 6.2 and 6.10.
"""

from typing import NamedTuple

from undercast.http import frames
from undercast.http.frames import ConnectionFailed, Frame
from undercast.http.hpack import Decoder


class Block(NamedTuple):
    """A whole header list."""

    stream: int
    ends: bool
    """Whether the request ends with it."""
    headers: list[tuple[str, str]]


class HeaderBlocks:
    """The reading side of one connection. Its methods raise ConnectionFailed and HpackError."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._decoder = Decoder(max_bytes)
        self._begun: tuple[int, bool, bytearray] | None = None
        """What CONTINUATION goes on with: its stream, whether the request ends there, what has come."""

    def check_turn(self, frame: Frame) -> None:
        """Nothing comes between the frames of a block."""
        if self._begun is not None and (frame.kind != frames.CONTINUATION or frame.stream != self._begun[0]):
            raise ConnectionFailed(frames.PROTOCOL_ERROR, "headers are interrupted")
        if self._begun is None and frame.kind == frames.CONTINUATION:
            raise ConnectionFailed(frames.PROTOCOL_ERROR, "there are no headers to go on with")

    def add(self, frame: Frame) -> Block | None:
        """Take HEADERS or CONTINUATION; the list, when it is whole."""
        if self._begun is None:
            if frame.stream % 2 == 0:
                raise ConnectionFailed(frames.PROTOCOL_ERROR, "clients have odd streams")
            self._begun = (frame.stream, bool(frame.flags & frames.END_STREAM), bytearray(frame.content()))
        else:
            self._begun[2].extend(frame.payload)
            if len(self._begun[2]) > self._max_bytes:
                raise ConnectionFailed(frames.ENHANCE_YOUR_CALM, "the headers are too large")
        if not frame.flags & frames.END_HEADERS:
            return None
        (stream, ends, block), self._begun = self._begun, None
        return Block(stream, ends, self._decoder.decode(bytes(block)))
