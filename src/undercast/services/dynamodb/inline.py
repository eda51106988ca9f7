"""What is done on the event loop: 64 KiB of items at a time, which take a few milliseconds. The rest goes to threads.

A transaction learns of the items that are there while it runs: one that meets too many is undone, and done again in the
store thread. AWS: none.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from undercast.store.database import Database, Tx

T = TypeVar("T")

INLINE_BYTES = 64 * 1024
_VALUE_BYTES = 16
"""What a value costs besides its bytes: a thousand small attributes take as long as one large one."""


class Heavy(Exception):
    """More than the event loop should be kept for."""


class Budget:
    """What one transaction may still look at; endless in the store thread."""

    def __init__(self, *, is_endless: bool) -> None:
        self._left = INLINE_BYTES
        self._is_endless = is_endless

    def take(self, size: int) -> None:
        """So many bytes of an item. Raises Heavy."""
        self._left -= size
        if self._left < 0 and not self._is_endless:
            raise Heavy


def is_heavy(given: Any) -> bool:
    """Whether values of a request, or what holds them, are more. Looks no further than it has to."""
    left, values = INLINE_BYTES, [given]
    while values and left >= 0:
        value = values.pop()
        if isinstance(value, str | bytes):
            left -= len(value)
        elif isinstance(value, dict | list | tuple):
            left -= _VALUE_BYTES * len(value)
            if left >= 0:
                values.extend(value.values() if isinstance(value, dict) else value)
    return left < 0


async def prepared(make: Callable[[], T], *, heavy: bool) -> T:
    """What is made of a request, in a thread where that takes long."""
    return await asyncio.to_thread(make) if heavy else make()


async def write(database: Database, fn: Callable[[Tx, Budget], T], *, heavy: bool) -> T:
    """`Database.write`, in the store thread where the request is heavy or the items are. `fn` may run twice."""
    if not heavy:
        with suppress(Heavy):
            return await database.write(lambda tx: fn(tx, Budget(is_endless=False)))
    return await database.write(lambda tx: fn(tx, Budget(is_endless=True)), long=True)


async def read(database: Database, fn: Callable[[Tx, Budget], T], *, heavy: bool) -> T:
    """`Database.read` likewise."""
    if not heavy:
        with suppress(Heavy):
            return await database.read(lambda tx: fn(tx, Budget(is_endless=False)))
    return await database.read(lambda tx: fn(tx, Budget(is_endless=True)), long=True)
