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
    gc.unfreeze()
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


async def test_garbage_of_the_start_goes_in_the_first_idle_moment() -> None:
    """The start freezes it with the rest, and does not look for it: first calls may be under way."""
    counts = iter((10, 20, 20, 20, 30, 30))
    memory = Memory(lambda: next(counts))
    of_the_start, kept = weakref.ref(Link()), Link()
    gc.freeze()
    frozen = gc.get_freeze_count()
    for _ in range(2):
        await memory.look()
        assert of_the_start() is not None and gc.get_freeze_count() == frozen
    await memory.look()
    assert of_the_start() is None
    assert kept.other is kept and gc.get_freeze_count() > frozen / 2, "what lives is looked at by no later collection"
    later = weakref.ref(Link())
    gc.freeze()
    for _ in range(3):
        await memory.look()
    assert later() is not None, "that is done once"


async def test_the_first_idle_moment_has_one_collection() -> None:
    """It is of the whole heap, some 50 ms: a second one behind it would find nothing."""
    begun: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            begun.append(phase)

    memory = Memory(lambda: 1)
    await memory.look()
    gc.callbacks.append(note)
    try:
        await memory.look()
    finally:
        gc.callbacks.remove(note)
    assert begun == ["start"]


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
