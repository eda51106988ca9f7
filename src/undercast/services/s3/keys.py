"""Names of buckets and keys: which are allowed, how they are encoded and ordered.

Pure. A key is never cleaned: `..`, `//`, spaces and a leading slash are part of it.
AWS: S3 User Guide, "General purpose bucket naming rules", "Naming Amazon S3 objects".
"""

import re
from urllib.parse import quote_plus

from undercast.services.s3.errors import InvalidArgument, InvalidBucketName, KeyTooLongError
from undercast.services.s3.models import NULL_VERSION

MAX_KEY_BYTES = 1024
MAX_PARTS = 10_000
"""Of one upload."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_VERSION_ID = re.compile(r"[A-Za-z0-9._]{32}")
_HIGHEST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def check_bucket_name(name: str) -> None:
    """Raises InvalidBucketName."""
    good = (
        _BUCKET.fullmatch(name) is not None
        and ".." not in name
        and _ADDRESS.fullmatch(name) is None
        and not name.startswith(_PREFIXES)
        and not name.endswith(_SUFFIXES)
    )
    if not good:
        raise InvalidBucketName(members={"BucketName": name})


def check_key(key: str) -> None:
    """Raises KeyTooLongError: 1,024 bytes of UTF-8 are the limit."""
    if len(key) > MAX_KEY_BYTES // 4 and (size := len(key.encode())) > MAX_KEY_BYTES:
        raise KeyTooLongError(members={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY_BYTES)})


def check_part_number(number: int) -> None:
    """Raises InvalidArgument unless an upload can have a part of this number."""
    if not 1 <= number <= MAX_PARTS:
        text = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise InvalidArgument(text, members={"ArgumentName": "partNumber", "ArgumentValue": str(number)})


def is_version_id(text: str) -> bool:
    """Whether a version's id looks like this. S3 also knows those that it never gave out."""
    return text == NULL_VERSION or _VERSION_ID.fullmatch(text) is not None


def check_version_id(text: str, argument: str = "versionId") -> None:
    """Raises InvalidArgument for what can be no version's id. Texts and members: recorded from S3 in 2026."""
    if not is_version_id(text):
        told = "Invalid version id specified" if text else "Version id cannot be the empty string"
        raise InvalidArgument(told, members={"ArgumentName": argument, "ArgumentValue": text})


def url_encoded(text: str) -> str:
    """A key as EncodingType=url and event records give it: a space is "+", the slash stays."""
    return quote_plus(text, safe="/*")


def successor(prefix: str) -> str | None:
    """The least text greater than every text that starts with the prefix; None when there is none.

    Texts are compared by code point, which is the order of their UTF-8 bytes.
    """
    while prefix:
        code = ord(prefix[-1]) + 1
        if code in _SURROGATES:
            code = _SURROGATES.stop
        if code <= _HIGHEST:
            return prefix[:-1] + chr(code)
        prefix = prefix[:-1]
    return None
