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


def _decoded(marker: str) -> str:
    try:
        return name_of(marker)
    except ValueError:
        raise validation_error(f"Invalid Marker: {marker}") from None
