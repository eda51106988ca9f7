"""Stops a subscription that feeds itself: a function whose log lines lead to its own invocation.

Lambda's recursion detection counts how often a function is in its chain. That does not bound how many branches there
are: each run writes several batches of lines. Here the batches are counted, whatever their depth.
AWS: CloudWatch Logs User Guide, "Log recursion prevention".
"""

from collections import OrderedDict
from typing import NamedTuple

MAX_REPEATS = 16
"""As Lambda's recursion detection: deliveries to a destination that led to the lines, for one beginning."""
_REMEMBERED = 16_384


class _Origin(NamedTuple):
    """Where a delivery comes from: the first one of its kind, and all destinations on the way."""

    root: str
    destinations: frozenset[str]


class Loops:
    """The origins of the last deliveries; a delivery's id is the request id of the invocation that it leads to."""

    def __init__(self) -> None:
        self._origins: OrderedDict[str, _Origin] = OrderedDict()
        self._repeats: OrderedDict[str, int] = OrderedDict()

    def admits(self, delivery_id: str, destination: str, parent_id: str) -> bool:
        """Whether the lines of invocation `parent_id` may go there; what may is remembered."""
        parent = self._origins.get(parent_id)
        if parent is None:
            origin = _Origin(delivery_id, frozenset((destination,)))
        else:
            if destination in parent.destinations:
                repeats = self._repeats.get(parent.root, 0) + 1
                if repeats > MAX_REPEATS:
                    return False
                self._repeats[parent.root] = repeats
            origin = _Origin(parent.root, parent.destinations | {destination})
        self._origins[delivery_id] = origin
        for remembered in (self._origins, self._repeats):
            if len(remembered) > _REMEMBERED:
                remembered.popitem(last=False)
        return True

    def clear(self) -> None:
        """Forget all."""
        self._origins.clear()
        self._repeats.clear()
