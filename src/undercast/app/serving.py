"""Runs a platform: ready first, the rest right behind, an orderly end.

What comes behind is loaded in a thread (`core/late.py`): the loop gets its turns meanwhile, as the interpreter gives
them every few milliseconds, so that who calls is not kept waiting.
"""

import asyncio
import contextlib
import gc
import resource
import signal
import sqlite3
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import uvloop

from undercast.app.door import Door, open_door
from undercast.app.ending import START_S, Ending
from undercast.app.errors import CannotStart, EndedBadly
from undercast.core.config import Config
from undercast.core.descriptors import keep_from_children
from undercast.core.late import Late
from undercast.core.record import write_ahead
from undercast.store.errors import is_disk_full

if TYPE_CHECKING:
    from undercast.app.platform import Platform
    from undercast.core.clock import HostClock
    from undercast.core.ids import Ids

_IDS: Late["Callable[[HostClock], Ids]"] = Late("undercast.core.ids", "SystemIds")
_START_BEHIND: Late["Callable[[Door, asyncio.Future[None], Ending], Coroutine[Any, Any, Platform]]"]
_START_BEHIND = Late("undercast.app.behind", "start_behind")
_DESCRIPTORS = 1 << 18
"""A sandbox holds some twenty, and thousands of them are meant to fit."""
_WRITE_EVERY_S = 0.01


def serve(config: Config, ready: Callable[[Door], None], notice: Callable[[str], None]) -> None:
    """Run a platform until SIGTERM or SIGINT. `notice` gets what the user should know of it.

    Raises CannotStart, and EndedBadly where a part of the stop failed.
    """
    keep_from_children()  # what whoever started the platform has left open is not for functions
    # A relay holds two per connection; the usual soft limit is 1,024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if most == resource.RLIM_INFINITY else most
    for wanted in (max(most, _DESCRIPTORS), most):  # only the privileged may raise the hard limit
        with contextlib.suppress(ValueError, OSError):  # macOS refuses what its kernel cannot give
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            break
    ending = Ending()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(config, ready, notice, ending))
        except (OSError, sqlite3.OperationalError) as error:
            if not is_disk_full(error):
                raise
            fix = "free some space, or start with another folder: undercast start --data DIR"
            raise CannotStart("No space left on the disk of the data folder", fix) from error
        finally:
            ending.see_to_the_end()
    if ending.failed:
        raise EndedBadly(ending.failed)


async def _serve(config: Config, ready: Callable[[Door], None], notice: Callable[[str], None], ending: Ending) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    door = open_door(config)
    rest = asyncio.create_task(_rest(door, notice, ending), name="start")
    try:
        if config.driver == "namespace":
            await _either(ended, rest)  # it was asked for, and may be refused: not ready before that is known
        if not ended.is_set():
            door.listen()
            ready(door)
            await _either(ended, rest)
            await ended.wait()
    finally:
        ending.tell = door.folder.tell_ending
        await _end(door, rest, ending)


async def _either(ended: asyncio.Event, rest: "asyncio.Task[Platform]") -> None:
    """Return when the rest of the start is done or the end has come. Raises what made the start fail."""
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait([waiting, rest], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if rest.done():
        rest.result()


async def _rest(door: Door, notice: Callable[[str], None], ending: Ending) -> "Platform":
    """Load, build and start what stands behind the door."""
    begun: list[asyncio.Task[None]] = []
    try:
        # First, and alone: a process that is started, and another thread, would hold up the first answer of the health
        # endpoint by 10 ms.
        start_behind = await _START_BEHIND.get()
        root_is_made = asyncio.create_task(door.authority.prepare(door.folder.ca / "bundle.pem"), name="authority")
        tables_are_made = asyncio.create_task(asyncio.to_thread(door.migrate), name="tables")
        begun += (root_is_made, tables_are_made)
        await tables_are_made
        platform = await start_behind(door, root_is_made, ending)
    except BaseException as error:
        door.entrance.fail(error, _IDS.here()(door.host_clock))
        if begun:
            await ending.part("the start", partial(_over, *begun), START_S)
        raise
    driver = platform.driver
    if driver.notice:
        notice(f"driver {driver.name}: {driver.notice}")
    elif door.config.driver == "auto":
        notice(f"driver {driver.name}")
    _calm_collector()
    platform.housework.add(asyncio.create_task(_write_records(), name="records"))
    return platform


async def _end(door: Door, rest: "asyncio.Task[Platform]", ending: Ending) -> None:
    """Stop what has been started, once it has."""
    await ending.part("the start", partial(_over, rest), START_S)
    if rest.done() and not rest.cancelled() and rest.exception() is None:
        await rest.result().stop(ending)
    await door.close(ending)


async def _over(*tasks: "asyncio.Task[Any]") -> None:
    """Return when they have ended, in whatever way."""
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise


async def _write_records() -> None:
    """One record's method at a time, while others are served: those of a function's first invocation take it 6 ms."""
    for _ in write_ahead():
        await asyncio.sleep(_WRITE_EVERY_S)


def _calm_collector() -> None:
    """Leave what start-up made out of every later collection, and collect less often.

    Requests make few cycles; with Python's defaults collections took 13 % of an invoke's CPU. The garbage among it (the
    class of each record that its slots replaced) goes in the first idle moment (`core/memory.py`): looking for it here
    would hold up, for 50 ms, whoever calls right behind the start.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
