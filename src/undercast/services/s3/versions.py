"""How a write changes the versions of a key: put, delete, remove.

Runs inside one write transaction, which commits rows, blob references and outbox deliveries together (I6).
AWS: S3 User Guide, "How S3 Versioning works", "Working with delete markers", "Adding objects to versioning-suspended".
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.events.causality import Edge
from undercast.services.s3 import store, uploads
from undercast.services.s3.changes import Change
from undercast.services.s3.conditions import check_write
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import check_version_id
from undercast.services.s3.models import NULL_VERSION, Bucket, Content, ObjectVersion, Payload, Upload
from undercast.services.s3.notifications import WITHOUT_CONTENT, deliveries, left_out, principal_id, requester
from undercast.store.database import Tx

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@record
class Write:
    """A new current version of a key."""

    bucket: Bucket
    key: str
    event: str
    """ "ObjectCreated:Put" and its like."""
    payload: Payload
    content: Content
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """IfMatch, IfNoneMatch."""


@record
class Deletion:
    """What a delete is asked for."""

    key: str
    version_id: str | None = None
    if_match: str | None = None
    family: str = "ObjectRemoved"
    """Of the event: "ObjectRemoved" or "LifecycleExpiration"."""


@record
class Deleted:
    """What a delete did. `version_id` is None in a bucket that never was versioned."""

    delete_marker: bool = False
    version_id: str | None = None


def put(s3: S3, tx: Tx, ctx: RequestContext, write: Write) -> ObjectVersion:
    """Make a payload, whose blobs the caller has acquired, the current version of its key."""
    bucket = s3.buckets.confirm(tx, write.bucket)
    newest = store.latest(tx, bucket.name, write.key)
    check_write(write.conditions, None if newest is None or newest.is_delete_marker else newest)
    version = ObjectVersion(
        bucket=bucket.name,
        key=write.key,
        sequence=s3.sequence.next(tx),
        version_id=_supersede(s3, tx, bucket, write.key, newest),
        is_latest=True,
        is_delete_marker=False,
        size_bytes=write.payload.size_bytes,
        etag=write.payload.etag,
        last_modified=ctx.clock.now(),
        blob_id=write.payload.blob_id,
        parts_count=len(write.payload.parts),
        checksum=write.payload.checksum,
        content=write.content,
    )
    store.insert(tx, bucket, version, write.payload)
    announce(s3, tx, ctx, write.event, version)
    return version


def delete(s3: S3, tx: Tx, ctx: RequestContext, bucket: Bucket, deletion: Deletion) -> Deleted:
    """Delete a key or one version. What is not there is no error, as on AWS; InvalidArgument for what is no id."""
    if deletion.version_id is not None:
        check_version_id(deletion.version_id)
    bucket = s3.buckets.confirm(tx, bucket)
    newest = store.latest(tx, bucket.name, deletion.key)
    check_write({"IfMatch": deletion.if_match}, None if newest is None or newest.is_delete_marker else newest)
    if deletion.version_id is not None:
        return _delete_version(s3, tx, ctx, bucket, (deletion, deletion.version_id))
    if bucket.versioning == "":
        if newest is not None:
            remove(s3, tx, newest)
            announce(s3, tx, ctx, f"{deletion.family}:Delete", newest)
        return Deleted()
    marker = ObjectVersion(
        bucket=bucket.name,
        key=deletion.key,
        sequence=s3.sequence.next(tx),
        version_id=_supersede(s3, tx, bucket, deletion.key, newest),
        is_latest=True,
        is_delete_marker=True,
        size_bytes=0,
        etag=EMPTY_MD5,
        last_modified=ctx.clock.now(),
        blob_id=None,
        parts_count=0,
        checksum=None,
        content=Content(owner_account_id=bucket.account_id),
    )
    store.insert(tx, bucket, marker, Payload(size_bytes=0, etag=EMPTY_MD5))
    announce(s3, tx, ctx, f"{deletion.family}:DeleteMarkerCreated", marker)
    return Deleted(delete_marker=True, version_id=marker.version_id)


def replaces_many_parts(s3: S3, bucket: Bucket, key: str, version_id: str | None = None) -> bool:
    """Whether a put or a delete of this key, or version, takes away an object of more parts than the event loop
    should be kept for. A guess, outside of a transaction."""
    if version_id is None and bucket.versioning == "Enabled":
        return False
    if version_id is None and bucket.versioning:
        version_id = NULL_VERSION
    found = s3.lookups.named(bucket.name, key, version_id)
    return found is not None and found.parts_count > uploads.INLINE_PARTS


def remove(s3: S3, tx: Tx, version: ObjectVersion) -> None:
    """Drop a version's rows and its references to blobs."""
    if version.blob_id is not None:
        s3.blobs.release(tx, version.blob_id)
    elif version.parts_count:
        for part in store.parts(tx, version.sequence):
            s3.blobs.release(tx, part.blob_id)
    store.delete(tx, version)


def abort(s3: S3, tx: Tx, upload: Upload) -> None:
    """Drop an upload, its parts and their blobs."""
    for part in uploads.parts(tx, upload):
        s3.blobs.release(tx, part.blob_id)
    uploads.remove(tx, upload)


def announce(s3: S3, tx: Tx, ctx: RequestContext, event: str, version: ObjectVersion) -> None:
    """Add the deliveries of an event to the outbox, in the transaction that makes it true."""
    bucket = s3.buckets.inside(tx, version.bucket)
    if bucket is None or "notification" not in bucket.configurations:
        return
    gone = event in WITHOUT_CONTENT
    change = Change(
        event=event,
        bucket=bucket,
        key=version.key,
        sequence=s3.sequence.next(tx) if gone else version.sequence,
        at=ctx.clock.now(),
        version=version,
        version_id=version.version_id if bucket.versioning else None,
        principal_id=principal_id(ctx),
        requester=requester(ctx),
        source_ip=ctx.source_ip,
        request_id=ctx.request_id,
        cause=ctx.cause,
        trace_header=ctx.headers.get("x-amzn-trace-id", ""),
    )
    found, missed = deliveries(change, ctx.ids.uuid), left_out(change)
    if not found and not missed:
        return
    origin = ("object", f"{bucket.arn}/{version.key}?versionId={version.version_id}&sequencer={change.sequencer}")
    call, place = ("call", ctx.request_id), f"{bucket.name}/{version.key}"
    if missed:
        tx.after_commit(lambda: s3.causality.filtered_out("object", (origin[1],), missed, ctx.scope))
    if not found:
        # Nothing durable comes of it: the edge goes through the journal's batch (ADR 0064).
        name = f"s3:{ctx.operation} {place}" if ctx.operation else ""
        s3.causality.note_with(tx, _edge(ctx, call, origin, f"s3:{event} {place}"), from_label=name)
        return
    if ctx.cause.kind == "external" and ctx.operation:
        # What an environment calls, dispatch notes; a call from outside is worth a row only where it has effects.
        s3.causality.record(tx, _edge(ctx, (ctx.cause.kind, ctx.cause.id), call, f"s3:{ctx.operation} {place}"))
    s3.causality.record(tx, _edge(ctx, call, origin, f"s3:{event} {place}"))
    for delivery in found:
        s3.outbox.add(tx, delivery, origin)


def _edge(ctx: RequestContext, start: tuple[str, str], end: tuple[str, str], label: str) -> Edge:
    return Edge(
        from_kind=start[0],
        from_id=start[1],
        to_kind=end[0],
        to_id=end[1],
        label=label,
        at=ctx.clock.now(),
        scope=ctx.scope,
        environment_id=ctx.cause.environment_id or "",
    )


def _supersede(s3: S3, tx: Tx, bucket: Bucket, key: str, newest: ObjectVersion | None) -> str:
    """Make room for a new current version; its version id."""
    if newest is not None and bucket.versioning == "Enabled":
        store.set_latest(tx, newest, False)
    elif newest is not None:
        is_null = newest.version_id == NULL_VERSION
        replaced = newest if is_null else store.version(tx, bucket.name, key, NULL_VERSION)
        if replaced is not None:
            remove(s3, tx, replaced)
        if not is_null:
            store.set_latest(tx, newest, False)
    return s3.ids.alnum(32) if bucket.versioning == "Enabled" else NULL_VERSION


def _delete_version(s3: S3, tx: Tx, ctx: RequestContext, bucket: Bucket, asked: tuple[Deletion, str]) -> Deleted:
    deletion, version_id = asked
    found = store.version(tx, bucket.name, deletion.key, version_id)
    if found is None:
        return Deleted(version_id=version_id)
    remove(s3, tx, found)
    if found.is_latest:
        newest = store.latest(tx, bucket.name, deletion.key)
        if newest is not None:
            store.set_latest(tx, newest, True)
    announce(s3, tx, ctx, f"{deletion.family}:Delete", found)
    return Deleted(delete_marker=found.is_delete_marker, version_id=version_id)
