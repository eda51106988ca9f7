"""Awaits an answer that is about to come without falling asleep.

To fall asleep and be woken costs a quick invocation a fifth of its time, and the processor no less than to stay awake.
Where the last answer came so soon, the next one is awaited so long; a slow function, or a busy machine, is never.
AWS: none.
"""

import asyncio

from undercast.core.clock import HostClock

AWAKE_S = 0.0004


class Vigil:
    """Of one execution environment."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: HostClock, cores: int) -> None:
        """With one core nobody could answer meanwhile."""
        self._loop = loop
        self._clock = clock
        self._several = cores > 1
        self._quick = False
        self._until = 0.0

    def begin(self) -> None:
        """The event is handed over, and somebody waits for the answer."""
        if self._quick:
            self._until = self._clock.monotonic() + AWAKE_S
            self._loop.call_soon(self._go_on)

    def end(self, after_ms: float) -> None:
        """The answer is there."""
        self._until = 0.0
        self._quick = self._several and after_ms <= AWAKE_S * 1000

    def _go_on(self) -> None:
        # While there is something to call, a loop looks at its sockets and does not wait for them.
        if self._clock.monotonic() < self._until:
            self._loop.call_soon(self._go_on)
