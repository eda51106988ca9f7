"""An iteration that tells its source of its end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from undercast.core.closing import Closing


class Source:
    """Counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        """Nobody wants the rest."""
        self.closed += 1


async def items(entered: asyncio.Event) -> AsyncIterator[int]:
    """Its end takes until it is cancelled."""
    try:
        yield 1
    finally:
        entered.set()
        await asyncio.Event().wait()


async def failing() -> AsyncIterator[int]:
    """Its end fails."""
    try:
        yield 1
    finally:
        raise OSError("no end")


async def test_source_is_told_before_the_first_step() -> None:
    """Python runs nothing of a generator that is closed before it has begun."""
    source = Source()
    await Closing(failing(), source).aclose()
    assert source.closed == 1


async def test_source_is_told_where_closing_fails() -> None:
    """What it holds would stay held."""
    source = Source()
    closing = Closing(failing(), source)
    assert await anext(closing) == 1
    with pytest.raises(OSError, match="no end"):
        await closing.aclose()
    assert source.closed == 1


async def test_source_is_told_where_closing_is_cancelled() -> None:
    """A server that stops cancels."""
    source, entered = Source(), asyncio.Event()
    closing = Closing(items(entered), source)
    assert await anext(closing) == 1
    task = asyncio.create_task(closing.aclose())
    await asyncio.wait_for(entered.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed == 1
