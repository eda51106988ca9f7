"""Takes deliveries from the outbox to their targets, at least once, each target (and message group) in its own queue.

Never polls: commits wake it, and one timer on the platform clock rings for the earliest delivery that is not due yet.
What becomes of an attempt that has ended is in `settlement`.
"""

import asyncio
import heapq
import logging
import math
from collections.abc import Mapping
from functools import partial

from undercast.core.errors import ServiceError
from undercast.core.tasks import wound_up
from undercast.events.delivery import UNFINISHED, Delivery, Target, Wide
from undercast.events.opening import Heard, Opening
from undercast.events.outbox import INLINE_BYTES, WITHOUT_LARGE, Outbox, delivery_of
from undercast.events.settlement import NOBODY, Senders, Settlement, Settlements, hold, raised, sender_of
from undercast.events.target_queue import EVERYTHING, Entry, Name, Queues, TargetQueue
from undercast.store.database import Tx

_log = logging.getLogger(__name__)


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
        self._limit = in_flight_per_target
        self._queues = Queues()
        heard = Heard(opened=self._pump, looked=self._tell_idle)
        self._opening = Opening(self._queues, self._database, self._clock, heard)
        self._attempts: set[asyncio.Task[None]] = set()
        self._settlements = Settlements(outbox, senders, self._go_on)
        self._rings: list[tuple[float, Name]] = []
        self._timer: asyncio.Task[None] | None = None
        self._timer_at = math.inf
        self._idle: list[asyncio.Future[None]] = []
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
        self._settlements.counts["waiting"] = rows
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
        await self._settlements.written()

    def status(self) -> Mapping[str, int]:
        """Numbers for `undercast status`: rows, attempts under way, targets with either; totals since the start."""
        targets, in_flight = self._queues.count()
        totals = {kind: self._settlements.counts[kind] for kind in ("waiting", "done", "retry", "dead")}
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
        self._settlements.counts["waiting"] += 1
        queue = self._opening.admit(Name(delivery.target_arn, delivery.message_group))
        if queue is None:
            return
        queue.add(Entry.of(delivery.due_at or delivery.created_at, order, delivery))
        self._pump(queue)

    def cleared(self, count: int) -> None:
        """See `outbox.Listener`."""
        self._settlements.counts["waiting"] -= count
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
            hold(queue, error, self._clock.now())
            return
        horizon = (rows[-1]["due_at"], rows[-1]["ord"]) if len(rows) == queue.window else EVERYTHING
        queue.refill((Entry(row["due_at"], row["ord"], row["id"]) for row in rows), horizon)

    async def _attempt(self, queue: TargetQueue, entry: Entry) -> None:
        try:
            delivery = entry.delivery or await self._load(entry.id)
        except Exception as error:
            delivery = None
            hold(queue, error, self._clock.now())
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
            outcome = raised(delivery, repr(error), self._clock.now())
        self._settlements.add(Settlement(queue, entry, delivery, outcome))

    async def _finished(self, delivery: Delivery) -> Delivery:
        sender = sender_of(delivery, self._senders)
        if sender is None or sender.finishes is None:
            raise LookupError(f"nobody finishes deliveries of {delivery.source_arn}")
        return await sender.finishes(delivery)

    async def _load(self, delivery_id: str) -> Delivery | None:
        """The row; a large event is read in the store's thread: 64 attempts that begin together would hold the loop."""
        row = self._database.read_now(lambda tx: tx.one(WITHOUT_LARGE, (INLINE_BYTES, delivery_id)))
        if row is not None and row["payload"] is None:
            query = "SELECT * FROM event_delivery WHERE id = ?"
            row = await self._database.read(lambda tx: tx.one(query, (delivery_id,)), long=True)
        return None if row is None else delivery_of(row)

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


def _count_rows(tx: Tx) -> int:
    row = tx.one("SELECT COUNT(*) AS n FROM event_delivery")
    return 0 if row is None else int(row["n"])


def _count_due(tx: Tx, now: float) -> int:
    """Those under way are among them: their rows stay until they have ended."""
    row = tx.one("SELECT COUNT(*) AS n FROM event_delivery WHERE due_at <= ?", (now,))
    return 0 if row is None else int(row["n"])
