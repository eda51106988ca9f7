"""The blobs that Encrypt gives for symmetric keys: which key and material, a nonce, and AES-GCM's output.

The encryption context is authenticated and not stored. AWS's own format is not documented; blobs of AWS cannot be read.
AWS: KMS Developer Guide, "Encryption context".
"""

import json
import os
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from undercast.core.late import Late
from undercast.services.kms.errors import bad_ciphertext

if TYPE_CHECKING:
    from undercast.core.aes_gcm import AesGcm

_VERSION = b"\x01UC"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEAD_BYTES = len(_VERSION) + 1 + 16 + 4 + _NONCE_BYTES
_AES_GCM: Late["type[AesGcm]"] = Late("undercast.core.aes_gcm", "AesGcm")


class Envelope(NamedTuple):
    """A blob in its parts."""

    key_id: str
    material: int
    nonce: bytes
    sealed: bytes
    head: bytes


async def seal(key_id: str, material: int, secret: bytes, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """Encrypt with the key's newest material."""
    nonce = os.urandom(_NONCE_BYTES)
    is_multi_region = key_id.startswith("mrk-")
    raw = bytes.fromhex(key_id[4:]) if is_multi_region else uuid.UUID(key_id).bytes
    head = _VERSION + bytes((is_multi_region,)) + raw + material.to_bytes(4, "big") + nonce
    cipher = (await _AES_GCM.get())(secret)
    return head + cipher.seal(nonce, plaintext, head + _canonical(context))


def parse(blob: bytes) -> Envelope:
    """Raises InvalidCiphertextException for what is no blob of ours."""
    if len(blob) < _HEAD_BYTES + _TAG_BYTES or not blob.startswith(_VERSION) or blob[3] > 1:
        raise bad_ciphertext()
    raw = blob[4:20]
    key_id = f"mrk-{raw.hex()}" if blob[3] else str(uuid.UUID(bytes=raw))
    head = blob[:_HEAD_BYTES]
    return Envelope(key_id, int.from_bytes(blob[20:24], "big"), blob[24:_HEAD_BYTES], blob[_HEAD_BYTES:], head)


async def unseal(envelope: Envelope, secret: bytes, context: Mapping[str, str]) -> bytes:
    """Raises InvalidCiphertextException where blob or context are not what was sealed."""
    cipher = (await _AES_GCM.get())(secret)
    try:
        return cipher.unseal(envelope.nonce, envelope.sealed, envelope.head + _canonical(context))
    except ValueError:
        raise bad_ciphertext() from None


def _canonical(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode() if context else b""
