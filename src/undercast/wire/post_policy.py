"""The policy document of a browser upload: what its signer lets the form say.

Pure. Time is the host clock's: a policy is signed by a clock that nobody moves.
AWS: S3 API Reference, "POST Policy" (expiration, condition matching, each field of the form needs a condition). What it
says of documents that are none: versitygw, "PostObject". That a condition on a field which the form lacks fails, also
"starts-with" nothing: waynehoover/s3_direct_upload issue 29.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from undercast.core import json_values
from undercast.core.errors import ServiceError
from undercast.core.record import record

_NEED_NO_CONDITION = frozenset({"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"})
_IGNORED_PREFIX = "x-ignore-"
_OPERATORS = ("eq", "starts-with", "content-length-range")


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
        given = fields.get(field) if str(name).startswith("$") else None
        if given is None or not _holds(operator, field, value, given):
            raise _failed(operator, name, value)
        covered.add(field)
    for name in fields:
        if name not in covered and not name.startswith(_IGNORED_PREFIX):
            raise _refused(f"Extra input fields: {name}")
    return size


def _read(text: str) -> tuple[float, list[Any]]:
    """Expiration in seconds, and the conditions."""
    try:
        document = json_values.parse(base64.b64decode(text))
    except (binascii.Error, ValueError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    if "conditions" not in document:
        raise _invalid("Policy missing conditions.")
    if not isinstance(document["conditions"], list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
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
        if not isinstance(value, str):
            raise _invalid("Invalid Simple-Condition: value must be a string.")
        return "eq", f"${name}", value
    if not isinstance(condition, list):
        raise _invalid("Invalid condition test: must be a List or Object.")
    if not condition or not isinstance(condition[0], str):
        raise _invalid("Invalid Condition: missing operation identifier.")
    operator = condition[0].lower()
    if operator not in _OPERATORS:
        raise _invalid(f"Invalid Condition: unknown operation '{condition[0]}'.")
    if len(condition) != 3:
        raise _invalid(f"Invalid {operator}: wrong number of arguments.")
    return operator, condition[1], condition[2]


def _size(least: Any, most: Any) -> SizeRange:
    """Numbers may be texts of digits; another text is a condition that fails."""
    limits = []
    for limit in (least, most):
        if isinstance(limit, str) and not (limit.isascii() and limit.isdigit()):
            raise _failed("content-length-range", least, most)
        if not isinstance(limit, str | int) or isinstance(limit, bool) or int(limit) < 0:
            raise _invalid("Invalid content-length-range.")
        limits.append(int(limit))
    return SizeRange(least_bytes=limits[0], most_bytes=limits[1])


def _holds(operator: str, field: str, value: Any, given: str) -> bool:
    if not isinstance(value, str):
        return False
    if operator == "eq":
        return given == value
    if field == "content-type" and "," in given:
        return all(entry.strip().startswith(value) for entry in given.split(","))
    return given.startswith(value)


def _invalid(text: str) -> ServiceError:
    return ServiceError("InvalidPolicyDocument", f"Invalid Policy: {text}")


def _failed(operator: str, name: Any, value: Any) -> ServiceError:
    return _refused(f"Policy Condition failed: {json.dumps([operator, name, value], ensure_ascii=False)}")


def _refused(text: str) -> ServiceError:
    return ServiceError("AccessDenied", f"Invalid according to Policy: {text}", 403)
