"""The invocations that stream now, and whether they keep AWS's pace."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from undercast.core.tasks import Tasks

T = TypeVar("T")


class Streams:
    """One per platform."""

    def __init__(self, *, paced: bool) -> None:
        self.paced = paced
        """6 MB at once, then 2 MB a second."""
        self._tasks = Tasks(_told)

    def own(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run an invocation to its end, whoever waits for it."""
        return self._tasks.spawn(work)

    async def stop(self) -> None:
        """End them; the pool has ended their environments or is about to."""
        self._tasks.cancel()
        await self._tasks.ended()


def _told(error: BaseException) -> None:
    """Whoever waited was told; when the caller has left, nobody is to be."""
