"""Lifecycle rules: validation.

Pure. AWS: S3 User Guide, "Lifecycle configuration elements"; S3 API Reference, PutBucketLifecycleConfiguration.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from undercast.services.s3.errors import InvalidArgument, InvalidRequest, MalformedXML
from undercast.services.s3.transitions import WATERFALL

_MAX_RULES = 1000
_MIN_IA_DAYS = 30
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
    for name, transition in _transitions(rule):
        _check_transition(name, transition)
    expiration = rule.get("Expiration") or {}
    if len([name for name in ("Date", "Days", "ExpiredObjectDeleteMarker") if name in expiration]) > 1:
        raise MalformedXML()
    _check_date(expiration.get("Date"))


def _transitions(rule: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in ("Transition", "NoncurrentVersionTransition"):
        for transition in rule.get(f"{name}s") or ():
            yield name, transition


def _check_transition(name: str, transition: Mapping[str, Any]) -> None:
    """Texts: S3's, as Arsenal's and noobaa's tests against it have them."""
    member = "Days" if name == "Transition" else "NoncurrentDays"
    days, target = transition.get(member), transition.get("StorageClass")
    if target not in WATERFALL[1:] or (days is None) == (transition.get("Date") is None):
        raise MalformedXML()
    if days is not None and days < 0:
        raise InvalidArgument(f"'{member}' in {name} action must be nonnegative")
    if days is not None and days < _MIN_IA_DAYS and target in ("STANDARD_IA", "ONEZONE_IA"):
        least = f"greater than or equal to {_MIN_IA_DAYS}"
        raise InvalidArgument(f"'{member}' in {name} action must be {least} for storageClass '{target}'")
    _check_date(transition.get("Date"))


def _check_date(date: datetime | None) -> None:
    if date is not None and (date.hour, date.minute, date.second) != (0, 0, 0):
        raise InvalidArgument("'Date' must be at midnight GMT")
