"""Multipart upload: create, upload parts, copy parts, complete, abort.

AWS: S3 User Guide, "Uploading and copying objects using multipart upload"; S3 API Reference.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from undercast.core.context import RequestContext
from undercast.core.service import operation
from undercast.services.s3 import checksums, encryption, ranges, reading, store, uploads, versions
from undercast.services.s3.completing import chosen_parts, payload_of
from undercast.services.s3.errors import InvalidRequest, NoSuchUpload
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import check_key, check_part_number
from undercast.services.s3.models import Bucket, ObjectVersion, Upload, UploadedPart, moment
from undercast.services.s3.operations.copies import CopySource, find_source, read_source, source_bucket
from undercast.services.s3.operations.objects import written
from undercast.services.s3.receiving import Received, receive
from undercast.services.s3.writing import content_of
from undercast.store.database import Tx


@operation("CreateMultipartUpload")
async def create_multipart_upload(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Begin an upload; what it says of the object is kept until it completes."""
    bucket = s3.buckets.get(ctx, params)
    check_key(params["Key"])
    asked = params.get("ChecksumAlgorithm")
    algorithm = asked or ("" if s3.profile == "2019" else checksums.DEFAULT_ALGORITHM)
    if algorithm:
        checksums.digest_name(algorithm, "CreateMultipartUpload")
    encrypted = await encryption.of_write(ctx, bucket, params)
    content = content_of(ctx, bucket, params, encrypted)

    def commit(tx: Tx) -> Upload:
        s3.buckets.confirm(tx, bucket)
        upload = Upload(
            bucket=bucket.name,
            key=params["Key"],
            upload_id=uploads.new_id(s3.sequence.next(tx), ctx.ids.alnum(48)),
            initiated_at=ctx.clock.now(),
            initiator_arn=ctx.principal.arn,
            checksum_algorithm=algorithm,
            checksum_type=checksums.upload_type(asked, algorithm, params.get("ChecksumType")),
            checksum_requested=asked is not None,
            content=content,
        )
        uploads.add(tx, bucket, upload)
        return upload

    upload = await s3.database.write(commit)
    output = {"Bucket": bucket.name, "Key": upload.key, "UploadId": upload.upload_id, **_encryption(upload)}
    output |= encrypted.answered
    if upload.checksum_requested:
        output |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
    return output


@operation("UploadPart")
async def upload_part(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Store one part, in place of an earlier one with its number."""
    bucket, upload = await _open(s3, ctx, params)
    checksums.check_part(upload, checksums.declared(params, ctx.headers)[0])
    received = await receive(s3, ctx, "UploadPart", params, keep=upload.checksum_algorithm or None)
    part = await _store_part(s3, ctx, bucket, upload, (params["PartNumber"], received))
    return {"ETag": f'"{part.etag}"', **_part_checksum(upload, part), **_encryption(upload)}


@operation("UploadPartCopy")
async def upload_part_copy(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Store a range of an existing object as a part. The bytes are read, for a part has digests of its own."""
    bucket, upload = await _open(s3, ctx, params)
    source = CopySource.parse(params["CopySource"])
    origin = source_bucket(s3, params, source)

    def find() -> ObjectVersion:
        return s3.database.read_now(lambda tx: find_source(s3, tx, origin, params, source))

    async def read(found: ObjectVersion) -> tuple[ObjectVersion, Received]:
        span = ranges.copied(params.get("CopySourceRange"), found.size_bytes)
        body = await reading.body_of(s3, found, span.start, span.length)
        keep = upload.checksum_algorithm or None
        return found, await receive(s3, ctx, "UploadPartCopy", {"Body": body}, keep=keep)

    found, received = await read_source(ctx, origin, find, read)
    part = await _store_part(s3, ctx, bucket, upload, (params["PartNumber"], received))
    result = {"ETag": f'"{part.etag}"', "LastModified": moment(part.last_modified), **_part_checksum(upload, part)}
    output: dict[str, Any] = {"CopyPartResult": result, **_encryption(upload)}
    if origin.versioning:
        output["CopySourceVersionId"] = found.version_id
    return output


@operation("CompleteMultipartUpload")
async def complete_multipart_upload(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make an object of the parts. Asked again after it succeeded, it answers the same."""
    bucket = s3.buckets.get(ctx, params)
    wanted = _wanted(params)
    if not wanted:
        raise InvalidRequest("You must specify at least one part")  # boto3 issue 1635, versitygw issue 964

    def commit(tx: Tx) -> ObjectVersion:
        upload = uploads.find(tx, bucket.name, params["Key"], params["UploadId"])
        if upload is None:
            done = store.uploaded_as(tx, bucket.name, params["Key"], params["UploadId"])
            if done is None:
                raise NoSuchUpload(members={"UploadId": params["UploadId"]})
            return done
        return _complete(s3, tx, ctx, bucket, (upload, params))

    begun, many = s3.database.read_now(
        lambda tx: (
            uploads.find(tx, bucket.name, params["Key"], params["UploadId"]),
            uploads.has_many_parts(tx, params["UploadId"]),
        )
    )
    # CreateMultipartUpload, "Permissions": S3 has to read the encrypted parts before it completes the upload.
    await encryption.open_key(ctx, bucket, begun.content.data_key if begun is not None else None)
    many = many or len(wanted) > uploads.INLINE_PARTS or versions.replaces_many_parts(s3, bucket, params["Key"])
    version = await s3.database.write(commit, long=many)
    return {
        "Location": _location(ctx, version),
        "Bucket": bucket.name,
        "Key": version.key,
        "ETag": version.quoted_etag,
        **checksums.members(version.checksum),
        **written(version),
    }


def _location(ctx: RequestContext, version: ObjectVersion) -> str:
    """The object's address where it was asked for. S3 encodes slashes of the key, and spaces as "+": aws/aws-sdk-go
    issues 645 and 1385."""
    named_by_host = ctx.endpoint.partition("://")[2].startswith(f"{version.bucket}.")
    return f"{ctx.endpoint}{'' if named_by_host else f'/{version.bucket}'}/{quote_plus(version.key, safe='')}"


def _wanted(params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (params.get("MultipartUpload") or {}).get("Parts") or ()


def _complete(
    s3: S3, tx: Tx, ctx: RequestContext, bucket: Bucket, request: tuple[Upload, Mapping[str, Any]]
) -> ObjectVersion:
    upload, params = request
    uploaded = {part.number: part for part in uploads.parts(tx, upload)}
    chosen = chosen_parts(upload, _wanted(params), uploaded)
    write = versions.Write(
        bucket=bucket,
        key=upload.key,
        event="ObjectCreated:CompleteMultipartUpload",
        payload=payload_of(upload, chosen, params),
        content=upload.content,
        conditions=params,
    )
    # The references of the chosen parts pass to the object; the others end here.
    for number in uploaded.keys() - {part.number for part in chosen}:
        s3.blobs.release(tx, uploaded[number].blob_id)
    uploads.remove(tx, upload)
    return versions.put(s3, tx, ctx, write)


@operation("AbortMultipartUpload")
async def abort_multipart_upload(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Forget an upload and its parts."""
    bucket = s3.buckets.get(ctx, params)

    def commit(tx: Tx) -> None:
        versions.abort(s3, tx, _require(tx, bucket, params))

    many = s3.database.read_now(lambda tx: uploads.has_many_parts(tx, params["UploadId"]))
    await s3.database.write(commit, long=many)
    return {}


async def _open(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> tuple[Bucket, Upload]:
    bucket = s3.buckets.get(ctx, params)
    check_part_number(params["PartNumber"])
    upload = s3.database.read_now(lambda tx: _require(tx, bucket, params))
    # UploadPart, "Permissions": kms:Decrypt on the key of the upload.
    await encryption.open_key(ctx, bucket, upload.content.data_key)
    return bucket, upload


def _require(tx: Tx, bucket: Bucket, params: Mapping[str, Any]) -> Upload:
    upload = uploads.find(tx, bucket.name, params["Key"], params["UploadId"])
    if upload is None:
        raise NoSuchUpload(members={"UploadId": params["UploadId"]})
    return upload


async def _store_part(
    s3: S3, ctx: RequestContext, bucket: Bucket, upload: Upload, received: tuple[int, Received]
) -> UploadedPart:
    number, body = received
    part = UploadedPart(
        number=number,
        size_bytes=body.draft.size_bytes,
        etag=body.etag(ctx, upload.content.data_key),
        blob_id=body.draft.id,
        checksum=body.checksum.value if body.checksum is not None and upload.checksum_algorithm else "",
        last_modified=ctx.clock.now(),
    )

    def commit(tx: Tx) -> None:
        if uploads.find(tx, bucket.name, upload.key, upload.upload_id) is None:
            raise NoSuchUpload(members={"UploadId": upload.upload_id})
        replaced = uploads.part(tx, upload, number)
        s3.blobs.acquire(tx, body.draft)
        uploads.put_part(tx, bucket, upload, part)
        if replaced is not None:
            s3.blobs.release(tx, replaced.blob_id)

    await s3.database.write(commit)
    return part


def _part_checksum(upload: Upload, part: UploadedPart) -> dict[str, str]:
    return {f"Checksum{upload.checksum_algorithm}": part.checksum} if part.checksum else {}


def _encryption(upload: Upload) -> dict[str, Any]:
    headers = upload.content.headers
    return {name: headers[name] for name in encryption.HEADERS if name in headers}
