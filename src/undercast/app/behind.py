"""What comes behind the ready line, piece by piece: IAM and STS, whom every call asks, sandboxes, and each service.

A call is answered as soon as its service is there, and a service that is called comes next. What nobody calls comes all
the same: timers, event source mappings and deliveries of an existing data folder begin at the start.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from undercast.app.base import Base, gate_of, make_base
from undercast.app.door import Door
from undercast.app.ending import Ending, Work
from undercast.app.stopping import Begun, stop
from undercast.core.late import Late, Loader
from undercast.core.service import Manifest
from undercast.services import catalogue
from undercast.services.iam.service import MANIFEST as IAM
from undercast.services.registry import Services
from undercast.services.sts.service import MANIFEST as STS

if TYPE_CHECKING:
    from pathlib import Path

    from undercast.app.platform import Platform
    from undercast.core.config import Config
    from undercast.sandbox.driver import Driver
    from undercast.sandbox.pool import Pool
    from undercast.services.registry import Mounted

_SANDBOXES, _PLATFORM = "undercast.app.sandboxes", "undercast.app.platform"
_START_DRIVER: Late["Callable[[Config, Path], Coroutine[Any, Any, Driver]]"] = Late(_SANDBOXES, "start_driver")
_START_POOL: Late["Callable[[Base, Mapping[str, Mounted], Driver], Coroutine[Any, Any, Pool]]"]
_START_POOL = Late(_PLATFORM, "start_pool")
_BUILD: Late["Callable[[Base, Mapping[str, Mounted], Driver, Pool], Platform]"] = Late(_PLATFORM, "build_platform")
_SOON = ("logs", "xray", "lambda")
"""The services that sandboxes write to, and the one that runs functions: what a platform is for."""


class Behind:
    """One start, from an open door with tables to a platform that runs.

    `root_is_made` is the local CA's; `load` gives a module by its name.
    """

    def __init__(
        self, door: Door, root_is_made: "asyncio.Future[None]", load: Callable[[str], ModuleType] = import_module
    ) -> None:
        self._modules = modules = catalogue.modules()
        names = (*_SOON, *(name for name in modules if name not in (*_SOON, IAM.name, STS.name)))
        self._door = door
        self._root_is_made = root_is_made
        self._loader = Loader((_SANDBOXES, _PLATFORM, *(modules[name] for name in names)), load)
        self._services = Services(modules, self._hurry)
        self._later = names
        self.base = make_base(door, self._services)
        self._pool: asyncio.Future[Pool] = asyncio.get_running_loop().create_future()
        self._driver: asyncio.Task[Driver] | None = None
        self._platform: Platform | None = None

    async def start(self, ending: Ending) -> "Platform":
        """Raises CannotStart, and what a service fails with; then what had begun has ended."""
        tasks: list[asyncio.Task[None]] = []
        try:
            await self.base.request_log.start()
            await self._admit_calls()
            works = (self._loader.run(), self._prepare_pool(), *(self._mount(name) for name in self._later))
            tasks = [asyncio.create_task(work) for work in works]
            await asyncio.gather(*tasks)
            services = {name: self._services.mounted[name] for name in self._modules}
            assert self._driver is not None
            self._platform = _BUILD.here()(self.base, services, self._driver.result(), self._pool.result())
            await self._platform.start()
        except BaseException as error:
            self._services.fail(error)
            self._door.entrance.fail(error, self.base.parts.ids)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._undo(ending)
            raise
        return self._platform

    async def _admit_calls(self) -> None:
        for manifest in (IAM, STS):
            await self._services.mount(manifest, self.base.parts)
        self.base.dispatcher.guard(gate_of(self._door, self._services.mounted))
        self._door.entrance.open(self.base.dispatcher.handle, self.base.dispatcher.is_elsewhere)
        await asyncio.sleep(0)  # whoever has waited says now which service comes first

    async def _prepare_pool(self) -> None:
        await self._loader.get(_SANDBOXES)
        starting = _START_DRIVER.here()(self._door.config, self._door.folder.run)
        self._driver = asyncio.create_task(starting, name="driver")
        await self._loader.get(_PLATFORM)
        for name in ("logs", "xray"):
            await self._services.get(name)
        await asyncio.shield(self._root_is_made)  # sandboxes get its certificate
        driver = await asyncio.shield(self._driver)
        self._pool.set_result(await _START_POOL.here()(self.base, self._services.mounted, driver))

    async def _mount(self, name: str) -> None:
        manifest: Manifest = (await self._loader.get(self._modules[name])).MANIFEST
        of_sandboxes = (await asyncio.shield(self._pool),) if manifest.needs_pool else ()
        await self._services.mount(manifest, self.base.parts, *of_sandboxes)

    def _hurry(self, name: str) -> None:
        if name == "lambda":
            self._loader.hurry(_SANDBOXES, _PLATFORM, *(self._modules[one] for one in _SOON))
        else:
            self._loader.hurry(self._modules[name])

    async def _undo(self, ending: Ending) -> None:
        if self._platform is not None:
            await self._platform.stop(ending)
            return
        sandboxes: dict[str, Work] = {"the driver": self._stop_driver}
        if self._pool.done():
            sandboxes = {"the execution environments": self._pool.result().stop, **sandboxes}
        begun = Begun(base=self.base, services=self._services.begun, deliveries={}, sandboxes=sandboxes)
        await stop(begun, ending)

    async def _stop_driver(self) -> None:
        if self._driver is not None:
            await asyncio.wait([self._driver])
            if not self._driver.cancelled() and self._driver.exception() is None:
                await self._driver.result().stop()


async def start_behind(door: Door, root_is_made: "asyncio.Future[None]", ending: Ending) -> "Platform":
    """See `Behind.start`."""
    return await Behind(door, root_is_made).start(ending)
