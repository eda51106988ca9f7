"""One moment that may move at any time without touching the event loop's timers.

A deadline changes with each request or invocation; the timer behind it is set only when it is missing or would come
too late, and looks again when it fires. AWS: none.
"""

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """Calls back once its moment has come."""

    __slots__ = ("_callback", "_loop", "_timer", "moment")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._timer: asyncio.TimerHandle | None = None
        self.moment = NEVER
        """Loop time."""

    def arm(self, seconds: float) -> None:
        """Set the moment to so many seconds from now."""
        self.put(self._loop.time() + seconds)

    def put(self, moment: float) -> None:
        """Set the moment."""
        self.moment = moment
        timer = self._timer
        if timer is None:
            self._timer = self._loop.call_at(moment, self._look)
        elif timer.when() > moment:
            timer.cancel()
            self._timer = self._loop.call_at(moment, self._look)

    def lift(self) -> None:
        """No moment; the timer is left to find that out."""
        self.moment = NEVER

    def cancel(self) -> None:
        """No moment and no timer."""
        self.moment = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self.moment == NEVER:
            return
        if self._loop.time() < self.moment:
            self._timer = self._loop.call_at(self.moment, self._look)
            return
        self.moment = NEVER
        self._callback()
