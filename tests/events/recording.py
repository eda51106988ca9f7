"""A router over real state, and targets that record what they got."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes import FakeClock
from tests.state import State, open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, Cause
from undercast.events.delivery import Delivery, Outcome
from undercast.events.router import Router
from undercast.events.settlement import NOBODY, Senders
from undercast.events.target_queue import Entry, Name
from undercast.store.database import Tx

SCOPE = Scope(AccountId("111111111111"), Region("eu-west-1"))
DONE = Outcome(kind="done")
Answer = Callable[[Delivery], Awaitable[Outcome]]


class Recorder:
    """A target: notes every attempt, then does what `answer` says."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.got: list[Delivery] = []
        self.answer = answer
        self.most_at_once: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    @property
    def ids(self) -> list[str]:
        """Ids in the order of the attempts."""
        return [delivery.id for delivery in self.got]

    async def deliver(self, delivery: Delivery) -> Outcome:
        """See `events.delivery.Target`."""
        self.got.append(delivery)
        arn = delivery.target_arn
        self._now[arn] += 1
        self.most_at_once[arn] = max(self.most_at_once[arn], self._now[arn])
        try:
            return DONE if self.answer is None else await self.answer(delivery)
        finally:
            self._now[arn] -= 1


@dataclass(kw_only=True)
class Bench:
    """What a test of the router needs."""

    state: State
    clock: FakeClock
    router: Router
    target: Recorder
    targets: dict[str, Recorder] = field(default_factory=dict)

    async def add(self, *deliveries: Delivery) -> None:
        """Commit deliveries in one transaction."""

        def work(tx: Tx) -> None:
            for delivery in deliveries:
                self.state.outbox.add(tx, delivery)

        await self.state.database.write(work)

    def make(self, delivery_id: str, target_arn: str = "arn:a", *, due_in: float = 0, **members: object) -> Delivery:
        """A delivery of kind "test"."""
        values: dict[str, object] = {
            "id": delivery_id,
            "kind": "test",
            "target_arn": target_arn,
            "payload": b"{}",
            "scope": SCOPE,
            "created_at": self.clock.now(),
            "cause": EXTERNAL,
            "due_at": self.clock.now() + due_in,
        }
        return Delivery(**{**values, **members})  # type: ignore[arg-type]

    async def run(self, sql: str) -> None:
        """Run one statement on state.db."""
        await self.state.database.write(lambda tx: tx.execute(sql))

    def waiting(self, target_arn: str) -> list[Entry]:
        """What the router knows of a target's rows."""
        queue = self.router._queues.find(Name(target_arn))
        return [] if queue is None else queue._waiting

    async def rows(self) -> list[str]:
        """Ids that are still in the outbox."""
        found = await self.state.database.read(lambda tx: tx.all("SELECT id FROM event_delivery ORDER BY ord"))
        return [row["id"] for row in found]


def called(request_id: str) -> Cause:
    """The cause of what one request sets off."""
    return Cause(kind="call", id=request_id)


@asynccontextmanager
async def open_bench(
    folder: Path,
    clock: FakeClock,
    *,
    answer: Answer | None = None,
    limit: int = 64,
    start: bool = True,
    senders: Senders = NOBODY,
) -> AsyncIterator[Bench]:
    """Everything over one folder, stopped and closed at the end."""
    async with open_state(folder, clock) as state:
        target = Recorder(answer)
        targets = {"test": target}
        router = Router(state.outbox, targets, senders, in_flight_per_target=limit)
        if start:
            await router.start()
        try:
            yield Bench(state=state, clock=clock, router=router, target=target, targets=targets)
        finally:
            await router.stop(budget_s=0.2)


async def turns(count: int = 20) -> None:
    """Let the loop do what is ready."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread has a part in."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
