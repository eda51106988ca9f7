"""An iteration that tells what it takes from when it is closed, also where it has never begun.

Python runs nothing of a generator that is closed before its first step, its `finally` neither. Whoever answers piece by
piece, and loses its client before the first one, closes just such a generator.
Source: Python Language Reference, "Asynchronous generator-iterator methods" (agen.aclose). AWS: none.
"""

from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closing(Generic[T]):
    """`items`, and on `aclose` their end and that of `source`."""

    def __init__(self, items: AsyncIterator[T], source: object) -> None:
        """`source` is told where it has an `aclose`."""
        self._items = items
        self._source = source

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        return await anext(self._items)

    async def aclose(self) -> None:
        """Nobody wants the rest."""
        try:
            await close(self._items)
        finally:
            await close(self._source)


async def close(items: object) -> None:
    """Close what can be closed."""
    aclose = getattr(items, "aclose", None)
    if aclose is not None:
        await aclose()
