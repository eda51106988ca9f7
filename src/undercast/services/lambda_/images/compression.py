"""One member of a gzip file, or one frame of zstd, unpacked piece by piece: never more at once than is asked for.

Sources: zlib's manual (windowBits 31 is gzip); RFC 8878 (zstd: frames, skippable frames, window size).
"""

import sys
import zlib
from types import ModuleType
from typing import Literal, Protocol

from undercast.services.lambda_.images.faults import InvalidImage

Compression = Literal["", "gzip", "zstd"]
WINDOW_LOG = 27
"""128 MiB: what zstd(1) reads unless told otherwise, and what its levels up to 22 ask for. A larger one is refused."""


def zstd_module() -> ModuleType:
    """PEP 784. Imported here: few images need it."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


class Decompressor(Protocol):
    """Of one member or frame."""

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""
        ...

    @property
    def holds(self) -> bool:
        """Whether there is more to be had without any more input: then it is given none."""
        ...

    def unpack(self, packed: memoryview, limit_bytes: int) -> tuple[bytes, int]:
        """The next piece, and how much of the input it leaves, of this call or of earlier ones."""
        ...


class _Gzip:
    """What zlib does not take, it gives back each time."""

    holds = False

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    def unpack(self, packed: memoryview, limit_bytes: int) -> tuple[bytes, int]:
        piece = self._inner.decompress(packed, limit_bytes)
        return piece, len(self._inner.unconsumed_tail) or len(self._inner.unused_data)


class _Zstd:
    """What zstd does not take at once, it keeps; only behind the frame's end something is left."""

    def __init__(self) -> None:
        zstd = zstd_module()
        self._error = zstd.ZstdError
        self._inner = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def holds(self) -> bool:
        return not (self._inner.eof or self._inner.needs_input)

    def unpack(self, packed: memoryview, limit_bytes: int) -> tuple[bytes, int]:
        try:
            piece = self._inner.decompress(packed, limit_bytes)
        except self._error as error:
            raise InvalidImage(f"a layer is not zstd: {error}") from error
        return piece, len(self._inner.unused_data) if self._inner.eof else 0


def decompressor(compression: Compression) -> Decompressor | None:
    """For the next member; None where nothing is compressed."""
    if compression == "gzip":
        return _Gzip()
    return _Zstd() if compression == "zstd" else None
