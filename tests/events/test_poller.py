"""The engine that reads event sources, with a source that a test feeds."""

import asyncio
from typing import Any

import pytest

from tests.fakes import FakeClock
from undercast.core import tasks
from undercast.events import poller
from undercast.events.poller import FIRST_BATCHES, Allowance, Pollers, Processed, Unavailable


class Fed:
    """A source whose batches and results a test gives."""

    most = 1000
    at_first = FIRST_BATCHES

    def __init__(self) -> None:
        self.batches: asyncio.Queue[Any] = asyncio.Queue()
        self.running: list[asyncio.Future[Processed]] = []
        self.takes = 0
        self.takes_before: list[int] = []
        """How often it had been asked when the processing of each batch began."""
        self.closed = False
        self.is_crowded = False

    def crowded(self) -> bool:
        """See `poller.Source`."""
        return self.is_crowded

    async def take(self) -> Any:
        """See `poller.Source`."""
        self.takes += 1
        batch = await self.batches.get()
        if isinstance(batch, Exception):
            raise batch
        return batch

    async def process(self, batch: Any) -> Processed:
        """See `poller.Source`."""
        future: asyncio.Future[Processed] = asyncio.get_running_loop().create_future()
        self.running.append(future)
        self.takes_before.append(self.takes)
        return await future

    async def close(self) -> None:
        """See `poller.Source`."""
        self.closed = True

    def give(self, count: int) -> None:
        """So many batches are there."""
        for _ in range(count):
            self.batches.put_nowait("batch")


async def settle() -> None:
    """Let what can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_five_batches_run_at_once_before_more_are_allowed() -> None:
    """AWS: five at first; 300 more a minute while they are used."""
    clock, source = FakeClock(), Fed()
    pollers = Pollers(clock)
    pollers.begin("one", source)
    source.give(20)
    await settle()
    assert len(source.running) == FIRST_BATCHES
    clock.advance(3600)  # no more because of this: growth is the host's
    clock.tick(1)
    source.running[0].set_result(Processed())
    await settle()
    assert len(source.running) == 11
    await pollers.stop(0.01)
    assert source.closed


async def test_a_batch_is_at_work_before_the_source_is_asked_again() -> None:
    """Asking takes the event loop as long as handing the batch over does."""
    clock, source = FakeClock(), Fed()
    pollers = Pollers(clock)
    pollers.begin("one", source)
    source.give(3)
    await settle()
    assert source.takes_before == [1, 2, 3]
    await pollers.stop(0.01)


async def test_a_crowded_source_gets_no_more_than_the_first_ones() -> None:
    """What would only wait for an environment is left in the queue."""
    clock, source = FakeClock(), Fed()
    pollers = Pollers(clock)
    pollers.begin("one", source)
    source.is_crowded = True
    source.give(20)
    await settle()
    clock.tick(60)
    source.running[0].set_result(Processed())
    await settle()
    assert len(source.running) == FIRST_BATCHES + 1
    await pollers.stop(0.01)


async def test_an_idle_source_is_asked_once() -> None:
    """No busy loop: one take waits until there is something."""
    clock, source = FakeClock(), Fed()
    pollers = Pollers(clock)
    pollers.begin("one", source)
    await settle()
    clock.advance(3600)
    await settle()
    assert source.takes == 1
    await pollers.stop()


async def test_an_unavailable_source_is_asked_again_later_each_time() -> None:
    """Half a second doubling to ten; the reason is the last processing result."""
    clock, source = FakeClock(), Fed()
    pollers = Pollers(clock)
    pollers.begin("one", source)
    for takes, wait_s in enumerate((0.5, 1, 2, 4, 8, 10, 10), start=2):
        source.batches.put_nowait(Unavailable("no queue"))
        await settle()
        clock.advance(wait_s - 0.01)
        await settle()
        assert source.takes == takes - 1
        clock.advance(0.02)
        await settle()
        assert source.takes == takes
    assert pollers.result("one") == "PROBLEM: no queue"
    await pollers.stop()


async def test_the_end_waits_for_what_runs() -> None:
    """A mapping that is disabled or deleted finishes its batches first."""
    clock, source = FakeClock(), Fed()
    pollers = Pollers(clock)
    pollers.begin("one", source)
    source.give(1)
    await settle()
    ending = asyncio.create_task(pollers.end("one"))
    await settle()
    assert source.closed
    assert not ending.done()
    source.running[0].set_result(Processed())
    await ending


class Stubborn(Fed):
    """Neither lets its reader go nor can be closed, as one that waits for a peer who never reads."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.release = asyncio.Event()

    async def take(self) -> Any:
        """See `poller.Source`."""
        self.asked.set()
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue

    async def close(self) -> None:
        """See `poller.Source`."""
        await self.release.wait()


async def test_a_source_that_does_not_let_go_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mapping is deleted, or the platform stopped, all the same; the log says what is left."""
    monkeypatch.setattr(poller, "CLOSE_S", 0.0)
    monkeypatch.setattr(tasks, "LAST_S", 0.0)
    pollers, sources = Pollers(FakeClock()), (Stubborn(), Stubborn())
    for key, source in enumerate(sources):
        pollers.begin(key, source)
        await source.asked.wait()
    await pollers.end(0)
    await pollers.stop(0.0)
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert told.count("1 readers of event sources do not end, and are left") == 2
    assert told.count("an event source could not be closed") == 2
    for source in sources:
        source.release.set()


def test_failures_halve_what_may_run_and_success_brings_back_the_first_five() -> None:
    """AWS backs off gradually; the numbers are ours."""
    allowance = Allowance(1000)
    allowance.used_up(0)
    assert allowance.at(60) == 305
    allowance.failed(60)
    assert allowance.at(60) == 152
    for _ in range(9):
        allowance.failed(60)
    allowance.idle()
    assert allowance.at(60) == 2
    for _ in range(5):
        allowance.worked()
    assert allowance.at(60) == 5
    allowance.used_up(60)
    assert allowance.at(120) == 305
    allowance.idle()
    assert allowance.at(120) == 5
    assert Allowance(2).at(0) == 2
