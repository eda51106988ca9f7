"""The two clocks (I5). Each timed field belongs to exactly one; ARCHITECTURE.md has the table.

`HostClock` is the machine's and is never moved: invoke deadlines and durations, I/O timeouts, SigV4 skew, expiry of
credentials and certificates. `PlatformClock` can be advanced: retries, visibility, TTL, schedules, retention, ages.
"""

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

MOST_JUMPS = 256
"""So many are remembered."""


def moment(seconds: float) -> datetime:
    """A timestamp for an answer: of seconds since the epoch, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def iso_millis(seconds: float) -> str:
    """The same as text with milliseconds, as AWS writes it into events: 2026-11-29T14:10:00.123Z."""
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock(Protocol):
    """Tells the time in seconds since the epoch."""

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...


class HostClock:
    """The machine's clock. Its methods are the system's own: a request asks it ten times."""

    now = staticmethod(time.time)
    """See `Clock`."""
    monotonic = staticmethod(time.perf_counter)
    """Seconds that never run backwards; only differences mean anything."""


class Jump(NamedTuple):
    """A time on the platform clock that was never waited for, because the clock was advanced over it."""

    begins_at: float
    ends_at: float


class PlatformClock:
    """The machine's clock plus an offset that only grows. Sleepers wake when it is advanced past their time."""

    def __init__(self, host: HostClock, offset_s: float = 0.0, jumps: Iterable[Jump] = ()) -> None:
        self._host = host
        self.offset_s = offset_s
        self._jumps = deque(jumps, maxlen=MOST_JUMPS)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._serial = 0

    def now(self) -> float:
        """See `Clock`."""
        return self._host.now() + self.offset_s

    def host_s(self) -> float:
        """The host's seconds, whatever the offset; see `HostClock.monotonic`."""
        return self._host.monotonic()

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake whoever has waited long enough. Never backwards."""
        if seconds < 0:
            raise ValueError("the platform clock only moves forward")
        if seconds:
            began_at = self.now()
            self._jumps.append(Jump(began_at, began_at + seconds))
        self.offset_s += seconds
        now = self.now()
        while self._sleepers and self._sleepers[0][0] <= now:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    def jumped_s(self, since: float) -> float:
        """How much of the time from then until now was jumped over; the rest has really passed."""
        return sum(max(0.0, jump.ends_at - max(jump.begins_at, since)) for jump in self._jumps)

    async def wait_until(self, moment: float) -> None:
        """Return once `now()` has reached the moment, by the passing of time or by `advance`."""
        while (left := moment - self.now()) > 0:
            sleeper = asyncio.get_running_loop().create_future()
            self._serial += 1
            heapq.heappush(self._sleepers, (moment, self._serial, sleeper))
            try:
                # Not wait_for: Python 3.11's loses a cancellation that comes together with the result.
                async with asyncio.timeout(left):
                    await sleeper
            except TimeoutError:
                continue
            finally:
                if sleeper.cancelled():
                    self._sleepers = [entry for entry in self._sleepers if entry[2] is not sleeper]
                    heapq.heapify(self._sleepers)
