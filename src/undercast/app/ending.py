"""A stop that goes on whatever one part of it does: each gets its call, and so many seconds of those of the whole.

A part that tells how much it has left may take as long as it gets on: its seconds begin anew whenever there is less.
Neither it nor the sum of the others goes beyond the moment at which those of its stage have to have ended.

What fails, or does not end, is told to the log and remembered for the exit status; it keeps nobody else from ending:
what is behind it holds what was acknowledged.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping

from undercast.core.tasks import LAST_S

START_S = 30.0
"""How long a start may go on after SIGTERM, and what it has begun may take to end: before the stages."""
WORK_S, SANDBOXES_S, REST_S, FILES_S = 12.0, 50.0, 55.0, 60.0
"""When the stages of a stop have to have ended, counted from its begin: work and requests; sandboxes, which may be
hundreds on a busy machine; services, logs and blobs; journal, database and folder. One that begins early has the
longer."""
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
        self.tell: Callable[[str], None] = lambda part: None
        """Gets the names of the parts that are about to end, for `undercast stop`."""
        self._late = False
        self._stage_s = START_S + LAST_S
        self._began: float | None = None

    def begin(self, ends_s: float) -> None:
        """The first stage: seconds count from now on, for a start that was waited for takes nothing from what runs."""
        self._began = asyncio.get_running_loop().time()
        self.stage(ends_s)

    def stage(self, ends_s: float) -> None:
        """What is ended from now on has to have ended so many seconds behind the begin of the stop."""
        self._stage_s = ends_s

    def within(self, limit_s: float) -> float:
        """So many seconds, or what the stage has left."""
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
        return max(0.0, min(limit_s, self._began + self._stage_s - now))

    async def part(self, name: str, work: Work, limit_s: float, left: Left | None = None) -> None:
        """End one part, which has so many seconds; with `left`, so many in which it does not get on."""
        await self.together({name: work}, limit_s, left)

    async def together(self, works: Mapping[str, Work], limit_s: float, left: Left | None = None) -> None:
        """End several at the same time. `works` is by the names for the log."""
        if not works:
            return
        self.tell(", ".join(works))
        tasks = {asyncio.ensure_future(_called(work)): name for name, work in works.items()}
        before = left() if left is not None else 0
        given_s = self.within(limit_s)
        ended, late = await asyncio.wait(tasks, timeout=given_s)
        while late and left is not None and (now := left()) < before and (given_s := self.within(limit_s)):
            before = now
            ended, late = await asyncio.wait(tasks, timeout=given_s)
        for task in ended:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._note(tasks[task], "failed", error)
        for task in late:
            task.cancel()
            self._note(tasks[task], f"{_gets_on(left)} {given_s:.1f} s and is left")
        if late:
            self._late = True
            await asyncio.wait(late, timeout=self.within(LAST_S))

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
