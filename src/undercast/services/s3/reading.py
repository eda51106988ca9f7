"""Finding the version that a read names, and streaming its bytes.

The blobs of a body are opened before the answer starts, so an object that is deleted meanwhile is still sent whole.
AWS: S3 API Reference, GetObject, HeadObject; S3 User Guide, "Working with delete markers".
"""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from typing import Any

from undercast.core.body import BodyStream
from undercast.services.s3 import store
from undercast.services.s3.errors import MethodNotAllowed, NoSuchKey, NoSuchVersion
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import check_version_id
from undercast.services.s3.models import Bucket, ObjectVersion, Part
from undercast.store.blob_reader import BlobReader
from undercast.store.database import Tx

_IN_MEMORY_BYTES = 32 * 1024
_OPEN_AHEAD = 64
"""So many parts are opened at once; of an object with more, later parts can vanish under a reader."""


def find(tx: Tx, bucket: Bucket, params: Mapping[str, Any], method: str = "GET") -> ObjectVersion:
    """The version of `params` Key and VersionId. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed, InvalidArgument.

    `method` PUT is not allowed on a delete marker, whoever names it (PutObjectAcl; recorded from S3 in 2026).
    """
    key, version_id = params["Key"], params.get("VersionId")
    if version_id is not None:
        return _readable(store.version(tx, bucket.name, key, version_id), params, method)
    found = store.latest(tx, bucket.name, key)
    if method == "PUT" and found is not None and found.is_delete_marker:
        raise MethodNotAllowed(members=_of_marker(method), headers={"Allow": "DELETE"})
    return _readable(found, params)


def look_up(s3: S3, bucket: Bucket, params: Mapping[str, Any]) -> ObjectVersion:
    """`find` outside a transaction."""
    return _readable(s3.lookups.named(bucket.name, params["Key"], params.get("VersionId")), params)


def look_up_again(s3: S3, bucket: Bucket, params: Mapping[str, Any]) -> ObjectVersion:
    """`look_up` behind an await. Raises NoSuchBucket, too: a bucket of this name may be another account's by now."""
    return look_up(s3, s3.buckets.again(bucket), params)


def _readable(found: ObjectVersion | None, params: Mapping[str, Any], method: str = "GET") -> ObjectVersion:
    key, version_id = params["Key"], params.get("VersionId")
    if version_id is None:
        if found is None:
            raise NoSuchKey(members={"Key": key})
        if found.is_delete_marker:
            raise NoSuchKey(members={"Key": key}, headers=_marker_headers(found))
        return found
    if found is None:
        check_version_id(version_id)
        raise NoSuchVersion(members={"Key": key, "VersionId": version_id})
    if found.is_delete_marker:
        allow = {"Allow": "DELETE", "Last-Modified": formatdate(found.last_modified, usegmt=True)}
        raise MethodNotAllowed(members=_of_marker(method), headers=_marker_headers(found) | allow)
    return found


def _of_marker(method: str) -> dict[str, str]:
    return {"Method": method, "ResourceType": "DeleteMarker"}


def _marker_headers(found: ObjectVersion) -> dict[str, str]:
    return {"x-amz-delete-marker": "true", "x-amz-version-id": found.version_id}


async def body_of(s3: S3, version: ObjectVersion, start: int, length: int) -> BodyStream:
    """Bytes of a version. Call it without awaiting behind the read that found the version."""
    if version.blob_id is not None:
        if version.size_bytes > _IN_MEMORY_BYTES:
            return BodyStream(s3.blobs.read(version.blob_id, start, length), length)
        data = s3.blobs.read_row(version.blob_id)
        return BodyStream.of(data if length == len(data) else data[start : start + length])
    parts = s3.database.read_now(lambda tx: store.parts(tx, version.sequence, start, start + length))
    return BodyStream(_joined(s3, deque(parts), start, start + length), length)


def _joined(s3: S3, parts: deque[Part], start: int, end: int) -> AsyncIterator[bytes]:
    def open_next() -> BlobReader:
        part = parts.popleft()
        first = max(start - part.start_byte, 0)
        last = min(end - part.start_byte, part.size_bytes)
        return s3.blobs.read(part.blob_id, first, last - first)

    readers = deque(open_next() for _ in range(min(_OPEN_AHEAD, len(parts))))

    async def pieces() -> AsyncIterator[bytes]:
        while readers:
            async for piece in readers.popleft():
                yield piece
            if parts:
                readers.append(open_next())

    return pieces()
