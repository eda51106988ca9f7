"""S3's nouns as frozen data: bucket, object version, part, upload.

An object is a list of blobs: one for a put or a copy, one per part for a multipart upload.
AWS: S3 User Guide, "Buckets overview", "Objects overview", "Multipart upload overview".
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.identity import canonical_id
from undercast.core.record import record

NULL_VERSION = "null"
DEFAULT_CONTENT_TYPE = "binary/octet-stream"
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
OWNERSHIPS = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
SSE_S3_DEFAULT: Mapping[str, Any] = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}
"""Default encryption of every bucket since January 2023."""
Versioning = Literal["", "Enabled", "Suspended"]
ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]


def moment(seconds: float) -> datetime:
    """Seconds since the epoch as the timestamps that operations return, cut to milliseconds as S3 does."""
    return datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)


def owner_of(account_id: str) -> dict[str, str]:
    """An Owner element. S3 has returned no DisplayName since November 2025."""
    return {"ID": canonical_id(account_id)}


@record
class Bucket:
    """A bucket and all its configurations, parsed, by kind ("policy", "notification", ...)."""

    name: str
    account_id: AccountId
    region: Region
    created_at: float
    configurations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """arn:aws:s3:::NAME"""
        return f"arn:aws:s3:::{self.name}"

    @property
    def scope(self) -> Scope:
        """Where its rows are kept."""
        return Scope(self.account_id, self.region)

    @property
    def versioning(self) -> Versioning:
        """ "" until versioning was ever enabled."""
        status: Versioning = self.configurations.get("versioning", {}).get("Status", "")
        return status

    @property
    def ownership(self) -> str:
        """The object ownership setting; ObjectWriter where the controls were deleted, as on AWS."""
        rules = self.configurations.get("ownership", {}).get("Rules") or [{}]
        return str(rules[0].get("ObjectOwnership", "ObjectWriter"))

    @property
    def default_encryption(self) -> Mapping[str, str]:
        """ApplyServerSideEncryptionByDefault; empty where nothing is encrypted by default."""
        rules = self.configurations.get("encryption", {}).get("Rules") or [{}]
        found: Mapping[str, str] = rules[0].get("ApplyServerSideEncryptionByDefault", {})
        return found

    @property
    def has_bucket_key(self) -> bool:
        """Whether objects under a key of KMS share a data key of the bucket by default."""
        rules = self.configurations.get("encryption", {}).get("Rules") or [{}]
        return bool(rules[0].get("BucketKeyEnabled"))

    def blocks(self, switch: str) -> bool:
        """One switch of its public access block, e.g. "IgnorePublicAcls"."""
        return bool(self.configurations.get("public_access_block", {}).get(switch, False))


@record
class Checksum:
    """`value` is base64, with "-N" behind it when COMPOSITE."""

    algorithm: str
    value: str
    type: ChecksumType = "FULL_OBJECT"


@record
class Part:
    """One part of a finished multipart object. `checksum` is base64 in the object's algorithm, "" if unknown."""

    number: int
    start_byte: int
    size_bytes: int
    blob_id: str
    checksum: str = ""


@record
class DataKey:
    """The data key of an object under SSE-KMS as KMS sealed it, in base64, and the encryption context that opens it."""

    sealed: str
    context: Mapping[str, str]


@record
class Content:
    """What a writer says of an object besides its bytes. The same for put, copy and multipart."""

    storage_class: str = "STANDARD"
    headers: Mapping[str, Any] = field(default_factory=dict)
    """ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Expires and so on."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    acl: tuple[Mapping[str, Any], ...] = ()
    """Grants; empty for the default, which is private."""
    data_key: DataKey | None = None
    """None but under SSE-KMS."""
    owner_account_id: AccountId


@record
class Payload:
    """The bytes of an object: one blob, or parts."""

    size_bytes: int
    etag: str
    """Without quotes."""
    blob_id: str | None = None
    parts: tuple[Part, ...] = ()
    checksum: Checksum | None = None
    upload_id: str = ""


@record
class ObjectVersion:
    """One version of a key, or a delete marker."""

    bucket: str
    key: str
    sequence: int
    version_id: str
    is_latest: bool
    is_delete_marker: bool
    size_bytes: int
    etag: str
    last_modified: float
    blob_id: str | None
    parts_count: int
    checksum: Checksum | None
    content: Content

    @property
    def quoted_etag(self) -> str:
        """The ETag as headers and XML carry it."""
        return f'"{self.etag}"'


@record
class Upload:
    """A multipart upload in progress."""

    bucket: str
    key: str
    upload_id: str
    initiated_at: float
    initiator_arn: str
    checksum_algorithm: str
    checksum_type: ChecksumType
    checksum_requested: bool
    """False when the algorithm is S3's default; it is then not shown until the upload completes."""
    content: Content


@record
class UploadedPart:
    """A part of an upload in progress."""

    number: int
    size_bytes: int
    etag: str
    blob_id: str
    checksum: str
    last_modified: float
