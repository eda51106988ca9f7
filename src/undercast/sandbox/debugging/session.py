"""Whether somebody debugs an execution environment, and the limits that stand still meanwhile.

A limit goes on where it stopped when the last debugger has gone.
AWS: none; SAM CLI switches timeouts off for a debugger.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from undercast.core.deadline import NEVER, Deadline
from undercast.sandbox.model import Debug


class Debugger:
    """Of one environment. Told by its port when clients come and go."""

    def __init__(self, settings: Debug) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._clients = 0
        self._waiting = False
        self._stands_still = False
        self._limits: set[StoppableDeadline] = set()
        self.on_change: Callable[[], None] = lambda: None
        """Somebody has attached, or nobody is attached any more."""

    @property
    def attached(self) -> bool:
        """Whether a client is connected."""
        return self._clients > 0

    @property
    def stopped(self) -> bool:
        """Whether limits stand still: while somebody is attached, or waited for."""
        return self._clients > 0 or self._waiting

    def opened(self) -> None:
        """A client has connected."""
        self._clients += 1
        self._waiting = False
        self._changed()
        if self._clients == 1:
            self.on_change()

    def closed(self) -> None:
        """A client has gone."""
        self._clients -= 1
        self._changed()
        if self._clients == 0:
            self.on_change()

    def dismiss(self) -> None:
        """Nobody is waited for any more."""
        self._settings = Debug(port=self._settings.port, inner_port=self._settings.inner_port, wait=False)
        self._waiting = False
        self._changed()

    def deadline(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> Deadline:
        """One that stands still with this debugger."""
        made = StoppableDeadline(self, loop, callback)
        self._limits.add(made)
        return made

    @asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[None]:
        """Around an INIT: `asyncio.timeout` that stands still, first of all until somebody has attached if asked."""
        self._waiting = self._settings.wait
        self._changed()
        async with asyncio.timeout(None) as running:
            deadline = StoppableDeadline(self, self._loop, lambda: running.reschedule(self._loop.time()))
            self._limits.add(deadline)
            deadline.arm(seconds)
            try:
                yield
            finally:
                deadline.cancel()
                self._limits.discard(deadline)

    def _changed(self) -> None:
        if self.stopped == self._stands_still:
            return
        self._stands_still = self.stopped
        for limit in self._limits:
            if self.stopped:
                limit.stop()
            else:
                limit.go_on()


class StoppableDeadline(Deadline):
    """A deadline that does not come nearer while limits stand still."""

    __slots__ = ("_debugger", "_left")

    def __init__(self, debugger: Debugger, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        super().__init__(loop, callback)
        self._debugger = debugger
        self._left: float | None = None

    def arm(self, seconds: float) -> None:
        """See Deadline."""
        if self._debugger.stopped:
            self._left = seconds
            super().lift()
        else:
            super().arm(seconds)

    def lift(self) -> None:
        """See Deadline."""
        self._left = None
        super().lift()

    def cancel(self) -> None:
        """See Deadline."""
        self._left = None
        super().cancel()

    def stop(self) -> None:
        """Keep what is left."""
        if self.moment != NEVER:
            self._left = self.moment - self._loop.time()
            super().lift()

    def go_on(self) -> None:
        """With what is left."""
        left, self._left = self._left, None
        if left is not None:
            super().arm(left)
