"""Work that the platform does again and again: a round, a pause, the next round.

One failing round is logged and never the last one. The task that runs this has an owner, whose `cancel` ends it.
AWS: none.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from undercast.core.backoff import Backoff
from undercast.core.clock import PlatformClock
from undercast.core.errors import ServiceError

log = logging.getLogger(__name__)

T = TypeVar("T")
_REST = Backoff(longest_s=60.0)


async def recur(name: str, work: Callable[[], Awaitable[None]], pause: Callable[[], Awaitable[None]]) -> None:
    """Work, pause, and so on. `pause` decides on which clock; `name` is for the log."""
    while True:
        try:
            await work()
        except Exception:  # whatever failed, the next round may not
            log.exception("%s failed; the next round is tried all the same", name)
        await pause()


class Rounds:
    """A service's rounds on the platform's clock: the task that recurs, and its owner."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]], clock: PlatformClock, seconds: float) -> None:
        """`seconds` of the platform's clock lie between two rounds; `name` is for the log."""
        self._name = name
        self._work = work
        self._clock = clock
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self, *, at_once: bool = False) -> None:
        """Begin with a pause, for the start is busy enough; with a round where time that nothing ran counts."""
        self._task = asyncio.get_running_loop().create_task(self._run(at_once))

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, at_once: bool) -> None:
        if not at_once:
            await self._pause()
        await recur(self._name, self._work, self._pause)

    async def _pause(self) -> None:
        await self._clock.wait_until(self._clock.now() + self._seconds)


async def settled(name: str, work: Callable[[], Awaitable[T]], failed: Callable[[Exception], T]) -> T:
    """What the work comes to; what `failed` makes of what it raised. The log has in full what is no ServiceError."""
    try:
        return await work()
    except ServiceError as error:  # AWS's own answer: no fault of ours
        return failed(error)
    except Exception as error:  # work in the background that nobody waits for must be seen to have ended
        log.exception("%s failed", name)
        return failed(error)


async def insist(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Work until it succeeds once; after a failure it rests, longer each time."""
    failures = 0
    while True:
        try:
            await work()
            return
        except Exception:  # a store that refuses now may not for ever
            failures += 1
            log.exception("%s failed; it is tried again", name)
        await rest(rest_s(failures))


def rest_s(failures: int) -> float:
    """How long to rest after so many failures in a row."""
    return _REST.wait_s(failures - 1)


async def rest(seconds: float) -> None:
    """So many seconds of host time."""
    await every(seconds)()


def every(seconds: float) -> Callable[[], Awaitable[None]]:
    """A pause of so many seconds of host time."""
    never = asyncio.Event()

    async def pause() -> None:
        try:
            async with asyncio.timeout(seconds):
                await never.wait()
        except TimeoutError:
            return

    return pause
