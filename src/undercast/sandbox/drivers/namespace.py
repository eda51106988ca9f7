"""The Linux driver: user, mount, pid, ipc, uts and network namespaces, cgroups, a seccomp filter.

The control plane never leaves a namespace itself: a launcher per interpreter does (`sandbox.launcher`). This file keeps
launchers and sandboxes alive and takes them down.
"""

import asyncio
import hashlib
import os
import re
import sys
from pathlib import Path

from undercast.core.recurring import every, recur
from undercast.sandbox import driver, limits, polling, releases, seccomp
from undercast.sandbox.drivers import watch
from undercast.sandbox.drivers.capabilities import namespace_capabilities
from undercast.sandbox.drivers.ends import all_ended
from undercast.sandbox.drivers.launchers import Ground, Kind, Launcher, LauncherKey
from undercast.sandbox.drivers.namespace_sandbox import NamespaceSandbox
from undercast.sandbox.drivers.refusal import refusal
from undercast.sandbox.drivers.spares import Spares
from undercast.sandbox.launcher import tracing
from undercast.sandbox.sweep import note, sweep
from undercast.sandbox.tmpdisk import TmpDisks
from undercast.sandbox.trees import remove_tree

_UID_BASE = 1_900_000_000
"""Above every range that systemd or subuid hands out, below 2^31."""
_UIDS = 100_000
_VERSIONED = re.compile(r"python(\d+)\.(\d+)")
_OLDEST_ZYGOTE = (3, 8)
_AT_ONCE = 16
"""More would not fit into the launcher's socket, and be no faster."""
_SAMPLE_EVERY_S = 0.1


class NamespaceDriver:
    """See `driver.Driver`."""

    name = "namespace"

    def __init__(self, folder: Path, *, python: Path | None = None) -> None:
        """`folder` is ours alone: runtime files that need not outlive the platform."""
        self.notice = ""
        self._folder = folder / "namespace"
        self._release_files = (self._folder / "releases").resolve()
        self._python = python or Path(sys.executable)
        self._launchers: dict[LauncherKey, asyncio.Task[Launcher]] = {}
        self._sandboxes: set[NamespaceSandbox] = set()
        self._free_uids: list[int] = []
        self._next_uid = _UID_BASE
        self._rootless = not _may_give_uids(Path("/proc/self/uid_map").read_text())
        self._cgroups = limits.Cgroups()
        self._disks = TmpDisks(self._folder / "tmp")
        self._spares = Spares(self._plant)
        self._planting = asyncio.Semaphore(_AT_ONCE)
        self._zygotes: dict[Path, bool] = {}
        self._serial = 0
        self._watches: list[asyncio.Task[None]] = []

    @property
    def remaining(self) -> int:
        """See `Driver`."""
        return len(self._sandboxes)

    async def start(self) -> None:
        """See `Driver`."""
        await sweep(self._folder)
        self._folder.mkdir(parents=True)
        try:
            await self._prepare()
        except (driver.SandboxError, OSError) as error:
            await self.stop()
            raise driver.SandboxError(refusal(error)) from error

    async def _prepare(self) -> None:
        if not seccomp.supported(os.uname().machine):
            raise driver.SandboxError(f"there is no system call filter for {os.uname().machine}")
        owner = "undercast-" + hashlib.sha256(str(self._folder.resolve()).encode()).hexdigest()[:12]
        self._cgroups = limits.find_cgroups(owner)
        note(self._folder, self._cgroups.parents())
        releases.write(self._release_files)
        await self._disks.start()
        often = _SAMPLE_EVERY_S if self._cgroups.limits_memory else polling.LOOK_EVERY_S
        for work, seconds in ((self._sample, often), (self._measure, polling.WALK_EVERY_S)):
            self._watches.append(asyncio.ensure_future(recur("the sampling of sandboxes", work, every(seconds))))
        # One whole sandbox: what this machine refuses, it refuses here.
        empty = self._folder / "probe"
        empty.mkdir(exist_ok=True)
        await (await self._create(driver.SandboxSpec(environment_id="probe", code_dir=empty))).destroy()

    async def stop(self) -> None:
        """See `Driver`."""
        await self._spares.stop()
        await all_ended(sandbox.destroy() for sandbox in list(self._sandboxes))
        await all_ended(map(_stop, self._launchers.values()))
        self._launchers.clear()
        await self._disks.stop()
        await asyncio.to_thread(remove_tree, self._folder)
        for looking in self._watches:
            looking.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        self._cgroups.remove()

    async def warm(self, spec: driver.SandboxSpec) -> None:
        """See `Driver`."""
        kind = Kind.of(spec)
        await self._launcher(kind.launcher)
        self._disks.refill()
        self._spares.refill(kind)

    async def create(self, spec: driver.SandboxSpec) -> NamespaceSandbox:
        """See `Driver`."""
        sandbox = await self._create(spec)
        self._disks.refill_soon()
        if not spec.is_root:  # a spare would keep the files of an image that may be gone, or made anew
            self._spares.refill_soon(Kind.of(spec))
        return sandbox

    async def _create(self, spec: driver.SandboxSpec) -> NamespaceSandbox:
        sandbox = await self._spares.take(Kind.of(spec))
        try:
            disk = await self._disks.take(spec.environment_id, spec.tmp_mb, sandbox.uid)
            sandbox.furnish(spec, disk, self._release_files)
        except BaseException as error:
            await sandbox.destroy()
            if isinstance(error, OSError):
                raise driver.SandboxError(str(error)) from error
            raise
        return sandbox

    async def _plant(self, kind: Kind) -> NamespaceSandbox:
        launcher = await self._launcher(kind.launcher)
        sandbox = self._begin()
        self._sandboxes.add(sandbox)
        try:
            async with self._planting:
                await sandbox.plant(kind, launcher)
        except BaseException:
            await sandbox.destroy()
            raise
        return sandbox

    def _begin(self) -> NamespaceSandbox:
        """With its uid and cgroup. Raises SandboxError, and then has taken neither."""
        uid = os.getuid() if self._rootless else self._take_uid()
        self._serial += 1
        try:
            group = self._cgroups.make(f"s{self._serial}")
            try:
                return NamespaceSandbox(uid, group, self._released)
            except OSError:
                group.remove()
                raise
        except OSError as error:
            self._give_back(uid)
            raise driver.SandboxError(str(error)) from error

    def zygote_runs(self, python: Path) -> bool:
        """See `Driver`."""
        runs = self._zygotes.get(python)
        if runs is None:
            version = _VERSIONED.fullmatch(python.resolve().name)
            runs = version is not None and (int(version[1]), int(version[2])) >= _OLDEST_ZYGOTE
            self._zygotes[python] = runs
        return runs

    def takes_images(self) -> str:
        """See `Driver`."""
        return ""

    def takes_snapshots(self) -> str:
        """See `Driver`."""
        machine = os.uname().machine
        return "" if machine == tracing.MACHINE else f"this machine's processor is {machine}, not {tracing.MACHINE}"

    def capabilities(self) -> driver.Capabilities:
        """See `Driver`."""
        return namespace_capabilities(
            self._cgroups, self._disks, rootless=self._rootless, unable=self.takes_snapshots()
        )

    async def _launcher(self, key: LauncherKey) -> Launcher:
        task = self._launchers.get(key)
        if task is None or (task.done() and (task.exception() is not None or not task.result().alive)):
            ground = Ground(
                folder=self._folder,
                python=self._python,
                rootless=self._rootless,
                cgroups=tuple(self._cgroups.parents()),
            )
            task = self._launchers[key] = asyncio.ensure_future(Launcher.start(key, ground))
        return await asyncio.shield(task)

    def _take_uid(self) -> int:
        if self._free_uids:
            return self._free_uids.pop()
        self._next_uid += 1
        return self._next_uid

    def _released(self, sandbox: NamespaceSandbox) -> None:
        if sandbox in self._sandboxes:
            self._sandboxes.remove(sandbox)
            self._give_back(sandbox.uid)

    def _give_back(self, uid: int) -> None:
        if not self._rootless:
            self._free_uids.append(uid)

    async def _sample(self) -> None:
        """Peaks between two invocations' ends: a frozen sandbox does not grow."""
        running = self._running()
        if self._cgroups.limits_memory:
            for sandbox in running:
                sandbox.sample()
        else:
            await watch.look(running, self._sandboxes)

    async def _measure(self) -> None:
        await watch.measure(self._running(), self._sandboxes)
        if not self._cgroups.limits_memory:
            await watch.weigh(self._running(), self._sandboxes)

    def _running(self) -> list[NamespaceSandbox]:
        return [sandbox for sandbox in self._sandboxes if not sandbox.frozen]


async def _stop(starting: asyncio.Task[Launcher]) -> None:
    try:
        launcher = await starting
    except (driver.SandboxError, OSError):
        return  # whoever wanted it has been told
    await launcher.stop()


def _may_give_uids(uid_map: str) -> bool:
    """Whether we are root of a namespace that has our range of uids; root of a rootless container has not."""
    ranges = [[int(word) for word in line.split()] for line in uid_map.splitlines()]
    return os.geteuid() == 0 and any(
        start <= _UID_BASE and start + count >= _UID_BASE + _UIDS for start, _, count in ranges
    )
