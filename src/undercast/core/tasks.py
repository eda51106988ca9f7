"""The tasks of one owner: kept until they end, cancelled together; an error that nobody expected is told.

And how a cancelled caller learns that nothing was begun for it.

AWS: none.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

LAST_S = 1.0
"""How long a task that was cancelled may take to end, where a stop waits for it."""
_log = logging.getLogger(__name__)


class NotBegun(asyncio.CancelledError):
    """Cancelled while it waited for its turn: whoever it was for has not seen it."""


@contextmanager
def not_begun() -> Iterator[None]:
    """A block in which nobody has seen anything yet: cancelled there, it raises NotBegun."""
    try:
        yield
    except asyncio.CancelledError:
        raise NotBegun from None


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


async def wound_up(tasks: Iterable[asyncio.Task[Any]], budget_s: float, what: str) -> None:
    """Wait so many seconds for tasks; cancel the rest, and leave what does not end then: it may wait for a thread.

    `what` they are, for the log.
    """
    running = tuple(tasks)
    if not running:
        return
    _, late = await asyncio.wait(running, timeout=budget_s)
    for task in late:
        task.cancel()
    if late:
        _, left = await asyncio.wait(late, timeout=LAST_S)
        if left:
            names = ", ".join(sorted(task.get_name() for task in left)[:5])
            _log.error("%d %s do not end, and are left: %s", len(left), what, names)
