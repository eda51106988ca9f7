"""Takes deliveries from the outbox to their targets, at least once, each target (and message group) in its own queue.

Never polls: commits wake it, and one timer on the platform clock rings for the earliest delivery that is not due yet.
Completions of one turn of the loop share a transaction.
"""

import asyncio
import heapq
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from undercast.core.backoff import Backoff
from undercast.core.errors import ServiceError
from undercast.core.tasks import wound_up
from undercast.events import dead
from undercast.events.causality import Edge
from undercast.events.delivery import ORDERED, UNFINISHED, Delivery, Outcome, Target, Wide, refused
from undercast.events.opening import Heard, Opening
from undercast.events.outbox import Outbox, delivery_of
from undercast.events.target_queue import EVERYTHING, Entry, Name, Queues, TargetQueue
from undercast.store.database import Tx

KEPT_PAYLOAD_BYTES = 4096
"""Larger payloads wait in the database only, so that a full window is small."""
_SETTLED_AT_ONCE = 64
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


class Router:
    """Delivers what the outbox holds. `targets` maps a delivery's kind to its adapter."""

    def __init__(
        self,
        outbox: Outbox,
        targets: Mapping[str, Target],
        senders: Senders = NOBODY,
        *,
        in_flight_per_target: int = 64,
    ) -> None:
        self._outbox = outbox
        self._targets = targets
        self._senders = senders
        self._database = outbox.database
        self._clock = outbox.clock
        self._causality = outbox.causality
        self._limit = in_flight_per_target
        self._queues = Queues()
        heard = Heard(opened=self._pump, looked=self._tell_idle)
        self._opening = Opening(self._queues, self._database, self._clock, heard)
        self._attempts: set[asyncio.Task[None]] = set()
        self._settled: list[Settlement] = []
        self._settling: asyncio.Task[None] | None = None
        self._rings: list[tuple[float, Name]] = []
        self._timer: asyncio.Task[None] | None = None
        self._timer_at = math.inf
        self._idle: list[asyncio.Future[None]] = []
        self._counts: Counter[str] = Counter()
        self._running = False

    async def start(self) -> None:
        """Listen to the outbox and replay what it holds."""
        self._running = True

        def listen(tx: Tx) -> None:
            rows = _count_rows(tx)
            tx.after_commit(lambda: self._begin(rows))

        await self._database.write(listen, long=True)  # as a write: no other one comes between number and listener
        await self._opening.start()

    def _begin(self, rows: int) -> None:
        self._counts["waiting"] = rows
        self._outbox.listen(self)

    async def stop(self, budget_s: float = 2.0) -> None:
        """End: attempts get so many seconds, then are abandoned; their rows are delivered after the next start."""
        self._running = False
        self._opening.stop()
        self._outbox.listen(None)
        for waiter in self._idle:
            if not waiter.done():
                waiter.set_exception(_stopped())
        self._idle.clear()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])
        await wound_up(self._attempts, budget_s, "attempts at deliveries")
        while self._settling is not None:
            await asyncio.wait([self._settling])

    def status(self) -> Mapping[str, int]:
        """Numbers for `undercast status`: rows, attempts under way, targets with either; totals since the start."""
        targets, in_flight = self._queues.count()
        totals = {kind: self._counts[kind] for kind in ("waiting", "done", "retry", "dead")}
        return {**totals, "in_flight": in_flight, "targets": targets}

    async def drained(self, timeout_s: float = 30.0) -> None:
        """Return when nothing is due or under way any more; what is due later may remain.

        Raises ServiceError where that takes longer, and when the router stops.
        """
        if not self._running:
            raise _stopped()
        if not self._has_work():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._idle.append(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            due = await self._database.read(partial(_count_due, now=self._clock.now()), long=True)
            text = f"After {timeout_s:.0f} s {due} deliveries are still due or under way; ask again"
            raise ServiceError("DeliveriesUnderWay", text, 503) from None
        finally:
            if waiter in self._idle:
                self._idle.remove(waiter)

    def added(self, delivery: Delivery, order: int) -> None:
        """See `outbox.Listener`."""
        self._counts["waiting"] += 1
        queue = self._opening.admit(Name(delivery.target_arn, delivery.message_group))
        if queue is None:
            return
        queue.add(_entry(delivery.due_at or delivery.created_at, order, delivery))
        self._pump(queue)

    def cleared(self, count: int) -> None:
        """See `outbox.Listener`."""
        self._counts["waiting"] -= count
        for queue in self._queues:
            queue.forget()
        for queue in self._queues:
            self._pump(queue)

    def _pump(self, queue: TargetQueue) -> None:
        """Begin every attempt that is due and within the limit; arrange to look again when the next one is due."""
        if not self._running:
            return
        now = self._clock.now()
        while not (queue.is_fifo and queue.is_busy):
            if queue.is_fifo and queue.yields(now):
                queue.turns.groups.wait(queue.name.message_group)
                queue.leave()
                break
            if queue.turns.are_taken(self._limit):
                queue.turns.wait(queue.name)
                break
            if queue.is_short and now >= queue.held_until:
                self._refill(queue)
            if now < queue.held_until:
                self._ring_at(queue, queue.held_until)
                break
            entry = queue.take(now)
            if entry is None:
                self._ring_at(queue, queue.next_due)
                break
            attempt = asyncio.create_task(self._attempt(queue, entry), name=entry.id)
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        if queue.is_over and self._queues.find(queue.name) is queue:
            self._queues.close(queue)
            if queue.is_fifo:
                self._opening.fill(queue.name.target_arn)
        self._tell_idle()

    def _go_on(self, queue: TargetQueue) -> None:
        """An attempt of this queue has ended: others that wait for its target have their turn before its next one."""
        while (name := queue.turns.following(self._limit)) is not None:
            if (waiting := self._queues.find(name)) is not None:
                self._pump(waiting)
        self._pump(queue)

    def _refill(self, queue: TargetQueue) -> None:
        due_at, order = queue.horizon
        try:
            rows = self._database.read_now(
                lambda tx: tx.all(
                    "SELECT due_at, ord, id FROM event_delivery WHERE target_arn = ? AND message_group = ?"
                    " AND (due_at, ord) > (?, ?) ORDER BY due_at, ord LIMIT ?",
                    (*queue.name, due_at, order, queue.window),
                )
            )
        except Exception as error:  # a store that fails now is asked again; the rows are its own
            self._hold(queue, error)
            return
        horizon = (rows[-1]["due_at"], rows[-1]["ord"]) if len(rows) == queue.window else EVERYTHING
        queue.refill((Entry(row["due_at"], row["ord"], row["id"]) for row in rows), horizon)

    async def _attempt(self, queue: TargetQueue, entry: Entry) -> None:
        try:
            delivery = entry.delivery or self._load(entry.id)
        except Exception as error:
            delivery = None
            self._hold(queue, error)
        if delivery is None:  # removed by a reset while it waited, or unreadable now
            queue.end(entry.id)
            self._go_on(queue)
            return
        try:
            target = self._targets[delivery.kind]
            if isinstance(target, Wide) and (most := target.at_once(delivery)) != queue.turns.most:
                queue.turns.most = most
                self._pump(queue)
            if UNFINISHED in delivery.attributes:
                delivery = await self._finished(delivery)
            outcome = await target.deliver(delivery)
        except Exception as error:  # whatever a target does, the delivery lives on
            _log.warning("delivery %s to %s failed: %r", delivery.id, delivery.target_arn, error)
            outcome = self._raised(delivery, repr(error))
        self._settled.append(Settlement(queue, entry, delivery, outcome))
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle())

    async def _finished(self, delivery: Delivery) -> Delivery:
        sender = self._sender(delivery)
        if sender is None or sender.finishes is None:
            raise LookupError(f"nobody finishes deliveries of {delivery.source_arn}")
        return await sender.finishes(delivery)

    def _load(self, delivery_id: str) -> Delivery | None:
        query = "SELECT * FROM event_delivery WHERE id = ?"
        row = self._database.read_now(lambda tx: tx.one(query, (delivery_id,)))
        return None if row is None else delivery_of(row)

    def _raised(self, delivery: Delivery, reason: str) -> Outcome:
        tries, now = delivery.attempts + delivery.throttles + 1, self._clock.now()
        if tries < FEWEST_TRIES or now - delivery.created_at <= LAST_AGE_S:
            return self._throttled(delivery, reason)
        return refused(delivery, f"given up after {tries} attempts: {reason}", now)

    def _throttled(self, delivery: Delivery, reason: str) -> Outcome:
        due_at = self._clock.now() + _BACKOFF.wait_s(delivery.throttles)
        return Outcome(kind="retry", due_at=due_at, counted=False, reason=reason)

    async def _settle(self) -> None:
        """Write outcomes, many in one transaction; while they are written the next ones gather."""
        batch, self._settled = self._settled[:_SETTLED_AT_ONCE], self._settled[_SETTLED_AT_ONCE:]
        try:
            written = await self._write(batch)
            for one, there in written:
                self._settled_one(one, there)
            for one, there in written:
                if there:
                    self._tell(one)
            for queue in dict.fromkeys(one.queue for one in batch):
                self._go_on(queue)
        finally:
            # A task for each batch: an inline write does not suspend, and others want the loop in between.
            self._settling = asyncio.create_task(self._settle()) if self._settled else None

    async def _write(self, batch: list[Settlement]) -> list[tuple[Settlement, bool]]:
        """Write outcomes together, when that fails one by one; what was written, and whether its row was there.

        A delivery whose outcome was not written is delivered again.
        """
        try:
            return await self._database.write(partial(self._apply_all, batch))
        except Exception as error:
            if len(batch) > 1:
                return [pair for one in batch for pair in await self._write([one])]
            _log.error("the outcome of delivery %s could not be written: %r", batch[0].delivery.id, error)
        return await self._postpone(batch[0])

    async def _postpone(self, one: Settlement) -> list[tuple[Settlement, bool]]:
        """A follow-up that cannot be stored: try this delivery later. A store that takes nothing: hold its queue."""
        later = one._replace(outcome=self._throttled(one.delivery, "its outcome could not be written"))
        try:
            return [(later, await self._database.write(lambda tx: self._apply(tx, later)))]
        except Exception as error:
            one.queue.end(one.delivery.id)
            self._hold(one.queue, error)
            return []

    def _hold(self, queue: TargetQueue, error: Exception) -> None:
        """The store failed on this queue: wait, longer each time, then read its rows again."""
        wait_s = _BACKOFF.wait_s(queue.failures)
        queue.failures += 1
        queue.hold(self._clock.now() + wait_s)
        _log.warning("deliveries to %s wait %.0f s: the store failed with %r", queue.name.target_arn, wait_s, error)

    def _apply_all(self, batch: list[Settlement], tx: Tx) -> list[tuple[Settlement, bool]]:
        written = [(one, self._apply(tx, one)) for one in batch]
        if any(one.outcome.kind == "dead" for one in batch):
            dead.trim(tx)
        return written

    def _apply(self, tx: Tx, one: Settlement) -> bool:
        """Write one outcome; whether the row was still there. What it leads to is behind it in the causal order."""
        outcome, delivery = one.outcome, one.delivery
        order = self._causality.next_order() if outcome.kind != "done" else 0
        if outcome.kind == "retry":
            counted, due_at = int(outcome.counted), one.entry.due_at if _holds(one) else outcome.due_at
            there = bool(
                tx.execute(
                    "UPDATE event_delivery SET due_at = ?, attempts = attempts + ?, throttles = throttles + ?"
                    " WHERE id = ?",
                    (due_at, counted, 1 - counted, delivery.id),
                )
            )
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
        self._counts[outcome.kind] += 1
        if outcome.kind == "retry":
            counted, due_at = int(outcome.counted), outcome.due_at
            if _holds(one):
                due_at, queue.held_until = one.entry.due_at, outcome.due_at
            again = replace(
                delivery,
                due_at=due_at,
                attempts=delivery.attempts + counted,
                throttles=delivery.throttles + 1 - counted,
            )
            queue.add(_entry(due_at, one.entry.order, again))
        else:
            self._counts["waiting"] -= 1

    def _tell(self, one: Settlement) -> None:
        """Whom it concerns. Nothing is in flight any more of what was written, whatever they make of it."""
        outcome, delivery = one.outcome, one.delivery
        try:
            if outcome.kind != "retry":
                self._tell_sender(delivery, outcome)
        except Exception:
            _log.exception("the sender of delivery %s could not be told of its end", delivery.id)

    def _sender(self, delivery: Delivery) -> Sender | None:
        service = delivery.source_arn.split(":", 3)[2:3]
        return self._senders.get(service[0]) if service else None

    def _tell_sender(self, delivery: Delivery, outcome: Outcome) -> None:
        sender = self._sender(delivery)
        if sender is not None and sender.hears is not None:
            sender.hears(delivery, outcome)

    def _ring_at(self, queue: TargetQueue, moment: float) -> None:
        if moment >= queue.rings_at:
            return
        queue.rings_at = moment
        heapq.heappush(self._rings, (moment, queue.name))
        self._set_timer()

    def _set_timer(self) -> None:
        if not self._rings or self._rings[0][0] >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._rings[0][0]
        self._timer = asyncio.create_task(self._ring(self._timer_at))

    async def _ring(self, moment: float) -> None:
        await self._clock.wait_until(moment)
        self._timer, self._timer_at = None, math.inf
        now = self._clock.now()
        due: dict[Name, None] = {}
        while self._rings and self._rings[0][0] <= now:
            due[heapq.heappop(self._rings)[1]] = None
        rung = [queue for name in due if (queue := self._queues.find(name)) is not None]
        for queue in rung:
            queue.rings_at = math.inf
        try:
            for queue in rung:
                self._pump(queue)
        finally:
            self._set_timer()

    def _has_work(self) -> bool:
        now = self._clock.now()
        return (
            self._opening.is_left
            or self._queues.are_left()
            or any(
                queue.is_busy or (now >= queue.held_until and (queue.is_short or queue.next_due <= now))
                for queue in self._queues
            )
        )

    def _tell_idle(self) -> None:
        if self._idle:
            asyncio.get_running_loop().call_soon(self._check_idle)

    def _check_idle(self) -> None:
        if self._idle and not self._has_work():
            for waiter in self._idle:
                if not waiter.done():
                    waiter.set_result(None)
            self._idle.clear()


def _stopped() -> ServiceError:
    return ServiceError(
        "ShuttingDown", "The platform is shutting down; what is not delivered is after its next start", 503
    )


def _entry(due_at: float, order: int, delivery: Delivery) -> Entry:
    small = len(delivery.payload) <= KEPT_PAYLOAD_BYTES
    return Entry(due_at, order, delivery.id, delivery if small else None)


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


def _holds(one: Settlement) -> bool:
    """Whether it keeps its place, and those behind it wait until it is tried again."""
    return one.queue.is_fifo and ORDERED in one.delivery.attributes


def _count_rows(tx: Tx) -> int:
    row = tx.one("SELECT COUNT(*) AS n FROM event_delivery")
    return 0 if row is None else int(row["n"])


def _count_due(tx: Tx, now: float) -> int:
    """Those under way are among them: their rows stay until they have ended."""
    row = tx.one("SELECT COUNT(*) AS n FROM event_delivery WHERE due_at <= ?", (now,))
    return 0 if row is None else int(row["n"])
