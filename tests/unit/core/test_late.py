"""Modules that are loaded when they are first asked for."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from undercast.core.late import Late, Loader

_NAME = "a_module_of_test_late"
_SOURCE = """
import threading, time
import tests.unit.core.test_late as test
test.loads.append(threading.get_ident())
time.sleep(0.05)  # long enough for the others to come
def answer():
    return 42
"""
loads: list[int] = []


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Late[Callable[[], int]]]:
    (tmp_path / f"{_NAME}.py").write_text(_SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "tests.unit.core.test_late", sys.modules[__name__])
    loads.clear()
    yield Late(_NAME, "answer")
    sys.modules.pop(_NAME, None)


async def test_a_module_is_loaded_once_and_never_on_the_loop(late: Late[Callable[[], int]]) -> None:
    """However many ask first at once, all get what it has."""
    assert loads == []
    found = await asyncio.gather(*(late.get() for _ in range(20)))
    assert [answer() for answer in found] == [42] * 20
    assert len(loads) == 1
    assert loads[0] != threading.get_ident()


async def test_what_is_there_is_given_without_a_thread(late: Late[Callable[[], int]]) -> None:
    """The second call is finished when it has begun."""
    await late.get()
    with pytest.raises(StopIteration) as ended:
        late.get().send(None)
    assert ended.value.value() == 42
    assert late.here()() == 42


async def test_a_module_that_cannot_be_loaded_says_so_each_time() -> None:
    """The failure is the import's, and the next call tries again."""
    missing: Late[object] = Late("no_such_module_of_test_late", "anything")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_module_of_test_late"):
            await missing.get()


class Shelf:
    """Gives modules by name; the one that is `held` not before it is let go."""

    def __init__(self, held: str = "") -> None:
        self.taken: list[str] = []
        self.held = held
        self.asked, self.let_go = threading.Event(), threading.Event()

    def __call__(self, name: str) -> ModuleType:
        self.taken.append(name)
        if name == self.held:
            self.asked.set()
            assert self.let_go.wait(60)
        return ModuleType(name)


async def test_modules_come_in_their_order() -> None:
    """Where nobody is in a hurry."""
    shelf = Shelf()
    loader = Loader(("a", "b", "c"), shelf)
    waiting = asyncio.ensure_future(loader.get("c"))
    await loader.run()
    assert shelf.taken == ["a", "b", "c"]
    assert (await waiting).__name__ == "c"
    assert (await loader.get("a")).__name__ == "a"


async def test_what_is_hurried_comes_next() -> None:
    """Behind the one that is being loaded, and those that were hurried before; each once."""
    shelf = Shelf(held="a")
    loader = Loader(("a", "b", "c", "d", "e"), shelf)
    running = asyncio.ensure_future(loader.run())
    await asyncio.to_thread(shelf.asked.wait, 60)
    for name in ("d", "c", "d", "a"):
        loader.hurry(name)
    shelf.let_go.set()
    await running
    assert shelf.taken == ["a", "d", "c", "b", "e"]


async def test_one_who_waits_for_a_module_and_goes_takes_it_from_nobody() -> None:
    """A client that hangs up."""
    shelf = Shelf(held="a")
    loader = Loader(("a",), shelf)
    gone, stays = asyncio.ensure_future(loader.get("a")), asyncio.ensure_future(loader.get("a"))
    running = asyncio.ensure_future(loader.run())
    await asyncio.to_thread(shelf.asked.wait, 60)
    gone.cancel()
    shelf.let_go.set()
    await running
    assert (await stays).__name__ == "a"
    assert gone.cancelled()


async def test_a_module_that_fails_ends_the_loading() -> None:
    """What it raises is what the start ends with."""

    def load(name: str) -> ModuleType:
        if name == "b":
            raise RuntimeError("b is broken")
        return ModuleType(name)

    loader = Loader(("a", "b", "c"), load)
    with pytest.raises(RuntimeError, match="b is broken"):
        await loader.run()
    assert (await loader.get("a")).__name__ == "a"
