"""The tasks of one owner."""

import asyncio
from contextlib import suppress

import pytest

from undercast.core.tasks import Tasks, wound_up


async def test_an_error_that_nobody_expected_is_told() -> None:
    """A task that fails is not forgotten; one that is cancelled or ends well says nothing."""
    told: list[BaseException] = []
    tasks = Tasks(told.append)
    error = ValueError("defect")

    async def fail() -> None:
        raise error

    async def wait() -> None:
        await asyncio.Event().wait()

    for work in (fail(), wait(), asyncio.sleep(0)):
        tasks.spawn(work)
    await asyncio.sleep(0.01)
    assert told == [error]
    tasks.cancel()
    await tasks.ended()
    assert told == [error]


async def test_waiting_for_tasks_cancels_none_of_them() -> None:
    """Neither the limit of a wait nor the end of who waits is the end of the work."""
    tasks, goes_on = Tasks(lambda error: None), asyncio.Event()

    async def work() -> int:
        await goes_on.wait()
        return 7

    task = tasks.spawn(work())
    await tasks.ended(0)
    waiting = asyncio.create_task(tasks.ended())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert tasks.running == 1
    goes_on.set()
    await tasks.ended()
    assert (task.result(), tasks.running) == (7, 0)


async def test_what_does_not_end_is_left_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """A stop waits for tasks, then for their cancellation, and for nothing without end."""
    gate = asyncio.Event()

    async def stubborn() -> None:
        while not gate.is_set():
            with suppress(asyncio.CancelledError):
                await gate.wait()

    tasks = [asyncio.create_task(stubborn(), name="a"), asyncio.create_task(asyncio.Event().wait(), name="b")]
    await asyncio.sleep(0)
    await wound_up(tasks, 0, "pieces")
    assert [task.done() for task in tasks] == [False, True]
    assert [record.getMessage() for record in caplog.records] == ["1 pieces do not end, and are left: a"]
    gate.set()
    await tasks[0]
