"""The driver of this machine: started for a platform, or looked at by `undercast doctor`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undercast.app.errors import CannotStart
from undercast.core.config import Config
from undercast.sandbox.driver import Driver, SandboxError
from undercast.sandbox.drivers.choice import choose_driver
from undercast.sandbox.runtimes.families import installs_dir
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.survey import RuntimeState, survey
from undercast.store.folder import DataFolder


async def start_driver(config: Config, folder: Path) -> Driver:
    """A driver that works. Raises CannotStart where the one that was asked for does not."""
    driver = choose_driver(config, folder)
    try:
        await driver.start()
    except SandboxError as error:
        raise CannotStart(str(error), "or take what this machine has: undercast start --driver auto") from error
    return driver


def capabilities_of(driver: Driver) -> Mapping[str, Any]:
    """A driver's promises on this machine, for `undercast doctor`."""
    capabilities = driver.capabilities()
    return {
        "driver": capabilities.driver,
        "promises": {
            promise.name: f"{promise.strength}: {promise.how}" + (f" (fix: {promise.fix})" if promise.fix else "")
            for promise in capabilities.promises
        },
        "notes": list(capabilities.notes),
    }


async def examine(config: Config) -> tuple[Mapping[str, Any], tuple[RuntimeState, ...]]:
    """What this machine can isolate, and its runtimes, without a platform."""
    folder = DataFolder.temporary()
    folder.lock()
    try:
        driver = choose_driver(config, folder.run)
        await driver.start()
        try:
            search = (config.search_path, config.home_dir, config.moved_homes)
            lookups, installs = (PythonLookup(*search), ProgramLookup(*search)), installs_dir(config.home_dir)
            return capabilities_of(driver), survey(*lookups, installs, own_tmp=not driver.takes_images())
        finally:
            await driver.stop()
    finally:
        folder.unlock()
