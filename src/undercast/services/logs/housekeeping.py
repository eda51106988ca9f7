"""Removes the events of deleted streams and those whose retention has passed.

A piece at a time, so that nobody waits. Retention is on the platform clock and looked at every hour of it; readers
never see an expired event meanwhile. AWS: CloudWatch Logs User Guide, "Change log data retention".
"""

import asyncio
import logging

from undercast.core.clock import PlatformClock
from undercast.core.recurring import recur
from undercast.services.logs import store
from undercast.services.logs.models import Group
from undercast.store.journal import Journal

log = logging.getLogger(__name__)
INTERVAL_S = 3600.0


class Housekeeping:
    """Two tasks: the purge when something was deleted, the expiry every hour."""

    def __init__(self, journal: Journal, clock: PlatformClock) -> None:
        self._journal = journal
        self._clock = clock
        self._purging: asyncio.Task[None] | None = None
        self._expiring: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; finishes first what an earlier run left."""
        self.purge_soon()
        self._expiring = asyncio.create_task(recur("the expiry of log events", self.expire, self._next_hour))

    async def stop(self) -> None:
        """Cancel both; what is left is taken up at the next start."""
        tasks = [task for task in (self._purging, self._expiring) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def purge_soon(self) -> None:
        """Something was deleted."""
        if self._purging is None or self._purging.done():
            self._purging = asyncio.create_task(self._purge())

    async def expire(self) -> None:
        """Remove what has expired by now."""
        now_ms = int(self._clock.now() * 1000)
        for group in await self._journal.read(store.groups_with_retention):
            while await self._expire_some(group, now_ms):
                continue

    async def _expire_some(self, group: Group, now_ms: int) -> bool:
        return await self._journal.write(lambda tx: store.expire(tx, group, group.oldest_ms(now_ms)))

    async def _purge(self) -> None:
        while await self._journal.write(store.purge):
            continue

    async def _next_hour(self) -> None:
        await self._clock.wait_until(self._clock.now() + INTERVAL_S)
