"""SSE-KMS: which key of KMS an object is written under, asked for in the caller's name at each write and each read.

The bytes lie unencrypted in the data folder. What an application meets is here: who may not use the key, or whose key
is disabled or gone, can neither write nor read, and an ETag is no MD5.
AWS: S3 User Guide, "Using server-side encryption with AWS KMS keys (SSE-KMS)"; S3 API Reference, PutObject,
CreateMultipartUpload ("Permissions").
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.s3.errors import AccessDenied, InvalidArgument
from undercast.services.s3.models import Bucket, DataKey, ObjectVersion

HEADERS = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
"""What answers about an encrypted object have."""
ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse")
_MANAGED_KEY = "alias/aws/s3"
_BUCKET_OR_OBJECT = "aws:s3:arn"


@record
class Encryption:
    """How a new object is encrypted. `context` is the encryption context as the writer sent it, "" for none."""

    headers: Mapping[str, Any]
    data_key: DataKey | None = None
    context: str = ""

    @property
    def answered(self) -> dict[str, str]:
        """What only the answer to the write has."""
        return {"SSEKMSEncryptionContext": self.context} if self.context else {}


_NONE = Encryption(headers={})
_SSE_S3 = Encryption(headers={"ServerSideEncryption": "AES256"})


async def of_write(ctx: RequestContext, bucket: Bucket, params: Mapping[str, Any]) -> Encryption:
    """What the request asks for, else the bucket's default. Raises KMS's errors as S3 tells them."""
    asked, default = params.get("ServerSideEncryption"), bucket.default_encryption
    algorithm = asked or default.get("SSEAlgorithm")
    _check(asked, params)
    if algorithm is None:
        return _NONE
    if algorithm == "AES256":
        return _SSE_S3
    # A request that names the algorithm and no key means the key that AWS manages, whatever the bucket's default is.
    key_id = params.get("SSEKMSKeyId") or (None if asked else default.get("KMSMasterKeyID")) or _MANAGED_KEY
    by_bucket = params.get("BucketKeyEnabled")
    by_bucket = bucket.has_bucket_key if by_bucket is None else by_bucket
    by_bucket = by_bucket and algorithm == "aws:kms"  # DSSE-KMS has no bucket keys
    context = _context(params) | {_BUCKET_OR_OBJECT: bucket.arn if by_bucket else f"{bucket.arn}/{params['Key']}"}
    wanted = {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": context}
    made = await _asked(ctx, bucket, "GenerateDataKey", wanted)
    headers = {"ServerSideEncryption": algorithm, "SSEKMSKeyId": made["KeyId"]}
    return Encryption(
        headers=headers | ({"BucketKeyEnabled": True} if by_bucket else {}),
        data_key=DataKey(sealed=base64.b64encode(made["CiphertextBlob"]).decode(), context=context),
        context=params.get("SSEKMSEncryptionContext") or "",
    )


async def open_key(ctx: RequestContext, bucket: Bucket, data_key: DataKey | None) -> None:
    """Whether the caller may read what is under this key now. Raises KMS's errors as S3 tells them."""
    if data_key is not None:
        wanted = {"CiphertextBlob": base64.b64decode(data_key.sealed), "EncryptionContext": dict(data_key.context)}
        await _asked(ctx, bucket, "Decrypt", wanted)


async def opened(
    ctx: RequestContext, bucket: Bucket, found: ObjectVersion, again: Callable[[], ObjectVersion]
) -> ObjectVersion:
    """The version to read, behind `open_key`: `again` finds it anew, for it may have been replaced meanwhile."""
    while found.content.data_key is not None:
        await open_key(ctx, bucket, found.content.data_key)
        before, found = found, again()
        if found.sequence == before.sequence:
            break
    return found


def _check(asked: str | None, params: Mapping[str, Any]) -> None:
    name = "x-amz-server-side-encryption"
    if asked is not None and asked not in ALGORITHMS:
        text = "The encryption method specified is not supported"
        raise InvalidArgument(text, members={"ArgumentName": name, "ArgumentValue": asked})
    if asked in (None, "AES256") and (params.get("SSEKMSKeyId") or params.get("SSEKMSEncryptionContext")):
        # The text is S3's: aws/aws-cli issues 1431 and 1660.
        text = f"Server Side Encryption with AWS KMS managed key requires HTTP header {name} : aws:kms"
        raise InvalidArgument(text, members={"ArgumentName": name, "ArgumentValue": str(asked or "null")})


def _context(params: Mapping[str, Any]) -> dict[str, str]:
    """The additional pairs of x-amz-server-side-encryption-context: base64 of a JSON object of strings."""
    text = params.get("SSEKMSEncryptionContext")
    if not text:
        return {}
    try:
        pairs = json_values.parse(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        pairs = None
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        members = {"ArgumentName": "x-amz-server-side-encryption-context", "ArgumentValue": text}
        raise InvalidArgument("The header must be the base64 of a JSON object of strings.", members=members)
    return pairs


async def _asked(ctx: RequestContext, bucket: Bucket, operation: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if ctx.principal.kind == "anonymous" or ctx.signature_version == 2:
        # The text is S3's, for requests without a signature as well: ryanto/next-s3-upload issue 115; for URLs,
        # AWS re:Post, "How do I troubleshoot the error ... require AWS Signature Version 4".
        text = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
        raise InvalidArgument(text, members={"ArgumentName": "Authorization", "ArgumentValue": "null"})
    try:
        return await ctx.call("kms", operation, wanted, scope=Scope(ctx.account_id, bucket.region))
    except ServiceError as error:
        if error.fault == "server":
            raise
        if error.code == "AccessDeniedException":
            raise AccessDenied(error.message) from None
        # aws/aws-cli issue 4507: "KMS.NotFoundException ... Invalid keyId aws/s3".
        raise ServiceError(f"KMS.{error.code}", error.message) from None
