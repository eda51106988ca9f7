"""What requests need, kept as the same objects: what was decided about one holds (`gateway.auth`).

For services that are asked the same thing again and again. In memory only.
AWS: none.
"""

from collections.abc import Callable

from undercast.core.service import Access

_MOST_KEPT = 4096


class Accesses:
    """Of one service, by action and resource. Only what follows from these two and from `basis` may be kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[object, Access]] = {}

    def find(self, action: str, resource: str, basis: object, make: Callable[[], Access]) -> Access:
        """The one of before, as long as `basis` is equal: what else it was made of, the resource's policy."""
        known = self._kept.get((action, resource))
        if known is not None and known[0] == basis:
            return known[1]
        access = make()
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[action, resource] = (basis, access)
        return access
