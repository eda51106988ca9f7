"""Waits for the earliest of the times that a service's rows hold: schedules that come round.

On the platform's clock; woken early when a row has changed, and once an hour whatever the rows say. AWS: none.
"""

import asyncio
from collections.abc import Awaitable, Callable

from undercast.core.clock import PlatformClock
from undercast.core.recurring import recur
from undercast.store.database import Database, Tx

_LOOK_S = 3600.0


class Alarm:
    """See the module. `next_at` reads the earliest time, None for none."""

    def __init__(self, database: Database, clock: PlatformClock, next_at: Callable[[Tx], float | None]) -> None:
        self._database = database
        self._clock = clock
        self._next_at = next_at
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """A time is another one."""
        self._changed.set()

    async def ring(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work at each of the times, without end; at once to begin with: time may have passed without us."""
        await recur(name, work, self._pause)

    async def _pause(self) -> None:
        now = self._clock.now()
        next_at = await self._database.read(self._next_at)
        until = now + _LOOK_S if next_at is None else min(next_at, now + _LOOK_S)
        waits = [asyncio.ensure_future(self._clock.wait_until(until)), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._changed.clear()
