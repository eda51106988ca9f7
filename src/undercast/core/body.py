"""The bytes of one message, read once, from memory or as they arrive.

A reader that stops reading stops the sender (back-pressure). Verification (payload hash, checksums) is another
BodyStream around this one that raises at its end, so no reader can commit what was not verified.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from undercast.core.errors import ServiceError

_JOINED_INLINE_BYTES = 1024 * 1024
"""From here on `bytes.join` lets go of the interpreter's lock (CPython: stringlib/join.h, GIL_THRESHOLD)."""


class Blocks(Protocol):
    """A large body that is received into its reader's own buffers, block by block, without a copy in between."""

    @property
    def lanes(self) -> tuple[Callable[[memoryview], None], ...]:
        """What has to see each block, in order: verification's digests. May run in a thread, beside the next `fill`."""
        ...

    @property
    def digests(self) -> frozenset[str]:
        """Names of the digests that `finish` gives."""
        ...

    async def fill(self, buffer: memoryview) -> int:
        """Receive until the buffer is full or the body ends; how many bytes there are. Raises what cut it short."""
        ...

    def finish(self) -> Mapping[str, str]:
        """Behind the last block: digest name -> hexadecimal. Raises when the body is not what its sender said (I1)."""
        ...


class BodyStream:
    """A message body. `length` is its size in bytes when the sender declared it, else None."""

    __slots__ = ("_source", "blocks", "buffered", "digests", "length", "trailers")

    def __init__(self, source: AsyncIterator[bytes] | None, length: int | None, buffered: bytes | None = None) -> None:
        self._source = source
        self.length = length
        self.buffered = buffered
        self.trailers: Mapping[str, str] = {}
        self.blocks: Blocks | None = None
        """The other way to read the body, where there is one; it is read once, by either."""
        self.digests: Mapping[str, str] = {}
        """Once it is in memory, what verification has computed: digest name -> hexadecimal."""

    @classmethod
    def of(cls, data: bytes) -> "BodyStream":
        """A body that is wholly in memory."""
        return cls(None, len(data), data)

    async def read(
        self, limit_bytes: int | None = None, held: Callable[[int], object] = lambda size_bytes: None
    ) -> bytes:
        """The whole body. Raises RequestEntityTooLarge above the limit. `held` hears how many bytes are held further,
        and may raise."""
        if self.buffered is not None:
            data = self.buffered
            held(len(data))
        else:
            parts: list[bytes] = []
            size = 0
            async for part in self:
                size += len(part)
                if limit_bytes is not None and size > limit_bytes:
                    break
                held(len(part))
                parts.append(part)
            if limit_bytes is None or size <= limit_bytes:
                # 50 MB as base64 take 42 ms, most of it the new pages: not on the loop.
                large = size >= _JOINED_INLINE_BYTES
                self.buffered = await asyncio.to_thread(b"".join, parts) if large else b"".join(parts)
                return self.buffered
            raise _too_large(limit_bytes)
        if limit_bytes is not None and len(data) > limit_bytes:
            raise _too_large(limit_bytes)
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.buffered is not None:
            if self.buffered:
                yield self.buffered
            return
        source, self._source = self._source, None
        if source is None:
            raise RuntimeError("a body can be read only once")
        async for part in source:
            yield part


def _too_large(limit_bytes: int) -> ServiceError:
    return ServiceError("RequestEntityTooLargeException", f"Request must be smaller than {limit_bytes} bytes", 413)
