"""PutObjectTagging, GetObjectTagging, DeleteObjectTagging.

AWS: S3 API Reference, the operations of these names.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import operation
from undercast.services.s3 import reading, store, tags
from undercast.services.s3.instance import S3
from undercast.services.s3.models import Bucket, ObjectVersion
from undercast.services.s3.versions import announce
from undercast.store.database import Tx


@operation("PutObjectTagging")
async def put_object_tagging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace the tags of a version; ten at most."""
    bucket = s3.buckets.get(ctx, params)
    given = tags.from_object_set(params["Tagging"])
    return await _replace(s3, ctx, bucket, params, (given, "ObjectTagging:Put"))


@operation("DeleteObjectTagging")
async def delete_object_tagging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove all tags of a version."""
    return await _replace(s3, ctx, s3.buckets.get(ctx, params), params, ({}, "ObjectTagging:Delete"))


@operation("GetObjectTagging")
async def get_object_tagging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tags of a version."""
    bucket = s3.buckets.get(ctx, params)
    version = reading.look_up(s3, bucket, params)
    return {"TagSet": tags.tag_set(version.content.tags), **_version_id(bucket, version)}


async def _replace(
    s3: S3, ctx: RequestContext, bucket: Bucket, params: Mapping[str, Any], change: tuple[dict[str, str], str]
) -> Mapping[str, Any]:
    new, event = change

    def commit(tx: Tx) -> ObjectVersion:
        version = reading.find(tx, s3.buckets.confirm(tx, bucket), params)
        store.set_tags(tx, version, new)
        announce(s3, tx, ctx, event, version)
        return version

    return _version_id(bucket, await s3.database.write(commit))


def _version_id(bucket: Bucket, version: ObjectVersion) -> dict[str, str]:
    return {"VersionId": version.version_id} if bucket.versioning else {}
