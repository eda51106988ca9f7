"""Forgets archived events that are older than their archives keep them: every hour of the platform's clock.

AWS: EventBridge User Guide, "Archiving events" (retention period).
"""

from functools import partial

from undercast.core.recurring import recur
from undercast.services.events import archives
from undercast.services.events.instance import Events

INTERVAL_S = 3600.0


class Expiry:
    """One task; see the module."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def run(self) -> None:
        """Without end; at once to begin with."""
        await recur("the expiry of archived events", self.round, self._next_hour)

    async def round(self) -> None:
        """Everything that has expired by now, in pieces, in the store's thread."""
        database, now = self._events.database, self._events.clock.now()
        for archive in await database.read(archives.ageing):
            while await database.write(partial(archives.expire, archive=archive, now=now), long=True):
                continue

    async def _next_hour(self) -> None:
        clock = self._events.clock
        await clock.wait_until(clock.now() + INTERVAL_S)
