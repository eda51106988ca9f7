"""CopyObject: a new object that refers to the same blob.

Bytes are read again only where the copy needs another digest: a multipart source, another checksum algorithm.
AWS: S3 API Reference, CopyObject; S3 User Guide, "Copying, moving, and renaming objects".
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.core.service import operation
from undercast.services.s3 import checksums, encryption, reading, tags, versions
from undercast.services.s3.conditions import check_copy_source
from undercast.services.s3.encryption import Encryption
from undercast.services.s3.errors import (
    AccessDenied,
    InvalidArgument,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchBucket,
    ObjectNotInActiveTierError,
    OperationAborted,
)
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import check_key, check_version_id, is_version_id
from undercast.services.s3.models import ARCHIVED, Bucket, Checksum, Content, ObjectVersion, Payload, moment
from undercast.services.s3.operations.objects import written
from undercast.services.s3.receiving import MAX_PUT_BYTES
from undercast.services.s3.writing import (
    OF_REQUEST,
    headers_of,
    headers_of_request,
    metadata_of,
    object_acl,
    owner_account,
    storage_class,
)
from undercast.store.blobs import BlobDraft
from undercast.store.database import Tx
from undercast.store.errors import BlobMissing

T = TypeVar("T")

_SOURCE = "x-amz-copy-source"
_ATTEMPTS = 8
"""A source that is overwritten each time, by one that needs another way to be copied, ends in OperationAborted."""


@record
class CopySource:
    """x-amz-copy-source in its parts."""

    bucket: str
    key: str
    version_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "CopySource":
        """From "bucket/key?versionId=id", encoded as in a query: "+" is a space. Raises InvalidArgument.

        A key's own "+" that is not encoded is NoSuchKey on AWS: aws/aws-sdk-js issue 1821, aws/aws-sdk-php issue 236.
        """
        path, _, query = text.partition("?")
        version_id = query.removeprefix("versionId=") if query.startswith("versionId=") else None
        bucket, _, key = unquote_plus(path).removeprefix("/").partition("/")
        message = None
        if not bucket or not key:  # versitygw issues 1388 and 1389
            message = "Invalid copy source object key" if bucket else "Invalid copy source bucket name"
        elif query and not query.startswith("versionId="):
            message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        if message is not None:
            raise InvalidArgument(message, members={"ArgumentName": _SOURCE, "ArgumentValue": text})
        if version_id == "":
            check_version_id(version_id, _SOURCE)
        return cls(bucket=bucket, key=key, version_id=version_id)

    @property
    def read_params(self) -> dict[str, Any]:
        """The parameters of a read of this source."""
        return {"Bucket": self.bucket, "Key": self.key, "VersionId": self.version_id}


@record
class _Read:
    """A source that was looked at. Where its bytes were read (`draft`), it gets copied even if it is overwritten."""

    version: ObjectVersion
    draft: BlobDraft | None
    algorithm: str | None


def source_bucket(s3: S3, params: Mapping[str, Any], source: CopySource) -> Bucket:
    """The bucket copied from, in any region. Raises NoSuchBucket or AccessDenied (expected owner)."""
    found = s3.buckets.find(source.bucket)
    if found is None:
        raise NoSuchBucket(members={"BucketName": source.bucket})
    if params.get("ExpectedSourceBucketOwner") not in (None, found.account_id):
        raise AccessDenied()
    return found


def find_source(s3: S3, tx: Tx, bucket: Bucket, params: Mapping[str, Any], source: CopySource) -> ObjectVersion:
    """The version copied from, its conditions checked. What S3 says of versions: recorded from it in 2026.

    Raises NoSuchBucket where the bucket is another one by now: the caller was let into that of before.
    """
    s3.buckets.confirm(tx, bucket)
    if source.version_id is not None and not is_version_id(source.version_id):
        if "PartNumber" in params:
            check_version_id(source.version_id, _SOURCE)
        raise InvalidRequest()
    try:
        found = reading.find(tx, bucket, source.read_params)
    except MethodNotAllowed:
        text = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise InvalidRequest(text) from None
    check_copy_source(params, found)
    if found.content.storage_class in ARCHIVED:
        raise ObjectNotInActiveTierError()
    return found


async def read_source(
    ctx: RequestContext,
    bucket: Bucket,
    find: Callable[[], ObjectVersion],
    read: Callable[[ObjectVersion], Awaitable[T]],
) -> T:
    """What `read` makes of the source, which is found again where it went before its bytes were opened: of an object of
    many parts a later one may go, with the object. Raises OperationAborted where that happens each time."""
    for _ in range(_ATTEMPTS):
        with suppress(BlobMissing):
            return await read(await encryption.opened(ctx, bucket, find(), find))
    raise OperationAborted()


@operation("CopyObject")
async def copy_object(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy an object of up to 5 GiB."""
    bucket = s3.buckets.get(ctx, params)
    check_key(params["Key"])
    source = CopySource.parse(params["CopySource"])
    origin = source_bucket(s3, params, source)
    _check_directives(params)
    encrypted = await encryption.of_write(ctx, bucket, params)

    def find() -> ObjectVersion:
        return s3.database.read_now(lambda tx: find_source(s3, tx, origin, params, source))

    def commit(tx: Tx, read: _Read) -> tuple[ObjectVersion, ObjectVersion] | None:
        source_version = find_source(s3, tx, origin, params, source) if read.draft is None else read.version
        if read.draft is None and not _same_bytes_do(source_version, _algorithm(s3, params, source_version)):
            return None
        _check_changes_something(bucket, params, source_version)
        write = versions.Write(
            bucket=bucket,
            key=params["Key"],
            event="ObjectCreated:Copy",
            payload=_acquire(s3, tx, source_version, read, _etag(ctx, encrypted)),
            content=_content(ctx, bucket, params, source_version, encrypted),
            conditions=params,
        )
        return source_version, versions.put(s3, tx, ctx, write)

    for _ in range(_ATTEMPTS):
        read = await read_source(ctx, origin, find, partial(_read, s3, params))
        many = versions.replaces_many_parts(s3, bucket, params["Key"])
        done = await s3.database.write(partial(commit, read=read), long=many)
        if done is not None:
            break
    else:
        raise OperationAborted()
    source_version, version = done
    result = {"ETag": version.quoted_etag, "LastModified": moment(version.last_modified)}
    output: dict[str, Any] = {"CopyObjectResult": result | checksums.members(version.checksum)}
    if origin.versioning:
        output["CopySourceVersionId"] = source_version.version_id
    return output | written(version) | encrypted.answered


def _etag(ctx: RequestContext, encrypted: Encryption) -> str:
    """What is no MD5, for a copy under a key of KMS; else "", and the copy's is that of its bytes."""
    return ctx.ids.hex(32) if encrypted.data_key is not None else ""


_DIRECTIVES = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE", "AnnotationDirective": "EXCLUDE"}


def _check_directives(params: Mapping[str, Any]) -> None:
    for member, other in _DIRECTIVES.items():
        asked, name = params.get(member), member.removesuffix("Directive").lower()
        if asked not in (None, "COPY", other):
            members = {"ArgumentName": f"x-amz-{name}-directive", "ArgumentValue": asked}
            raise InvalidArgument(f"Unknown {name} directive.", members=members)


def _algorithm(s3: S3, params: Mapping[str, Any], source: ObjectVersion) -> str | None:
    asked: str | None = params.get("ChecksumAlgorithm")
    if asked is not None:
        checksums.digest_name(asked, "CopyObject")
        return asked
    if source.checksum is not None:
        return source.checksum.algorithm
    return None if s3.profile == "2019" else checksums.DEFAULT_ALGORITHM


def _same_bytes_do(source: ObjectVersion, algorithm: str | None) -> bool:
    """Whether blob, ETag and checksum of the source can serve the copy as they are."""
    known = source.checksum.algorithm if source.checksum is not None else None
    has_md5 = "-" not in source.etag and source.content.data_key is None
    return source.blob_id is not None and has_md5 and known == algorithm


async def _read(s3: S3, params: Mapping[str, Any], source: ObjectVersion) -> _Read:
    """The source with the digests that the copy needs, however long that takes; as it is where its own will do."""
    if source.size_bytes > MAX_PUT_BYTES:
        text = f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_PUT_BYTES}"
        raise InvalidRequest(text)
    algorithm = _algorithm(s3, params, source)
    if _same_bytes_do(source, algorithm):
        return _Read(version=source, draft=None, algorithm=algorithm)
    names = ("md5",) if algorithm is None else ("md5", checksums.digest_name(algorithm, "CopyObject"))
    draft = await s3.blobs.put(await reading.body_of(s3, source, 0, source.size_bytes), digests=names)
    return _Read(version=source, draft=draft, algorithm=algorithm)


def _acquire(s3: S3, tx: Tx, source: ObjectVersion, read: _Read, etag: str) -> Payload:
    """The copy's bytes. `etag` is "" for the MD5."""
    draft = read.draft
    if draft is None:
        assert source.blob_id is not None, "_same_bytes_do"
        s3.blobs.acquire_id(tx, source.blob_id)
        etag = etag or source.etag
        return Payload(size_bytes=source.size_bytes, etag=etag, blob_id=source.blob_id, checksum=source.checksum)
    s3.blobs.acquire(tx, draft)
    checksum = None
    if read.algorithm is not None:
        value = checksums.to_base64(draft.digests[checksums.digest_name(read.algorithm, "CopyObject")])
        checksum = Checksum(algorithm=read.algorithm, value=value)
    etag = etag or draft.digests["md5"]
    return Payload(size_bytes=draft.size_bytes, etag=etag, blob_id=draft.id, checksum=checksum)


def _content(
    ctx: RequestContext, bucket: Bucket, params: Mapping[str, Any], source: ObjectVersion, encrypted: Encryption
) -> Content:
    if params.get("MetadataDirective") == "REPLACE":
        headers, metadata = headers_of(params, encrypted), metadata_of(params)
    else:
        headers = {name: value for name, value in source.content.headers.items() if name not in OF_REQUEST}
        headers |= headers_of_request(params, encrypted)
        metadata = dict(source.content.metadata)
    replaced = params.get("TaggingDirective") == "REPLACE"
    return Content(
        storage_class=storage_class(params),
        headers=headers,
        metadata=metadata,
        tags=tags.from_header(params.get("Tagging")) if replaced else source.content.tags,
        acl=object_acl(ctx, bucket, params),
        owner_account_id=owner_account(ctx, bucket, params),
        data_key=encrypted.data_key,
    )


def _check_changes_something(bucket: Bucket, params: Mapping[str, Any], source: ObjectVersion) -> None:
    """A copy of a current version onto itself must change something."""
    if (source.bucket, source.key, source.is_latest) != (bucket.name, params["Key"], True):
        return
    changes = (
        params.get("MetadataDirective") == "REPLACE"
        or storage_class(params) != source.content.storage_class
        or params.get("WebsiteRedirectLocation")
        or params.get("ServerSideEncryption")
    )
    if not changes:
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )
