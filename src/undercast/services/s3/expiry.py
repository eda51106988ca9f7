"""What lifecycle rules remove, and when.

Pure: rules, the versions of one key and the time give the versions to expire.
AWS: S3 User Guide, "Lifecycle configuration elements", "Expiring objects".
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from undercast.services.s3.models import ObjectVersion, Upload

DAY_S = 86_400


def due_at(since: float, days: int) -> float:
    """The midnight (UTC) on which a rule of so many days acts: the age is rounded up to the next one."""
    return (math.floor(since / DAY_S) + days + 1) * DAY_S


def expired(
    rules: Sequence[Mapping[str, Any]], versions: Sequence[ObjectVersion], now: float
) -> Iterator[ObjectVersion]:
    """The versions of one key, given newest first, that some enabled rule expires by now."""
    enabled = [rule for rule in rules if rule["Status"] == "Enabled"]
    newest = versions[0]
    if any(_expires_newest(rule, newest, alone=len(versions) == 1, now=now) for rule in enabled):
        yield newest
    for position, version in enumerate(versions[1:]):
        became_noncurrent = versions[position].last_modified
        if any(_expires_noncurrent(rule, version, (position, became_noncurrent), now) for rule in enabled):
            yield version


def abandoned(rules: Sequence[Mapping[str, Any]], upload: Upload, now: float) -> bool:
    """Whether some enabled rule aborts an upload by now."""
    for rule in rules:
        days = (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation")
        if rule["Status"] != "Enabled" or days is None or not upload.key.startswith(_prefix(rule)):
            continue
        if due_at(upload.initiated_at, days) <= now:
            return True
    return False


def _expires_newest(rule: Mapping[str, Any], newest: ObjectVersion, *, alone: bool, now: float) -> bool:
    expiration = rule.get("Expiration") or {}
    if newest.is_delete_marker:
        # A marker with nothing behind it goes when a rule says so, or once it is as old as the rule's objects.
        aged = "Days" in expiration and due_at(newest.last_modified, expiration["Days"]) <= now
        wanted = expiration.get("ExpiredObjectDeleteMarker") or aged
        return bool(alone and wanted and newest.key.startswith(_prefix(rule)))
    if "Date" in expiration:
        due = expiration["Date"].timestamp()
    elif "Days" in expiration:
        due = due_at(newest.last_modified, expiration["Days"])
    else:
        return False
    return bool(due <= now) and selects(rule, newest)


def _expires_noncurrent(rule: Mapping[str, Any], version: ObjectVersion, age: tuple[int, float], now: float) -> bool:
    """`age`: how many noncurrent versions are newer, and when this one became noncurrent."""
    expiration = rule.get("NoncurrentVersionExpiration") or {}
    newer, since = age
    if "NoncurrentDays" not in expiration or newer < expiration.get("NewerNoncurrentVersions", 0):
        return False
    return due_at(since, expiration["NoncurrentDays"]) <= now and selects(rule, version)


def selects(rule: Mapping[str, Any], version: ObjectVersion) -> bool:
    """Whether the rule's filter takes a version: prefix, every tag, size bounds."""
    filters = rule.get("Filter") or {}
    filters = {**filters, **filters.get("And", {})}
    wanted = [*filters.get("Tags", ()), *([filters["Tag"]] if "Tag" in filters else [])]
    return (
        version.key.startswith(_prefix(rule))
        and all(version.content.tags.get(tag["Key"]) == tag["Value"] for tag in wanted)
        and version.size_bytes > filters.get("ObjectSizeGreaterThan", -1)
        and version.size_bytes < filters.get("ObjectSizeLessThan", math.inf)
    )


def _prefix(rule: Mapping[str, Any]) -> str:
    filters = rule.get("Filter") or {}
    return str(rule.get("Prefix") or filters.get("Prefix") or filters.get("And", {}).get("Prefix") or "")
