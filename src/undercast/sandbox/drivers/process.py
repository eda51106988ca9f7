"""The portable driver: plain processes, for macOS and for hosts that refuse namespaces.

Code, layers and /tmp are real folders, the Runtime API has a port of its own on the host's loopback. It separates
functions by mistake, not by malice: `capabilities` says so.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from undercast.core.recurring import every, recur
from undercast.sandbox import polling
from undercast.sandbox.driver import (
    Capabilities,
    MemoryUse,
    ProcessSpec,
    Promise,
    SandboxError,
    SandboxSpec,
)
from undercast.sandbox.drivers import watch
from undercast.sandbox.drivers.child import Child, Outputs, start
from undercast.sandbox.drivers.ends import all_ended
from undercast.sandbox.drivers.guard import Guard
from undercast.sandbox.runtimes.lang import programs
from undercast.sandbox.trees import remove_tree
from undercast.sandbox.waiting import until

_MIB = 1024 * 1024
_GONE_LIMIT_S = 5.0
_CONNECT_LIMIT_S = 1.0
_TELEMETRY_VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"


class PlainProcess:
    """See `driver.SandboxProcess`."""

    def __init__(self, child: Child, pipes: tuple[int, int, int | None]) -> None:
        self._process = child.process
        self.pid = child.process.pid
        self.stdout, self.stderr, self.telemetry = pipes
        self.exited = child.exited

    def signal(self, number: int) -> None:
        """See `SandboxProcess`."""
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


class ProcessSandbox:
    """See `driver.Sandbox`."""

    def __init__(self, spec: SandboxSpec, folder: Path, guard: Guard) -> None:
        self.environment_id = spec.environment_id
        self.uid = os.getuid()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        daemon, datagrams = _on_one_port()
        self.listeners: Mapping[str, socket.socket] = {"runtime": listener, "xray": daemon, "xray-udp": datagrams}
        self.xray_daemon = f"127.0.0.1:{daemon.getsockname()[1]}"
        self.runtime_api = f"127.0.0.1:{listener.getsockname()[1]}"
        self.rpc_port = _free_port()
        self._folder = folder
        self._guard = guard
        self._empty = folder / "empty"
        self.tmp_root = str(folder / "tmp")
        self.code_root = str(spec.code_dir)
        self.runtime_root = str(spec.runtime_dir or self._empty)
        self.lang_root = str(self._empty if spec.lang_dir is None else programs(spec.lang_dir))
        self.opt_root = str({0: self._empty, 1: next(iter(spec.layers), None)}.get(len(spec.layers), folder / "opt"))
        self._layers = spec.layers
        self._memory_bytes = spec.memory_mb * _MIB
        self.tmp_bytes = spec.tmp_mb * _MIB
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._processes: list[PlainProcess] = []
        self._oom_callback: Callable[[], None] | None = None
        self._oom_kills = 0
        self._killed_in = -1
        """How often it had been emptied when it last used too much memory."""
        self.emptied = 0
        self._destroyed: asyncio.Task[None] | None = None
        self._peak_bytes = 0
        self.frozen = False

    def open(self) -> None:
        """Make its folders. Blocks while layers are merged."""
        for place in (self._empty, Path(self.tmp_root)):
            place.mkdir(parents=True, mode=0o700)
        if len(self._layers) > 1:
            for layer in self._layers:
                shutil.copytree(layer, self.opt_root, symlinks=True, dirs_exist_ok=True)

    async def furnished(self) -> None:
        """See `Sandbox`: it was made as a whole."""

    async def spawn(self, spec: ProcessSpec) -> PlainProcess:
        """See `Sandbox`."""
        pipes = [os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe() for _ in range(2 + spec.telemetry)]
        ends = [read_end for read_end, _ in pipes]
        for read_end in ends:
            os.set_blocking(read_end, False)
        environment = dict(spec.environment)
        stdout, stderr, *others = (write_end for _, write_end in pipes)
        if others:
            environment[_TELEMETRY_VARIABLE] = str(others[0])
        try:
            child = await start(spec, environment, Outputs(stdout=stdout, stderr=stderr, others=others))
        except BaseException as error:
            for read_end in ends:
                os.close(read_end)
            if not isinstance(error, OSError):
                raise
            raise SandboxError(f"{spec.argv[0]}: {_name_of(error)}: {error}") from None
        self._guard.add(child.process.pid)
        started = PlainProcess(child, (ends[0], ends[1], ends[2] if spec.telemetry else None))
        self._processes.append(started)
        return started

    async def snapshot(self) -> int:
        """See `Sandbox`."""
        raise SandboxError("the process driver takes no snapshots")

    async def connect(self, port: int) -> socket.socket:
        """See `Sandbox`: the host's loopback is shared, so this may be anybody's port."""
        connection = socket.socket()
        connection.setblocking(False)
        try:
            async with asyncio.timeout(_CONNECT_LIMIT_S):
                await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except BaseException:
            connection.close()
            raise
        return connection

    def freeze(self) -> None:
        """See `Sandbox`."""
        if not self.frozen:
            (seen,) = polling.look([self.asked])
            self.judge(seen)
            self.frozen = True
            self._signal(signal.SIGSTOP, seen.tree)

    def thaw(self) -> None:
        """See `Sandbox`."""
        if self.frozen:
            self.frozen = False
            self._signal(signal.SIGCONT, polling.process_tree(self.asked.roots))

    def begin_init(self) -> None:
        """See `Sandbox`: here the CPU is not limited."""

    def end_init(self) -> None:
        """See `Sandbox`: here the CPU is not limited."""

    def memory(self) -> MemoryUse:
        """See `Sandbox`."""
        current = sum(polling.process_tree(self.asked.roots).values())
        self._peak_bytes = max(self._peak_bytes, current)
        return MemoryUse(current_bytes=current, peak_bytes=self._peak_bytes, oom_kills=self._oom_kills)

    def on_oom(self, callback: Callable[[], None]) -> None:
        """See `Sandbox`."""
        self._oom_callback = callback

    @property
    def asked(self) -> polling.Asked:
        """What there is to look at."""
        roots = tuple(process.pid for process in self._processes if not process.exited.done())
        return polling.Asked(roots, self._memory_bytes)

    @property
    def watched_tmp(self) -> tuple[str, int] | None:
        """Folder and limit of its /tmp."""
        return self.tmp_root, self.tmp_bytes

    def judge(self, seen: polling.Seen) -> None:
        """Kill everything when it uses more memory than it may. What left its group ends with `kill_processes`."""
        self._peak_bytes = max(self._peak_bytes, seen.used_bytes)
        if seen.over:
            self.kill(seen.tree)
            if self._killed_in == self.emptied:
                return  # seen while the killed processes were still there: that is no second breach
            self._killed_in = self.emptied
            self._oom_kills += 1
            if self._oom_callback is not None:
                self._oom_callback()

    def kill_all(self) -> None:
        """End what runs in it now, as far as it is known without a look at all of the machine's processes."""
        self.kill(polling.process_tree(self.asked.roots))

    def kill(self, tree: Iterable[int]) -> None:
        """End these processes and the groups of those that were started."""
        self._signal(signal.SIGKILL, tree)

    async def kill_processes(self) -> None:
        """See `Sandbox`."""
        self.thaw()
        tree = await asyncio.to_thread(polling.process_tree, self.asked.roots)
        self.kill(tree)
        # Daemons that left their parents and their group: every process's environment is looked through.
        variable = f"AWS_LAMBDA_RUNTIME_API={self.runtime_api}"
        self.kill(await asyncio.to_thread(polling.processes_with, variable))
        if not await until(lambda: all(process.exited.done() for process in self._processes), _GONE_LIMIT_S):
            raise SandboxError("processes outlived SIGKILL")
        for process in self._processes:
            self._guard.drop(process.pid)
        self._processes.clear()
        self.emptied += 1

    async def destroy(self) -> None:
        """See `Sandbox`. A stop may come while the pool does it: both wait for one. What has failed is done anew."""
        task = self._destroyed
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._destroyed = asyncio.ensure_future(self._destroy())
        await asyncio.shield(task)

    async def _destroy(self) -> None:
        await self.kill_processes()
        for listener in self.listeners.values():
            listener.close()
        await asyncio.to_thread(remove_tree, self._folder)
        if not self.died.done():
            self.died.set_result(None)

    def _signal(self, number: int, tree: Iterable[int]) -> None:
        for pid in tree:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        for process in self._processes:  # orphans stay in the group when their parents are gone
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)


class ProcessDriver:
    """See `driver.Driver`."""

    name = "process"

    def __init__(self, folder: Path, notice: str = "") -> None:
        """`folder` is ours alone: it holds the sandboxes' /tmp."""
        self.notice = notice
        self._folder = folder / "process"
        self._guard = Guard()
        self._sandboxes: set[ProcessSandbox] = set()
        self._watches: list[asyncio.Task[None]] = []

    @property
    def remaining(self) -> int:
        """See `Driver`."""
        return len(self._sandboxes)

    async def start(self) -> None:
        """See `Driver`."""
        await asyncio.to_thread(remove_tree, self._folder)
        self._folder.mkdir(parents=True)
        await self._guard.start()
        for work, seconds in ((self._look, polling.LOOK_EVERY_S), (self._measure, polling.WALK_EVERY_S)):
            self._watches.append(asyncio.ensure_future(recur("the watch over sandboxes", work, every(seconds))))

    async def stop(self) -> None:
        """See `Driver`."""
        for task in self._watches:
            task.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await all_ended(sandbox.destroy() for sandbox in tuple(self._sandboxes))
        await self._guard.stop()
        await asyncio.to_thread(remove_tree, self._folder)

    async def warm(self, spec: SandboxSpec) -> None:
        """See `Driver`: nothing stands ready here."""

    async def create(self, spec: SandboxSpec) -> ProcessSandbox:
        """See `Driver`."""
        sandbox = ProcessSandbox(spec, self._folder / spec.environment_id, self._guard)
        try:
            await asyncio.to_thread(sandbox.open)
        except OSError as error:
            await sandbox.destroy()
            raise SandboxError(str(error)) from error
        self._sandboxes.add(sandbox)
        sandbox.died.add_done_callback(lambda _: self._sandboxes.discard(sandbox))
        return sandbox

    def zygote_runs(self, python: Path) -> bool:
        """See `Driver`."""
        return False

    def takes_images(self) -> str:
        """See `Driver`."""
        return (
            "a container image needs a root file system of its own, which the process driver cannot give: start the "
            "platform with --driver namespace on Linux (undercast doctor says what that takes)"
        )

    def takes_snapshots(self) -> str:
        """See `Driver`."""
        return "the process driver cannot"

    def capabilities(self) -> Capabilities:
        """See `Driver`."""
        fix = "use Linux, and user namespaces or root, for the namespace driver"
        shared = ("Own uid per environment", "Process limit", "Descriptor limit", "CPU share", "Read-only code")
        of_the_kernel = ("Families of sockets", "A crash calls no program of the host", "Its init is out of reach")
        hidden = ("Host files hidden", "Private network", "System calls filtered", "SnapStart restores")
        none = (*shared, *hidden, *of_the_kernel, "Quotas of its user", "Files in /dev/shm")
        keys = "a function is a program like any other: a key that it makes up is the administrator"
        names = "only AWS_ENDPOINT_URL leads here; SDKs that ignore it ask AWS"
        return Capabilities(
            driver=self.name,
            promises=(
                Promise(name="Memory limit", strength="best effort", how="resident size is polled", fix=fix),
                Promise(name="/tmp limit", strength="best effort", how="the folder is measured, breach kills", fix=fix),
                Promise(name="Freeze", strength="best effort", how="SIGSTOP to the process tree", fix=fix),
                Promise(
                    name="Nothing outlives the platform", strength="best effort", how="a guard ends processes", fix=fix
                ),
                Promise(name="/tmp is not memory", strength="hard", how="a folder on disk"),
                *(Promise(name=name, strength="none", how="processes share the host", fix=fix) for name in none),
                Promise(name="Made-up keys are refused", strength="none", how=keys, fix=fix),
                Promise(name="AWS's host names lead here", strength="none", how=names, fix=fix),
            ),
        )

    async def _look(self) -> None:
        await watch.look(self._running(), self._sandboxes)

    async def _measure(self) -> None:
        await watch.measure(self._running(), self._sandboxes)
        await watch.weigh(self._running(), self._sandboxes)

    def _running(self) -> list[ProcessSandbox]:
        return [sandbox for sandbox in self._sandboxes if not sandbox.frozen]


def _free_port() -> int:
    """A port that nobody has at the moment: the host's loopback has none that is kept for us."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _on_one_port() -> tuple[socket.socket, socket.socket]:
    """A TCP listener and a UDP socket of the same number."""
    while True:
        listener, datagrams = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            listener.bind(("127.0.0.1", 0))
            datagrams.bind(listener.getsockname())
        except OSError as error:
            listener.close()
            datagrams.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            listener.listen(16)
            return listener, datagrams


def _name_of(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "EIO")
