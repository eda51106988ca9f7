"""What the router knows of one target's deliveries: the next few, in due order, however many rows there are.

No I/O. Invariant: every committed row whose key is not beyond the horizon is waiting here or in flight.
"""

import heapq
import math
from collections.abc import Iterable
from typing import NamedTuple

from undercast.events.delivery import Delivery

WINDOW = 256
Key = tuple[float, int]
EVERYTHING: Key = (math.inf, 0)
"""The horizon of a queue that holds all its rows."""
NOTHING: Key = (-math.inf, 0)
"""The horizon of a queue that has read none of its rows yet."""


class Entry(NamedTuple):
    """One waiting row. `delivery` is None where it is read when its time comes. Sorted by (due_at, order)."""

    due_at: float
    order: int
    id: str
    delivery: Delivery | None = None

    @property
    def key(self) -> Key:
        """Its place in the queue."""
        return self.due_at, self.order


class TargetQueue:
    """Deliveries of one target_arn."""

    __slots__ = ("_ids", "_waiting", "failures", "held_until", "horizon", "in_flight", "most", "rings_at", "target_arn")

    def __init__(self, target_arn: str, horizon: Key = EVERYTHING) -> None:
        self.target_arn = target_arn
        self.horizon = horizon
        self.in_flight: set[str] = set()
        self.most = 0
        """How many the target takes at once, where it has said so."""
        self.rings_at = math.inf
        """When a timer will look at this queue."""
        self.held_until = -math.inf
        """Nothing is begun before: the store could not be read or written."""
        self.failures = 0
        """How often in a row."""
        self._waiting: list[Entry] = []
        self._ids: set[str] = set()

    def add(self, entry: Entry) -> None:
        """A row was committed. One beyond the horizon stays in the database until its turn comes."""
        if entry.key > self.horizon or entry.id in self._ids or entry.id in self.in_flight:
            return
        heapq.heappush(self._waiting, entry)
        self._ids.add(entry.id)
        if len(self._waiting) > 2 * WINDOW:
            self._waiting = heapq.nsmallest(WINDOW, self._waiting)  # a sorted list is a heap
            self._ids = {kept.id for kept in self._waiting}
            self.horizon = self._waiting[-1].key

    def refill(self, entries: Iterable[Entry], horizon: Key) -> None:
        """Take the rows behind the old horizon, up to the new one."""
        self.horizon = horizon
        for entry in entries:
            self.add(entry)

    def forget(self) -> None:
        """Drop what waits: the rows will be read again."""
        self._waiting.clear()
        self._ids.clear()
        self.horizon = NOTHING

    def hold(self, moment: float) -> None:
        """The store failed: read the rows again at the moment, whatever is known of them now."""
        self.forget()
        self.held_until = moment

    def take(self, now: float) -> Entry | None:
        """The next row that is due, now in flight; None when there is none."""
        if not self._waiting or self._waiting[0].due_at > now:
            return None
        entry = heapq.heappop(self._waiting)
        self._ids.discard(entry.id)
        self.in_flight.add(entry.id)
        return entry

    @property
    def is_fifo(self) -> bool:
        """Whether its deliveries arrive in their order, one at a time. AWS: names of FIFO queues and topics."""
        return self.target_arn.endswith(".fifo")

    @property
    def is_short(self) -> bool:
        """Whether rows have to be read before it is known what comes next."""
        return not self._waiting and self.horizon != EVERYTHING

    @property
    def is_over(self) -> bool:
        """Whether nothing waits, nothing is in flight and no row is unread."""
        return not self._waiting and not self.in_flight and self.horizon == EVERYTHING

    @property
    def next_due(self) -> float:
        """When the next row is due; infinity when none waits here."""
        return self._waiting[0].due_at if self._waiting else math.inf
