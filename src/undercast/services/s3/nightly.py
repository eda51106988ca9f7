"""Runs something at the start and at every midnight (UTC) of the platform clock.

AWS: S3 User Guide, "Expiring objects" (rules act at midnight UTC).
"""

import asyncio
from collections.abc import Awaitable, Callable

from undercast.core.clock import PlatformClock
from undercast.core.recurring import recur
from undercast.services.s3.expiry import due_at


class Nightly:
    """One task, owned by the service: started and stopped with it."""

    def __init__(self, clock: PlatformClock) -> None:
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin."""
        self._task = asyncio.create_task(recur("the nightly work of S3", work, self._midnight))

    async def stop(self) -> None:
        """Cancel; what is left is done at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _midnight(self) -> None:
        await self._clock.wait_until(due_at(self._clock.now(), 0))
