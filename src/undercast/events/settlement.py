"""What becomes of attempts at deliveries: their outcomes are written, many at once, and whom it concerns is told.

While one transaction is written the next outcomes gather. What cannot be written is a delivery that is made again.
AWS: none.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from undercast.core.backoff import Backoff
from undercast.events import dead
from undercast.events.causality import Edge
from undercast.events.delivery import ORDERED, Delivery, Outcome, refused
from undercast.events.outbox import INLINE_BYTES, Outbox
from undercast.events.target_queue import Entry, TargetQueue
from undercast.store.database import Tx

_SETTLED_AT_ONCE, _BYTES_AT_ONCE = 64, 2 * 1024 * 1024
"""Outcomes in one transaction, and bytes of events that it moves: other writers wait for it."""
_ONE_PAGE_BYTES = 4096
"""A row with a smaller event goes, or is written anew, with its page."""
_AGAIN = (
    "UPDATE event_delivery SET due_at = ?, attempts = attempts + ?, throttles = throttles + ?,"
    " attributes = COALESCE(?, attributes) WHERE id = ?"
)
_BACKOFF = Backoff(longest_s=300.0)
LAST_AGE_S, FEWEST_TRIES = 24 * 3600.0, 10
"""When a delivery whose target raises every time is given up: older than this, and tried so often. Either alone is no
reason, for the platform may have been stopped for days. AWS: EventBridge User Guide, "How EventBridge retries
delivering events" (24 hours)."""
_log = logging.getLogger(__name__)


class Settlement(NamedTuple):
    """An attempt that has ended and is not written yet."""

    queue: TargetQueue
    entry: Entry
    delivery: Delivery
    outcome: Outcome


class Sender(NamedTuple):
    """What a service that sends deliveries does with them later."""

    hears: Callable[[Delivery, Outcome], None] | None = None
    """Told that one has ended."""
    finishes: Callable[[Delivery], Awaitable[Delivery]] | None = None
    """Gives one that is `UNFINISHED` whole."""


Senders = Mapping[str, Sender]
"""By the service in a delivery's source ARN."""
NOBODY: Senders = MappingProxyType({})


def sender_of(delivery: Delivery, senders: Senders) -> Sender | None:
    """The service that sent it."""
    service = delivery.source_arn.split(":", 3)[2:3]
    return senders.get(service[0]) if service else None


class Settlements:
    """See the module. `go_on` gets each queue of which attempts have been settled."""

    def __init__(self, outbox: Outbox, senders: Senders, go_on: Callable[[TargetQueue], None]) -> None:
        self.counts: Counter[str] = Counter()
        """Rows that are waiting; "done", "retry" and "dead" since the start."""
        self._outbox = outbox
        self._senders = senders
        self._go_on = go_on
        self._database = outbox.database
        self._clock = outbox.clock
        self._causality = outbox.causality
        self._dead = dead.Trim()
        self._settled: list[Settlement] = []
        self._settling: asyncio.Task[None] | None = None

    def add(self, one: Settlement) -> None:
        """An attempt has ended."""
        self._settled.append(one)
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle())

    async def written(self) -> None:
        """Return when all that have ended are written."""
        while self._settling is not None:
            await asyncio.wait([self._settling])

    async def _settle(self) -> None:
        """Write outcomes, many in one transaction; while they are written the next ones gather."""
        count = _count_at_once(self._settled)
        batch, self._settled = self._settled[:count], self._settled[count:]
        try:
            written = await self._write(batch)
            for one, there in written:
                self._settled_one(one, there)
            for one, there in written:
                if there:
                    self._tell(one)
            for queue in dict.fromkeys(one.queue for one in batch):
                self._go_on(queue)
            await self._trim()
        finally:
            # A task for each batch: an inline write does not suspend, and others want the loop in between.
            self._settling = asyncio.create_task(self._settle()) if self._settled else None

    async def _write(self, batch: list[Settlement]) -> list[tuple[Settlement, bool]]:
        """Write outcomes together, when that fails one by one; what was written, and whether its row was there.

        A delivery whose outcome was not written is delivered again.
        """
        try:
            return await self._database.write(partial(self._apply_all, batch), long=_is_long(batch))
        except Exception as error:
            if len(batch) > 1:
                return [pair for one in batch for pair in await self._write([one])]
            _log.error("the outcome of delivery %s could not be written: %r", batch[0].delivery.id, error)
        return await self._postpone(batch[0])

    async def _postpone(self, one: Settlement) -> list[tuple[Settlement, bool]]:
        """A follow-up that cannot be stored: try this delivery later. A store that takes nothing: hold its queue."""
        later = one._replace(outcome=_throttled(one.delivery, "its outcome could not be written", self._clock.now()))
        try:
            return [(later, await self._database.write(lambda tx: self._apply(tx, later), long=_is_long([later])))]
        except Exception as error:
            one.queue.end(one.delivery.id)
            hold(one.queue, error, self._clock.now())
            return []

    def _apply_all(self, batch: list[Settlement], tx: Tx) -> list[tuple[Settlement, bool]]:
        return [(one, self._apply(tx, one)) for one in batch]

    async def _trim(self) -> None:
        if not self._dead.is_due:
            return
        try:
            await self._dead.run(self._database)
        except Exception as error:
            _log.warning("deliveries that were given up are kept beyond their number: the store failed with %r", error)

    def _apply(self, tx: Tx, one: Settlement) -> bool:
        """Write one outcome; whether the row was still there. What it leads to is behind it in the causal order."""
        outcome, delivery = one.outcome, one.delivery
        order = self._causality.next_order() if outcome.kind != "done" else 0
        if outcome.kind == "retry":
            counted, due_at = int(outcome.counted), one.entry.due_at if _keeps_its_place(one) else outcome.due_at
            there = bool(tx.execute(_AGAIN, (due_at, counted, 1 - counted, _noted(tx, one), delivery.id)))
        else:
            if outcome.kind == "dead":
                dead.bury(tx, delivery, outcome, order, self._clock.now())
            there = bool(tx.execute("DELETE FROM event_delivery WHERE id = ?", (delivery.id,)))
        if there and order:
            self._causality.note_with(tx, _edge(delivery, outcome, order, self._clock.now()))
        if there:
            for follow_up in outcome.follow_ups:
                self._outbox.add(tx, follow_up)
        return there

    def _settled_one(self, one: Settlement, there: bool) -> None:
        outcome, delivery, queue = one.outcome, one.delivery, one.queue
        queue.end(delivery.id)
        queue.failures = 0
        if not there:
            return
        self.counts[outcome.kind] += 1
        if outcome.kind == "dead":
            self._dead.note(delivery)
        if outcome.kind == "retry":
            counted, due_at = int(outcome.counted), outcome.due_at
            if _keeps_its_place(one):
                due_at, queue.held_until = one.entry.due_at, outcome.due_at
            again = replace(
                delivery,
                due_at=due_at,
                attempts=delivery.attempts + counted,
                throttles=delivery.throttles + 1 - counted,
                attributes={**delivery.attributes, **outcome.noted},
            )
            queue.add(Entry.of(due_at, one.entry.order, again))
        else:
            self.counts["waiting"] -= 1

    def _tell(self, one: Settlement) -> None:
        """Its sender. Nothing is in flight any more of what was written, whatever the sender makes of it."""
        sender = sender_of(one.delivery, self._senders)
        if one.outcome.kind == "retry" or sender is None or sender.hears is None:
            return
        try:
            sender.hears(one.delivery, one.outcome)
        except Exception:
            _log.exception("the sender of delivery %s could not be told of its end", one.delivery.id)


def _is_long(batch: Iterable[Settlement]) -> bool:
    return sum(map(_moved_bytes, batch)) > INLINE_BYTES


def _moved_bytes(one: Settlement) -> int:
    """Of events, by writing the outcome: its row goes or is written anew, one that is given up is also kept, and what
    follows is a row each."""
    own = len(one.delivery.payload)
    kept = own if one.outcome.kind == "dead" else 0
    gone = own if own > _ONE_PAGE_BYTES else 0
    return gone + kept + sum(len(follow_up.payload) for follow_up in one.outcome.follow_ups)


def _count_at_once(settled: list[Settlement]) -> int:
    """How many of the first are written in one transaction: one at least."""
    size_bytes = 0
    for count, one in enumerate(settled[:_SETTLED_AT_ONCE]):
        size_bytes += _moved_bytes(one)
        if count and size_bytes > _BYTES_AT_ONCE:
            return count
    return min(len(settled), _SETTLED_AT_ONCE)


def _noted(tx: Tx, one: Settlement) -> str | None:
    """The attributes that its row has from now on; None for those that it has.

    Of the row, not of the delivery that was tried: that one may have been finished, and the row is to stay as it is.
    """
    if not one.outcome.noted:
        return None
    row = tx.one("SELECT attributes FROM event_delivery WHERE id = ?", (one.delivery.id,))
    return None if row is None else json.dumps({**json.loads(row["attributes"]), **one.outcome.noted})


def _edge(delivery: Delivery, outcome: Outcome, order: int, now: float) -> Edge:
    number = delivery.attempts + delivery.throttles + 1
    return Edge(
        from_kind="delivery",
        from_id=delivery.id,
        to_kind=outcome.kind,
        to_id=f"{delivery.id}#{order}",
        label=f"attempt {number}: {outcome.reason}",
        at=now,
        scope=delivery.scope,
    )


def _keeps_its_place(one: Settlement) -> bool:
    """Whether those behind it wait until it is tried again."""
    return one.queue.is_fifo and ORDERED in one.delivery.attributes


def hold(queue: TargetQueue, error: Exception, now: float) -> None:
    """The store failed on this queue: wait, longer each time, then read its rows again."""
    wait_s = _BACKOFF.wait_s(queue.failures)
    queue.failures += 1
    queue.hold(now + wait_s)
    _log.warning("deliveries to %s wait %.0f s: the store failed with %r", queue.name.target_arn, wait_s, error)


def raised(delivery: Delivery, reason: str, now: float) -> Outcome:
    """What an attempt comes to whose target raised: it is tried again, and given up in the end."""
    tries = delivery.attempts + delivery.throttles + 1
    if tries < FEWEST_TRIES or now - delivery.created_at <= LAST_AGE_S:
        return _throttled(delivery, reason, now)
    return refused(delivery, f"given up after {tries} attempts: {reason}", now)


def _throttled(delivery: Delivery, reason: str, now: float) -> Outcome:
    due_at = now + _BACKOFF.wait_s(delivery.throttles)
    return Outcome(kind="retry", due_at=due_at, counted=False, reason=reason)
