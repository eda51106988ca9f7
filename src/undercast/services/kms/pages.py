"""Limit and Marker of KMS's lists.

Pure. AWS: KMS API Reference, "Marker" ("use the value of NextMarker from the truncated response").
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from undercast.core.errors import ServiceError
from undercast.core.page_tokens import name_of, number_of, token_of
from undercast.core.service import Params

T = TypeVar("T")


def position(params: Params) -> str:
    """What came last on the page before. Raises InvalidMarkerException."""
    try:
        return name_of(params.get("Marker"))
    except ValueError:
        raise _bad_marker() from None


def number(params: Params) -> int:
    """`position` of a list whose items are numbered; 0 for its begin. Raises InvalidMarkerException."""
    try:
        return number_of(params.get("Marker"))
    except ValueError:
        raise _bad_marker() from None


def _bad_marker() -> ServiceError:
    return ServiceError("InvalidMarkerException", "The marker is invalid.")


def page(
    member: str, found: Sequence[T], limit: int, name: Callable[[T], str], entry: Callable[[T], Any]
) -> dict[str, Any]:
    """One page of what was found; `found` has more than `limit` items where there is a next one."""
    result: dict[str, Any] = {member: [entry(one) for one in found[:limit]], "Truncated": len(found) > limit}
    if len(found) > limit:
        result["NextMarker"] = token_of(name(found[limit - 1]))
    return result
