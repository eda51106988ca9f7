"""Checksums of objects: what a request asks for, what is stored, how parts combine.

Pure. The blob store computes the digests while it streams; here they are compared, joined and written in base64.
AWS: S3 User Guide, "Checking object integrity in Amazon S3".
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.errors import refused_member
from undercast.services.s3.errors import BadDigest, InvalidDigest, InvalidRequest
from undercast.services.s3.models import Checksum, ChecksumType, Upload
from undercast.store.digests import crt_checksums

DEFAULT_ALGORITHM = "CRC64NVME"
RECORDED = "openstack/swift, test/s3api/test_object_checksums.py"
"""Errors whose texts are in no document of AWS's: these tests run against S3, too."""
_DIGESTS = {"CRC32": "crc32", "CRC32C": "crc32c", "CRC64NVME": "crc64nvme", "SHA1": "sha1", "SHA256": "sha256"}
_MEMBERS = tuple((f"Checksum{name}", name) for name in _DIGESTS)
_WIDTHS = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
_LACKING = frozenset({"MD5", "SHA512", "XXHASH128", "XXHASH3", "XXHASH64"})
_UNSUPPORTED = (
    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
    "[CRC32, CRC32C, SHA1, SHA256]"
)
_TRAILER = re.compile(r"x-amz-checksum-(\w+)")


def digest_name(algorithm: str, operation: str) -> str:
    """The blob store's name of an algorithm. Raises for those of AWS that we lack, and for what is none (RECORDED)."""
    name = _DIGESTS.get(algorithm)
    if name is None and "," in algorithm:
        raise InvalidRequest("Invalid types are specified in x-amz-checksum-algorithm header.")
    if name is None and algorithm not in _LACKING:
        raise InvalidRequest(_UNSUPPORTED)
    if name is None:
        raise refused_member(operation, f"ChecksumAlgorithm={algorithm}", "only " + ", ".join(_DIGESTS))
    return name


def declared(params: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(algorithm, value) that a request with a body carries; the value is None when it comes as a trailer."""
    given = [(name, params[member]) for member, name in _MEMBERS if params.get(member)]
    if len(given) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    if given:
        return given[0][0], _checked(*given[0])
    trailer = _TRAILER.search(headers.get("x-amz-trailer", ""))
    if trailer is not None:
        return trailer[1].upper(), None
    return params.get("ChecksumAlgorithm"), None


def asked_for(params: Mapping[str, Any]) -> bool:
    """Whether a read wants the checksum. Raises InvalidRequest for a ChecksumMode that the model has not.

    AWS's C runtime writes it in small letters (aws-c-s3, "g_enabled"). The text: RECORDED.
    """
    mode = params.get("ChecksumMode")
    if mode is not None and mode.upper() != "ENABLED":
        raise InvalidRequest("Value for x-amz-checksum-mode header is invalid.")
    return mode is not None


def given(members: Mapping[str, Any]) -> dict[str, str]:
    """Algorithm -> value of every checksum among a structure's members, whatever the algorithm."""
    found = {name.removeprefix("Checksum"): value for name, value in members.items() if name.startswith("Checksum")}
    return {name: value for name, value in found.items() if name not in ("Algorithm", "Mode", "Type") and value}


def mismatch(expected: str, actual: str) -> InvalidRequest:
    """A checksum of another algorithm than the upload's: the text that apache/arrow-rs issue 6793 quotes from S3."""
    names = [name.lower() or "null" for name in (expected, actual)]
    text = f"Checksum Type mismatch occurred, expected checksum Type: {names[0]}, actual checksum Type: {names[1]}"
    return InvalidRequest(text)


def check_part(upload: Upload, algorithm: str | None) -> None:
    """Raises InvalidRequest for a part whose checksum is of another algorithm than that asked for with its upload.

    A part without one has S3's own where the upload's is FULL_OBJECT, and is refused where it is COMPOSITE (RECORDED).
    """
    if not upload.checksum_requested or algorithm == upload.checksum_algorithm:
        return
    if algorithm is not None or upload.checksum_type == "COMPOSITE":
        raise mismatch(upload.checksum_algorithm, algorithm or "")


def is_value(algorithm: str, value: str) -> bool:
    """Whether this is the base64 of such a checksum; of an algorithm that we lack, base64."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == _WIDTHS.get(algorithm, len(raw)) and base64.b64encode(raw).decode() == value


def _checked(algorithm: str, value: str) -> str:
    if not is_value(algorithm, value):
        raise InvalidRequest(f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")
    return value


def check_whole(checksum: Checksum, stated: str | None) -> None:
    """The checksum that CompleteMultipartUpload states of the object; "-N" may lack. Texts: RECORDED."""
    if stated is None:
        return
    composite = checksum.type == "COMPOSITE"
    value, dash, count = stated.partition("-") if composite else (stated, "", "")
    _checked(checksum.algorithm, value if not dash or count.isdecimal() else "")
    if stated not in (checksum.value, checksum.value.partition("-")[0]):
        check_value(checksum.algorithm.lower(), stated, checksum.value)


def to_base64(hex_digest: str) -> str:
    """A hexadecimal digest in the base64 that headers carry."""
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def check_value(algorithm: str, expected: str | None, actual: str) -> None:
    """Raises BadDigest when a checksum was sent and is another than that of the bytes received."""
    if expected is not None and expected != actual:
        raise BadDigest(f"The {algorithm} you specified did not match the calculated checksum.")


def check_md5(content_md5: str | None, md5_hex: str) -> None:
    """Raises InvalidDigest or BadDigest for a Content-MD5 header."""
    if content_md5 is None:
        return
    try:
        raw = base64.b64decode(content_md5, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 16:
        raise InvalidDigest(members={"Content-MD5": content_md5})
    if raw.hex() != md5_hex:
        members = {"ExpectedDigest": content_md5, "CalculatedDigest": to_base64(md5_hex)}
        raise BadDigest(members=members)


def members(checksum: Checksum | None) -> dict[str, str]:
    """The output members of a checksum: {"ChecksumCRC32": ..., "ChecksumType": ...}."""
    if checksum is None:
        return {}
    return {f"Checksum{checksum.algorithm}": checksum.value, "ChecksumType": checksum.type}


def upload_type(asked: str | None, algorithm: str, requested: str | None) -> ChecksumType:
    """FULL_OBJECT or COMPOSITE of a new multipart upload. Raises InvalidRequest for a pair that S3 lacks.

    `asked` is the algorithm that the request names (RECORDED: no type without one).
    """
    if requested not in (None, "FULL_OBJECT", "COMPOSITE"):
        raise InvalidRequest("Value for x-amz-checksum-type header is invalid.")
    if requested is not None and asked is None:
        text = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
        raise InvalidRequest(text)
    if not algorithm:
        return "FULL_OBJECT"
    wanted = requested or ("FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    kind: ChecksumType = "FULL_OBJECT" if wanted == "FULL_OBJECT" else "COMPOSITE"
    impossible = (algorithm == "CRC64NVME") if kind == "COMPOSITE" else algorithm.startswith("SHA")
    if impossible:
        text = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise InvalidRequest(text)
    return kind


def multipart_etag(part_etags: Sequence[str]) -> str:
    """md5 of the parts' md5s, "-", their number."""
    digest = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in part_etags), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(part_etags)}"


def combine(algorithm: str, kind: ChecksumType, parts: Sequence[tuple[str, int]]) -> Checksum:
    """The checksum of an object from (base64 checksum, size in bytes) of its parts; reads no data."""
    raw = [base64.b64decode(value) for value, _ in parts]
    if kind == "COMPOSITE":
        value = base64.b64encode(_digest(algorithm, b"".join(raw))).decode()
        return Checksum(algorithm=algorithm, value=f"{value}-{len(parts)}", type=kind)
    crt = crt_checksums()
    join = {"CRC32": crt.combine_crc32, "CRC32C": crt.combine_crc32c, "CRC64NVME": crt.combine_crc64nvme}[algorithm]
    total = int.from_bytes(raw[0], "big")
    for digest, (_, size_bytes) in zip(raw[1:], parts[1:], strict=True):
        total = join(total, int.from_bytes(digest, "big"), size_bytes)
    value = base64.b64encode(total.to_bytes(_WIDTHS[algorithm], "big")).decode()
    return Checksum(algorithm=algorithm, value=value, type=kind)


def _digest(algorithm: str, data: bytes) -> bytes:
    if algorithm == "SHA1":
        return hashlib.sha1(data, usedforsecurity=False).digest()
    if algorithm == "SHA256":
        return hashlib.sha256(data).digest()
    crt = crt_checksums()
    function = {"CRC32": crt.crc32, "CRC32C": crt.crc32c}[algorithm]
    return int(function(data)).to_bytes(4, "big")
