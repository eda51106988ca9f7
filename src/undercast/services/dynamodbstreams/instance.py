"""DynamoDB Streams as its operations see it, and the task that trims what is over 24 hours old.

AWS: DynamoDB Developer Guide, "Data retention limit for DynamoDB Streams".
"""

import asyncio

from undercast.core.accesses import Accesses
from undercast.core.clock import PlatformClock
from undercast.core.recurring import recur
from undercast.services import table_streams
from undercast.store.database import Database

ROUND_S = 600.0
_AT_ONCE = 1000


class Streams:
    """One per platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self.database = database
        self.clock = clock
        self.accesses = Accesses()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to trim."""
        self._task = asyncio.get_running_loop().create_task(
            recur("DynamoDB Streams' trimming", self._round, self._pause)
        )

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _pause(self) -> None:
        await self.clock.wait_until(self.clock.now() + ROUND_S)

    async def _round(self) -> None:
        more = True
        while more:
            more = await self.database.write(lambda tx: table_streams.trim(tx, self.clock.now(), _AT_ONCE), long=True)
