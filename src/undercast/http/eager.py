"""Runs a coroutine at once up to its first suspension, and as a task only from there.

A request that is answered without waiting costs no task and no turn of the event loop. Python 3.12 has this built in.
AWS: none; see docs/benchmarks.md for what it saves.
"""

import asyncio
import sys
import types
from collections.abc import Coroutine, Generator
from typing import Any


def run_eagerly(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
    """None when the coroutine has finished (or raised, which propagates); else the task that runs its rest."""
    if sys.version_info >= (3, 12):
        task = asyncio.Task(coroutine, loop=loop, eager_start=True)
        if not task.done():
            return task
        task.result()
        return None
    return _first_step(coroutine, loop)


class _TaskToBe:
    """Stands for the task in `asyncio.current_task()` during the first step: what asyncio.timeout() asks of it."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    def cancel(self, message: object = None) -> bool:
        return self.task is not None and self.task.cancel(message)

    def cancelling(self) -> int:
        return 0 if self.task is None else self.task.cancelling()

    def uncancel(self) -> int:
        return 0 if self.task is None else self.task.uncancel()


def _first_step(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
    current: Any = _TaskToBe()
    asyncio.tasks._enter_task(loop, current)
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    finally:
        asyncio.tasks._leave_task(loop, current)
    task = loop.create_task(_continue(coroutine, awaited))
    current.task = task
    return task


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            value = yield awaited
        except BaseException as error:  # noqa: BLE001  (it goes on into the coroutine, whatever it is)
            thrown: BaseException | None = error
        else:
            thrown = None
        try:
            awaited = coroutine.send(value) if thrown is None else coroutine.throw(thrown)
        except StopIteration:
            return


async def _continue(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _rest(coroutine, awaited)
