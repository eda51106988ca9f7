"""Deletes traces 30 days after they came, on the platform's clock, looked at every hour of it; readers never see
an older one meanwhile.

AWS: X-Ray FAQs and quotas, "Trace and service graph retention: 30 days".
"""

import asyncio

from undercast.core.clock import PlatformClock
from undercast.core.recurring import recur
from undercast.services.xray import store
from undercast.store.journal import Journal

RETENTION_S = 30 * 86400.0
INTERVAL_S = 3600.0


class Upkeep:
    """One task."""

    def __init__(self, journal: Journal, clock: PlatformClock) -> None:
        self._journal = journal
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(recur("the expiry of traces", self.expire, self._next_hour))

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def expire(self) -> None:
        """Remove what is too old by now, a piece at a time."""
        before = self._clock.now() - RETENTION_S
        while await self._journal.write(lambda tx: store.expire(tx, before)):
            continue

    async def _next_hour(self) -> None:
        await self._clock.wait_until(self._clock.now() + INTERVAL_S)
