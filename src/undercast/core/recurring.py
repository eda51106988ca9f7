"""Work that the platform does again and again: a round, a pause, the next round.

One failing round is logged and never the last one. The task that runs this has an owner, whose `cancel` ends it.
AWS: none.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


async def recur(name: str, work: Callable[[], Awaitable[None]], pause: Callable[[], Awaitable[None]]) -> None:
    """Work, pause, and so on. `pause` decides on which clock; `name` is for the log."""
    while True:
        try:
            await work()
        except Exception:  # whatever failed, the next round may not
            log.exception("%s failed; the next round is tried all the same", name)
        await pause()


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
