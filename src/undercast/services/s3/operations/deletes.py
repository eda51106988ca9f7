"""DeleteObject and DeleteObjects.

A long batch runs in the store's thread, so that a thousand keys do not hold the event loop.
AWS: S3 API Reference, DeleteObject, DeleteObjects.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import operation
from undercast.services.s3.errors import MalformedXML, NoSuchVersion
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import is_version_id
from undercast.services.s3.models import Bucket
from undercast.services.s3.versions import Deleted, Deletion, delete, replaces_many_parts
from undercast.store.database import Tx

_MAX_KEYS = 1000
_INLINE_KEYS = 20


@operation("DeleteObject")
async def delete_object(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Delete a key (a versioned bucket gets a delete marker), or one version for good."""
    bucket = s3.buckets.get(ctx, params)
    deletion = Deletion(key=params["Key"], version_id=params.get("VersionId"), if_match=params.get("IfMatch"))
    many = replaces_many_parts(s3, bucket, deletion.key, deletion.version_id)
    done = await s3.database.write(lambda tx: delete(s3, tx, ctx, bucket, deletion), long=many)
    output: dict[str, Any] = {}
    if done.version_id is not None:
        output["VersionId"] = done.version_id
    if done.delete_marker:
        output["DeleteMarker"] = True
    return output


@operation("DeleteObjects")
async def delete_objects(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Delete up to 1,000 keys or versions; Quiet leaves out those that went well.

    A key that the caller may not delete is an entry of Errors, as one whose condition fails.
    """
    bucket = s3.buckets.get(ctx, params)
    objects: Sequence[Mapping[str, Any]] = params["Delete"]["Objects"]
    if not 1 <= len(objects) <= _MAX_KEYS or not all(item["Key"] for item in objects):
        raise MalformedXML()
    for member in ("LastModifiedTime", "Size"):
        if any(item.get(member) is not None for item in objects):
            raise refused_member("DeleteObjects", f"Delete.Objects.{member}", "it belongs to directory buckets")
    many = len(objects) > _INLINE_KEYS or any(
        replaces_many_parts(s3, bucket, item["Key"], item.get("VersionId")) for item in objects
    )
    outcomes = await s3.database.write(lambda tx: _delete_all(s3, tx, ctx, bucket, objects), long=many)
    deleted = [_done(item, outcome) for item, outcome in outcomes if isinstance(outcome, Deleted)]
    errors = [_failed(item, outcome) for item, outcome in outcomes if isinstance(outcome, ServiceError)]
    output: dict[str, Any] = {} if params["Delete"].get("Quiet") else {"Deleted": deleted}
    if errors:
        output["Errors"] = errors
    return output


def _delete_all(
    s3: S3, tx: Tx, ctx: RequestContext, bucket: Bucket, group: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Deleted | ServiceError]]:
    found: list[tuple[Mapping[str, Any], Deleted | ServiceError]] = []
    for place, item in enumerate(group):
        if place in ctx.refusals:
            found.append((item, ctx.refusals[place]))
            continue
        version_id = item.get("VersionId")
        if version_id is not None and not is_version_id(version_id):
            found.append((item, NoSuchVersion()))  # scality/cloudserver's test of versions, which runs against S3, too
            continue
        deletion = Deletion(key=item["Key"], version_id=version_id, if_match=item.get("ETag"))
        try:
            # A condition fails before anything is written, so the transaction can go on with the next key.
            found.append((item, delete(s3, tx, ctx, bucket, deletion)))
        except ServiceError as error:
            found.append((item, error))
    return found


def _done(item: Mapping[str, Any], outcome: Deleted) -> dict[str, Any]:
    entry: dict[str, Any] = {"Key": item["Key"]}
    if item.get("VersionId") is not None:
        entry["VersionId"] = item["VersionId"]
    if outcome.delete_marker:
        entry["DeleteMarker"] = True
        entry["DeleteMarkerVersionId"] = outcome.version_id
    return entry


def _failed(item: Mapping[str, Any], error: ServiceError) -> dict[str, Any]:
    entry = {"Key": item["Key"], "Code": error.code, "Message": error.message}
    if item.get("VersionId") is not None:
        entry["VersionId"] = item["VersionId"]
    return entry
