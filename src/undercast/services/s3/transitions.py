"""What lifecycle rules move to which storage class, and when.

Pure: rules, the versions of one key and the time give the moves. A class says what a read may do (GLACIER and
DEEP_ARCHIVE cannot be read), not where bytes lie.
AWS: S3 User Guide, "Transitioning objects using Amazon S3 Lifecycle".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from undercast.services.s3.expiry import due_at, selects
from undercast.services.s3.models import ARCHIVED, ObjectVersion

MINIMUM_BYTES = 128 * 1024
MINIMUM_SIZES = ("all_storage_classes_128K", "varies_by_storage_class")
WATERFALL = ("STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
"""An object moves to the right only, and from ONEZONE_IA not to GLACIER_IR."""


def moves(
    configuration: Mapping[str, Any], versions: Sequence[ObjectVersion], now: float
) -> Iterator[tuple[ObjectVersion, str]]:
    """(version, storage class to come), for the versions of one key, given newest first."""
    anything = configuration.get("TransitionDefaultMinimumObjectSize") == "varies_by_storage_class"
    rules = [rule for rule in configuration["Rules"] if rule["Status"] == "Enabled"]
    for newer, version in enumerate(versions):
        if version.is_delete_marker:
            continue
        age = None if newer == 0 else (newer - 1, versions[newer - 1].last_modified)
        due = {
            storage_class
            for rule in rules
            if selects(rule, version)
            for storage_class in _due(rule, version, age, now)
            if _big_enough(rule, version, storage_class, anything) and _allowed(version, storage_class)
        }
        if due:
            # Of several that are due the one furthest down wins: AWS prefers what costs least.
            yield version, max(due, key=WATERFALL.index)


def _due(rule: Mapping[str, Any], version: ObjectVersion, age: tuple[int, float] | None, now: float) -> Iterator[str]:
    """`age`: how many noncurrent versions are newer and since when this one is noncurrent; None for the current one."""
    if age is None:
        for one in rule.get("Transitions") or ():
            at = one["Date"].timestamp() if "Date" in one else due_at(version.last_modified, one["Days"])
            if at <= now:
                yield one["StorageClass"]
        return
    for one in rule.get("NoncurrentVersionTransitions") or ():
        if age[0] >= one.get("NewerNoncurrentVersions", 0) and due_at(age[1], one["NoncurrentDays"]) <= now:
            yield one["StorageClass"]


def _big_enough(rule: Mapping[str, Any], version: ObjectVersion, storage_class: str, varies: bool) -> bool:
    """Small objects stay, unless the rule's own filter speaks of sizes."""
    filters = rule.get("Filter") or {}
    filters = {**filters, **filters.get("And", {})}
    if "ObjectSizeGreaterThan" in filters or "ObjectSizeLessThan" in filters:
        return True
    return version.size_bytes >= MINIMUM_BYTES or (varies and storage_class in ARCHIVED)


def _allowed(version: ObjectVersion, storage_class: str) -> bool:
    present = version.content.storage_class
    if present not in WATERFALL or (present, storage_class) == ("ONEZONE_IA", "GLACIER_IR"):
        return False
    return WATERFALL.index(storage_class) > WATERFALL.index(present)
