"""Digests of a body, computed while it streams.

CPU only; releases the GIL for blocks above 2 KiB, so that a thread can do it beside the event loop.
AWS: S3 User Guide, "Checking object integrity"; API_PutObject's x-amz-checksum-* headers.
"""

import hashlib
import importlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

Checksum = Callable[[bytes | memoryview, int], int]
CRC_DIGITS = {"crc32": 8, "crc32c": 8, "crc64nvme": 16}
_HASHES = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256}
"""`hashlib.new` looks for each name anew, which takes longer than the MD5 of a kilobyte."""


class Digest(Protocol):
    """Takes the bytes in order, knows their digest."""

    def update(self, data: bytes | memoryview, /) -> None:
        """The next bytes."""
        ...

    def hexdigest(self) -> str:
        """The digest of all bytes so far, lower-case hexadecimal."""
        ...


class Crc:
    """A CRC with the interface of hashlib."""

    def __init__(self, checksum: Checksum, digits: int) -> None:
        self._checksum = checksum
        self._digits = digits
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        """See `Digest`."""
        self._value = self._checksum(data, self._value)

    def hexdigest(self) -> str:
        """See `Digest`. Big-endian, as S3 writes it (in base64)."""
        return f"{self._value:0{self._digits}x}"


def new_digest(name: str) -> Digest:
    """An empty digest. Raises ValueError for a name that S3 does not have."""
    if name in CRC_DIGITS:
        return Crc(_checksum(name), CRC_DIGITS[name])
    if name in _HASHES:
        return _HASHES[name](usedforsecurity=False)
    raise ValueError(f"no digest is called {name}")


def digest_of(name: str, data: bytes) -> str:
    """The digest of all the bytes, hexadecimal. Raises as `new_digest` does."""
    digest = new_digest(name)
    digest.update(data)
    return digest.hexdigest()


@cache
def _checksum(name: str) -> Checksum:
    found: Checksum = zlib.crc32 if name == "crc32" else getattr(crt_checksums(), name)
    return found


def crt_checksums() -> Any:
    """The module awscrt.checksums, imported at first use: it takes 30 ms to load, an eighth of a start."""
    return importlib.import_module("awscrt.checksums")
