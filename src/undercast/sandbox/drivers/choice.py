"""Which driver this machine gets: `namespace` where it works, else `process` with one line that names the fix.

What works is not guessed: the launcher is started and makes a sandbox. Only then is the choice taken.
"""

import sys
from pathlib import Path

from undercast.core.config import Config
from undercast.sandbox.driver import Capabilities, Driver, Sandbox, SandboxError, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.drivers.process import ProcessDriver


class AutoDriver:
    """See `driver.Driver`. Decides in `start`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chosen: Driver = NamespaceDriver(folder)

    @property
    def name(self) -> str:
        """See `Driver`."""
        return self._chosen.name

    @property
    def notice(self) -> str:
        """See `Driver`."""
        return self._chosen.notice

    @property
    def remaining(self) -> int:
        """See `Driver`."""
        return self._chosen.remaining

    async def start(self) -> None:
        """See `Driver`."""
        try:
            await self._chosen.start()
        except SandboxError as error:
            self._chosen = ProcessDriver(self._folder, f"functions are not isolated: {error}")
            await self._chosen.start()

    async def stop(self) -> None:
        """See `Driver`."""
        await self._chosen.stop()

    async def warm(self, spec: SandboxSpec) -> None:
        """See `Driver`."""
        await self._chosen.warm(spec)

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """See `Driver`."""
        return await self._chosen.create(spec)

    def zygote_runs(self, python: Path) -> bool:
        """See `Driver`."""
        return self._chosen.zygote_runs(python)

    def takes_images(self) -> str:
        """See `Driver`."""
        return self._chosen.takes_images()

    def takes_snapshots(self) -> str:
        """See `Driver`."""
        return self._chosen.takes_snapshots()

    def capabilities(self) -> Capabilities:
        """See `Driver`."""
        return self._chosen.capabilities()


def choose_driver(config: Config, folder: Path) -> Driver:
    """The driver that the configuration asks for; `folder` is for its files. `namespace` fails in `start`."""
    if config.driver == "process" or (config.driver == "auto" and sys.platform != "linux"):
        return ProcessDriver(folder, "functions are programs of your user, with no wall around them: undercast doctor")
    return NamespaceDriver(folder) if config.driver == "namespace" else AutoDriver(folder)
