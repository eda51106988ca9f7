"""Consumers of event sources at work: from their rows to the sources that are read.

A change is committed with a state that says what is under way; the work follows the commit, and its end is committed as
a settled state, or as the row's removal. What a killed platform left under way is done at the next start.
AWS: Lambda API Reference, EventSourceMappingConfiguration (State); EventBridge Pipes API Reference, DescribePipe
(CurrentState).
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from undercast.core.clock import PlatformClock
from undercast.core.record import record
from undercast.core.recurring import insist
from undercast.core.tasks import Tasks
from undercast.events.poller import MORE_PER_S, Pollers, Source, source_or_reason
from undercast.store.database import Database, Tx

log = logging.getLogger(__name__)


class _Row(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Row)


@record
class Rows(Generic[R]):
    """How a service keeps its consumers."""

    every: Callable[[Tx], Sequence[R]]
    is_read: Callable[[R], bool]
    """Whether its source is to be read."""
    is_under_way: Callable[[R], bool]
    settle: Callable[[Tx, R], None]
    """Commit that what its state says has been done."""
    more_per_s: Callable[[R], float] = lambda _: MORE_PER_S
    """How many more batches may run at once each second."""


class Following(Generic[R]):
    """One per service and platform."""

    def __init__(self, database: Database, clock: PlatformClock, rows: Rows[R]) -> None:
        self._database = database
        self._clock = clock
        self._rows = rows
        self._pollers = Pollers(clock)
        self._tasks = Tasks(lambda error: log.error("an event source could not be followed", exc_info=error))
        self._make: Callable[[R], Source] | None = None
        self._watched: Callable[[R, Source], Source] = lambda _, source: source

    def start(self, make: Callable[[R], Source], watched: Callable[[R, Source], Source] | None = None) -> None:
        """Read again what was read before the platform stopped.

        `make` gives a consumer's source, and may raise; `watched` puts around it who notes whether it can be read.
        """
        self._make, self._watched = make, watched or self._watched
        for row in self._database.read_now(self._rows.every):
            self._spawn(row)

    async def stop(self) -> None:
        """Take no more batches; what is being processed gets a moment."""
        self._make = None
        self._tasks.cancel()
        await self._tasks.ended()
        await self._pollers.stop()

    def clear(self) -> None:
        """Rows were deleted behind our back (reset)."""
        before, self._pollers = self._pollers, Pollers(self._clock)
        self._tasks.spawn(before.stop(0.1))

    def follow(self, tx: Tx, row: R) -> None:
        """In the transaction that writes the row."""
        tx.after_commit(lambda: self._spawn(row))

    def told(self, row: R, result: str) -> None:
        """LastProcessingResult while a batch is tried again."""
        self._pollers.told(row.id, result)

    def result(self, row: R) -> str:
        """LastProcessingResult; in memory only."""
        return self._pollers.result(row.id)

    def _spawn(self, row: R) -> None:
        self._tasks.spawn(self._apply(self._pollers, row))

    async def _apply(self, pollers: Pollers, row: R) -> None:
        """What runs under the older settings ends first, so that no order is broken and no limit exceeded."""
        await pollers.end(row.id)
        if self._make is None or pollers is not self._pollers:  # it may have been a reset that ended what ran
            return
        if self._rows.is_read(row):
            source = self._watched(row, source_or_reason(partial(self._make, row)))
            pollers.begin(row.id, source, self._rows.more_per_s(row))
        if self._rows.is_under_way(row):
            await insist("writing what an event source has come to", lambda: self._settle(row))

    async def _settle(self, row: R) -> None:
        """Until it is written, every other change is refused."""
        await self._database.write(lambda tx: self._rows.settle(tx, row))
