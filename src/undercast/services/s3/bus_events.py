"""What EventBridge hears of a bucket whose notification configuration has EventBridgeConfiguration: everything.

Pure. The event goes to the default bus of the bucket's owner, in the bucket's region.
AWS: S3 User Guide, "Using EventBridge", "EventBridge event message structure".
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.events.delivery import Delivery
from undercast.services.s3.changes import Change

MEMBER = "EventBridgeConfiguration"
KIND = "events"
"""Of the delivery to a bus."""
_CREATED, _DELETED = "Object Created", "Object Deleted"
_DETAIL_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "ObjectCreated": _CREATED,
        "ObjectRemoved": _DELETED,
        "LifecycleExpiration": _DELETED,
        "ObjectTagging:Put": "Object Tags Added",
        "ObjectTagging:Delete": "Object Tags Deleted",
        "ObjectAcl": "Object ACL Updated",
        "LifecycleTransition": "Object Storage Class Changed",
    }
)
_REASONS: Mapping[str, str] = MappingProxyType({"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject"})


def bus_delivery(change: Change, identifier: str, event_id: str) -> Delivery | None:
    """The delivery to the default bus; None for what EventBridge does not hear of."""
    family = change.event.partition(":")[0]
    detail_type = _DETAIL_TYPES.get(change.event) or _DETAIL_TYPES.get(family)
    if detail_type is None:
        return None
    bucket, at = change.bucket, datetime.fromtimestamp(change.at, UTC)
    event = {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": bucket.account_id,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": bucket.region,
        "resources": [bucket.arn],
        "detail": _detail(change, detail_type),
    }
    return Delivery(
        id=identifier,
        kind=KIND,
        target_arn=f"arn:aws:events:{bucket.region}:{bucket.account_id}:event-bus/default",
        payload=json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(),
        scope=Scope(AccountId(bucket.account_id), Region(bucket.region)),
        created_at=change.at,
        cause=change.cause,
        source_arn=bucket.arn,
        attributes={"trace_header": change.trace_header} if change.trace_header else {},
        due_at=change.at,
    )


def _detail(change: Change, detail_type: str) -> dict[str, Any]:
    family, _, name = change.event.partition(":")
    by_s3 = family.startswith("Lifecycle")
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": change.bucket.name},
        "object": _object(change, detail_type),
        "request-id": change.request_id,
        "requester": "s3.amazonaws.com" if by_s3 else change.requester,
    }
    if not by_s3:
        detail["source-ip-address"] = change.source_ip
    if detail_type == _CREATED:
        detail["reason"] = _REASONS.get(name, name)
    elif detail_type == _DELETED:
        detail["reason"] = "Lifecycle Expiration" if by_s3 else "DeleteObject"
        detail["deletion-type"] = "Delete Marker Created" if name == "DeleteMarkerCreated" else "Permanently Deleted"
    elif by_s3 and change.version is not None:
        detail["destination-storage-class"] = change.version.content.storage_class
    return detail


def _object(change: Change, detail_type: str) -> dict[str, Any]:
    described: dict[str, Any] = {"key": change.key}
    if change.version is not None:
        if detail_type != _DELETED:
            described["size"] = change.version.size_bytes
        if change.version.etag:
            described["etag"] = change.version.etag
    if change.version_id is not None:
        described["version-id"] = change.version_id
    if detail_type in (_CREATED, _DELETED):
        described["sequencer"] = change.sequencer
    return described
