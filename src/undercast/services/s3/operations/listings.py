"""ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads, ListParts.

The pages are made by listing.py; here parameters become queries and rows become elements.
AWS: S3 API Reference, the operations of these names.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from undercast.core.context import RequestContext
from undercast.core.page_tokens import token_of
from undercast.core.service import operation
from undercast.services.s3 import encryption, store, uploads
from undercast.services.s3.errors import InvalidArgument, NoSuchUpload
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import check_version_id, url_encoded
from undercast.services.s3.listing import Page, Query, Source, page, start_after
from undercast.services.s3.models import Bucket, ObjectVersion, Upload, UploadedPart, moment, owner_of
from undercast.services.s3.tokens import name_of
from undercast.store.database import Tx

T = TypeVar("T")
_MAX_KEYS = 1000
_VERSION_MARKER = "version-id-marker"
_INLINE_KEYS = 100
"""Longer pages are read in the store's thread."""


@operation("ListObjects")
async def list_objects(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keys behind Marker. NextMarker is given only with a delimiter, as on AWS."""
    bucket, query, marker = s3.buckets.get(ctx, params), _query(params, "MaxKeys"), params.get("Marker") or ""
    found = await _page_of_objects(s3, bucket, query, marker)
    encode = _encoder(params)
    output = {"Marker": encode(marker), **_common(params, bucket, query, found)}
    output["Contents"] = [_content(entry, encode, owner=True) for entry in found.entries]
    if found.truncated and query.delimiter:
        output["NextMarker"] = encode(_last_key(found))
    return output


@operation("ListObjectsV2")
async def list_objects_v2(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keys behind StartAfter or a continuation token."""
    bucket, query = s3.buckets.get(ctx, params), _query(params, "MaxKeys")
    token = params.get("ContinuationToken")
    marker = params.get("StartAfter") or "" if token is None else name_of(token)
    found = await _page_of_objects(s3, bucket, query, marker)
    encode, with_owner = _encoder(params), bool(params.get("FetchOwner"))
    output = {"KeyCount": len(found.entries) + len(found.prefixes), **_common(params, bucket, query, found)}
    output["Contents"] = [_content(entry, encode, owner=with_owner) for entry in found.entries]
    if params.get("StartAfter"):
        output["StartAfter"] = encode(params["StartAfter"])
    if token is not None:
        output["ContinuationToken"] = token
    if found.truncated:
        output["NextContinuationToken"] = token_of(_last_key(found))
    return output


@operation("ListObjectVersions")
async def list_object_versions(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """All versions and delete markers, the newest of a key first."""
    bucket = s3.buckets.get(ctx, params)
    if params.get("MaxKeys", 0) < 0:  # versitygw issue 1809
        members = {"ArgumentName": "max-keys", "ArgumentValue": str(params["MaxKeys"])}
        raise InvalidArgument("max-keys cannot be negative", members=members)
    query = _query(params, "MaxKeys")
    key_marker, version_marker = params.get("KeyMarker") or "", params.get("VersionIdMarker") or ""
    if version_marker and not key_marker:
        text = "A version-id marker cannot be specified without a key marker."
        raise InvalidArgument(text, members={"ArgumentName": _VERSION_MARKER, "ArgumentValue": version_marker})
    if key_marker and params.get("VersionIdMarker") == "":  # recorded from S3 in 2026
        text = "A version-id marker cannot be empty."
        raise InvalidArgument(text, members={"ArgumentName": _VERSION_MARKER, "ArgumentValue": ""})
    if version_marker:
        check_version_id(version_marker, _VERSION_MARKER)

    def read(tx: Tx) -> Page[ObjectVersion]:
        source: Source[ObjectVersion] = Source(seek=lambda key: store.versions(tx, bucket.name, key), key_of=_key_of)
        rows = _rows_behind(source, key_marker, query)
        if version_marker:
            known = store.version(tx, bucket.name, key_marker, version_marker)
            sequence = known.sequence if known is not None else 2**62
            rows = chain(store.older_versions(tx, bucket.name, key_marker, sequence), rows)
        return page(rows, source, query)

    found = await s3.database.read(read, long=query.limit > _INLINE_KEYS)
    encode = _encoder(params)
    output = {"KeyMarker": encode(key_marker), **_common(params, bucket, query, found)}
    output["VersionIdMarker"] = version_marker
    output["Versions"] = [_version(entry, encode) for entry in found.entries if not entry.is_delete_marker]
    output["DeleteMarkers"] = [_marker(bucket, entry, encode) for entry in found.entries if entry.is_delete_marker]
    if found.truncated:
        output["NextKeyMarker"] = encode(_last_key(found))
        if isinstance(found.last, ObjectVersion):
            output["NextVersionIdMarker"] = found.last.version_id
    return output


@operation("ListMultipartUploads")
async def list_multipart_uploads(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Uploads in progress by key, those of one key by time."""
    bucket, query = s3.buckets.get(ctx, params), _query(params, "MaxUploads")
    key_marker, id_marker = params.get("KeyMarker") or "", params.get("UploadIdMarker") or ""
    if key_marker and id_marker and not uploads.is_upload_id(id_marker):
        members = {"ArgumentName": "upload-id-marker", "ArgumentValue": id_marker}
        raise InvalidArgument("Invalid uploadId marker", members=members)

    def read(tx: Tx) -> Page[Upload]:
        source: Source[Upload] = Source(seek=lambda key: uploads.listed(tx, bucket.name, key), key_of=_key_of)
        rows = _rows_behind(source, key_marker, query)
        if key_marker and id_marker:
            rows = chain(uploads.listed_of_key(tx, bucket.name, key_marker, id_marker), rows)
        return page(rows, source, query)

    found = await s3.database.read(read, long=query.limit > _INLINE_KEYS)
    encode = _encoder(params)
    output = _common(params, bucket, query, found)
    del output["Name"], output["MaxKeys"]
    output |= {"Bucket": bucket.name, "MaxUploads": query.limit, "KeyMarker": encode(key_marker)}
    output |= {"UploadIdMarker": id_marker, "Uploads": [_upload(entry, encode) for entry in found.entries]}
    if found.truncated:
        output["NextKeyMarker"] = encode(_last_key(found))
        output["NextUploadIdMarker"] = found.last.upload_id if isinstance(found.last, Upload) else ""
    return output


@operation("ListParts")
async def list_parts(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parts of an upload in progress, by number. Those under a key need it.

    AWS: S3 API Reference, ListParts, "Permissions" (kms:Decrypt).
    """
    bucket = s3.buckets.get(ctx, params)
    limit = _limit(params, "MaxParts")
    marker = params.get("PartNumberMarker") or 0
    if marker < 0:
        raise _negative("part-number-marker", marker)

    def read(tx: Tx) -> tuple[Upload, list[UploadedPart]]:
        upload = uploads.find(tx, bucket.name, params["Key"], params["UploadId"])
        if upload is None:
            raise NoSuchUpload(members={"UploadId": params["UploadId"]})
        return upload, uploads.parts(tx, upload, marker, limit + 1)

    upload, found = await s3.database.read(read)
    await encryption.open_key(ctx, bucket, upload.content.data_key)
    shown = found[:limit]
    output: dict[str, Any] = {
        "Bucket": bucket.name,
        "Key": upload.key,
        "UploadId": upload.upload_id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else 0,
        "MaxParts": limit,
        "IsTruncated": len(found) > limit and limit > 0,
        "Parts": [_part(upload, part) for part in shown],
        "Initiator": {"ID": upload.initiator_arn},
        "Owner": owner_of(upload.content.owner_account_id),
        "StorageClass": upload.content.storage_class,
    }
    if upload.checksum_requested:
        output |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
    return output


async def _page_of_objects(s3: S3, bucket: Bucket, query: Query, marker: str) -> Page[ObjectVersion]:
    def read(tx: Tx) -> Page[ObjectVersion]:
        source: Source[ObjectVersion] = Source(seek=lambda key: store.listed(tx, bucket.name, key), key_of=_key_of)
        return page(_rows_behind(source, marker, query), source, query)

    return await s3.database.read(read, long=query.limit > _INLINE_KEYS)


def _rows_behind(source: Source[T], marker: str, query: Query) -> Iterator[T]:
    start = start_after(marker, query) if marker else query.prefix
    return iter(()) if start is None else source.seek(start)


def _key_of(entry: ObjectVersion | Upload) -> str:
    return entry.key


def _last_key(found: Page[ObjectVersion] | Page[Upload]) -> str:
    last = found.last
    return "" if last is None else last if isinstance(last, str) else last.key


def _query(params: Mapping[str, Any], limit_name: str) -> Query:
    limit = _limit(params, limit_name)
    return Query(prefix=params.get("Prefix") or "", delimiter=params.get("Delimiter") or "", limit=limit)


def _limit(params: Mapping[str, Any], name: str) -> int:
    asked = params.get(name)
    if asked is None:
        return _MAX_KEYS
    if asked < 0:
        raise _negative({"MaxKeys": "maxKeys", "MaxUploads": "max-uploads", "MaxParts": "max-parts"}[name], asked)
    return min(int(asked), _MAX_KEYS)


def _negative(argument: str, asked: int) -> InvalidArgument:
    text = f"Argument {argument} must be an integer between 0 and 2147483647"
    return InvalidArgument(text, members={"ArgumentName": argument, "ArgumentValue": str(asked)})


def _encoder(params: Mapping[str, Any]) -> Callable[[str], str]:
    asked = params.get("EncodingType")
    if asked is not None and asked.lower() != "url":
        text = "Invalid Encoding Method specified in Request"
        raise InvalidArgument(text, members={"ArgumentName": "encoding-type", "ArgumentValue": asked})
    return url_encoded if asked else str


def _common(params: Mapping[str, Any], bucket: Bucket, query: Query, found: Page[Any]) -> dict[str, Any]:
    encode = _encoder(params)
    output: dict[str, Any] = {
        "Name": bucket.name,
        "Prefix": encode(query.prefix),
        "MaxKeys": query.limit,
        "IsTruncated": found.truncated,
        "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in found.prefixes],
    }
    if query.delimiter:
        output["Delimiter"] = encode(query.delimiter)
    if params.get("EncodingType") is not None:
        output["EncodingType"] = params["EncodingType"]
    return output


def _content(entry: ObjectVersion, encode: Callable[[str], str], *, owner: bool) -> dict[str, Any]:
    element: dict[str, Any] = {
        "Key": encode(entry.key),
        "LastModified": moment(entry.last_modified),
        "ETag": entry.quoted_etag,
        "Size": entry.size_bytes,
        "StorageClass": entry.content.storage_class,
    }
    if entry.checksum is not None:
        element |= {"ChecksumAlgorithm": [entry.checksum.algorithm], "ChecksumType": entry.checksum.type}
    if owner:
        element["Owner"] = owner_of(entry.content.owner_account_id)
    return element


def _version(entry: ObjectVersion, encode: Callable[[str], str]) -> dict[str, Any]:
    return {**_content(entry, encode, owner=True), "VersionId": entry.version_id, "IsLatest": entry.is_latest}


def _marker(bucket: Bucket, entry: ObjectVersion, encode: Callable[[str], str]) -> dict[str, Any]:
    return {
        "Key": encode(entry.key),
        "VersionId": entry.version_id,
        "IsLatest": entry.is_latest,
        "LastModified": moment(entry.last_modified),
        "Owner": owner_of(bucket.account_id),
    }


def _upload(entry: Upload, encode: Callable[[str], str]) -> dict[str, Any]:
    element: dict[str, Any] = {
        "UploadId": entry.upload_id,
        "Key": encode(entry.key),
        "Initiated": moment(entry.initiated_at),
        "StorageClass": entry.content.storage_class,
        "Owner": owner_of(entry.content.owner_account_id),
        "Initiator": {"ID": entry.initiator_arn},
    }
    if entry.checksum_requested:
        element |= {"ChecksumAlgorithm": entry.checksum_algorithm, "ChecksumType": entry.checksum_type}
    return element


def _part(upload: Upload, part: UploadedPart) -> dict[str, Any]:
    element: dict[str, Any] = {
        "PartNumber": part.number,
        "LastModified": moment(part.last_modified),
        "ETag": f'"{part.etag}"',
        "Size": part.size_bytes,
    }
    if upload.checksum_requested:
        element[f"Checksum{upload.checksum_algorithm}"] = part.checksum
    return element
