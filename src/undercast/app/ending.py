"""A stop that goes on whatever one part of it does: each gets its call, and so many seconds.

A part that tells how much it has left may take as long as it gets on: its seconds begin anew whenever there is less.

What fails, or does not end, is told to the log and remembered for the exit status; it keeps nobody else from ending:
what is behind it holds what was acknowledged.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping

from undercast.core.tasks import LAST_S

_LAST_RESORT_S = 5.0
"""How long a process may take to end whose tasks or threads do not."""
_log = logging.getLogger(__name__)
Work = Callable[[], Awaitable[None] | None]
Left = Callable[[], int]
"""How much there is still to end."""


class Ending:
    """See the module. One for a whole stop."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        """The parts that raised or did not end, in their order."""
        self._late = False

    async def part(self, name: str, work: Work, limit_s: float, left: Left | None = None) -> None:
        """End one part, which has so many seconds; with `left`, so many in which it does not get on."""
        await self.together({name: work}, limit_s, left)

    async def together(self, works: Mapping[str, Work], limit_s: float, left: Left | None = None) -> None:
        """End several at the same time. `works` is by the names for the log."""
        if not works:
            return
        tasks = {asyncio.ensure_future(_called(work)): name for name, work in works.items()}
        before = left() if left is not None else 0
        ended, late = await asyncio.wait(tasks, timeout=limit_s)
        while late and left is not None and (now := left()) < before:
            before = now
            ended, late = await asyncio.wait(tasks, timeout=limit_s)
        for task in ended:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._note(tasks[task], "failed", error)
        for task in late:
            task.cancel()
            self._note(tasks[task], f"{_gets_on(left)} {limit_s:.1f} s and is left")
        if late:
            self._late = True
            await asyncio.wait(late, timeout=LAST_S)

    def see_to_the_end(self, limit_s: float = _LAST_RESORT_S) -> None:
        """End the process in a moment where something was late: its task or thread would be waited for, for ever."""
        if self._late:
            clock = threading.Timer(limit_s, os._exit, (1,))
            clock.daemon = True
            clock.start()

    def _note(self, name: str, what: str, error: BaseException | None = None) -> None:
        self.failed.append(name)
        _log.error("the stop of %s %s", name, what, exc_info=error)


def _gets_on(left: Left | None) -> str:
    return "has not ended after" if left is None else "has not got on for"


async def _called(work: Work) -> None:
    """In a task, so that what the call itself raises is the task's."""
    waits = work()
    if waits is not None:
        await waits
