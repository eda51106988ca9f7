"""A platform that is ended while it starts."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undercast.app import serving
from undercast.app.door import Door
from undercast.app.ending import Ending
from undercast.core.config import Config


class Start:
    """The rest of a start, which does not end by itself."""

    def __init__(self) -> None:
        self.begun, self.cancelled = asyncio.Event(), False

    async def get(self) -> "Start":
        """As `Late`."""
        return self

    async def __call__(self, door: Door, root_is_made: "asyncio.Future[None]", ending: Ending) -> None:
        """As `start_behind`."""
        await asyncio.shield(root_is_made)
        self.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_start_that_hangs_is_ended_before_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """With --driver namespace the ready line comes last; nobody who has stopped the platform gets it."""
    handlers: dict[int, Callable[[], Any]] = {}
    ready: list[Door] = []
    start, ending = Start(), Ending()
    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", handlers.__setitem__)
    monkeypatch.setattr(serving, "_START_BEHIND", start)
    monkeypatch.setattr(serving, "START_S", 0.01)
    config = Config(data_dir=tmp_path, port=0, driver="namespace")
    platform = asyncio.ensure_future(serving._serve(config, ready.append, lambda _: None, ending))
    await start.begun.wait()
    handlers[number]()
    async with asyncio.timeout(15):
        await platform
    assert start.cancelled
    assert set(ending.failed) == {"the start"}
    assert ready == []
    assert not (tmp_path / "address").exists()


QUIET = """
import gc
gc.disable()
from undercast.app import serving
seen = []
gc.callbacks.append(lambda phase, info: seen.append(info))
serving._calm_collector()
print(len(seen), gc.get_freeze_count() > 10_000, gc.isenabled(), gc.get_threshold())
"""


def test_a_start_ends_without_a_collection() -> None:
    """It would hold up for 50 ms who calls then. What the start made is left out of those to come."""
    told = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=True)
    assert told.stdout == "0 True True (20000, 20, 20)\n"
