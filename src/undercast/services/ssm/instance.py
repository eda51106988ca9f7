"""Parameter Store as its operations see it, and the task that deletes expired parameters.

AWS: Systems Manager User Guide, "Assigning parameter policies in Parameter Store".
"""

import asyncio

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import PlatformClock
from undercast.core.recurring import recur
from undercast.services.ssm import store
from undercast.store.database import Database, Tx

ROUND_S = 60.0


class Ssm:
    """One per platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self.database = database
        self.clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to delete what has expired."""
        self._task = asyncio.get_running_loop().create_task(recur("Parameter Store's expiry", self._round, self._pause))

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _pause(self) -> None:
        await self.clock.wait_until(self.clock.now() + ROUND_S)

    async def _round(self) -> None:
        await self.database.write(self._expire)

    def _expire(self, tx: Tx) -> None:
        for row in store.expired(tx, self.clock.now()):
            store.delete(tx, Scope(AccountId(row["account_id"]), Region(row["region"])), row["name"])
