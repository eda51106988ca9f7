"""The tasks of one owner."""

import asyncio

from undercast.core.tasks import Tasks


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
