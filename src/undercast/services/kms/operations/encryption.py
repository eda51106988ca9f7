"""Encrypt, Decrypt, ReEncrypt, data keys and random bytes.

AWS: KMS API Reference, the operations of these names.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.core.service import Params, operation
from undercast.services.kms import ciphertext, material, store
from undercast.services.kms.errors import (
    bad_ciphertext,
    invalid,
    invalid_algorithm,
    invalid_usage,
    unknown_ciphertext,
    wrong_key,
)
from undercast.services.kms.instance import Kms
from undercast.services.kms.models import Key
from undercast.services.kms.specs import ENCRYPT, SYMMETRIC

MAX_RANDOM_BYTES = 1024
_DATA_KEY_BYTES = {"AES_256": 32, "AES_128": 16}
_NO_CONTEXT: Mapping[str, str] = {}


class Opened(NamedTuple):
    """What a ciphertext holds, and which key it was."""

    plaintext: bytes
    key: Key
    algorithm: str


def ignores_ciphertext(params: Params) -> bool:
    """Whether only the permissions are asked about. AWS: KMS API Reference, Decrypt, DryRunModifiers."""
    if not params.get("DryRunModifiers"):
        return False
    if not params.get("DryRun"):
        raise invalid("DryRunModifiers can only be specified with DryRun.")
    return True


def dry_run(params: Params) -> None:
    """Raises DryRunOperationException when the caller only wanted to know whether it may."""
    if params.get("DryRun"):
        text = "The request would have succeeded, but the DryRun option is set."
        raise ServiceError("DryRunOperationException", text, 412)


async def seal(kms: Kms, key: Key, plaintext: bytes, context: Mapping[str, str], algorithm: str = "") -> bytes:
    """Encrypt with the newest material. Raises AWS's errors for state, usage, algorithm and size."""
    newest = await kms.newest(key)
    if key.usage != ENCRYPT:
        raise invalid_usage(key.arn, key.usage)
    algorithm = algorithm or SYMMETRIC
    if algorithm not in key.algorithms:
        raise invalid_algorithm(algorithm, key.spec)
    if key.spec == SYMMETRIC:
        return await ciphertext.seal(key.id, newest.number, newest.secret, plaintext, context)
    if context:
        raise invalid("EncryptionContext is not supported for asymmetric keys.")
    try:
        return await material.with_pair(newest.secret, lambda pair: pair.encrypt(algorithm, plaintext))
    except ValueError:
        text = f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data larger than the key allows."
        raise invalid(text) from None


@record
class Sealed:
    """A ciphertext and what a request says of it. Asymmetric ones need the key's id; "" where nothing is said."""

    blob: bytes
    key_id: str
    context: Mapping[str, str]
    algorithm: str
    action: str
    """What IAM calls it."""


async def check_opener(kms: Kms, ctx: RequestContext, key_id: str, algorithm: str) -> None:
    """Whether a key can decrypt now, with nothing to decrypt. Raises AWS's errors for state, usage and algorithm."""
    if not key_id:
        raise invalid("The key is required where the ciphertext is ignored.")
    key = await kms.key(ctx, key_id)
    key.require_usable()
    if key.usage != ENCRYPT:
        raise invalid_usage(key.arn, key.usage)
    if (algorithm or SYMMETRIC) not in key.algorithms:
        raise invalid_algorithm(algorithm or SYMMETRIC, key.spec)


async def unseal(kms: Kms, ctx: RequestContext, sealed: Sealed) -> Opened:
    """Decrypt."""
    wanted = await kms.key(ctx, sealed.key_id) if sealed.key_id else None
    if sealed.algorithm not in ("", SYMMETRIC):
        if wanted is None:
            raise invalid("KeyId is required to decrypt with an asymmetric key.")
        return await _unseal_rsa(kms, wanted, sealed.blob, sealed.algorithm)
    envelope = ciphertext.parse(sealed.blob)
    key = await kms.database.read(lambda tx: store.find_in_region(tx, envelope.key_id, ctx.region))
    if key is None:
        raise unknown_ciphertext(ctx.principal.arn, sealed.action)
    if wanted is not None and wanted.arn != key.arn:
        raise wrong_key()
    key.require_usable()
    generation = await kms.material(key, envelope.material)
    if generation is None:
        raise bad_ciphertext()
    return Opened(await ciphertext.unseal(envelope, generation.secret, sealed.context), key, SYMMETRIC)


async def _unseal_rsa(kms: Kms, key: Key, blob: bytes, algorithm: str) -> Opened:
    newest = await kms.newest(key)
    if key.usage != ENCRYPT:
        raise invalid_usage(key.arn, key.usage)
    if algorithm not in key.algorithms:
        raise invalid_algorithm(algorithm, key.spec)
    try:
        plaintext = await material.with_pair(newest.secret, lambda pair: pair.decrypt(algorithm, blob))
    except ValueError:
        raise bad_ciphertext() from None
    return Opened(plaintext, key, algorithm)


@operation("Encrypt")
async def encrypt(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 4 KiB."""
    key, algorithm = await kms.key(ctx, params["KeyId"]), params.get("EncryptionAlgorithm", SYMMETRIC)
    blob = await seal(kms, key, params["Plaintext"], params.get("EncryptionContext") or _NO_CONTEXT, algorithm)
    dry_run(params)
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": algorithm}


def _sealed(params: Params, source: str, action: str) -> Sealed:
    """The ciphertext of a request whose members for it begin with `source`."""
    if "CiphertextBlob" not in params:
        raise invalid("CiphertextBlob is required.")
    return Sealed(
        blob=params["CiphertextBlob"],
        key_id=params.get(f"{source}KeyId", ""),
        context=params.get(f"{source}EncryptionContext") or _NO_CONTEXT,
        algorithm=params.get(f"{source}EncryptionAlgorithm", ""),
        action=action,
    )


@operation("Decrypt")
async def decrypt(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What Encrypt, GenerateDataKey and ReEncrypt gave."""
    if ignores_ciphertext(params):
        await check_opener(kms, ctx, params.get("KeyId", ""), params.get("EncryptionAlgorithm", ""))
        dry_run(params)
    opened = await unseal(kms, ctx, _sealed(params, "", "kms:Decrypt"))
    dry_run(params)
    return {"KeyId": opened.key.arn, "Plaintext": opened.plaintext, "EncryptionAlgorithm": opened.algorithm}


@operation("ReEncrypt")
async def re_encrypt(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Decrypt and encrypt again without showing the plaintext."""
    target, chosen = await kms.key(ctx, params["DestinationKeyId"]), params.get("DestinationEncryptionAlgorithm", "")
    context = params.get("DestinationEncryptionContext") or _NO_CONTEXT
    if ignores_ciphertext(params):
        await check_opener(kms, ctx, params.get("SourceKeyId", ""), params.get("SourceEncryptionAlgorithm", ""))
        await seal(kms, target, b"", context, chosen)
        dry_run(params)
    opened = await unseal(kms, ctx, _sealed(params, "Source", "kms:ReEncryptFrom"))
    blob = await seal(kms, target, opened.plaintext, context, chosen)
    dry_run(params)
    return {
        "CiphertextBlob": blob,
        "SourceKeyId": opened.key.arn,
        "KeyId": target.arn,
        "SourceEncryptionAlgorithm": opened.algorithm,
        "DestinationEncryptionAlgorithm": chosen or SYMMETRIC,
    }


@operation("GenerateDataKey")
async def generate_data_key(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Random bytes, plain and encrypted."""
    plaintext, result = await _data_key(kms, ctx, params)
    return {**result, "Plaintext": plaintext}


@operation("GenerateDataKeyWithoutPlaintext")
async def generate_data_key_without_plaintext(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Random bytes, encrypted only."""
    _, result = await _data_key(kms, ctx, params)
    return result


async def _data_key(kms: Kms, ctx: RequestContext, params: Params) -> tuple[bytes, dict[str, Any]]:
    size, key = _data_key_bytes(params), await _symmetric(kms, ctx, params)
    key.require_usable()
    dry_run(params)  # before anything is encrypted: each message to a queue under a key asks so
    plaintext = os.urandom(size)
    blob = await seal(kms, key, plaintext, params.get("EncryptionContext") or _NO_CONTEXT)
    return plaintext, {"CiphertextBlob": blob, "KeyId": key.arn}


async def _symmetric(kms: Kms, ctx: RequestContext, params: Params) -> Key:
    key = await kms.key(ctx, params["KeyId"])
    if key.spec != SYMMETRIC:
        raise invalid_usage(key.arn, key.usage)
    return key


def _data_key_bytes(params: Params) -> int:
    spec, count = params.get("KeySpec"), params.get("NumberOfBytes")
    if (spec is None) == (count is None):
        raise invalid("Please specify either number of bytes or key spec.")
    size: int = count or 0 if spec is None else _DATA_KEY_BYTES[spec]
    if not 1 <= size <= MAX_RANDOM_BYTES:
        raise invalid(f"NumberOfBytes must be between 1 and {MAX_RANDOM_BYTES}.")
    return size


@operation("GenerateDataKeyPair")
async def generate_data_key_pair(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """An asymmetric pair, its private half plain and encrypted."""
    result, private = await _pair(kms, ctx, params)
    return {**result, "PrivateKeyPlaintext": private}


@operation("GenerateDataKeyPairWithoutPlaintext")
async def generate_data_key_pair_without_plaintext(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """An asymmetric pair, its private half encrypted only."""
    result, _ = await _pair(kms, ctx, params)
    return result


async def _pair(kms: Kms, ctx: RequestContext, params: Params) -> tuple[dict[str, Any], bytes]:
    key, spec = await _symmetric(kms, ctx, params), params["KeyPairSpec"]
    if not spec.startswith(("RSA_", "ECC_")):
        raise ServiceError("UnsupportedOperationException", f"The key pair spec {spec} is not supported here.")
    private = await asyncio.to_thread(material.generate, spec)
    blob = await seal(kms, key, private, params.get("EncryptionContext") or _NO_CONTEXT)
    dry_run(params)
    public = await material.with_pair(private, lambda pair: pair.public_key())
    return {"PrivateKeyCiphertextBlob": blob, "PublicKey": public, "KeyId": key.arn, "KeyPairSpec": spec}, private


@operation("GenerateRandom")
async def generate_random(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Random bytes."""
    count = params.get("NumberOfBytes")
    if count is None:
        raise invalid("NumberOfBytes is required.")
    return {"Plaintext": os.urandom(count)}
