"""Applies the lifecycle rules of all buckets.

Reads in the store's thread and removes a few versions at a time, so that nobody waits.
AWS: S3 User Guide, "Managing the lifecycle of objects"; "Supported event types" (s3:Lifecycle*).
"""

from collections.abc import Sequence
from dataclasses import replace

from undercast.core.context import RequestContext
from undercast.core.identity import service_principal
from undercast.services.s3 import expiry, store, transitions, uploads, versions
from undercast.services.s3.errors import NoSuchBucket
from undercast.services.s3.instance import S3
from undercast.services.s3.models import Bucket, ObjectVersion, Upload
from undercast.store.database import Tx

_KEYS_AT_ONCE = 200
_CHANGES_AT_ONCE = 20


async def expire_due(s3: S3) -> None:
    """Remove everything that the rules of any bucket want gone by now, and move what they want elsewhere."""
    for name in await s3.database.read(store.buckets_with_lifecycle):
        bucket = s3.buckets.find(name)
        if bucket is None:
            continue
        ctx = s3.internal(bucket.scope, service_principal("s3.amazonaws.com", bucket.account_id))
        try:
            await _expire_versions(s3, ctx, bucket)
            await _abort_uploads(s3, ctx, bucket)
        except NoSuchBucket:  # it was deleted meanwhile; the others have their turn
            continue


async def _expire_versions(s3: S3, ctx: RequestContext, bucket: Bucket) -> None:
    configuration, now = bucket.configurations["lifecycle"], ctx.clock.now()
    rules, start = configuration["Rules"], ""
    while groups := await s3.database.read(lambda tx, start=start: _groups(tx, bucket, start), long=True):  # type: ignore[misc]
        due = [version for group in groups for version in expiry.expired(rules, group, now)]
        for first in range(0, len(due), _CHANGES_AT_ONCE):
            await _remove(s3, ctx, bucket, due[first : first + _CHANGES_AT_ONCE])
        moving = [move for group in groups for move in transitions.moves(configuration, group, now)]
        for first in range(0, len(moving), _CHANGES_AT_ONCE):
            await _move(s3, ctx, bucket, moving[first : first + _CHANGES_AT_ONCE])
        start = groups[-1][0].key + "\0"


async def _abort_uploads(s3: S3, ctx: RequestContext, bucket: Bucket) -> None:
    rules, now = bucket.configurations["lifecycle"]["Rules"], ctx.clock.now()
    for upload in await s3.database.read(lambda tx: list(uploads.listed(tx, bucket.name, "")), long=True):
        if expiry.abandoned(rules, upload, now):
            await s3.database.write(lambda tx, upload=upload: _abort(s3, tx, upload), long=True)  # type: ignore[misc]


async def _remove(s3: S3, ctx: RequestContext, bucket: Bucket, due: Sequence[ObjectVersion]) -> None:
    def commit(tx: Tx) -> None:
        for version in due:
            found = store.version(tx, bucket.name, version.key, version.version_id)
            if found is None or found.sequence != version.sequence:
                continue
            # The current version of a versioned bucket gets a marker; whatever else is due goes for good.
            marked = found.is_latest and not found.is_delete_marker and bucket.versioning != ""
            version_id = None if marked or bucket.versioning == "" else found.version_id
            deletion = versions.Deletion(key=found.key, version_id=version_id, family="LifecycleExpiration")
            versions.delete(s3, tx, ctx, bucket, deletion)

    await s3.database.write(commit, long=sum(version.parts_count for version in due) > uploads.INLINE_PARTS)


async def _move(s3: S3, ctx: RequestContext, bucket: Bucket, due: Sequence[tuple[ObjectVersion, str]]) -> None:
    def commit(tx: Tx) -> None:
        for version, storage_class in due:
            found = store.version(tx, bucket.name, version.key, version.version_id)
            if found is not None and found.sequence == version.sequence:  # else it has just expired, or is another
                store.set_storage_class(tx, found, storage_class)
                moved = replace(found, content=replace(found.content, storage_class=storage_class))
                versions.announce(s3, tx, ctx, "LifecycleTransition", moved)

    await s3.database.write(commit)


def _abort(s3: S3, tx: Tx, upload: Upload) -> None:
    if uploads.find(tx, upload.bucket, upload.key, upload.upload_id) is not None:
        versions.abort(s3, tx, upload)


def _groups(tx: Tx, bucket: Bucket, start: str) -> list[list[ObjectVersion]]:
    """All versions, newest first, of the next keys."""
    keys = store.distinct_keys(tx, bucket.name, start, _KEYS_AT_ONCE)
    return [list(store.older_versions(tx, bucket.name, key, 2**62)) for key in keys]
