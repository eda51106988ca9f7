"""Conditional requests: If-Match and its three companions, for reads, copy sources and writes.

Pure. ETag conditions win over date conditions of the same direction; dates are compared by the second.
AWS: S3 API Reference, GetObject ("conditional"), CopyObject; S3 User Guide, "Conditional requests". RFC 7232.
"""

from collections.abc import Mapping
from datetime import datetime
from email.utils import formatdate
from typing import Any

from undercast.core.errors import ServiceError
from undercast.services.s3.errors import NoSuchKey, NotModified, PreconditionFailed
from undercast.services.s3.models import ObjectVersion


def check_read(params: Mapping[str, Any], version: ObjectVersion, now: float) -> None:
    """Raises PreconditionFailed (412) or NotModified (304) for a GetObject or HeadObject.

    An If-Modified-Since of the future counts as none: apache/opendal PR 5500 met that at S3.
    """
    since = params.get("IfModifiedSince")
    if since is not None and _seconds(since) > now:
        params = {name: value for name, value in params.items() if name != "IfModifiedSince"}
    failed = _failed(params, "", version)
    if failed in ("If-Match", "If-Unmodified-Since"):
        raise PreconditionFailed(members={"Condition": failed})
    if failed is not None:
        modified = formatdate(version.last_modified, usegmt=True)
        raise NotModified(headers={"ETag": version.quoted_etag, "Last-Modified": modified})


def check_copy_source(params: Mapping[str, Any], version: ObjectVersion) -> None:
    """Raises PreconditionFailed for CopySourceIf...; a copy never answers 304."""
    failed = _failed(params, "CopySource", version)
    if failed is not None:
        raise PreconditionFailed(members={"Condition": f"x-amz-copy-source-{failed}"})


def check_write(params: Mapping[str, Any], current: ObjectVersion | None) -> None:
    """Raises what a conditional PutObject, CopyObject, CompleteMultipartUpload or DeleteObject answers.

    `current` is the current version, None when the key does not exist or is deleted.
    """
    none_match = params.get("IfNoneMatch")
    if none_match is not None:
        if none_match.strip() != "*":
            text = "A header you provided implies functionality that is not implemented"
            raise ServiceError("NotImplemented", text, 501, members={"Header": "If-None-Match"})
        if current is not None:
            raise PreconditionFailed(members={"Condition": "If-None-Match"})
    match = params.get("IfMatch")
    if match is not None:
        if current is None:
            raise NoSuchKey()
        if not _matches(match, current.etag):
            raise PreconditionFailed(members={"Condition": "If-Match"})


def _failed(params: Mapping[str, Any], start: str, version: ObjectVersion) -> str | None:
    """The header whose condition does not hold, or None."""
    match, none_match = params.get(f"{start}IfMatch"), params.get(f"{start}IfNoneMatch")
    since, before = params.get(f"{start}IfModifiedSince"), params.get(f"{start}IfUnmodifiedSince")
    if match is not None:
        if not _matches(match, version.etag):
            return "If-Match"
    elif before is not None and int(version.last_modified) > _seconds(before):
        return "If-Unmodified-Since"
    if none_match is not None:
        return "If-None-Match" if _matches(none_match, version.etag) else None
    if since is not None and int(version.last_modified) <= _seconds(since):
        return "If-Modified-Since"
    return None


def _matches(header: str, etag: str) -> bool:
    for item in header.split(","):
        candidate = item.strip().removeprefix("W/").strip('"')
        if candidate in ("*", etag):
            return True
    return False


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
