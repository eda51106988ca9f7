"""Tar archives of strangers: Python's tarfile without what makes it read or write more than there is.

Sparse files are refused, headers are small, and a compressed archive is read forwards, in flat memory.
Sources: pax(1), tar(5).
"""

import hashlib
import tarfile
import zlib
from typing import IO, Any

from undercast.services.lambda_.images.compression import Compression, decompressor
from undercast.services.lambda_.images.faults import InvalidImage

_MAX_HEADER_BYTES = 1024 * 1024
_PIECE_BYTES = 256 * 1024
_FIRST_BITE_BYTES = 512
"""What a member of gzip or a frame of zstd is given at first, and then twice as much each time: what it leaves is
copied."""
MAX_MEMBERS = 1_000_000
"""Of one layer: some builders write one for each file."""
BROKEN = (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, RecursionError, KeyError)
"""What tarfile and zlib raise for archives that are none."""


class Entry(tarfile.TarInfo):
    """A member. tarfile calls these methods when it meets the headers that they are named after."""

    def _proc_pax(self, archive: tarfile.TarFile) -> Any:
        self._check_header()
        return super()._proc_pax(archive)  # type: ignore[misc]

    def _proc_gnulong(self, archive: tarfile.TarFile) -> Any:
        self._check_header()
        return super()._proc_gnulong(archive)  # type: ignore[misc]

    def _check_header(self) -> None:
        if not 0 <= self.size <= _MAX_HEADER_BYTES:
            raise InvalidImage(f"a header is larger than {_MAX_HEADER_BYTES} bytes")

    def _refuse_sparse(self, *arguments: object) -> Any:
        raise InvalidImage("it has sparse files, which are not read")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


class Forward:
    """A layer as tarfile reads it: unpacked piece by piece, with the digests of both forms and a limit."""

    def __init__(self, source: IO[bytes], *, compression: Compression, limit_bytes: int) -> None:
        self._source = source
        self._compression = compression
        self._member = decompressor(compression)
        self._limit_bytes = limit_bytes
        self._stored, self._plain = hashlib.sha256(), hashlib.sha256()
        self._waiting = b""
        """Unpacked, not read yet."""
        self._packed = memoryview(b"")
        """Received last; unpacked up to `_unpacked_to`."""
        self._unpacked_to = 0
        self._bite_bytes = _FIRST_BITE_BYTES
        self._members = 1
        self._position = 0
        self._taken = self._received = 0

    @property
    def digests(self) -> tuple[str, str]:
        """Of the form that was read, and of the archive; behind `drain`."""
        return self._stored.hexdigest(), self._plain.hexdigest()

    def tell(self) -> int:
        """How many bytes of the archive were read."""
        return self._position

    def seek(self, position: int, whence: int = 0) -> int:
        """Forwards only: tarfile skips what nobody reads."""
        if whence or position < self._position:
            raise InvalidImage("its archive leads backwards")
        while self._position < position:
            if not self._take(min(position - self._position, _PIECE_BYTES)):
                raise InvalidImage("its archive ends too early")
        return self._position

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end."""
        if not 0 <= size <= 2 * _MAX_HEADER_BYTES:
            raise InvalidImage("a header is too large")
        pieces = []
        while size and (piece := self._take(size)):
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def drain(self) -> None:
        """Read what is behind the last entry."""
        while self._take(_PIECE_BYTES):
            pass
        if self._member is not None and not self._member.eof:
            raise InvalidImage("a layer is cut short")

    def _take(self, size: int) -> bytes:
        if not self._waiting:
            self._waiting = self._next()
        piece, self._waiting = self._waiting[:size], self._waiting[size:]
        self._position += len(piece)
        return piece

    def _next(self) -> bytes:
        """The next piece, at most `_PIECE_BYTES` however well it was packed."""
        while True:
            piece = self._unpacked()
            if piece is None:
                return b""
            if piece:
                break
        self._taken += len(piece)
        if self._taken > self._limit_bytes:
            raise InvalidImage("it is larger than an image may be")
        self._plain.update(piece)
        return piece

    def _unpacked(self) -> bytes | None:
        holds = self._member is not None and self._member.holds
        if not holds and self._unpacked_to == len(self._packed):
            received = self._source.read(_PIECE_BYTES)
            self._stored.update(received)
            self._received += len(received)
            if self._received > self._limit_bytes:
                raise InvalidImage("it is larger than an image may be")
            if not received:
                return None
            if self._member is None:
                return received
            self._packed, self._unpacked_to = memoryview(received), 0
        assert self._member is not None
        if self._member.eof:  # gzip(1), RFC 8878: members and frames follow each other
            self._next_member()
        bite = self._packed[self._unpacked_to : self._unpacked_to + (0 if holds else self._bite_bytes)]
        piece, left = self._member.unpack(bite, _PIECE_BYTES)
        self._unpacked_to += len(bite) - left
        self._bite_bytes = min(2 * self._bite_bytes, _PIECE_BYTES)
        return piece

    def _next_member(self) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise InvalidImage(f"a layer is packed in more than {MAX_MEMBERS} pieces")
        self._member = decompressor(self._compression)
        self._bite_bytes = _FIRST_BITE_BYTES
