"""Freezes execution environments that have been idle for a moment.

One timer for all. Who is busy comes back by itself, so nothing is done on the way of an invocation.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle", freeze.
"""

import asyncio

from undercast.core.clock import HostClock
from undercast.sandbox.environment import Environment
from undercast.sandbox.lifecycle import State

FREEZE_AFTER_S = 0.01
"""An environment that gets its next event within this time was never frozen: a busy function is not slowed."""


class Freezer:
    """One per pool."""

    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self._thawed: dict[str, Environment] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, environment: Environment) -> None:
        """It has become idle: freeze it unless it is used soon."""
        self._thawed[environment.id] = environment
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FREEZE_AFTER_S, self._ring)

    def stop(self) -> None:
        """Freeze nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        due = self._clock.monotonic() - FREEZE_AFTER_S
        for environment in tuple(self._thawed.values()):
            if environment.state is not State.READY:
                del self._thawed[environment.id]
            elif environment.idle_since <= due:
                del self._thawed[environment.id]
                environment.freeze()
        if self._thawed:
            self._timer = asyncio.get_running_loop().call_later(FREEZE_AFTER_S, self._ring)
