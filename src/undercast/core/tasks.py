"""The tasks of one owner: kept until they end, cancelled together; an error that nobody expected is told.

And how a cancelled caller learns that nothing was begun for it.

AWS: none.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NotBegun(asyncio.CancelledError):
    """Cancelled while it waited for its turn: whoever it was for has not seen it."""


class Tasks:
    """See the module. `on_error` gets what a task raised."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def running(self) -> int:
        """How many have not ended."""
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run it beside the caller."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._on_done)
        return task

    def cancel(self) -> None:
        """End all that run."""
        for task in tuple(self._running):
            task.cancel()

    async def ended(self, limit_s: float | None = None) -> None:
        """Wait until none of those runs that run now; at most so many seconds. What runs longer is left."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=limit_s)

    def _on_done(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error(error)
