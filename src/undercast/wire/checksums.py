"""The checksums that S3 takes beside a payload: CRCs, SHAs, MD5, XXHASH, and the older Content-MD5.

Pure. A value travels as base64 of the big-endian digest.
AWS: S3 User Guide, "Checking object integrity"; the header is x-amz-checksum-<algorithm>.
"""

import base64
import binascii
import hashlib
import importlib
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

PREFIX = "x-amz-checksum-"
_HASHES = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
"""`hashlib.new` takes four times as long to begin one."""
DIGEST_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "crc32": 4,
        "crc32c": 4,
        "crc64nvme": 8,
        "sha1": 20,
        "sha256": 32,
        "sha512": 64,
        "md5": 16,
        "xxhash64": 8,
        "xxhash3": 8,
        "xxhash128": 16,
    }
)
_XXHASH = MappingProxyType({"xxhash64": "new_xxhash64", "xxhash3": "new_xxhash3_64", "xxhash128": "new_xxhash3_128"})


class Checksum(Protocol):
    """A running digest."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more of the payload."""
        ...

    def digest(self) -> bytes:
        """The digest of what was taken."""
        ...


class Crc:
    """A running CRC. `function` takes data and the value so far."""

    __slots__ = ("_function", "_size_bytes", "_value")

    def __init__(self, function: Callable[[bytes | memoryview, int], int], size_bytes: int) -> None:
        self._function = function
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        """See `Checksum`."""
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        """See `Checksum`."""
        return self._value.to_bytes(self._size_bytes, "big")


class XxHash:
    """A running XXHASH of awscrt, whose digest can be taken once."""

    __slots__ = ("_running",)

    def __init__(self, running: Any) -> None:
        self._running = running

    def update(self, data: bytes | memoryview, /) -> None:
        """See `Checksum`."""
        self._running.update(bytes(data))  # awscrt takes nothing else

    def digest(self) -> bytes:
        """See `Checksum`."""
        return bytes(self._running.finalize())


def new_checksum(algorithm: str) -> Checksum:
    """A checksum by its name in the header. Raises KeyError for a name not in DIGEST_BYTES."""
    size = DIGEST_BYTES[algorithm]
    if algorithm == "crc32":
        return Crc(zlib.crc32, size)
    if algorithm.startswith("crc"):
        return Crc(getattr(_awscrt(), algorithm), size)
    if algorithm in _XXHASH:
        return XxHash(getattr(_awscrt().XXHash, _XXHASH[algorithm])())
    return _HASHES[algorithm](usedforsecurity=False)


def _awscrt() -> Any:
    # Imported at first use: awscrt takes 60 ms to load, which every start would pay.
    return importlib.import_module("awscrt.checksums")


def decode_digest(algorithm: str, text: str) -> bytes | None:
    """The digest in a header's value; None when the value is not base64 of the right length.

    S3 takes no other spelling than base64's own: bits behind the last byte are zero (openstack/swift's
    test/s3api/test_object_checksums.py, which runs against S3, too: "INVALID").
    """
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    whole = len(digest) == DIGEST_BYTES[algorithm] and base64.b64encode(digest).decode() == text
    return digest if whole else None
