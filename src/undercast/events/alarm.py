"""Waits for the earliest of the times that a service's rows hold: schedules that come round.

On the platform's clock; woken early when a row has changed, and once an hour whatever the rows say. Work that fails is
tried again after a while of host time. AWS: none.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from undercast.core.clock import PlatformClock
from undercast.core.recurring import rest, rest_s
from undercast.store.database import Database, Tx

log = logging.getLogger(__name__)

T = TypeVar("T")
_LOOK_S = 3600.0


class Alarm:
    """See the module. `next_at` reads the earliest time, None for none; `rest` waits so many seconds of host time."""

    def __init__(
        self,
        database: Database,
        clock: PlatformClock,
        next_at: Callable[[Tx], float | None],
        rest: Callable[[float], Awaitable[None]] = rest,
    ) -> None:
        self._rest = rest
        self._database = database
        self._clock = clock
        self._next_at = next_at
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """A time is another one."""
        self._changed.set()

    async def ring(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work at each of the times, without end; at once to begin with: time may have passed without us."""
        failures = 0
        while True:
            try:
                await work()
                await self._pause()
                failures = 0
            except Exception:  # whatever failed, the next round may not
                failures += 1
                log.exception("%s failed; the next round is tried all the same", name)
                await self._rest(rest_s(failures))

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


def fire_each(tx: Tx, due: Iterable[T], *steps: Callable[[T], None]) -> None:
    """Each by itself: fire, or, where a step fails, what comes behind it. A failure is told of in the log, and undone.

    Raises the store's errors, which mean nothing of one of them alone.
    """
    for one in due:
        for step in steps:
            try:
                with tx.savepoint():
                    step(one)
                break
            except sqlite3.Error:
                raise
            except Exception:  # what one row holds must not keep the others from their time
                log.exception("%s cannot fire", one)
