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
