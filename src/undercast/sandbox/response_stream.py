"""An answer on its way from a runtime to its caller, piece by piece.

The runtime's connection pours in what it reads, and rests while the caller has not taken enough of it; a caller that
has left lets the rest go to waste, for the function runs on. One caller, one iteration.
AWS: Lambda Developer Guide, "Response streaming for Lambda functions" (200 MB; 6 MB at once, then 2 MB a second).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from undercast.core.recurring import every

MAX_STREAM_BYTES = 200 * 1024 * 1024
BURST_BYTES = 6 * 1024 * 1024
BYTES_PER_S = 2 * 1024 * 1024
HIGH_BYTES = 256 * 1024
"""More than this is not read ahead of the caller."""


class Source(Protocol):
    """Where the pieces come from."""

    def rest(self) -> None:
        """Read no further."""
        ...

    def go_on(self) -> None:
        """Read again."""
        ...


class ResponseStream:
    """See the module."""

    def __init__(self) -> None:
        self.content_type = ""
        """What the runtime says of it; "" until it has begun."""
        self.begun = False
        """Whether the runtime streams; it may as well answer in one piece, which is then the invocation's result."""
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._total_bytes = 0
        self._source: Source | None = None
        self._rests = False
        self._ended = False
        self._abandoned = False
        self._wake: asyncio.Future[None] | None = None

    # The runtime's side

    def begin(self, content_type: str, source: Source) -> None:
        """The head of a streamed answer has been read."""
        self.content_type, self.begun, self._source = content_type, True, source
        self._ring()

    def pour(self, piece: bytes) -> bool:
        """Take a piece; False when the answer is longer than AWS allows: what follows is of no use."""
        self._total_bytes += len(piece)
        if self._total_bytes > MAX_STREAM_BYTES:
            return False
        if not (self._abandoned or self._ended):
            self._pieces.append(piece)
            self._waiting_bytes += len(piece)
            if self._waiting_bytes > HIGH_BYTES and not self._rests and self._source is not None:
                self._rests = True
                self._source.rest()
            self._ring()
        return True

    def end(self) -> None:
        """The invocation is over: nothing follows. What its connection brings next is none of the caller's."""
        self._ended = True
        self._go_on()
        self._source = None
        self._ring()

    # The caller's side

    async def opened(self) -> None:
        """Return when the first piece may come, or nothing ever will."""
        while not (self.begun or self._ended):
            await self._rung()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What the runtime sends, as soon as it is there."""
        try:
            while True:
                while self._pieces:
                    yield self._take()
                if self._ended:
                    return
                await self._rung()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """The caller has left; also one that has never taken a piece, whose iteration has not begun."""
        self._abandoned = True
        self._pieces.clear()
        self._go_on()

    def _take(self) -> bytes:
        """Everything that waits, as one piece: who is slow is not made slower."""
        piece = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting_bytes = 0
        self._go_on()
        return piece

    def _go_on(self) -> None:
        if self._rests and self._source is not None:
            self._rests = False
            self._source.go_on()

    def _ring(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _rung(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake  # ends with the invocation, whose deadline bounds it
        finally:
            self._wake = None


async def paced(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces at AWS's pace: 6 MB at once, then 2 MB a second."""
    burst = BURST_BYTES
    async for piece in pieces:
        free, rest = piece[:burst], piece[burst:]
        burst -= len(free)
        if free:
            yield free
        for at in range(0, len(rest), BYTES_PER_S // 10):
            part = rest[at : at + BYTES_PER_S // 10]
            await every(len(part) / BYTES_PER_S)()
            yield part
