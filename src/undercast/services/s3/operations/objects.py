"""PutObject, GetObject, HeadObject, GetObjectAttributes.

A put streams its body to a blob first; one transaction then commits blob, row and deliveries.
AWS: S3 API Reference, the operations of these names.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Reply, operation
from undercast.services.s3 import checksums, encryption, ranges, reading, store, versions
from undercast.services.s3.conditions import check_read
from undercast.services.s3.errors import InvalidArgument, InvalidObjectState, InvalidPartNumber, InvalidRequest
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import check_key, check_part_number
from undercast.services.s3.models import ARCHIVED, NULL_VERSION, Bucket, Checksum, ObjectVersion, Payload, moment
from undercast.services.s3.ranges import ByteRange
from undercast.services.s3.receiving import receive
from undercast.services.s3.writing import content_of
from undercast.store.database import Tx

_OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}

_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


@operation("PutObject")
async def put_object(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Store an object; 5 GiB at most."""
    bucket = s3.buckets.get(ctx, params)
    check_key(params["Key"])
    encrypted = await encryption.of_write(ctx, bucket, params)
    content = content_of(ctx, bucket, params, encrypted)
    received = await receive(s3, ctx, "PutObject", params)
    draft = received.draft
    etag = received.etag(ctx, content.data_key)
    payload = Payload(size_bytes=draft.size_bytes, etag=etag, blob_id=draft.id, checksum=received.checksum)
    write = versions.Write(
        bucket=bucket,
        key=params["Key"],
        event="ObjectCreated:Post" if ctx.is_form else "ObjectCreated:Put",
        payload=payload,
        content=content,
        conditions=params,
    )

    def commit(tx: Tx) -> ObjectVersion:
        s3.blobs.acquire(tx, draft)
        return versions.put(s3, tx, ctx, write)

    version = await s3.database.write(commit, long=versions.replaces_many_parts(s3, bucket, params["Key"]))
    output = written(version) | encrypted.answered
    return {"ETag": version.quoted_etag, **checksums.members(version.checksum), **output}


def written(version: ObjectVersion) -> dict[str, Any]:
    """The members that every answer to a write has: encryption, and the version id of a versioned bucket.

    A write to a suspended one is answered without its "null": versitygw issue 2164.
    """
    headers = version.content.headers
    output: dict[str, Any] = {name: headers[name] for name in encryption.HEADERS if name in headers}
    if version.version_id != NULL_VERSION:
        output["VersionId"] = version.version_id
    return output


@operation("GetObject")
async def get_object(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Reply:
    """An object or a range of it."""
    bucket = s3.buckets.get(ctx, params)
    version = reading.look_up(s3, bucket, params)
    if version.content.data_key is not None:
        version = await encryption.opened(ctx, bucket, version, lambda: reading.look_up_again(s3, bucket, params))
    check_read(params, version, ctx.clock.now())
    if version.content.storage_class in ARCHIVED:
        raise InvalidObjectState(members={"StorageClass": version.content.storage_class})
    output, span = _described(s3, ctx, bucket, version, params)
    start, length = (0, version.size_bytes) if span is None else (span.start, span.length)
    output["Body"] = await reading.body_of(s3, version, start, length)
    return Reply(output=output, status=None if span is None else 206)


@operation("HeadObject")
async def head_object(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Reply:
    """What GetObject would answer, without the body."""
    bucket = s3.buckets.get(ctx, params)
    version = reading.look_up(s3, bucket, params)
    if checksums.asked_for(params) and version.checksum is not None:
        # HeadObject, "ChecksumMode": the checksum of an object under a key of KMS is encrypted, too.
        version = await encryption.opened(ctx, bucket, version, lambda: reading.look_up_again(s3, bucket, params))
    check_read(params, version, ctx.clock.now())
    output, span = _described(s3, ctx, bucket, version, params)
    return Reply(output=output, status=None if span is None else 206)


def _described(
    s3: S3, ctx: RequestContext, bucket: Bucket, version: ObjectVersion, params: Mapping[str, Any]
) -> tuple[dict[str, Any], ByteRange | None]:
    """Headers of a read, and the range that it asks for."""
    number = params.get("PartNumber")
    if number is not None and params.get("Range") is not None:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
    checksum: Checksum | None = version.checksum
    if number is None:
        span = ranges.requested(params.get("Range"), version.size_bytes)
        # A range of all bytes has the checksum, too: checksums.RECORDED, "test_full_content_range".
        checksum = checksum if span is None or span.length == span.total else None
    else:
        span, checksum = _part(s3, version, number)
    content = version.content
    output: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": moment(version.last_modified),
        "ETag": version.quoted_etag,
        "ContentLength": version.size_bytes if span is None else span.length,
        "Metadata": content.metadata,
        **content.headers,
        **_overrides(ctx, params),
    }
    if span is not None:
        output["ContentRange"] = span.content_range
    if number is not None and version.parts_count:
        output["PartsCount"] = version.parts_count
    if bucket.versioning:
        output["VersionId"] = version.version_id
    if content.tags:
        output["TagCount"] = len(content.tags)
    if content.storage_class != "STANDARD":
        output["StorageClass"] = content.storage_class
    if checksums.asked_for(params):
        output |= checksums.members(checksum)
    return output, span


def _overrides(ctx: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
    found = {header: params[name] for name, header in _OVERRIDES.items() if params.get(name) is not None}
    if found and ctx.principal.kind == "anonymous":
        raise InvalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
    for header, value in found.items():
        if isinstance(value, str) and any(character < " " for character in value):
            text = f"The value of {header} contains a control character, which no header can hold."
            raise InvalidArgument(text, members={"ArgumentName": header, "ArgumentValue": value})
    return found


def _part(s3: S3, version: ObjectVersion, number: int) -> tuple[ByteRange, Checksum | None]:
    """The bytes of one part. An object that was not uploaded in parts has one."""
    total = version.size_bytes
    check_part_number(number)
    if not version.parts_count:
        if number != 1:
            raise InvalidPartNumber(members={"PartNumberRequested": str(number), "ActualPartCount": "1"})
        return ByteRange(0, total, total), version.checksum
    parts = s3.database.read_now(lambda tx: store.parts(tx, version.sequence))
    if not 1 <= number <= len(parts):
        raise InvalidPartNumber(members={"PartNumberRequested": str(number), "ActualPartCount": str(len(parts))})
    part = parts[number - 1]
    whole = version.checksum
    if whole is None or not part.checksum:
        return ByteRange(part.start_byte, part.size_bytes, total), None
    checksum = Checksum(algorithm=whole.algorithm, value=part.checksum, type=whole.type)
    return ByteRange(part.start_byte, part.size_bytes, total), checksum


@operation("GetObjectAttributes")
async def get_object_attributes(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The chosen attributes, without the body."""
    bucket = s3.buckets.get(ctx, params)
    version = reading.look_up(s3, bucket, params)
    asked = set(params["ObjectAttributes"])
    if unknown := asked - _ATTRIBUTES:
        members = {"ArgumentName": "x-amz-object-attributes", "ArgumentValue": min(unknown)}
        raise InvalidArgument("Invalid attribute name specified.", members=members)
    output: dict[str, Any] = {"LastModified": moment(version.last_modified)}
    if bucket.versioning:
        output["VersionId"] = version.version_id
    if "ETag" in asked:
        output["ETag"] = version.etag
    if "ObjectSize" in asked:
        output["ObjectSize"] = version.size_bytes
    if "StorageClass" in asked:
        output["StorageClass"] = version.content.storage_class
    if "Checksum" in asked and version.checksum is not None:
        output["Checksum"] = _attribute_checksum(version.checksum)
    if "ObjectParts" in asked and version.parts_count:
        output["ObjectParts"] = _object_parts(s3, version, params)
    return output


def _attribute_checksum(checksum: Checksum) -> dict[str, str]:
    # Unlike the headers, this element leaves out the "-N" of a composite checksum.
    value = checksum.value.partition("-")[0]
    return {f"Checksum{checksum.algorithm}": value, "ChecksumType": checksum.type}


def _object_parts(s3: S3, version: ObjectVersion, params: Mapping[str, Any]) -> dict[str, Any]:
    marker, limit = params.get("PartNumberMarker") or 0, min(params.get("MaxParts", 1000), 1000)
    for name, number in (("x-amz-part-number-marker", marker), ("x-amz-max-parts", limit)):
        if number < 0:
            text = f"Argument {name.removeprefix('x-amz-')} must be an integer between 0 and 2147483647"
            raise InvalidArgument(text, members={"ArgumentName": name, "ArgumentValue": str(number)})
    parts = s3.database.read_now(lambda tx: store.parts(tx, version.sequence))
    output: dict[str, Any] = {"TotalPartsCount": len(parts)}
    if version.checksum is None or version.checksum.type != "COMPOSITE":
        # S3 lists the parts only of objects with a composite checksum.
        return output
    shown = [part for part in parts if part.number > marker][:limit]
    name = f"Checksum{version.checksum.algorithm}"
    output |= {
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else marker,
        "MaxParts": limit,
        "IsTruncated": bool(shown) and shown[-1].number < parts[-1].number,
        "Parts": [{"PartNumber": part.number, "Size": part.size_bytes, name: part.checksum} for part in shown],
    }
    return output
