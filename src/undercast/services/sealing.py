"""Values that a service keeps encrypted: a data key of KMS for each, asked for in the caller's name.

For values of any size; KMS itself encrypts up to 4 KiB. AWS: KMS Developer Guide, "Envelope encryption".
"""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.late import Late

if TYPE_CHECKING:
    from undercast.core.aes_gcm import AesGcm

_NONCE_BYTES = 12
_AES_GCM: Late["type[AesGcm]"] = Late("undercast.core.aes_gcm", "AesGcm")


class Sealed(NamedTuple):
    """What is stored instead of a value."""

    blob: bytes
    data_key: bytes
    """Encrypted by KMS."""


async def seal(ctx: RequestContext, key_id: str, context: Mapping[str, str], plaintext: bytes) -> Sealed:
    """Raises KMS's errors: the key is missing, disabled, or not the caller's to use."""
    wanted = {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": dict(context)}
    made = await ctx.call("kms", "GenerateDataKey", wanted)
    cipher, nonce = (await _AES_GCM.get())(made["Plaintext"]), os.urandom(_NONCE_BYTES)
    return Sealed(nonce + cipher.seal(nonce, plaintext, _bound(context)), made["CiphertextBlob"])


async def unseal(ctx: RequestContext, sealed: Sealed, context: Mapping[str, str]) -> bytes:
    """Raises KMS's errors."""
    wanted = {"CiphertextBlob": sealed.data_key, "EncryptionContext": dict(context)}
    key: bytes = (await ctx.call("kms", "Decrypt", wanted))["Plaintext"]
    cipher = (await _AES_GCM.get())(key)
    return cipher.unseal(sealed.blob[:_NONCE_BYTES], sealed.blob[_NONCE_BYTES:], _bound(context))


def _bound(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True).encode()
