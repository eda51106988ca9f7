"""What the router knows of deliveries that wait: the next few of each queue, in due order, however many rows there are.

A target has one queue; a FIFO target has one for each message group that has its turn (`message_groups`), and they
share the target's number of attempts at once.
No I/O. Invariant: every committed row whose key is not beyond the horizon is waiting here or in flight.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from undercast.core.arn import is_fifo
from undercast.events import message_groups
from undercast.events.delivery import Delivery
from undercast.events.message_groups import MessageGroups

WINDOW = 256
KEPT_PAYLOAD_BYTES = 4096
"""Larger payloads wait in the database only, so that a full window is small."""
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

    @classmethod
    def of(cls, due_at: float, order: int, delivery: Delivery) -> "Entry":
        """With the delivery where that is small."""
        small = len(delivery.payload) <= KEPT_PAYLOAD_BYTES
        return cls(due_at, order, delivery.id, delivery if small else None)

    @property
    def key(self) -> Key:
        """Its place in the queue."""
        return self.due_at, self.order


class Name(NamedTuple):
    """Of a queue."""

    target_arn: str
    message_group: str = ""


class Turns:
    """The attempts at one target: how many there are, and whose queues wait until there are fewer, in their order."""

    __slots__ = ("_waiting", "groups", "in_flight", "most", "queues")

    def __init__(self) -> None:
        self.in_flight = 0
        self.most = 0
        """How many the target takes at once, where it has said so."""
        self.queues = 0
        """How many share them."""
        self.groups = MessageGroups()
        """Those of a FIFO target that have no queue yet."""
        self._waiting: dict[Name, None] = {}

    def are_taken(self, limit: int) -> bool:
        """Whether nothing more may begin. `limit` is of targets that have not said how many they take."""
        return self.in_flight >= max(limit, self.most)

    def wait(self, name: Name) -> None:
        """A queue has something to begin, and may not."""
        self._waiting[name] = None

    def following(self, limit: int) -> Name | None:
        """The queue that may begin now and has waited longest."""
        if not self._waiting or self.are_taken(limit):
            return None
        name = next(iter(self._waiting))
        del self._waiting[name]
        return name


class TargetQueue:
    """Deliveries of one target_arn, or of one message group of it."""

    __slots__ = ("_ids", "_in_flight", "_waiting", "failures", "held_until", "horizon", "is_fifo", "name", "rings_at",
                 "taken", "turns", "window")  # fmt: skip

    def __init__(self, name: Name, turns: Turns, horizon: Key = EVERYTHING) -> None:
        self.name = name
        self.turns = turns
        self.horizon = horizon
        self.is_fifo = is_fifo(name.target_arn)
        self.window = message_groups.TURN if self.is_fifo else WINDOW
        """How many rows are read at once: a message group begins one at a time, and there are many."""
        self.taken = 0
        """How many it has begun since it was opened."""
        self._in_flight: set[str] = set()
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
        if entry.key > self.horizon or entry.id in self._ids or entry.id in self._in_flight:
            return
        if self.is_fifo and self._waiting:
            entry = entry._replace(delivery=None)  # read when its time comes: groups are many
        heapq.heappush(self._waiting, entry)
        self._ids.add(entry.id)
        if len(self._waiting) > 2 * self.window:
            self._waiting = heapq.nsmallest(self.window, self._waiting)  # a sorted list is a heap
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

    def leave(self) -> None:
        """Its rows are for a later turn: nothing more begins here."""
        self.forget()
        self.horizon = EVERYTHING

    def take(self, now: float) -> Entry | None:
        """The next row that is due, now in flight; None when there is none."""
        if not self._waiting or self._waiting[0].due_at > now:
            return None
        entry = heapq.heappop(self._waiting)
        self._ids.discard(entry.id)
        self._in_flight.add(entry.id)
        self.turns.in_flight += 1
        self.taken += 1
        return entry

    def end(self, delivery_id: str) -> None:
        """What was taken is in flight no longer."""
        self._in_flight.discard(delivery_id)
        self.turns.in_flight -= 1

    @property
    def is_busy(self) -> bool:
        """Whether anything is in flight."""
        return bool(self._in_flight)

    def yields(self, now: float) -> bool:
        """Whether its place in memory goes to a group that has none. One that is held keeps it, for it has to wait."""
        return (
            self.taken >= message_groups.TURN
            and now >= self.held_until
            and self.turns.groups.are_left
            and not self.is_over
        )

    @property
    def is_short(self) -> bool:
        """Whether rows have to be read before it is known what comes next."""
        return not self._waiting and self.horizon != EVERYTHING

    @property
    def is_over(self) -> bool:
        """Whether nothing waits, nothing is in flight and no row is unread."""
        return not self._waiting and not self._in_flight and self.horizon == EVERYTHING

    @property
    def next_due(self) -> float:
        """When the next row is due; infinity when none waits here."""
        return self._waiting[0].due_at if self._waiting else math.inf


class Queues:
    """Those that have work, by their names."""

    def __init__(self) -> None:
        self._queues: dict[Name, TargetQueue] = {}
        self._turns: dict[str, Turns] = {}

    def __iter__(self) -> Iterator[TargetQueue]:
        return iter(tuple(self._queues.values()))

    def find(self, name: Name) -> TargetQueue | None:
        """The queue, where it has work."""
        return self._queues.get(name)

    def turns(self, target_arn: str) -> Turns:
        """Of a target, known from now on until `close` finds that it has no work."""
        return self._turns.setdefault(target_arn, Turns())

    def admit(self, name: Name, horizon: Key) -> TargetQueue | None:
        """The queue of a row that was just committed. None: its message group has to wait for a place.

        One that is not there begins with this horizon.
        """
        queue = self._queues.get(name)
        if queue is None and is_fifo(name.target_arn):
            turns = self.turns(name.target_arn)
            if horizon == NOTHING or turns.groups.are_left or turns.queues >= message_groups.MOST_OPEN:
                turns.groups.wait(name.message_group)
                return None
        return queue or self.open(name, horizon)

    def open(self, name: Name, horizon: Key = EVERYTHING) -> TargetQueue:
        """The queue; one that is not there begins with this horizon."""
        queue = self._queues.get(name)
        if queue is None:
            turns = self.turns(name.target_arn)
            turns.queues += 1
            queue = self._queues[name] = TargetQueue(name, turns, horizon)
        return queue

    def next_group(self, target_arn: str) -> TargetQueue | None:
        """Opened: the queue of the message group that has waited longest. None where none waits, or none has room."""
        turns = self._turns.get(target_arn)
        if turns is None or (group := turns.groups.following(turns.queues)) is None:
            return None
        return self.open(Name(target_arn, group), NOTHING)

    def close(self, queue: TargetQueue) -> None:
        """It has no work any more, or leaves its rows for a later turn."""
        del self._queues[queue.name]
        queue.turns.queues -= 1
        self.forget(queue.name.target_arn)

    def forget(self, target_arn: str) -> None:
        """A target without work is known no longer."""
        turns = self._turns.get(target_arn)
        if turns is not None and not turns.queues and not turns.groups.are_left:
            del self._turns[target_arn]

    def are_left(self) -> bool:
        """Whether message groups wait for a place."""
        return any(turns.groups.are_left for turns in self._turns.values())

    def count(self) -> tuple[int, int]:
        """Targets, and attempts under way at them."""
        return len(self._turns), sum(turns.in_flight for turns in self._turns.values())
