"""Limit and Marker of KMS's lists.

Pure. AWS: KMS API Reference, "Marker" ("use the value of NextMarker from the truncated response").
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from undercast.core.errors import ServiceError
from undercast.core.service import Params

T = TypeVar("T")
_MAX_DIGITS = 18


def position(params: Params) -> str:
    """What came last on the page before. Raises InvalidMarkerException."""
    try:
        return base64.urlsafe_b64decode(params.get("Marker", "")).decode()
    except (binascii.Error, ValueError):
        raise _bad_marker() from None


def number(params: Params) -> int:
    """`position` of a list whose items are numbered; 0 for its begin. Raises InvalidMarkerException."""
    text = position(params)
    if text and not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise _bad_marker()
    return int(text or 0)


def _bad_marker() -> ServiceError:
    return ServiceError("InvalidMarkerException", "The marker is invalid.")


def page(
    member: str, found: Sequence[T], limit: int, name: Callable[[T], str], entry: Callable[[T], Any]
) -> dict[str, Any]:
    """One page of what was found; `found` has more than `limit` items where there is a next one."""
    result: dict[str, Any] = {member: [entry(one) for one in found[:limit]], "Truncated": len(found) > limit}
    if len(found) > limit:
        result["NextMarker"] = base64.urlsafe_b64encode(name(found[limit - 1]).encode()).decode()
    return result
