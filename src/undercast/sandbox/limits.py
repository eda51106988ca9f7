"""Memory, CPU, process-count limits and freezing by cgroups, whatever the host offers of them.

v1 and v2 may be mixed (a hybrid host has memory in v1 and freezing in v2). Nothing here waits: control files answer at
once. Where a controller is missing, the group says so and the sandbox falls back (see `polling`).
AWS: 1,769 MB of memory is one vCPU (Developer Guide, "Configure Lambda function memory").
"""

import contextlib
import ctypes
import os
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.launcher.link import close_all

MAX_PROCESSES = 1024
_PERIOD_US = 100_000
_MIB = 1024 * 1024
_PROCS = "cgroup.procs"
_CONTROL = "-control"


@record
class Cgroups:
    """Our own folder in each hierarchy that we may use; None where we may not."""

    memory_v1: Path | None = None
    cpu_v1: Path | None = None
    pids_v1: Path | None = None
    freezer_v1: Path | None = None
    unified: Path | None = None
    controllers: frozenset[str] = frozenset()
    """What the unified hierarchy gives to its children: of memory, cpu, pids."""

    @property
    def limits_memory(self) -> bool:
        """Whether the kernel enforces the memory limit."""
        return self.memory_v1 is not None or "memory" in self.controllers

    @property
    def limits_cpu(self) -> bool:
        """Whether the kernel enforces the CPU share."""
        return self.cpu_v1 is not None or "cpu" in self.controllers

    @property
    def limits_pids(self) -> bool:
        """Whether the kernel counts processes per sandbox."""
        return self.pids_v1 is not None or "pids" in self.controllers

    @property
    def freezes(self) -> bool:
        """Whether a group can be frozen as a whole."""
        return self.unified is not None or self.freezer_v1 is not None

    def parents(self) -> list[Path]:
        """Our folders, each once."""
        found = (self.memory_v1, self.cpu_v1, self.pids_v1, self.freezer_v1, self.unified)
        return list(dict.fromkeys(path for path in found if path is not None))

    def make(self, name: str) -> "Group":
        """A group of this name. Raises OSError."""
        return Group(self, name)

    def remove(self) -> None:
        """Remove our own folders; the groups in them are gone."""
        for path in self.parents():
            with contextlib.suppress(OSError):
                path.rmdir()


def find_cgroups(owner: str, proc: Path = Path("/proc/self")) -> Cgroups:
    """Make our folders where we may; `owner` names them, so that the next start on the same data finds them."""
    paths, top = _own_paths((proc / "mounts").read_text(), (proc / "cgroup").read_text())
    unified, controllers = _unified(paths[""], top, owner) if top else (None, frozenset[str]())
    v1 = {name: _usable(paths[name] / owner) for name in ("memory", "cpu", "pids") if name in paths}
    # The v1 freezer is the second choice; being in both would double the work.
    freezer = _usable(paths["freezer"] / owner) if "freezer" in paths and unified is None else None
    return Cgroups(
        memory_v1=v1.get("memory"),
        cpu_v1=v1.get("cpu"),
        pids_v1=v1.get("pids"),
        freezer_v1=freezer,
        unified=unified,
        controllers=controllers,
    )


def _own_paths(mounts: str, membership: str) -> tuple[dict[str, Path], Path | None]:
    """Controller (or "" for the unified hierarchy) -> the folder of our own cgroup; the unified hierarchy's top."""
    own: dict[str, str] = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    paths: dict[str, Path] = {}
    top: Path | None = None
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split(" ")
        if kind == "cgroup2" and "" in own:
            top = Path(place)
        names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        for name in names:
            if name not in own:
                continue
            folder = Path(place + own[name])
            # In a container without a cgroup namespace the path is the host's; the mount's root is what we see of it.
            paths[name] = folder if folder.is_dir() else Path(place)
    return paths, top


def _usable(folder: Path) -> Path | None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder / _PROCS, os.W_OK) else None


def _unified(own: Path, top: Path, owner: str) -> tuple[Path | None, frozenset[str]]:
    if "memory" in _words(top / "cgroup.subtree_control") and os.access(top / "cgroup.subtree_control", os.W_OK):
        own = top  # root on a host: nobody has to move out of our own group
    elif own.name == owner + _CONTROL:
        own = own.parent  # we were started by somebody who was moved there by an earlier start
    available = _words(own / "cgroup.controllers") & {"memory", "cpu", "pids"}
    if available - _words(own / "cgroup.subtree_control"):
        _leave(own, own / (owner + _CONTROL))
        for name in available:
            with contextlib.suppress(OSError):
                _write(own / "cgroup.subtree_control", f"+{name}")
    folder = _usable(own / owner)
    if folder is None or not (folder / "cgroup.freeze").exists():
        return None, frozenset()
    granted = _words(folder / "cgroup.controllers") & available
    for name in granted:
        _write(folder / "cgroup.subtree_control", f"+{name}")
    return folder, frozenset(granted)


def _leave(own: Path, leaf: Path) -> None:
    """A v2 group with processes in it cannot hand controllers to its children: move ours to a leaf."""
    with contextlib.suppress(OSError):
        leaf.mkdir(exist_ok=True)
        for pid in (own / _PROCS).read_text().split():
            _write(leaf / _PROCS, pid)


class Group:
    """The cgroup of one sandbox, one folder in each hierarchy."""

    def __init__(self, cgroups: Cgroups, name: str) -> None:
        self._cgroups = cgroups
        self.name = name
        self.folders = [parent / name for parent in cgroups.parents()]
        self._memory = _child(cgroups.memory_v1, name)
        self._unified = _child(cgroups.unified, name)
        freezer = _child(cgroups.freezer_v1, name)
        freezes = self._unified / "cgroup.freeze" if self._unified else freezer / "freezer.state" if freezer else None
        self._freezes = str(freezes) if freezes else None
        """A text, for pathlib takes longer than the kernel, and an invocation after a pause thaws and freezes."""
        self._memory_mb = 0
        self._stat = -1
        self._keys = (b"total_rss ", b"total_shmem ") if self._memory else (b"anon ", b"shmem ")
        try:
            self._make()
        except OSError:
            self.remove()
            raise

    def _make(self) -> None:
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
        if (stat := self._stat_folder()) is not None:
            self._stat = os.open(stat / "memory.stat", os.O_RDONLY)

    def limit(self, memory_mb: int) -> None:
        """Set the memory limit and the number of processes."""
        self._memory_mb = memory_mb
        size = str(memory_mb * _MIB)
        cgroups, name = self._cgroups, self.name
        if self._memory:
            _write(self._memory / "memory.limit_in_bytes", size)
            with contextlib.suppress(FileNotFoundError):  # kernel without swap accounting
                _write(self._memory / "memory.memsw.limit_in_bytes", size)
        elif self._unified and "memory" in cgroups.controllers:
            _write(self._unified / "memory.max", size)
            with contextlib.suppress(FileNotFoundError):
                _write(self._unified / "memory.swap.max", "0")
        pids = _child(cgroups.pids_v1, name) or (self._unified if "pids" in cgroups.controllers else None)
        if pids:
            _write(pids / "pids.max", str(MAX_PROCESSES + 1))  # and the init process

    def entrances(self) -> list[int]:
        """Descriptors of cgroup.procs: who writes "0" to one is in. The caller closes them. Raises OSError."""
        opened: list[int] = []
        try:
            for folder in self.folders:
                opened.append(os.open(folder / _PROCS, os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            close_all(opened)
            raise
        return opened

    def apply_cpu_share(self) -> None:
        """From now on the share of AWS: memory/1769 of one CPU."""
        quota = max(1000, self._memory_mb * _PERIOD_US // 1769)
        if self._cgroups.cpu_v1:
            _write(self._cgroups.cpu_v1 / self.name / "cpu.cfs_quota_us", str(quota))  # the kernel's period is ours
        elif self._unified and "cpu" in self._cgroups.controllers:
            _write(self._unified / "cpu.max", f"{quota} {_PERIOD_US}")

    def lift_cpu_share(self) -> None:
        """As much CPU as the machine has."""
        if self._cgroups.cpu_v1:
            _write(self._cgroups.cpu_v1 / self.name / "cpu.cfs_quota_us", "-1")
        elif self._unified and "cpu" in self._cgroups.controllers:
            _write(self._unified / "cpu.max", f"max {_PERIOD_US}")

    def freeze(self) -> bool:
        """Freeze all members; False when no freezer is there."""
        return self._set_frozen("1", "FROZEN")

    def thaw(self) -> bool:
        """Thaw all members."""
        return self._set_frozen("0", "THAWED")

    def memory_bytes(self) -> int | None:
        """Anonymous and shared memory now; None without a memory controller."""
        if self._stat < 0:
            return None
        text = b"\n" + os.pread(self._stat, 8192, 0)
        return sum(_number_after(text, b"\n" + key) for key in self._keys)

    def oom_kills(self) -> int:
        """Members killed so far because of the limit."""
        folder = self._stat_folder()
        if folder is None:
            return 0
        name = "memory.oom_control" if self._memory else "memory.events"
        return _number_after(b"\n" + _read(f"{folder}/{name}"), b"\noom_kill ")

    def oom_descriptor(self) -> int:
        """Becomes readable when members are killed for want of memory; -1 without a controller."""
        if self._memory:
            return _v1_oom_events(self._memory)
        folder = self._stat_folder()
        return _modifications(folder / "memory.events") if folder else -1

    def is_empty(self) -> bool:
        """Whether no process is left in any hierarchy."""
        return not any((folder / _PROCS).read_text() for folder in self.folders)

    def members(self) -> set[int]:
        """Process ids in the group."""
        return {int(pid) for folder in self.folders for pid in (folder / _PROCS).read_text().split()}

    def remove(self) -> bool:
        """Remove the folders; False while the kernel still finds members in them."""
        if self._stat >= 0:
            os.close(self._stat)
            self._stat = -1
        for folder in list(self.folders):
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                continue
            self.folders.remove(folder)
        return not self.folders

    def _stat_folder(self) -> Path | None:
        if self._memory:
            return self._memory
        return self._unified if "memory" in self._cgroups.controllers else None

    def _set_frozen(self, v2: str, v1: str) -> bool:
        if self._freezes is None:
            return False
        _write(self._freezes, v2 if self._unified else v1)
        return True


def _v1_oom_events(folder: Path) -> int:
    event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    control = os.open(folder / "memory.oom_control", os.O_RDONLY)
    try:
        _write(folder / "cgroup.event_control", f"{event} {control}")
    finally:
        os.close(control)
    return event


def _modifications(path: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    libc.inotify_add_watch(descriptor, os.fsencode(path), 0x2)
    return descriptor


def _child(parent: Path | None, name: str) -> Path | None:
    return parent / name if parent else None


def _write(path: Path | str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _read(path: str) -> bytes:
    """A small file of the kernel. Ten times a second and environment: pathlib and io take longer than the kernel."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 8192)
    finally:
        os.close(descriptor)


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def _number_after(text: bytes, key: bytes) -> int:
    start = text.find(key)
    if start < 0:
        return 0
    start += len(key)
    return int(text[start : text.find(b"\n", start)])
