"""Reads one blob in pieces, one piece ahead of its consumer.

The open descriptor keeps the content readable after its file was removed (unlink(2)); it closes with the last reader.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from undercast.store.errors import BlobMissing

PIECE_BYTES = 256 * 1024


class OpenBlob:
    """A descriptor that closes when nobody refers to it: neither a reader nor a thread that still reads."""

    __slots__ = ("_descriptor",)

    def __init__(self, path: Path) -> None:
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise BlobMissing(str(path)) from error

    def read(self, start: int, size: int) -> bytes:
        """Bytes from `start`; fewer than `size` only at the end of the file."""
        return os.pread(self._descriptor, size, start)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class BlobReader(AsyncIterator[bytes]):
    """Bytes [start, stop) of a blob."""

    def __init__(self, blob: OpenBlob | None, start: int, stop: int, threads: ThreadPoolExecutor | None) -> None:
        self._blob = blob
        self._next = start
        self._stop = stop
        self._threads = threads
        self._single = stop - start <= PIECE_BYTES
        self._ahead: asyncio.Future[bytes] | None = None
        self._memory = b""

    @classmethod
    def of(cls, content: bytes) -> "BlobReader":
        """A reader of bytes in memory."""
        reader = cls(None, 0, 0, None)
        reader._memory = content
        return reader

    async def __anext__(self) -> bytes:
        if self._memory:
            content, self._memory = self._memory, b""
            return content
        if self._blob is None or (self._ahead is None and self._next >= self._stop):
            await self.aclose()
            raise StopAsyncIteration
        if self._single:
            piece = self._blob.read(self._next, self._stop - self._next)
            self._next += len(piece)
        else:
            piece = await (self._ahead or self._fetch(self._blob))
            self._ahead = self._fetch(self._blob) if self._next < self._stop else None
        if not piece:
            raise OSError("a blob is shorter than its row says")
        return piece

    async def aclose(self) -> None:
        """Let go of the file."""
        self._blob = None
        self._ahead = None
        self._memory = b""

    def _fetch(self, blob: OpenBlob) -> asyncio.Future[bytes]:
        size = min(PIECE_BYTES, self._stop - self._next)
        job = asyncio.get_running_loop().run_in_executor(self._threads, blob.read, self._next, size)
        self._next += size
        return job
