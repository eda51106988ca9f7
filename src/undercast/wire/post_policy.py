"""The policy document of a browser upload: what its signer lets the form say.

Pure. Time is the host clock's: a policy is signed by a clock that nobody moves.
AWS: S3 API Reference, "POST Policy" (expiration, condition matching, each field of the form needs a condition).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.record import record

_NEED_NO_CONDITION = frozenset({"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"})
_IGNORED_PREFIX = "x-ignore-"


@record
class SizeRange:
    """How large the file may be; the limits belong to it."""

    least_bytes: int
    most_bytes: int


def check_policy(text: str, fields: Mapping[str, str], now: float) -> SizeRange | None:
    """The size that the policy asks for, None for any. `fields` are the form's in lower case, and `bucket`.

    Raises S3's error for a document that is none, is over, or does not allow the form. `now` in host-clock seconds.
    """
    expires_at, conditions = _read(text)
    if expires_at <= now:
        raise _refused("Policy expired.")
    size: SizeRange | None = None
    covered = set(_NEED_NO_CONDITION)
    for condition in conditions:
        operator, name, value = _parts(condition)
        if operator == "content-length-range":
            size = _size(name, value)
            continue
        field = str(name).lower().removeprefix("$")
        if not _holds(operator, field, value, fields.get(field, "")):
            raise _refused(f"Policy Condition failed: {json.dumps([operator, name, value], ensure_ascii=False)}")
        covered.add(field)
    extra = [name for name in fields if name not in covered and not name.startswith(_IGNORED_PREFIX)]
    if extra:
        raise _refused(f"Extra input fields: {', '.join(sorted(extra))}")
    return size


def _read(text: str) -> tuple[float, list[Any]]:
    """Expiration in seconds, and the conditions."""
    try:
        document = json.loads(base64.b64decode(text))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    if not isinstance(document.get("conditions"), list):
        raise _invalid("Policy missing conditions.")
    try:
        moment = datetime.fromisoformat(document["expiration"])
        if moment.tzinfo is None:
            raise ValueError
        return moment.timestamp(), document["conditions"]
    except (TypeError, ValueError, OverflowError):
        raise _invalid(f"Invalid 'expiration' value: '{document['expiration']}'") from None


def _parts(condition: Any) -> tuple[str, Any, Any]:
    """Operator, field and value of either form: {"acl": "private"} or ["eq", "$acl", "private"]."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            text = "Simple-Conditions must have exactly one property specified."
            raise _invalid(f"Invalid Simple-Condition: {text}")
        [(name, value)] = condition.items()
        return "eq", f"${name}", value
    if not (isinstance(condition, list) and len(condition) == 3 and isinstance(condition[0], str)):
        raise _refused(f"Policy Condition failed: {json.dumps(condition)}")
    return condition[0].lower(), condition[1], condition[2]


def _size(least: Any, most: Any) -> SizeRange:
    try:
        return SizeRange(least_bytes=int(least), most_bytes=int(most))
    except (TypeError, ValueError, OverflowError):
        raise _invalid("Invalid content-length-range.") from None


def _holds(operator: str, field: str, value: Any, given: str) -> bool:
    if not isinstance(value, str):
        return False
    if operator == "eq":
        return given == value
    if operator != "starts-with":
        return False
    if field == "content-type" and "," in given:
        return all(entry.strip().startswith(value) for entry in given.split(","))
    return given.startswith(value)


def _invalid(text: str) -> ServiceError:
    return ServiceError("InvalidPolicyDocument", f"Invalid Policy: {text}")


def _refused(text: str) -> ServiceError:
    return ServiceError("AccessDenied", f"Invalid according to Policy: {text}", 403)
