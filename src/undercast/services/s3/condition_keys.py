"""S3's own condition keys: what a request says of itself, how it is signed, and whose the bucket is.

AWS: Service Authorization Reference, "Condition keys for Amazon S3"; S3 API Reference, "Amazon S3 Signature Version 4
Authentication Specific Policy Keys"; User Guide, "Enforce conditional writes on Amazon S3 buckets".
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from undercast.core.context import RequestContext
from undercast.core.late_keys import Keys

_AS_SAID = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "VersionId": "s3:VersionId",
    "ACL": "s3:x-amz-acl",
    "StorageClass": "s3:x-amz-storage-class",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "CopySource": "s3:x-amz-copy-source",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
}
_CREATES_OBJECT = {
    "PutObject": "true",
    "CopyObject": "true",
    "CompleteMultipartUpload": "true",
    "CreateMultipartUpload": "false",
    "UploadPart": "false",
    "UploadPartCopy": "false",
}
"""The operations that are s3:PutObject -> s3:ObjectCreationOperation: whether an object is there when they end."""
_AUTH_TYPES = {"header": "REST-HEADER", "presigned": "REST-QUERY-STRING", "form": "POST"}


def of_request(ctx: RequestContext, params: Mapping[str, Any], owner: str) -> Keys:
    """Of a request of which each member that is a condition key counts. `owner` is the bucket's account."""
    found: Keys = {
        _AS_SAID[member]: str(value)
        for member, value in params.items()
        if member in _AS_SAID and value is not None
    }  # fmt: skip
    constraint = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if constraint:
        found["s3:locationconstraint"] = constraint
    if ctx.service == "s3" and ctx.operation in _CREATES_OBJECT:
        found["s3:ObjectCreationOperation"] = _CREATES_OBJECT[ctx.operation]
    pairs = _tags(params.get("Tagging"))
    found.update({f"s3:RequestObjectTag/{key}": value for key, value in pairs})
    if pairs:
        found["s3:RequestObjectTagKeys"] = tuple(key for key, _ in pairs)
    found.update(of_every_request(ctx, owner))
    return found


def of_every_request(ctx: RequestContext, owner: str) -> Keys:
    """What does not depend on the operation."""
    found: Keys = {"s3:ResourceAccount": owner, **dict(_of_signature(ctx))}
    if ctx.tls_version:
        found["s3:TlsVersion"] = ctx.tls_version
    return found


def _of_signature(ctx: RequestContext) -> Iterator[tuple[str, str]]:
    """Of an unsigned request nothing. A service that asks on the caller's behalf signs in the header."""
    if ctx.principal.kind == "anonymous":
        return
    old = ctx.signature_version == 2
    yield "s3:authType", _AUTH_TYPES[ctx.signed_by]
    yield "s3:signatureversion", "AWS" if old else "AWS4-HMAC-SHA256"
    if ctx.signed_by == "header":
        payload = ctx.headers.get("x-amz-content-sha256")
        if payload and not ctx.via:
            yield "s3:x-amz-content-sha256", payload
        return
    age = 0 if old else _age_ms(ctx)  # "In Signature Version 2, this value is always set to 0."
    if age is not None:
        yield "s3:signatureAge", str(age)


def _age_ms(ctx: RequestContext) -> int | None:
    try:
        at = datetime.strptime(ctx.signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None  # no credential that is verified comes with such a date
    return max(0, int((ctx.host_clock.now() - at.timestamp()) * 1000))


def _tags(tagging: Any) -> list[tuple[str, str]]:
    if isinstance(tagging, str):
        return parse_qsl(tagging, keep_blank_values=True)
    return [(tag["Key"], tag["Value"]) for tag in (tagging or {}).get("TagSet", ())]
