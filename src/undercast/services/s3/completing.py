"""Completing a multipart upload: the list of parts that the client sends becomes an object.

Pure but for the rows it is given: no byte is read or copied.
AWS: S3 API Reference, CompleteMultipartUpload; S3 User Guide, "Amazon S3 multipart upload limits".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undercast.services.s3 import checksums
from undercast.services.s3.errors import (
    EntityTooSmall,
    InvalidArgument,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    MalformedXML,
)
from undercast.services.s3.keys import MAX_PARTS
from undercast.services.s3.models import Part, Payload, Upload, UploadedPart

MIN_PART_BYTES = 5 * 1024**2


def chosen_parts(
    upload: Upload, wanted: Sequence[Mapping[str, Any]], uploaded: Mapping[int, UploadedPart]
) -> list[UploadedPart]:
    """The uploaded parts that a client names. Raises InvalidPart, InvalidPartOrder or EntityTooSmall."""
    if len(wanted) > MAX_PARTS:
        raise MalformedXML()
    found: list[UploadedPart] = []
    for item in wanted:
        if "PartNumber" not in item or "ETag" not in item:
            raise MalformedXML()
        if item["PartNumber"] < 1:  # versitygw, CompleteMultipartUpload
            named = {"ArgumentName": "PartNumber", "ArgumentValue": str(item["PartNumber"])}
            raise InvalidArgument("PartNumber must be >= 1", members=named)
        if found and item["PartNumber"] <= found[-1].number:
            raise InvalidPartOrder(members={"UploadId": upload.upload_id})
        found.append(_matching(upload, item, uploaded.get(item["PartNumber"])))
    for part in found[:-1]:
        if part.size_bytes < MIN_PART_BYTES:
            members = {
                "ProposedSize": str(part.size_bytes),
                "MinSizeAllowed": str(MIN_PART_BYTES),
                "PartNumber": str(part.number),
                "ETag": part.etag,
            }
            raise EntityTooSmall(members=members)
    return found


def _matching(upload: Upload, item: Mapping[str, Any], part: UploadedPart | None) -> UploadedPart:
    etag = item["ETag"].strip('"')
    members = {"UploadId": upload.upload_id, "PartNumber": str(item["PartNumber"]), "ETag": etag}
    if part is None or part.etag != etag:
        raise InvalidPart(members=members)
    sent = checksums.given(item)
    if len(sent) > 1 or not all(checksums.is_value(*one) for one in sent.items()):
        listed = "".join(f"{name}:{value};" for name, value in sorted(sent.items()))
        named = {"ArgumentName": "Checksum", "ArgumentValue": listed}
        raise InvalidArgument("Invalid Base64 or multiple checksums present in request", members=named)
    value = sent.get(upload.checksum_algorithm)
    if sent and value != part.checksum:
        raise InvalidPart(members=members)  # also for a checksum of another algorithm than the upload's
    if value is None and upload.checksum_requested and upload.checksum_type == "COMPOSITE":
        name = upload.checksum_algorithm.lower()
        raise InvalidRequest(
            f"The upload was created using a {name} checksum. The complete request must include the checksum for each "
            f"part. It was missing for part {part.number} in the request."
        )
    return part


def payload_of(upload: Upload, chosen: Sequence[UploadedPart], params: Mapping[str, Any]) -> Payload:
    """The object that the chosen parts make. Raises InvalidRequest or BadDigest when the client expects another."""
    size_bytes = sum(part.size_bytes for part in chosen)
    expected = params.get("MpuObjectSize")
    if expected is not None and expected < 0:
        raise InvalidRequest(f"Value for x-amz-mp-object-size header is less than zero: '{expected}'")
    if expected is not None and expected != size_bytes:
        sizes = f"{expected} does not match what was computed: {size_bytes}"
        raise InvalidRequest(f"The provided 'x-amz-mp-object-size' header value {sizes}")
    kind = params.get("ChecksumType")
    if kind is not None and kind != upload.checksum_type:
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum_type}, "
            f"actual checksum Type: {kind}"
        )
    for algorithm in checksums.given(params):
        if algorithm != upload.checksum_algorithm:
            raise checksums.mismatch(upload.checksum_algorithm, algorithm)
    checksum = None
    if upload.checksum_algorithm:
        sized = [(part.checksum, part.size_bytes) for part in chosen]
        checksum = checksums.combine(upload.checksum_algorithm, upload.checksum_type, sized)
        checksums.check_whole(checksum, params.get(f"Checksum{upload.checksum_algorithm}"))
    return Payload(
        size_bytes=size_bytes,
        etag=checksums.multipart_etag([part.etag for part in chosen]),
        parts=_placed(chosen),
        checksum=checksum,
        upload_id=upload.upload_id,
    )


def _placed(chosen: Sequence[UploadedPart]) -> tuple[Part, ...]:
    parts: list[Part] = []
    start = 0
    for number, part in enumerate(chosen, 1):
        placed = Part(
            number=number, start_byte=start, size_bytes=part.size_bytes, blob_id=part.blob_id, checksum=part.checksum
        )
        parts.append(placed)
        start += part.size_bytes
    return tuple(parts)
