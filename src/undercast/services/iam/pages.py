"""Marker and MaxItems of IAM's lists.

Pure. The marker names the last item given, so that items added or removed between two pages move nothing.
AWS: IAM API Reference, `MaxItems` ("if you do not include this parameter, it defaults to 100"), `Marker`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from undercast.core.page_tokens import name_of, token_of
from undercast.services.iam.errors import validation_error

T = TypeVar("T")
_DEFAULT_ITEMS = 100


def page(items: Sequence[T], name: Callable[[T], str], params: Mapping[str, Any]) -> tuple[list[T], dict[str, Any]]:
    """(items of this page, IsTruncated and Marker of the response). Items are ordered by name."""
    ordered = sorted(items, key=name)
    if marker := params.get("Marker"):
        after = _decoded(marker)
        ordered = [item for item in ordered if name(item) > after]
    limit = int(params.get("MaxItems", _DEFAULT_ITEMS))
    if len(ordered) <= limit:
        return ordered, {"IsTruncated": False}
    given = ordered[:limit]
    return given, {"IsTruncated": True, "Marker": token_of(name(given[-1]))}


def page_of_numbers(items: range, params: Mapping[str, Any]) -> tuple[range, dict[str, Any]]:
    """The same of what has numbers instead of names; nothing is made of what is on other pages."""
    after = _decoded(params["Marker"]) if params.get("Marker") else "-1"
    if not after.removeprefix("-").isdecimal() or len(after) > 20:
        raise validation_error(f"Invalid Marker: {params['Marker']}")
    rest = items[int(after) + 1 :]
    given = rest[: int(params.get("MaxItems", _DEFAULT_ITEMS))]
    if len(given) == len(rest):
        return given, {"IsTruncated": False}
    return given, {"IsTruncated": True, "Marker": token_of(str(given[-1]))}


def _decoded(marker: str) -> str:
    try:
        return name_of(marker)
    except ValueError:
        raise validation_error(f"Invalid Marker: {marker}") from None
