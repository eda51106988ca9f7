"""Parameter policies: which there may be, when each is due, and which of them have been applied.

Pure. AWS: Systems Manager User Guide, "Assigning parameter policies in Parameter Store"; API Reference, PutParameter,
ParameterInlinePolicy.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from undercast.core import json_values
from undercast.core.errors import ServiceError
from undercast.services.ssm.errors import invalid
from undercast.services.ssm.values import STANDARD

EXPIRATION, EXPIRES_SOON, UNCHANGED = "Expiration", "ExpirationNotification", "NoChangeNotification"
_DISTANCES: Mapping[str, str] = {EXPIRES_SOON: "Before", UNCHANGED: "After"}
"""The attribute that holds a notification's number of units."""
_UNITS: Mapping[str, int] = {"Days": 86_400, "Hours": 3600}
_MAX_POLICIES = 10
_MAX_DIGITS = 9

Policy = Mapping[str, Any]


class Due(NamedTuple):
    """A policy that is still to be applied: its place among the parameter's, and when."""

    place: int
    policy: Policy
    at: float


def checked(text: str, tier: str) -> str:
    """The policies to store: "" for none. Raises AWS's errors."""
    if not text or text.strip() in ("[{}]", "[]"):
        return ""  # AWS: an empty policy takes those away that are there
    if tier == STANDARD:
        raise invalid(
            "You can't use parameter policies with standard-parameter tier. Use the advanced-parameter tier instead."
        )
    try:
        policies = json_values.parse(text)
    except ValueError:
        raise _bad("The policies are not valid JSON.") from None
    if not isinstance(policies, list) or len(policies) > _MAX_POLICIES:
        raise ServiceError("PoliciesLimitExceededException", f"At most {_MAX_POLICIES} policies can be assigned.")
    for policy in policies:
        _check(policy)
    if sum(policy["Type"] == EXPIRATION for policy in policies) > 1:
        raise ServiceError("IncompatiblePolicyException", "There can be one Expiration policy.")
    return text


def _check(policy: Any) -> None:
    kind = policy.get("Type") if isinstance(policy, dict) else None
    if kind not in (EXPIRATION, *_DISTANCES):
        raise ServiceError("InvalidPolicyTypeException", "The policy type isn't supported.")
    if not isinstance(policy.get("Attributes"), dict):
        raise _bad("A policy has no Attributes.")
    if kind == EXPIRATION:
        _moment(policy)
    else:
        _distance_s(policy)


def policies_of(text: str) -> list[Policy]:
    """As they were put."""
    found: list[Policy] = json.loads(text) if text else []
    return found


def due(text: str, modified_at: float, applied: Sequence[int]) -> list[Due]:
    """What is still to be done to a parameter that was put at this time, the earliest first.

    An ExpirationNotification of a parameter that does not expire is never due.
    """
    policies = policies_of(text)
    ends_at = next((_moment(policy) for policy in policies if policy["Type"] == EXPIRATION), None)
    found = []
    for place, policy in enumerate(policies):
        at = _at(policy, modified_at, ends_at) if place not in applied else None
        if at is not None:
            found.append(Due(place, policy, at))
    return sorted(found, key=lambda one: one.at)


def _at(policy: Policy, modified_at: float, ends_at: float | None) -> float | None:
    if policy["Type"] == EXPIRATION:
        return ends_at
    try:
        distance_s = _distance_s(policy)
    except ServiceError:
        return None  # put before attributes were checked: older data folders may hold it
    if policy["Type"] == UNCHANGED:
        return modified_at + distance_s
    return None if ends_at is None else ends_at - distance_s


def kept(text: str, applied: Sequence[int]) -> tuple[int, ...]:
    """What stays applied when a parameter with these policies is changed: what does not depend on changes."""
    policies = policies_of(text)
    return tuple(place for place in applied if policies[place]["Type"] != UNCHANGED)


def span(policy: Policy) -> str:
    """ "15 days", as an event says it."""
    number = int(str(policy["Attributes"][_DISTANCES[policy["Type"]]]))
    unit = str(policy["Attributes"]["Unit"]).lower()
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"


def _moment(policy: Policy) -> float:
    """When it deletes the parameter. Raises InvalidPolicyAttributeException."""
    text = str(policy["Attributes"].get("Timestamp", ""))
    try:
        return datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text).timestamp()
    except (ValueError, OverflowError):
        raise _bad("The Timestamp of the Expiration policy is not an ISO 8601 time.") from None


def _distance_s(policy: Policy) -> int:
    """Raises InvalidPolicyAttributeException."""
    attributes, member = policy["Attributes"], _DISTANCES[policy["Type"]]
    number, unit = str(attributes.get(member, "")), attributes.get("Unit")
    if not (number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS and int(number)):
        raise _bad(f"The attribute {member} of the {policy['Type']} policy must be a number above 0.")
    if unit not in _UNITS:
        raise _bad(f"The attribute Unit of the {policy['Type']} policy must be Days or Hours.")
    return int(number) * _UNITS[unit]


def _bad(text: str) -> ServiceError:
    return ServiceError("InvalidPolicyAttributeException", text)
