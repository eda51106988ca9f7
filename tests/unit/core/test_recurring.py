"""Work that recurs goes on behind a failing round, and ends when it is cancelled."""

import asyncio

import pytest

from undercast.core.clock import HostClock, PlatformClock
from undercast.core.recurring import every, recur
from undercast.services.s3.nightly import Nightly


async def rounds(failing: set[int], wanted: int) -> list[int]:
    """Run until so many rounds were begun."""
    begun: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        begun.append(len(begun))
        if len(begun) == wanted:
            enough.set()
        if begun[-1] in failing:
            raise OSError("disk I/O error")

    task = asyncio.create_task(recur("the sweep", work, every(0)))
    async with asyncio.timeout(5):
        await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    return begun


async def test_failing_round_is_told_and_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    """Retention, expiry and the reaper must outlive one error of the store."""
    assert await rounds({0, 2}, 5) == [0, 1, 2, 3, 4]
    assert caplog.text.count("the sweep failed") == 2
    assert "disk I/O error" in caplog.text


async def test_cancellation_inside_the_work_ends_it() -> None:
    """The owner's stop is not taken for a failure."""
    inside, never = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        inside.set()
        await never.wait()

    task = asyncio.create_task(recur("the sweep", work, every(0)))
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_night_after_a_failed_one_is_worked_through() -> None:
    """Lifecycle rules act at each midnight, whatever happened at the one before."""
    clock = PlatformClock(HostClock())
    nightly, nights, worked = Nightly(clock), [0], asyncio.Event()

    async def work() -> None:
        nights[0] += 1
        worked.set()
        if nights[0] == 2:
            raise RuntimeError("NoSuchBucket")

    nightly.start(work)
    for _ in range(4):
        async with asyncio.timeout(5):
            await worked.wait()
        worked.clear()
        clock.advance(86_400)
        await asyncio.sleep(0)
    await nightly.stop()
    assert nights[0] >= 4
