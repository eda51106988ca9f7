"""Key material: made, and used to authenticate. What asymmetric keys do is in `key_pair.py`.

Pure but for the operating system's randomness. Secrets are raw bytes (symmetric, HMAC) or PKCS 8.
AWS: KMS Developer Guide, "Key spec reference"; API Reference, Sign (digests), GenerateMac.
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from undercast.core.late import Late
from undercast.services.kms.specs import SYMMETRIC

if TYPE_CHECKING:
    from undercast.services.kms.key_pair import KeyPair

T = TypeVar("T")
_KEY_PAIR: Late["type[KeyPair]"] = Late("undercast.services.kms.key_pair", "KeyPair")


def generate(spec: str) -> bytes:
    """New material. Slow for large RSA keys: call it in a thread."""
    if spec == SYMMETRIC:
        return os.urandom(32)
    if spec.startswith("HMAC_"):
        return os.urandom(int(spec.removeprefix("HMAC_")) // 8)
    return _KEY_PAIR.here().generate(spec)


async def with_pair(secret: bytes, use: "Callable[[KeyPair], T]") -> T:
    """What `use` makes of the pair, in a thread: RSA_4096 takes 8 ms to sign and to decrypt."""
    return await asyncio.to_thread(lambda: use(_KEY_PAIR.here()(secret)))


def digest_size(algorithm: str) -> int:
    """Bytes that a message of MessageType DIGEST must have."""
    return int(algorithm.rpartition("_")[2]) // 8


def mac(secret: bytes, algorithm: str, message: bytes) -> bytes:
    """HMAC."""
    return hmac.digest(secret, message, hashlib.new(f"sha{algorithm.rpartition('_')[2]}").name)
