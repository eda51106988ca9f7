"""Pipes at work: from their rows to the sources that are read.

A change is committed with a state that says what is under way (CREATING, UPDATING, STARTING, STOPPING, DELETING); the
work follows the commit, and its end is committed as RUNNING, STOPPED, or the row's removal. What a killed platform left
under way is done at the next start. AWS: EventBridge Pipes API Reference, DescribePipe (CurrentState).
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from undercast.core.clock import PlatformClock
from undercast.core.tasks import Tasks
from undercast.events.poller import Pollers, Source
from undercast.services.pipes import store
from undercast.services.pipes.models import DELETING, RUNNING, STOPPED, UNDER_WAY, Pipe
from undercast.store.database import Database, Tx

log = logging.getLogger(__name__)


class Running:
    """One per platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self._database = database
        self._pollers = Pollers(clock)
        self._clock = clock
        self._tasks = Tasks(lambda error: log.error("a pipe could not be followed", exc_info=error))
        self._make: Callable[[Pipe], Source] | None = None

    def start(self, make: Callable[[Pipe], Source]) -> None:
        """Read again what was read before the platform stopped. `make` gives a pipe's source."""
        self._make = make
        for pipe in self._database.read_now(store.every):
            self._tasks.spawn(self._apply(pipe))

    async def stop(self) -> None:
        """Take no more batches; what is being processed gets a moment."""
        self._make = None
        self._tasks.cancel()
        await self._tasks.ended()
        await self._pollers.stop()

    def clear(self) -> None:
        """Rows were deleted behind our back (reset)."""
        pollers, self._pollers = self._pollers, Pollers(self._clock)
        self._tasks.spawn(pollers.stop(0.1))

    def follow(self, tx: Tx, pipe: Pipe) -> None:
        """In the transaction that writes the pipe."""
        tx.after_commit(lambda: self._tasks.spawn(self._apply(pipe)))

    async def _apply(self, pipe: Pipe) -> None:
        """What runs under the older settings ends first."""
        await self._pollers.end(pipe.id)
        if pipe.state != DELETING and pipe.desired == RUNNING and self._make is not None:
            self._pollers.begin(pipe.id, self._make(pipe))
        await self._database.write(lambda tx: self._settle(tx, pipe))

    def _settle(self, tx: Tx, pipe: Pipe) -> None:
        current = store.by_id(tx, pipe.id)
        if current is None or current.state != pipe.state:
            return
        if current.state == DELETING:
            store.remove(tx, current)
        elif current.state in UNDER_WAY:
            store.put(tx, replace(current, state=RUNNING if current.desired == RUNNING else STOPPED))
