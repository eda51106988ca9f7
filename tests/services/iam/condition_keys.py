"""The condition keys that services have of their own: those that requests have here, and those that none has.

AWS: Service Authorization Reference, "Condition keys for ..." of each service. Left out are keys of operations that
are not here, and those of tags.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Make = Callable[["World"], dict[str, Any]]
ROLE_TRUST = '{"Version":"2012-10-17","Statement":[]}'


@dataclass(frozen=True, kw_only=True)
class World:
    """What there is in the account, for the requests of the tables."""

    account: str
    admin: Callable[[str], Any]
    bag: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A request that has `key` with `value`, so that a Deny on it means the request."""

    key: str
    value: str
    method: str
    params: Make
    config: Mapping[str, Any] = field(default_factory=dict)


def s3(key: str, value: str, method: str, **params: Any) -> Row:
    """On the account's bucket."""
    return Row(
        f"s3:{key}",
        value,
        method,
        lambda world: {"Bucket": f"keys-{world.account}", **params},
        {"s3": {"payload_signing_enabled": False}},
    )


S3 = (
    s3("authType", "REST-HEADER", "head_bucket"),
    s3("signatureversion", "AWS4-HMAC-SHA256", "head_bucket"),
    s3("x-amz-content-sha256", "UNSIGNED-PAYLOAD", "put_object", Key="k", Body=b"x", ChecksumAlgorithm="CRC32"),
    s3("ResourceAccount", "{account}", "list_objects_v2"),
    s3("prefix", "a/", "list_objects_v2", Prefix="a/"),
    s3("delimiter", "/", "list_objects_v2", Delimiter="/"),
    s3("max-keys", "7", "list_objects_v2", MaxKeys=7),
    s3("VersionId", "null", "get_object", Key="k", VersionId="null"),
    s3("ObjectCreationOperation", "true", "put_object", Key="k", Body=b""),
    s3("ObjectCreationOperation", "false", "create_multipart_upload", Key="k"),
    s3("if-none-match", "*", "put_object", Key="k", IfNoneMatch="*"),
    s3("x-amz-acl", "private", "put_object", Key="k", ACL="private"),
    s3("x-amz-storage-class", "GLACIER", "put_object", Key="k", StorageClass="GLACIER"),
    s3("x-amz-server-side-encryption", "AES256", "put_object", Key="k", ServerSideEncryption="AES256"),
    s3("x-amz-website-redirect-location", "/x", "put_object", Key="k", WebsiteRedirectLocation="/x"),
    s3("RequestObjectTag/a", "b", "put_object", Key="k", Tagging="a=b"),
    s3("x-amz-object-ownership", "ObjectWriter", "create_bucket", ObjectOwnership="ObjectWriter"),
)
FILLED: Mapping[str, tuple[Row, ...]] = {"s3": S3}
"""Service -> one request for each key."""
TOLD: Mapping[str, tuple[str, ...]] = {"s3": ("s3:TlsVersion",)}
"""Service -> keys that no request has, each on its page in docs/services."""
