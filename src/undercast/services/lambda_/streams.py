"""The invocations that stream now, and whether they keep AWS's pace."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Streams:
    """One per platform."""

    def __init__(self, *, paced: bool) -> None:
        self.paced = paced
        """6 MB at once, then 2 MB a second."""
        self._running: set[asyncio.Task[Any]] = set()

    def own(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run an invocation to its end, whoever waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited was told; when the caller has left, nobody is to be

    async def stop(self) -> None:
        """End them; the pool has ended their environments or is about to."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
