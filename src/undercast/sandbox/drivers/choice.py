"""Which driver this machine gets: `namespace` where it works, else `process` with one line that names the fix.

What works is not guessed: the launcher is started and makes a sandbox. Only then is the choice taken.
"""

import sys
from pathlib import Path

from undercast.core.config import Config
from undercast.sandbox.driver import Capabilities, Driver, Sandbox, SandboxError, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.drivers.process import ProcessDriver

_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_DEBIAN = Path("/proc/sys/kernel/unprivileged_userns_clone")
_COUNT = Path("/proc/sys/user/max_user_namespaces")


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

    async def start(self) -> None:
        """See `Driver`."""
        try:
            await self._chosen.start()
        except SandboxError as error:
            await self._chosen.stop()
            self._chosen = ProcessDriver(self._folder, f"functions are not isolated: {refusal(error)}")
            await self._chosen.start()

    async def stop(self) -> None:
        """See `Driver`."""
        await self._chosen.stop()

    async def warm(self, python: Path, runtime_dir: Path, prefixes: tuple[Path, ...] = ()) -> None:
        """See `Driver`."""
        await self._chosen.warm(python, runtime_dir, prefixes)

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """See `Driver`."""
        return await self._chosen.create(spec)

    def zygote_runs(self, python: Path) -> bool:
        """See `Driver`."""
        return self._chosen.zygote_runs(python)

    def capabilities(self) -> Capabilities:
        """See `Driver`."""
        return self._chosen.capabilities()


def choose_driver(config: Config, folder: Path) -> Driver:
    """The driver that the configuration asks for; `folder` is for its files. `namespace` fails in `start`."""
    if config.driver == "process" or (config.driver == "auto" and sys.platform != "linux"):
        return ProcessDriver(folder)
    return NamespaceDriver(folder) if config.driver == "namespace" else AutoDriver(folder)


def refusal(error: SandboxError) -> str:
    """Why namespaces do not work here, and what the user can do about it."""
    if _is(_APPARMOR, "1"):
        fix = "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with `userns,`"
        return f"AppArmor refuses user namespaces ({error}); to allow them: {fix} for this Python"
    if _is(_DEBIAN, "0"):
        return f"the kernel refuses user namespaces ({error}); to allow them: sudo sysctl {_name(_DEBIAN)}=1"
    if _is(_COUNT, "0"):
        return f"user namespaces are switched off ({error}); to allow them: sudo sysctl {_name(_COUNT)}=10000"
    return f"{error}; the namespace driver needs Linux 5.12 and leave to make namespaces (in a container: --privileged)"


def _is(path: Path, value: str) -> bool:
    try:
        return path.read_text().strip() == value
    except OSError:
        return False


def _name(path: Path) -> str:
    return ".".join(path.parts[3:])
