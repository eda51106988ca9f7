"""Pages of lists: Marker and NextMarker are the base64 of the last item's position.

Pure. AWS: Lambda API Reference, "Marker" and "MaxItems" of every List operation.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from undercast.services.lambda_.errors import invalid

PAGE_ITEMS = 50
Item = TypeVar("Item")


def page_size(params: Mapping[str, Any]) -> int:
    """MaxItems, at most 50."""
    return min(params.get("MaxItems") or PAGE_ITEMS, PAGE_ITEMS)


def position(params: Mapping[str, Any]) -> str:
    """Where the page begins, "" for the first. Raises InvalidParameterValueException for a marker that is not ours."""
    try:
        return base64.b64decode(params.get("Marker") or "", validate=True).decode()
    except ValueError as error:
        raise invalid("Invalid Marker.") from error


def marker(found: Sequence[Item], limit: int, position_of: Callable[[Item], str]) -> dict[str, str]:
    """NextMarker where more was found than the page holds; nothing else."""
    if len(found) <= limit:
        return {}
    return {"NextMarker": base64.b64encode(position_of(found[limit - 1]).encode()).decode()}
