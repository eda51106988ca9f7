"""Event source mappings at work: from their rows to the sources that are read.

A change is committed with a state that says what is under way (Creating, Updating, Disabling, Deleting); the work
follows the commit, and its end is committed as Enabled, Disabled, or the row's removal. What a killed platform left
under way is done at the next start.
AWS: Lambda API Reference, EventSourceMappingConfiguration (State).
"""

import logging
from collections.abc import Callable

from undercast.core.clock import PlatformClock
from undercast.core.tasks import Tasks
from undercast.events.poller import MORE_PER_S, Pollers, Source
from undercast.services.event_sources import pollers
from undercast.services.lambda_ import mapping_store
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.store.database import Database, Tx

log = logging.getLogger(__name__)


class Mappings:
    """One per platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self._database = database
        self._pollers = Pollers(clock)
        self._clock = clock
        self._tasks = Tasks(lambda error: log.error("an event source mapping could not be followed", exc_info=error))
        self._make: Callable[[EventSourceMapping], Source] | None = None

    def start(self, make: Callable[[EventSourceMapping], Source]) -> None:
        """Read again what was read before the platform stopped. `make` gives a mapping's source."""
        self._make = make
        for mapping in self._database.read_now(mapping_store.every):
            self._tasks.spawn(self._apply(mapping))

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

    def follow(self, tx: Tx, mapping: EventSourceMapping) -> None:
        """In the transaction that writes the mapping."""
        tx.after_commit(lambda: self._tasks.spawn(self._apply(mapping)))

    def result(self, mapping: EventSourceMapping) -> str:
        """LastProcessingResult; in memory only."""
        return self._pollers.result(mapping.id)

    async def _apply(self, mapping: EventSourceMapping) -> None:
        """What runs under the older settings ends first, so that no order is broken and no limit exceeded."""
        await self._pollers.end(mapping.id)
        if self._make is None:
            return
        if mapping.enabled and mapping.state != mapping_store.DELETING:
            growth = pollers.MORE_PER_S if pollers.provisioned(mapping.configuration) else MORE_PER_S
            self._pollers.begin(mapping.id, self._make(mapping), growth)
        if mapping.state not in mapping_store.SETTLED:
            await self._database.write(lambda tx: mapping_store.settle(tx, mapping.scope, mapping.id))
