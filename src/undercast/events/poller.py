"""Reads event sources for who consumes them: waits for batches, runs several at once, backs off, ends cleanly.

Knows no service: a `Source` waits for its next batch and processes it; a queue is one source, a shard of a stream
another. Nothing here polls by time: an idle source costs the wait that its adapter is in.
AWS: Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings", "Backoff strategy for failed
invocations".
"""

import asyncio
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from undercast.core.backoff import Backoff
from undercast.core.clock import PlatformClock
from undercast.core.record import record
from undercast.core.tasks import wound_up

FIRST_BATCHES = 5
"""So many run at once before there is reason for more."""
FEWEST_BATCHES = 2
MORE_PER_S = 300 / 60
_BACKOFF = Backoff(first_s=0.5, longest_s=10.0)
NOTHING_YET = "No records processed"
CLOSE_S = 30.0
"""How long a source may take to let its reader go, and to be closed."""
LONGEST_BATCH_S = 1800.0
"""How long an end waits for what runs: twice as long as a function may."""
_LOOK_AGAIN_S = 1 / MORE_PER_S
_log = logging.getLogger(__name__)


class Unavailable(Exception):
    """The source, or who consumes it, cannot be used now. The text says why."""


@record
class Processed:
    """What became of a batch."""

    result: str = "OK"
    """For LastProcessingResult."""
    backs_off: bool = False
    """Whether fewer batches should run at once from now on."""


class Source(Protocol):
    """An adapter that a service hands over. `take` is called by one reader, `process` for several batches at once."""

    @property
    def most(self) -> int:
        """How many batches may run at once."""
        ...

    @property
    def at_first(self) -> int:
        """How many may run at once before there is reason for more."""
        ...

    def crowded(self) -> bool:
        """Whether batches already wait for a place to run: more at once would only wait as well."""
        ...

    async def take(self) -> Any:
        """Wait for the next batch; None when a wait has ended without one. Raises Unavailable."""
        ...

    async def process(self, batch: Any) -> Processed:
        """Consume it. What is not consumed is the source's to give again."""
        ...

    async def close(self) -> None:
        """No `take` follows; one that was waiting has been cancelled, and what it had is the source's again.

        Batches may still be processed.
        """
        ...


class Unreadable:
    """A source that could not be made. It says why whenever it is asked. See `Source`."""

    most = FIRST_BATCHES
    at_first = FIRST_BATCHES

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def crowded(self) -> bool:
        """See `Source`."""
        return False

    async def take(self) -> Any:
        """See `Source`. It is asked again after pauses, and its answer stays the same."""
        raise Unavailable(self._reason)

    async def process(self, batch: Any) -> Processed:
        """See `Source`. There are no batches."""
        raise Unavailable(self._reason)

    async def close(self) -> None:
        """See `Source`."""


def source_or_reason(make: Callable[[], Source]) -> Source:
    """The source; one that cannot be made, whatever its settings say, tells that as what reading it comes to."""
    try:
        return make()
    except Exception as error:  # its consumer is there and can be changed: nothing may stay under way for ever
        _log.exception("an event source could not be made")
        return Unreadable(f"it cannot be read with the settings that it has: {error}")


@dataclass(slots=True, eq=False)
class Allowance:
    """How many batches may run at once: few at first, more each second while they are all used, fewer after failures.

    Pure; host time, for it bounds what this machine does: a test that advances the platform clock by an hour has not
    worked for an hour. AWS gives the first number and the growth; how fast it backs off it does not say: here by half.
    """

    most: int
    base: int = FIRST_BATCHES
    first: int = FIRST_BATCHES
    more_per_s: float = MORE_PER_S
    since: float | None = None
    """When all were used for the first time."""

    def at(self, now: float) -> int:
        """The number now."""
        grown = 0 if self.since is None else int((now - self.since) * self.more_per_s)
        return max(1, min(self.most, self.base + grown))

    def used_up(self, now: float) -> None:
        """All run, and there may be more to do."""
        if self.since is None:
            self.since = now

    def idle(self) -> None:
        """Nothing runs: no more than at first. What failures took away, only success brings back."""
        self.since, self.base = None, min(self.base, self.first)

    def failed(self, now: float) -> None:
        """A batch failed: half as many."""
        self.base, self.since = max(FEWEST_BATCHES, self.at(now) // 2), None

    def worked(self) -> None:
        """A batch went well."""
        self.base = max(self.base, min(self.first, self.base + 1))


class Feed:
    """One source being read."""

    def __init__(self, source: Source, clock: PlatformClock, more_per_s: float = MORE_PER_S) -> None:
        self._source = source
        self._clock = clock
        first = source.at_first
        self._allowance = Allowance(source.most, base=first, first=first, more_per_s=more_per_s)
        self._running: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self.result = NOTHING_YET
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def end(self) -> None:
        """Take nothing more; return when what runs has ended, or has had twice a function's longest time."""
        await self._stop_reading(CLOSE_S)
        await wound_up(self._running, LONGEST_BATCH_S, "batches of event sources")

    async def abandon(self, budget_s: float) -> None:
        """The same, but what runs longer than so many seconds is left."""
        await self._stop_reading(budget_s)
        await wound_up(self._running, budget_s, "batches of event sources")

    async def _stop_reading(self, limit_s: float) -> None:
        self._reader.cancel()
        await wound_up([self._reader], limit_s, "readers of event sources")
        try:
            async with asyncio.timeout(limit_s):
                await self._source.close()
        except Exception:  # whatever a source does, what runs is waited for
            _log.exception("an event source could not be closed")

    async def _read(self) -> None:
        failures = 0
        while True:
            await self._room()
            try:
                batch = await self._source.take()
            except Exception as error:  # whatever a source does, it is read on
                if not isinstance(error, Unavailable):
                    _log.exception("an event source could not be read")
                self.result = f"PROBLEM: {error}"
                moment = self._clock.now() + _BACKOFF.wait_s(failures)
                failures += 1
                await self._clock.wait_until(moment)
                continue
            failures = 0
            if batch is not None:
                task = asyncio.get_running_loop().create_task(self._process(batch))
                self._running.add(task)
                task.add_done_callback(self._ended)
            # Not to wait: a batch goes to who consumes it before the source is asked again, and a source may always
            # have something, wanted or not, while others want the loop.
            await asyncio.sleep(0)

    async def _room(self) -> None:
        """Return when another batch may run. While all run and more may come to be allowed, looks again now and then.

        Host time: nobody waits for a moment here, and the platform clock may be far ahead.
        """
        while not self._has_room():
            self._allowance.used_up(self._clock.host_s())
            self._freed.clear()
            grows = len(self._running) < self._allowance.most
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S if grows else None):
                    await self._freed.wait()
            except TimeoutError:
                continue

    def _has_room(self) -> bool:
        running = len(self._running)
        if running >= self._allowance.at(self._clock.host_s()):
            return False
        return running < FIRST_BATCHES or not self._source.crowded()

    async def _process(self, batch: Any) -> None:
        try:
            processed = await self._source.process(batch)
        except Exception as error:
            _log.exception("a batch could not be processed")
            processed = Processed(result=f"PROBLEM: {error}", backs_off=True)
        self.result = processed.result
        if processed.backs_off:
            self._allowance.failed(self._clock.host_s())
        else:
            self._allowance.worked()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._running:
            self._allowance.idle()
        self._freed.set()


class Pollers:
    """The feeds of one owner, by key."""

    def __init__(self, clock: PlatformClock) -> None:
        self._clock = clock
        self._feeds: dict[Hashable, Feed] = {}

    def begin(self, key: Hashable, source: Source, more_per_s: float = MORE_PER_S) -> None:
        """Read a source from now on; so many more batches at once each second while all are used."""
        assert key not in self._feeds, "one feed for each key; `end` it first"
        self._feeds[key] = Feed(source, self._clock, more_per_s)

    async def end(self, key: Hashable) -> None:
        """Read it no more; return when no batch of it is being processed. Nothing for one that is not read."""
        feed = self._feeds.get(key)
        if feed is not None:
            await feed.end()
            self._feeds.pop(key, None)

    def told(self, key: Hashable, result: str) -> None:
        """How a batch goes that has not ended and is tried again: it may be so for days."""
        if feed := self._feeds.get(key):
            feed.result = result

    def result(self, key: Hashable) -> str:
        """What the last batch came to, or how one that is tried again goes."""
        feed = self._feeds.get(key)
        return feed.result if feed is not None else NOTHING_YET

    async def stop(self, budget_s: float = 2.0) -> None:
        """End all; batches get so many seconds. What they leave undone, the sources give again."""
        feeds = tuple(self._feeds.values())
        self._feeds.clear()
        await asyncio.gather(*(feed.abandon(budget_s) for feed in feeds))
