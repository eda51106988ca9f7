"""SecureStrings: encrypted by KMS under the parameter's ARN, in the caller's name.

Up to 4 KiB KMS encrypts the value itself; an advanced parameter gets a data key of its own.
AWS: KMS Developer Guide, "How AWS Systems Manager Parameter Store uses AWS KMS".
"""

import base64
from typing import Any, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.services import sealing
from undercast.services.ssm.models import SECURE, Version
from undercast.services.ssm.values import ADVANCED

DEFAULT_KEY = "alias/aws/ssm"
_BAD_KEY = ("NotFoundException", "DisabledException", "KMSInvalidStateException")


class Sealed(NamedTuple):
    """What is stored instead of the value."""

    value: str
    data_key: str


async def seal(ctx: RequestContext, arn: str, key_id: str, tier: str, value: str) -> Sealed:
    """Raises InvalidKeyId where KMS refuses the key."""
    context = {"PARAMETER_ARN": arn}
    try:
        if tier == ADVANCED:
            sealed = await sealing.seal(ctx, key_id, context, value.encode())
            return Sealed(_text(sealed.blob), _text(sealed.data_key))
        wanted: dict[str, Any] = {"KeyId": key_id, "Plaintext": value.encode(), "EncryptionContext": context}
        return Sealed(_text((await ctx.call("kms", "Encrypt", wanted))["CiphertextBlob"]), "")
    except ServiceError as error:
        raise _told(error) from None


async def opened(ctx: RequestContext, version: Version, decrypt: bool) -> str:
    """The value as the caller sees it: the ciphertext of a SecureString unless decryption is asked for."""
    if version.type != SECURE or not decrypt:
        return version.value
    context, blob = {"PARAMETER_ARN": version.arn}, base64.b64decode(version.value)
    try:
        if version.data_key:
            sealed = sealing.Sealed(blob, base64.b64decode(version.data_key))
            return (await sealing.unseal(ctx, sealed, context)).decode()
        wanted = {"CiphertextBlob": blob, "EncryptionContext": context}
        plaintext: bytes = (await ctx.call("kms", "Decrypt", wanted))["Plaintext"]
    except ServiceError as error:
        raise _told(error) from None
    return plaintext.decode()


def _text(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


def _told(error: ServiceError) -> ServiceError:
    return ServiceError("InvalidKeyId", error.message) if error.code in _BAD_KEY else error
