"""Who waits for messages of a queue (long polling).

A commit that makes messages visible wakes as many waiters as there are messages, the longest waiting first; they look
again. One timer per queue, on the platform clock, rings when a hidden message comes back.
AWS: SQS Developer Guide, "Amazon SQS short and long polling".
"""

import asyncio
import contextlib
from collections import deque

from undercast.core.clock import PlatformClock


class Waiting:
    """The waiters of all queues, by the queue's id."""

    def __init__(self, clock: PlatformClock) -> None:
        self._clock = clock
        self._waiters: dict[int, deque[asyncio.Future[None]]] = {}
        self._timers: dict[int, tuple[float, asyncio.Task[None]]] = {}
        self.ended = False
        """Nobody waits any more: the platform stops."""

    @property
    def polls(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiters.values()))

    def wake(self, queue_id: int, messages: int = 1) -> None:
        """So many messages are visible now."""
        waiters = self._waiters.get(queue_id)
        while waiters and messages > 0:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                messages -= 1

    def wake_all(self, queue_id: int) -> None:
        """The queue has changed or is gone: everybody looks again."""
        self.wake(queue_id, len(self._waiters.get(queue_id, ())))

    async def wait(self, queue_id: int, limit_s: float, comes_back_at: float | None) -> None:
        """Return when messages may be there, at the latest after so many seconds of host time."""
        if self.ended:
            return
        waiter = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(queue_id, deque())
        waiters.append(waiter)
        if comes_back_at is not None:
            self.ring_at(queue_id, comes_back_at)
        try:
            async with asyncio.timeout(limit_s):
                await waiter
        except TimeoutError:
            return
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.wake(queue_id)  # the caller has left: its turn is the next one's
            raise
        finally:
            with contextlib.suppress(ValueError):
                waiters.remove(waiter)
            if not waiters and self._waiters.get(queue_id) is waiters:
                self._forget(queue_id)

    def ring_at(self, queue_id: int, moment: float) -> None:
        """Wake somebody at this moment, if somebody waits then."""
        if not self._waiters.get(queue_id):
            return
        known = self._timers.get(queue_id)
        if known is not None and known[0] <= moment:
            return
        if known is not None:
            known[1].cancel()
        self._timers[queue_id] = (moment, asyncio.get_running_loop().create_task(self._ring(queue_id, moment)))

    def end(self) -> None:
        """Let everybody go, for good."""
        self.ended = True
        self.wake_everybody()

    def wake_everybody(self) -> None:
        """All queues may be gone."""
        for queue_id in tuple(self._waiters):
            self.wake_all(queue_id)

    async def stop(self) -> None:
        """Behind `end`."""
        timers = [task for _, task in self._timers.values()]
        for timer in timers:
            timer.cancel()
        if timers:
            await asyncio.wait(timers)

    async def _ring(self, queue_id: int, moment: float) -> None:
        await self._clock.wait_until(moment)
        self._timers.pop(queue_id, None)
        self.wake_all(queue_id)

    def _forget(self, queue_id: int) -> None:
        self._waiters.pop(queue_id, None)
        known = self._timers.pop(queue_id, None)
        if known is not None:
            known[1].cancel()
