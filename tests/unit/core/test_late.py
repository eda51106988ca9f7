"""Modules that are loaded when they are first asked for."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from undercast.core.late import Late

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
