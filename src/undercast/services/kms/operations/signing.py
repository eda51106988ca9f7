"""Signatures and message authentication codes.

AWS: KMS API Reference, Sign, Verify, GetPublicKey, GenerateMac, VerifyMac.
"""

import hmac
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.kms import material
from undercast.services.kms.errors import invalid, invalid_algorithm, invalid_usage, unsupported
from undercast.services.kms.instance import Kms
from undercast.services.kms.models import Key
from undercast.services.kms.operations.encryption import dry_run
from undercast.services.kms.specs import ALGORITHM_MEMBERS, MAC, SIGN, SPECS


@operation("Sign")
async def sign(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Sign a message of up to 4 KiB, or its digest."""
    key, secret = await _usable(kms, ctx, params, SIGN, params["SigningAlgorithm"])
    algorithm, message, is_digest = params["SigningAlgorithm"], params["Message"], _is_digest(params)
    signature = await material.with_pair(secret, lambda pair: pair.sign(algorithm, message, is_digest=is_digest))
    dry_run(params)
    return {"KeyId": key.arn, "Signature": signature, "SigningAlgorithm": algorithm}


@operation("Verify")
async def verify(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Succeeds for a right signature only."""
    key, secret = await _usable(kms, ctx, params, SIGN, params["SigningAlgorithm"])
    algorithm, message, signature = params["SigningAlgorithm"], params["Message"], params["Signature"]
    is_digest = _is_digest(params)
    if not await material.with_pair(
        secret, lambda pair: pair.verify(algorithm, message, signature, is_digest=is_digest)
    ):
        raise ServiceError("KMSInvalidSignatureException", "")
    dry_run(params)
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def _is_digest(params: Params) -> bool:
    kind, algorithm = params.get("MessageType", "RAW"), params["SigningAlgorithm"]
    if kind == "RAW":
        return False
    if kind != "DIGEST" or algorithm == "ED25519_SHA_512":
        raise invalid(f"MessageType {kind} is not valid for the signing algorithm {algorithm}.")
    if len(params["Message"]) != material.digest_size(algorithm):
        raise invalid(f"Digest is invalid length for algorithm {algorithm}.")
    return True


async def _usable(kms: Kms, ctx: RequestContext, params: Params, usage: str, algorithm: str) -> tuple[Key, bytes]:
    key = await kms.key(ctx, params["KeyId"])
    newest = await kms.newest(key)
    if key.usage != usage:
        raise invalid_usage(key.arn, key.usage)
    if algorithm not in key.algorithms:
        raise invalid_algorithm(algorithm, key.spec)
    return key, newest.secret


@operation("GetPublicKey")
async def get_public_key(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The public half, DER-encoded."""
    key = await kms.key(ctx, params["KeyId"])
    if not SPECS[key.spec].is_asymmetric:
        raise unsupported(f"{key.arn} is not an asymmetric key.")
    newest = await kms.newest(key)
    return {
        "KeyId": key.arn,
        "PublicKey": await material.with_pair(newest.secret, lambda pair: pair.public_key()),
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        ALGORITHM_MEMBERS[key.usage]: list(key.algorithms),
    }


@operation("GenerateMac")
async def generate_mac(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """HMAC of a message."""
    key, secret = await _usable(kms, ctx, params, MAC, params["MacAlgorithm"])
    dry_run(params)
    code = material.mac(secret, params["MacAlgorithm"], params["Message"])
    return {"Mac": code, "MacAlgorithm": params["MacAlgorithm"], "KeyId": key.arn}


@operation("VerifyMac")
async def verify_mac(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Succeeds for the right HMAC only."""
    key, secret = await _usable(kms, ctx, params, MAC, params["MacAlgorithm"])
    if not hmac.compare_digest(material.mac(secret, params["MacAlgorithm"], params["Message"]), params["Mac"]):
        raise ServiceError("KMSInvalidMacException", "")
    dry_run(params)
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": params["MacAlgorithm"]}
