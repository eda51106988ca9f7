"""Memory is given back once behind each busy time, and never during one."""

import gc
import os
import sys
import weakref
from collections.abc import Iterator

import pytest

from undercast.core.memory import Memory, in_use


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


@pytest.mark.skipif(sys.platform != "linux" or "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""), reason="glibc")
def test_what_is_in_use_is_told_without_holes() -> None:
    """Bytes that malloc(3) has given, below and above the size from which it maps them; and Python's small blocks."""
    before = in_use()
    small = [bytes(1000) for _ in range(4000)]
    large = bytes(64 * 2**20)
    now = in_use()
    assert now["malloc_bytes"] - before["malloc_bytes"] >= sum(map(len, small)) + len(large)
    blocks = [object() for _ in range(100_000)]
    assert in_use()["python_blocks"] - now["python_blocks"] >= len(blocks)
    del small, large, blocks
    after = in_use()
    assert after["malloc_bytes"] < before["malloc_bytes"] + 2**20
    assert after["python_blocks"] < before["python_blocks"] + 1000
