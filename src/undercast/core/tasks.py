"""The tasks of one owner: kept until they end, cancelled together; an error that nobody expected is told.

And how a cancelled caller learns that nothing was begun for it.

AWS: none.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class NotBegun(asyncio.CancelledError):
    """Cancelled while it waited for its turn: whoever it was for has not seen it."""


class Tasks:
    """See the module. `on_error` gets what a task raised."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside the caller."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._on_done)

    def cancel(self) -> None:
        """End all that run."""
        for task in tuple(self._running):
            task.cancel()

    async def ended(self) -> None:
        """Wait until none runs."""
        await asyncio.gather(*tuple(self._running), return_exceptions=True)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error(error)
