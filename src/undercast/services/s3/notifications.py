"""Event notifications: configuration + change -> deliveries.

Pure. What EventBridge hears has another form: `bus_events.py`.
AWS: S3 User Guide, "Event message structure", "Supported event types", "Configuring filters using object key names".
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256, sha512
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.listing import first_few
from undercast.events.delivery import Delivery
from undercast.services.s3 import bus_events
from undercast.services.s3.changes import Change
from undercast.services.s3.destinations import check_arn, delivery, entries
from undercast.services.s3.errors import InvalidArgument
from undercast.services.s3.keys import url_encoded
from undercast.services.s3.models import Bucket

_VERSION_2_3 = ("ObjectTagging:", "ObjectAcl:", "LifecycleExpiration:", "LifecycleTransition")
WITHOUT_CONTENT = ("ObjectRemoved:Delete", "LifecycleExpiration:Delete")
"""Events after which the version is gone: neither size nor ETag, and a sequence number of their own."""
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "ObjectCreated": ("Put", "Post", "Copy", "CompleteMultipartUpload"),
    "ObjectRemoved": ("Delete", "DeleteMarkerCreated"),
    "ObjectRestore": ("Post", "Completed", "Delete"),
    "ObjectTagging": ("Put", "Delete"),
    "ObjectAcl": ("Put",),
    "LifecycleExpiration": ("Delete", "DeleteMarkerCreated"),
    "Replication": (
        "OperationFailedReplication",
        "OperationMissedThreshold",
        "OperationNotTracked",
        "OperationReplicatedAfterThreshold",
    ),
}
_SINGLE = ("ReducedRedundancyLostObject", "LifecycleTransition", "IntelligentTiering")
_MAX_FILTER_BYTES = 1024


def principal_id(ctx: RequestContext) -> str:
    """userIdentity.principalId: "AWS:" and the unique id of the caller."""
    principal = ctx.principal
    if principal.kind == "service":
        return principal.arn
    return "Anonymous" if principal.kind == "anonymous" else f"AWS:{principal.user_id or principal.account_id}"


def requester(ctx: RequestContext) -> str:
    """Who asks, as EventBridge's events have it."""
    return ctx.principal.arn if ctx.principal.kind == "service" else str(ctx.principal.account_id)


def deliveries(change: Change, new_id: Callable[[], str]) -> list[Delivery]:
    """One delivery for each destination that the bucket's configuration names for this change."""
    configuration = change.bucket.configurations.get("notification")
    if not configuration:
        return []
    to_bus = bus_events.bus_delivery(change, new_id(), new_id()) if bus_events.MEMBER in configuration else None
    return [*([to_bus] if to_bus is not None else []), *_to_destinations(change, configuration, new_id)]


def left_out(change: Change) -> str:
    """Which destinations the configuration keeps the change from, and why; "" where there is none."""
    told: set[str] = set()
    why: dict[str, str] = {}
    for destination, entry in entries(change.bucket.configurations.get("notification") or {}):
        arn = entry[destination.arn_member]
        if _is_told(entry, change):
            told.add(arn)
        elif reason := _reason(entry, change):
            why.setdefault(arn, reason)
    missed = [f"{arn} ({reason})" for arn, reason in why.items() if arn not in told]
    if not missed:
        return ""
    some = f"{len(missed)} of {len(told.union(why))} destinations"
    return f"not for {some} of the bucket: {first_few(missed, len(missed))}"


def _reason(entry: Mapping[str, Any], change: Change) -> str:
    """Why it is not told; "" where it is meant for other kinds of events alone: ObjectRemoved, of a new object."""
    if any(covers(event, change.event) for event in entry["Events"]):
        prefix, suffix = _filter(entry)
        return f"keys {prefix}*{suffix}"
    family = change.event.partition(":")[0]
    if any(event.removeprefix("s3:").partition(":")[0] == family for event in entry["Events"]):
        return f"only {', '.join(entry['Events'])}"
    return ""


def _to_destinations(change: Change, configuration: Mapping[str, Any], new_id: Callable[[], str]) -> list[Delivery]:
    traced = {"trace_header": change.trace_header} if change.trace_header else {}
    return [
        delivery(
            destination,
            entry,
            change.bucket,
            {"Records": [record(change, entry["Id"])]},
            id=new_id(),
            created_at=change.at,
            cause=change.cause,
            due_at=change.at,
            attributes=traced,
        )
        for destination, entry in entries(configuration)
        if _is_told(entry, change)
    ]


def record(change: Change, configuration_id: str) -> dict[str, Any]:
    """The event record, with AWS's members in AWS's order."""
    at = datetime.fromtimestamp(change.at, UTC)
    bucket = change.bucket
    return {
        "eventVersion": "2.3" if change.event.startswith(_VERSION_2_3) else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "eventName": change.event,
        "userIdentity": {"principalId": change.principal_id},
        "requestParameters": {"sourceIPAddress": change.source_ip},
        "responseElements": {
            "x-amz-request-id": change.request_id,
            "x-amz-id-2": b64encode(sha512(change.request_id.encode()).digest()).decode()[:76],
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": f"A{sha256(bucket.account_id.encode()).hexdigest()[:13].upper()}"},
                "arn": bucket.arn,
            },
            "object": _object(change),
        },
    }


def _object(change: Change) -> dict[str, Any]:
    described: dict[str, Any] = {"key": url_encoded(change.key)}
    if change.version is not None and change.event not in WITHOUT_CONTENT:
        if not change.version.is_delete_marker:
            described["size"] = change.version.size_bytes
        described["eTag"] = change.version.etag
    if change.version_id is not None:
        described["versionId"] = change.version_id
    described["sequencer"] = change.sequencer
    return described


def covers(configured: str, event: str) -> bool:
    """Whether "s3:ObjectCreated:*" covers "ObjectCreated:Put"."""
    name = configured.removeprefix("s3:")
    return name == event or (name.endswith(":*") and event.startswith(name[:-1]))


def _is_told(entry: Mapping[str, Any], change: Change) -> bool:
    prefix, suffix = _filter(entry)
    covered = any(covers(event, change.event) for event in entry["Events"])
    return covered and change.key.startswith(prefix) and change.key.endswith(suffix)


def _filter(entry: Mapping[str, Any]) -> tuple[str, str]:
    rules = (entry.get("Filter") or {}).get("Key", {}).get("FilterRules") or ()
    values = {rule["Name"].lower(): rule.get("Value", "") for rule in rules}
    return values.get("prefix", ""), values.get("suffix", "")


def checked(given: Mapping[str, Any], bucket: Bucket, new_id: Callable[[], str]) -> dict[str, Any]:
    """The configuration to store: each entry with an id. Raises InvalidArgument in AWS's words."""
    stored: dict[str, Any] = {}
    seen: list[dict[str, Any]] = []
    for destination, entry in entries(given):
        _check_events(entry["Events"])
        _check_filter(entry)
        check_arn(destination, entry[destination.arn_member], bucket)
        seen.append({**entry, "Id": entry.get("Id") or new_id()})
        stored.setdefault(destination.member, []).append(seen[-1])
    if len({entry["Id"] for entry in seen}) < len(seen):
        raise InvalidArgument("Same ID used for multiple configurations. IDs must be unique")
    for index, one in enumerate(seen):
        for other in seen[:index]:
            _check_overlap(one, other)
    if given.get(bus_events.MEMBER) is not None:
        stored[bus_events.MEMBER] = {}
    return stored


def _check_events(events: Sequence[str]) -> None:
    for event in events:
        family, _, name = event.removeprefix("s3:").partition(":")
        known = family in _SINGLE if not name else name == "*" or name in _FAMILIES.get(family, ())
        if not event.startswith("s3:") or not known or (name and family not in _FAMILIES):
            text = "The event is not supported for notifications"
            raise InvalidArgument(text, members={"ArgumentName": "Event", "ArgumentValue": event})


def _check_filter(entry: Mapping[str, Any]) -> None:
    seen: set[str] = set()
    for rule in (entry.get("Filter") or {}).get("Key", {}).get("FilterRules") or ():
        name = rule.get("Name", "").lower()
        members = {"ArgumentName": "FilterRule.Name", "ArgumentValue": rule.get("Name", "")}
        if name not in ("prefix", "suffix"):
            raise InvalidArgument("filter rule name must be either prefix or suffix", members=members)
        if name in seen:
            raise InvalidArgument(f"Cannot specify more than one {name} rule in a filter.", members=members)
        if len(rule.get("Value", "").encode()) > _MAX_FILTER_BYTES:
            raise InvalidArgument("Size of filter rule value cannot exceed 1024 bytes in UTF-8", members=members)
        seen.add(name)


def _check_overlap(entry: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Two rules may share an event type only where no key can pass both filters."""
    shared = any(_overlap(one, two) for one in entry["Events"] for two in other["Events"])
    (prefix, suffix), (other_prefix, other_suffix) = _filter(entry), _filter(other)
    prefixes = prefix.startswith(other_prefix) or other_prefix.startswith(prefix)
    suffixes = suffix.endswith(other_suffix) or other_suffix.endswith(suffix)
    if not (shared and prefixes and suffixes):
        return
    if any((prefix, suffix, other_prefix, other_suffix)):
        raise InvalidArgument(
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
            "overlapping for the same event type."
        )
    raise InvalidArgument("Configurations overlap. Configurations on the same bucket cannot share a common event type.")


def _overlap(one: str, two: str) -> bool:
    return covers(one, two.removeprefix("s3:")) or covers(two, one.removeprefix("s3:"))
