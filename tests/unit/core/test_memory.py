"""Memory is given back once behind each busy time, and never during one."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from undercast.core.memory import Memory


class Link:
    """Something that refers to itself: only a collection frees it."""

    def __init__(self) -> None:
        self.other = self


@pytest.fixture(autouse=True)
def no_automatic_collection() -> Iterator[None]:
    """As far as these objects are concerned the collector is very calm."""
    gc.disable()
    yield
    gc.enable()


async def test_garbage_is_collected_once_nothing_is_done_any_more() -> None:
    """Two looks at the same count: idle."""
    counts = iter((10, 20, 30, 30))
    memory = Memory(lambda: next(counts))
    garbage = weakref.ref(Link())
    for _ in range(3):
        await memory.look()
        assert garbage() is not None
    await memory.look()
    assert garbage() is None


async def test_an_idle_platform_does_it_once() -> None:
    """A collection holds the loop for some milliseconds."""
    done = 5
    memory = Memory(lambda: done)
    await memory.look()
    await memory.look()
    garbage = weakref.ref(Link())
    await memory.look()
    assert garbage() is not None
    done = 6
    await memory.look()
    await memory.look()
    assert garbage() is None
