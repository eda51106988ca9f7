"""Lifecycle rules: validation.

Pure. AWS: S3 User Guide, "Lifecycle configuration elements"; S3 API Reference, PutBucketLifecycleConfiguration.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from undercast.services.s3.errors import InvalidArgument, InvalidRequest, MalformedXML

_MAX_RULES = 1000
_ACTIONS = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)
_DAYS = (
    ("Expiration", "Days", "'Days' for Expiration action must be a positive integer"),
    (
        "NoncurrentVersionExpiration",
        "NoncurrentDays",
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    ),
    (
        "AbortIncompleteMultipartUpload",
        "DaysAfterInitiation",
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
    ),
)


def checked(rules: Sequence[Mapping[str, Any]], new_id: Callable[[], str]) -> list[dict[str, Any]]:
    """The rules to store, each with an ID. Raises what S3 answers to a wrong one."""
    if not 1 <= len(rules) <= _MAX_RULES:
        raise MalformedXML()
    found: list[dict[str, Any]] = []
    for rule in rules:
        _check(rule)
        found.append({**rule, "ID": rule.get("ID") or new_id()})
    if len({rule["ID"] for rule in found}) < len(found):
        raise InvalidArgument("Rule ID must be unique. Found same ID for more than one rule")
    return found


def _check(rule: Mapping[str, Any]) -> None:
    if rule["Status"] not in ("Enabled", "Disabled") or ("Filter" in rule) == ("Prefix" in rule):
        raise MalformedXML()
    if len(rule.get("ID", "")) > 255:
        raise InvalidArgument("ID length should not exceed allowed limit of 255")
    if not any(rule.get(action) for action in _ACTIONS):
        raise InvalidRequest("At least one action needs to be specified in a rule")
    for action, member, text in _DAYS:
        days = (rule.get(action) or {}).get(member)
        if days is not None and days <= 0:
            raise InvalidArgument(text)
    expiration = rule.get("Expiration") or {}
    if len([name for name in ("Date", "Days", "ExpiredObjectDeleteMarker") if name in expiration]) > 1:
        raise MalformedXML()
    date = expiration.get("Date")
    if date is not None and (date.hour, date.minute, date.second) != (0, 0, 0):
        raise InvalidArgument("'Date' must be at midnight GMT")
