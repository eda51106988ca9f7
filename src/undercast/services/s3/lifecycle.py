"""Lifecycle rules: validation.

Pure. AWS: S3 User Guide, "Lifecycle configuration elements"; S3 API Reference, PutBucketLifecycleConfiguration.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
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
_SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")
_KINDS = ("Date", "Days", "NoncurrentDays")
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
        _check_form(rule, rules[0])
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
    _check_filter(rule)
    _check_times(rule)


def _check_form(rule: Mapping[str, Any], first: Mapping[str, Any]) -> None:
    """A configuration is of one form: of rules with a prefix, the older one, or of rules with a filter.

    Texts: ansible's issue 53751, terraform-provider-aws' 23228 and 23299.
    """
    newer = [member.get("NewerNoncurrentVersions") for member in _noncurrent(rule)]
    if "Prefix" in rule and any(count is not None for count in newer):
        raise InvalidRequest("NewerNoncurrentVersions element can only be used in Lifecycle V2.")
    if any(count is not None and count < 1 for count in newer):
        raise InvalidArgument("NewerNoncurrentVersions must be a positive integer")
    if "Filter" in rule and "Prefix" in first:
        raise InvalidRequest("Filter element can only be used in Lifecycle V2.")
    if "Prefix" in rule and "Filter" in first:
        raise InvalidRequest(
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."
        )


def _noncurrent(rule: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [rule.get("NoncurrentVersionExpiration") or {}, *(rule.get("NoncurrentVersionTransitions") or ())]


def _check_filter(rule: Mapping[str, Any]) -> None:
    """Which of them go together. Texts: terraform-aws-s3-bucket's issues 109 and 376, cfn-lint's 3554."""
    given: Mapping[str, Any] = rule.get("Filter") or {}
    both: Mapping[str, Any] = given.get("And") or {}
    if len(given) > 1 or ("And" in given and len(_predicates(both)) < 2):
        raise MalformedXML()
    tags = [*both.get("Tags", ()), *([given["Tag"]] if "Tag" in given else ())]
    if len({tag["Key"] for tag in tags}) < len(tags):
        raise InvalidRequest("Duplicate Tag Keys are not allowed.")
    least, most = (both.get(name, given.get(name)) for name in _SIZES)
    if most is not None and most < 1:
        raise InvalidRequest("'ObjectSizeLessThan' should be between 1 and 1099511627776000.")
    if least is not None and most is not None and most <= least:
        raise InvalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
    for name in ("AbortIncompleteMultipartUpload", "ExpiredObjectDeleteMarker"):
        if name in rule or name in (rule.get("Expiration") or {}):
            if tags:
                raise InvalidRequest(f"{name} cannot be specified with Tags.")
            if (least, most) != (None, None):
                raise InvalidRequest(f"{name} cannot be specified with Object Size.")


def _predicates(given: Mapping[str, Any]) -> Sequence[str]:
    prefix = [f"prefix={given['Prefix']}"] if "Prefix" in given else []
    tags = [*given.get("Tags", ()), *([given["Tag"]] if "Tag" in given else ())]
    sizes = [f"{name.lower()}={given[name]}" for name in _SIZES if name in given]
    return [*prefix, *(f"tag={{key={tag['Key']}, value={tag['Value']}}}" for tag in tags), *sizes]


def _told(rule: Mapping[str, Any]) -> str:
    """The rule's filter as errors name it. noobaa-core's tests have each kind."""
    if "Prefix" in rule:
        return f"prefix '{rule['Prefix']}'"
    given = rule["Filter"] or {"Prefix": ""}
    return f"filter '({' and '.join(_predicates(given.get('And', given)))})'"


def _check_times(rule: Mapping[str, Any]) -> None:
    """Colder classes come later, and the end comes last. AWS: "Supported transitions"; texts: noobaa-core's tests."""
    for name, end in (("Transition", "Expiration"), ("NoncurrentVersionTransition", "NoncurrentVersionExpiration")):
        found = sorted(rule.get(f"{name}s") or (), key=lambda one: WATERFALL.index(one["StorageClass"]))
        kinds = {kind for one in found for kind in _KINDS if kind in one}
        if len({one["StorageClass"] for one in found}) < len(found):
            raise InvalidRequest(
                f"'StorageClass' must be different for '{name}' actions in same 'Rule' with {_told(rule)}"
            )
        if len(kinds) > 1:
            raise InvalidRequest(
                f"Found mixed 'Date' and 'Days' based {name} actions in lifecycle rule for {_told(rule)}"
            )
        for kind in kinds:
            _check_order(rule, name, kind, found)
            last = rule.get(end) or {}
            if kind not in last and not last.keys().isdisjoint(_KINDS):
                text = f"Found mixed 'Date' and 'Days' based {end} and {name} actions in lifecycle rule for"
                raise InvalidRequest(f"{text} {_told(rule)}")
            if kind in last and last[kind] <= max(one[kind] for one in found):
                text = f"'{kind}' in the {end} action for {_told(rule)} must be greater than"
                raise InvalidArgument(f"{text} '{kind}' in the {name} action")


def _check_order(rule: Mapping[str, Any], name: str, kind: str, found: Sequence[Mapping[str, Any]]) -> None:
    for warm, cold in pairwise(found):
        if cold[kind] <= warm[kind]:
            first, second = (
                f"'{kind}' in the {name} action for StorageClass '{one['StorageClass']}' for {_told(rule)}"
                for one in (cold, warm)
            )
            raise InvalidArgument(f"{first} must be greater than {second}")


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
