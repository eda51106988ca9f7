"""What a writer says of an object, from the parameters of PutObject, CopyObject and CreateMultipartUpload.

Pure. Checks metadata size, storage class and ACL against the bucket's settings.
AWS: S3 API Reference, PutObject; S3 User Guide, "Working with object metadata".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId
from undercast.core.context import RequestContext
from undercast.services.s3 import acl, tags
from undercast.services.s3.encryption import HEADERS as HEADERS_OF_ENCRYPTION
from undercast.services.s3.encryption import Encryption
from undercast.services.s3.errors import (
    AccessControlListNotSupported,
    AccessDenied,
    InvalidArgument,
    InvalidStorageClass,
    MetadataTooLarge,
)
from undercast.services.s3.models import DEFAULT_CONTENT_TYPE, Bucket, Content

HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires")
OF_REQUEST = ("WebsiteRedirectLocation", *HEADERS_OF_ENCRYPTION)
"""What `headers_of_request` gives."""
_MAX_METADATA_BYTES = 2048
_STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)


def content_of(ctx: RequestContext, bucket: Bucket, params: Mapping[str, Any], encryption: Encryption) -> Content:
    """Everything about a new object but its bytes. Raises what S3 answers to a wrong header."""
    return Content(
        storage_class=storage_class(params),
        headers=headers_of(params, encryption),
        metadata=metadata_of(params),
        tags=tags.from_header(params.get("Tagging")),
        acl=object_acl(ctx, bucket, params),
        owner_account_id=owner_account(ctx, bucket, params),
        data_key=encryption.data_key,
    )


def headers_of(params: Mapping[str, Any], encryption: Encryption) -> dict[str, Any]:
    """The content headers to store, and the encryption headers to answer with."""
    headers = {name: params[name] for name in HEADERS if params.get(name) is not None}
    headers.setdefault("ContentType", DEFAULT_CONTENT_TYPE)
    if "ContentEncoding" in headers:
        # "aws-chunked" is how the body travelled, not what it is.
        encodings = [item.strip() for item in headers["ContentEncoding"].split(",")]
        kept = ",".join(item for item in encodings if item and item != "aws-chunked")
        if kept:
            headers["ContentEncoding"] = kept
        else:
            del headers["ContentEncoding"]
    return {**headers, **headers_of_request(params, encryption)}


def headers_of_request(params: Mapping[str, Any], encryption: Encryption) -> dict[str, Any]:
    """Those that are the request's own also where a copy takes all others from its source (`OF_REQUEST`).

    Raises InvalidArgument where x-amz-website-redirect-location names neither a key nor a URL.
    """
    location = params.get("WebsiteRedirectLocation")
    if not location:
        return dict(encryption.headers)
    if not location.startswith(("/", "http://", "https://")):
        raise InvalidArgument("The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
    return {"WebsiteRedirectLocation": location, **encryption.headers}


def metadata_of(params: Mapping[str, Any]) -> dict[str, str]:
    """User metadata: names in lower case, 2 KB of UTF-8 in all."""
    metadata = {name.lower(): value for name, value in (params.get("Metadata") or {}).items()}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > _MAX_METADATA_BYTES:
        raise MetadataTooLarge(members={"Size": str(size), "MaxSizeAllowed": str(_MAX_METADATA_BYTES)})
    return metadata


def storage_class(params: Mapping[str, Any]) -> str:
    """The storage class asked for. Raises InvalidStorageClass for those that no general purpose bucket has."""
    asked: str = params.get("StorageClass") or "STANDARD"
    if asked not in _STORAGE_CLASSES:
        raise InvalidStorageClass(members={"StorageClassRequested": asked})
    return asked


def object_acl(ctx: RequestContext, bucket: Bucket, params: Mapping[str, Any]) -> tuple[acl.Grant, ...]:
    """The grants that a new object gets. Raises AccessControlListNotSupported where ACLs are disabled."""
    if not acl.asked_for(params):
        return ()
    if bucket.ownership == "BucketOwnerEnforced":
        # "Bucket owner full control ACLs" or an equivalent form (PutObject, "x-amz-acl"). "private" is one from the
        # bucket's own account, and is refused from another: redpanda-data/connect PR 4372, flysystem issue 1580.
        asked = acl.grants(params, ctx.principal.account_id, bucket.account_id)
        if params.get("ACL") == "bucket-owner-full-control" or acl.leaves_all_to(bucket.account_id, asked):
            return ()
        raise AccessControlListNotSupported()
    grants = acl.grants(params, owner_account(ctx, bucket, params), bucket.account_id)
    if bucket.blocks("BlockPublicAcls") and acl.is_public(grants):
        raise AccessDenied()
    return grants


def owner_account(ctx: RequestContext, bucket: Bucket, params: Mapping[str, Any]) -> AccountId:
    """The account that owns a new object: the bucket's, unless object ownership leaves it to the writer."""
    if bucket.ownership == "BucketOwnerEnforced" or ctx.principal.kind == "anonymous":
        return bucket.account_id
    preferred = bucket.ownership == "BucketOwnerPreferred" and params.get("ACL") == "bucket-owner-full-control"
    return bucket.account_id if preferred else ctx.principal.account_id
