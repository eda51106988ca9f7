"""Tags of buckets and objects: the header form, the XML form, the limits.

Pure. AWS: S3 User Guide, "Categorizing your storage using tags"; S3 API Reference, PutObjectTagging, PutBucketTagging.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from undercast.services.s3.errors import BadRequest, InvalidArgument, InvalidTag

OBJECT_LIMIT = 10
BUCKET_LIMIT = 50
_ALLOWED = re.compile(r"(?:[\w+\-=.:/@]|[^\S\x00-\x1f\x85])*")
"""Spaces are allowed, control characters among them are not: versitygw issue 1579."""


def from_header(header: str | None) -> dict[str, str]:
    """The tags of x-amz-tagging, "k=v&k2=v2" percent-encoded."""
    if not header:
        return {}
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        text = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
name duplicates."
        raise InvalidArgument(text, members={"ArgumentName": "x-amz-tagging", "ArgumentValue": header}) from None
    return _checked(pairs, OBJECT_LIMIT, "Object tags cannot be greater than 10")


def from_object_set(tagging: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a PutObjectTagging body."""
    return _checked(_pairs(tagging), OBJECT_LIMIT, "Object tags cannot be greater than 10")


def from_bucket_set(tagging: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a PutBucketTagging body."""
    return _checked(_pairs(tagging), BUCKET_LIMIT, "Bucket tag count cannot be greater than 50")


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """The TagSet element."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _pairs(tagging: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(tag["Key"], tag["Value"]) for tag in tagging["TagSet"]]


def _checked(pairs: Iterable[tuple[str, str]], limit: int, too_many: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise InvalidTag("Cannot provide multiple Tags with the same key", members={"TagKey": key})
        if not 1 <= len(key) <= 128 or _ALLOWED.fullmatch(key) is None:
            raise InvalidTag("The TagKey you have provided is invalid", members={"TagKey": key})
        if len(value) > 256 or _ALLOWED.fullmatch(value) is None:
            raise InvalidTag("The TagValue you have provided is invalid", members={"TagKey": key, "TagValue": value})
        if key.lower().startswith("aws:"):
            raise InvalidTag("System tags cannot be added/updated by requester", members={"TagKey": key})
        tags[key] = value
    if len(tags) > limit:
        raise BadRequest(too_many)
    return tags
