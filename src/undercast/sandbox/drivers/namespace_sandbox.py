"""One sandbox of the namespace driver, seen from the control plane.

All it asks of the sandbox goes to its init process as packets; limits and freezing are cgroup files where
there are any.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from undercast.sandbox import polling, releases, rootfs
from undercast.sandbox.driver import ExitStatus, MemoryUse, ProcessSpec, SandboxError, SandboxSpec
from undercast.sandbox.drivers.ahead import Ahead, open_pipes
from undercast.sandbox.drivers.launchers import XRAY_HOST, XRAY_PORT, Kind, Launcher
from undercast.sandbox.launcher.frames import Oversized
from undercast.sandbox.launcher.link import Link, close_all
from undercast.sandbox.limits import Group
from undercast.sandbox.tmpdisk import TmpDisk
from undercast.sandbox.waiting import until

_MIB = 1024 * 1024
RUNTIME_API = "127.0.0.1:9001"
_RPC_PORT = 9002
_ANSWER_LIMIT_S = 10.0
_SNAPSHOT_LIMIT_S = 35.0
_GONE_LIMIT_S = 60.0
"""The kernel takes some 20 ms for each of a thousand sandboxes that are destroyed at once."""
_CONNECT_LIMIT_S = 1.0
_TELEMETRY_VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"
_RUNNER = 0
"""The process that waits in a new sandbox for its program; the others count from 1."""


class NamespaceProcess:
    """See `driver.SandboxProcess`."""

    def __init__(self, link: Link, pipes: tuple[int, int, int | None]) -> None:
        self._link = link
        self.pid = 0
        self.stdout, self.stderr, self.telemetry = pipes
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()

    def signal(self, number: int) -> None:
        """See `SandboxProcess`."""
        if not self.exited.done():
            self._link.send({"op": "signal", "pid": self.pid, "number": number})


class NamespaceSandbox:
    """See `driver.Sandbox`."""

    runtime_api = RUNTIME_API
    xray_daemon = f"{XRAY_HOST}:{XRAY_PORT}"
    rpc_port = _RPC_PORT
    code_root = "/var/task"
    opt_root = "/opt"
    tmp_root = "/tmp"
    runtime_root = "/var/runtime"
    lang_root = f"{rootfs.LANG}/bin"

    def __init__(self, uid: int, group: Group, released: Callable[["NamespaceSandbox"], None]) -> None:
        """`released` is called once, when nothing of the sandbox is left. Raises OSError, and then leaves nothing."""
        loop = asyncio.get_running_loop()
        self.environment_id = ""
        self.uid = uid
        self.listeners: Mapping[str, socket.socket] = {}
        self.died: asyncio.Future[None] = loop.create_future()
        self._group = group
        self._released = released
        self._disk: TmpDisk | None = None
        self._link = Link(self._on_message, self._on_close)
        self._step: asyncio.Future[None] = loop.create_future()
        """Done when init has answered to `plant`."""
        try:
            self._runner = Link(self._on_runner_failure, self._on_runner_started)
        except OSError:
            self._link.close()  # else the loop keeps it
            raise
        self._runner_pid = 0
        self._launcher: Launcher | None = None
        self._placed: asyncio.Future[list[int]] | None = None
        self._runner_is_zygote = False
        self._mounts = -1
        """Its mount namespace, until its function's files are in it."""
        self._pidfd = -1
        self._ahead: Ahead | None = None
        """A runtime that waits for its function."""
        self._has_runner = True
        self._processes: dict[int, NamespaceProcess] = {}
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._serial = 0
        self._emptied: asyncio.Future[None] | None = None
        self._destroyed: asyncio.Task[None] | None = None
        self.frozen = False
        self._peak_bytes = 0
        self._oom_descriptor = -1
        self._oom_callback: Callable[[], None] | None = None
        self._oom_kills = 0
        self._killed_in = -1
        """How often it had been emptied when it last used too much memory."""
        self.emptied = 0
        self._limit_bytes = self._tmp_bytes = 0
        self._init_pid = -1

    async def connect(self, port: int) -> socket.socket:
        """See `Sandbox`."""
        self._serial += 1
        serial = self._serial
        answered = self._starting[serial] = asyncio.get_running_loop().create_future()
        try:
            if not self._link.send({"op": "connect", "serial": serial, "port": port}):
                raise SandboxError("the sandbox is gone")
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                connection = socket.socket(fileno=await answered)
        finally:
            self._starting.pop(serial, None)
        try:
            await _connected(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    async def plant(self, kind: Kind, launcher: Launcher) -> None:
        """Have the launcher make what is alike in all sandboxes of a kind. Raises SandboxError."""
        self._launcher = launcher
        self._runner_is_zygote = kind.zygote
        links = [self._link.theirs.fileno(), self._runner.theirs.fileno()]
        theirs: list[int] = []
        try:
            if kind.prestart is not None:
                self._has_runner = False
                self._ahead, theirs = Ahead.make(kind.prestart)
            theirs += self._group.entrances()
            order = {**kind.order(), "uid": self.uid, "group": self._group.name}
            asked = launcher.create(order, [*links, *theirs])
        except OSError as error:
            raise SandboxError(str(error)) from error
        finally:
            close_all(theirs)
            self._link.theirs.close()
            self._runner.theirs.close()
        if not asked:
            raise SandboxError("the launcher is gone")
        await self._answer()

    def furnish(self, spec: SandboxSpec, disk: TmpDisk, release_files: Path) -> None:
        """Make it this environment's: its limits, and soon (`furnished`) its code and /tmp. Raises SandboxError.

        `release_files` is what `releases.write` has filled.
        """
        self.environment_id = spec.environment_id
        self._disk = disk
        self._limit_bytes, self._tmp_bytes = spec.memory_mb * _MIB, spec.tmp_mb * _MIB
        try:
            self._group.limit(spec.memory_mb)
        except OSError as error:
            raise SandboxError(str(error)) from error
        assert self._launcher is not None
        self._placed = self._launcher.ask(_order(spec, disk, release_files), [self._mounts, *disk.descriptors])
        # What holds the namespace holds its mounts: nobody needs it any more.
        self._close_mounts()

    async def furnished(self) -> None:
        """See `Sandbox`."""
        if self._placed is None:
            return
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                await asyncio.shield(self._placed)
        except TimeoutError:
            raise SandboxError(f"the function's files were not in place in {_ANSWER_LIMIT_S:.0f} s") from None

    async def _answer(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                await self._step
        except TimeoutError:
            raise SandboxError(f"the sandbox was not made in {_ANSWER_LIMIT_S:.0f} s") from None

    async def spawn(self, spec: ProcessSpec) -> NamespaceProcess:
        """See `Sandbox`."""
        await self.furnished()
        if (assigned := self._assign(spec)) is not None:
            return assigned
        ends, theirs = open_pipes(3 if spec.telemetry else 2)
        process = NamespaceProcess(self._link, (ends[0], ends[1], ends[2] if spec.telemetry else None))
        serial = -1
        try:
            serial = self._send_order(spec, process, theirs)
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                process.pid = await self._starting[serial]
                if spec.image is not None:
                    await self._operate("restore", process.pid, [spec.image])
        except (SandboxError, Oversized, TimeoutError) as error:
            self._processes.pop(serial, None)
            close_all(ends)
            raise SandboxError(f"{spec.argv[0]}: {error or 'no answer from the sandbox'}") from None
        finally:
            close_all(theirs)
            self._starting.pop(serial, None)
        return process

    def _assign(self, spec: ProcessSpec) -> NamespaceProcess | None:
        """Make the runtime that waits the one that is asked for. None: a process has to be started."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return None
        if not ahead.assign(spec):
            ahead.close()
            self._link.send({"op": "signal", "pid": self._runner_pid, "number": signal.SIGKILL})
            return None
        process = self._processes[_RUNNER] = NamespaceProcess(self._link, ahead.pipes)
        process.pid = self._runner_pid
        return process

    def _send_order(self, spec: ProcessSpec, process: NamespaceProcess, pipes: list[int]) -> int:
        """To the runner that waits for it, else to init, which forks; returns the process's number.

        Raises Oversized. Whoever is sent an order answers in a later turn of the loop.
        """
        environment = {**spec.environment, _TELEMETRY_VARIABLE: "3"} if spec.telemetry else dict(spec.environment)
        order: dict[str, Any] = {"argv": spec.argv, "environment": environment, "cwd": spec.cwd, "zygote": spec.zygote}
        if spec.image is not None:
            order["restore"] = True
            pipes = [*pipes, spec.image]
        fits = self._has_runner and spec.zygote == self._runner_is_zygote
        if fits and self._runner_pid and not self._runner.closed and self._runner.send(order, pipes):
            self._expect(_RUNNER, process)
            return _RUNNER
        if spec.image is not None:
            raise SandboxError("only a new sandbox can start from a snapshot")
        self._serial += 1
        if not self._link.send({"op": "spawn", "serial": self._serial, **order}, pipes):
            raise SandboxError("the sandbox is gone")
        self._expect(self._serial, process)
        return self._serial

    def _expect(self, serial: int, process: NamespaceProcess) -> None:
        self._processes[serial] = process
        self._starting[serial] = asyncio.get_running_loop().create_future()

    def _on_runner_started(self) -> None:
        """The runner has closed its end: it is what it was told to be, or dead, which init reports."""
        if self._runner_pid:
            self._settle(_RUNNER, self._runner_pid)

    def _on_runner_failure(self, message: dict[str, Any], descriptors: list[int]) -> None:
        close_all(descriptors)
        self._runner.close()  # it takes no second order, and its end is no start
        self._settle(_RUNNER, SandboxError(message["error"]))

    async def snapshot(self) -> int:
        """See `Sandbox`."""
        try:
            async with asyncio.timeout(_SNAPSHOT_LIMIT_S):
                return (await self._operate("snapshot", self._runner_pid, []))[0]
        except TimeoutError:
            raise SandboxError(f"its memory was not taken in {_SNAPSHOT_LIMIT_S:.0f} s") from None

    async def _operate(self, operation: str, runtime: int, descriptors: list[int]) -> list[int]:
        assert self._launcher is not None
        order = {"op": operation, "init": self._init_pid, "runtime": runtime}
        return await self._launcher.ask(order, descriptors)

    def freeze(self) -> None:
        """See `Sandbox`."""
        if not self.frozen:
            self.sample()
            self.frozen = True
            if not self._group.freeze():
                self._link.send({"op": "signal-all", "number": signal.SIGSTOP})

    def thaw(self) -> None:
        """See `Sandbox`."""
        if self.frozen:
            self.frozen = False
            if not self._group.thaw():
                self._link.send({"op": "signal-all", "number": signal.SIGCONT})

    def begin_init(self) -> None:
        """See `Sandbox`."""
        self._group.lift_cpu_share()

    def end_init(self) -> None:
        """See `Sandbox`."""
        self._group.apply_cpu_share()

    def sample(self) -> int:
        """Look at the memory in use; without a cgroup, enforce its limit."""
        current = self._group.memory_bytes()
        if current is None:
            (seen,) = polling.look([self.asked])
            self.judge(seen)
            return seen.used_bytes
        self._peak_bytes = max(self._peak_bytes, current)
        return current

    @property
    def asked(self) -> polling.Asked:
        """What there is to look at without a cgroup; init is ours, and mostly shared with the launcher."""
        return polling.Asked((self._init_pid,), self._limit_bytes, without=self._init_pid)

    @property
    def watched_tmp(self) -> tuple[str, int] | None:
        """Folder and limit of a /tmp that the kernel does not limit."""
        folder = self._disk.folder if self._disk is not None else None
        return (folder, self._tmp_bytes) if folder is not None else None

    def judge(self, seen: polling.Seen) -> None:
        """Kill everything when it uses more memory than it may."""
        self._peak_bytes = max(self._peak_bytes, seen.used_bytes)
        if seen.over:
            self.kill_all()
            if self._killed_in == self.emptied:
                return  # seen while the killed processes were still there: that is no second breach
            self._killed_in = self.emptied
            self._oom_kills += 1
            if self._oom_callback is not None:
                self._oom_callback()

    def kill_all(self) -> None:
        """End all processes but init."""
        self._link.send({"op": "signal-all", "number": signal.SIGKILL})

    def memory(self) -> MemoryUse:
        """See `Sandbox`."""
        current = self.sample()
        kills = self._oom_kills + self._group.oom_kills()
        if kills:
            self._peak_bytes = max(self._peak_bytes, self._limit_bytes)  # reached between two samples
        return MemoryUse(current_bytes=current, peak_bytes=self._peak_bytes, oom_kills=kills)

    def on_oom(self, callback: Callable[[], None]) -> None:
        """See `Sandbox`."""
        self._oom_callback = callback
        self._oom_descriptor = self._group.oom_descriptor()
        if self._oom_descriptor >= 0:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._oom_descriptor, self._on_oom_event, callback)

    async def kill_processes(self) -> None:
        """See `Sandbox`."""
        self.thaw()
        self._emptied = asyncio.get_running_loop().create_future()
        if self._link.send({"op": "kill-all"}):
            try:
                async with asyncio.timeout(_ANSWER_LIMIT_S):
                    await self._emptied
            except TimeoutError:
                raise SandboxError("processes outlived SIGKILL") from None
        self.emptied += 1

    async def destroy(self) -> None:
        """See `Sandbox`."""
        if self._destroyed is None:
            self._destroyed = asyncio.ensure_future(self._destroy())
        await asyncio.shield(self._destroyed)

    async def _destroy(self) -> None:
        with contextlib.suppress(OSError):
            self._group.thaw()  # a v1 freezer holds back SIGKILL
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._link.close()
        self._runner.close()
        self._close_mounts()
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None
        if self._pidfd >= 0:
            try:
                async with asyncio.timeout(_GONE_LIMIT_S):
                    await asyncio.shield(self.died)
            except TimeoutError:
                raise SandboxError(f"sandbox {self.environment_id} outlived SIGKILL") from None
        self._release()
        if self._disk is not None:
            await asyncio.to_thread(self._disk.close)
        if not await until(self._group.remove, _GONE_LIMIT_S):
            raise SandboxError(f"the cgroup of sandbox {self.environment_id} could not be removed")
        self._released(self)

    def _close_mounts(self) -> None:
        if self._mounts >= 0:
            os.close(self._mounts)
            self._mounts = -1

    def _release(self) -> None:
        for listener in self.listeners.values():
            listener.close()
        if self._oom_descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._oom_descriptor)
            os.close(self._oom_descriptor)
            self._oom_descriptor = -1
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _on_message(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "error" in message:
            close_all(descriptors)
            self._failed(message.get("failed", message.get("connected")), SandboxError(message["error"]))
            return
        if "planted" in message:
            self._pidfd = descriptors[0]
            asyncio.get_running_loop().add_reader(self._pidfd, self._on_death)
            self._mounts = descriptors[1]
            self._runner_pid = message["runner"]
            sockets = (socket.socket(fileno=number) for number in descriptors[2:])
            self.listeners = dict(zip(message["planted"], sockets, strict=True))
            try:
                self._init_pid = polling.pid_of(self._pidfd)
            except OSError as error:  # by now `destroy` can end it
                self._advance(SandboxError(str(error)))
            else:
                self._advance(None)
            return
        if "connected" in message:
            self._settle_connection(message["connected"], descriptors[0])
            return
        close_all(descriptors)
        if "started" in message:
            self._settle(message["started"], message["pid"])
        elif "exited" in message:
            self._exited(message["exited"], ExitStatus(code=message["code"], signal=message["signal"]))
        elif "empty" in message and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _failed(self, serial: int | None, failure: SandboxError) -> None:
        """What init was asked for, or the making of the sandbox."""
        if serial is None:
            self._advance(failure)
        else:
            self._settle(serial, failure)

    def _advance(self, failure: SandboxError | None) -> None:
        if self._step.done():
            return
        if failure is None:
            self._step.set_result(None)
        else:
            self._step.set_exception(failure)

    def _settle_connection(self, serial: int, descriptor: int) -> None:
        waiting = self._starting.get(serial)
        if waiting is None or waiting.done():
            os.close(descriptor)
        else:
            waiting.set_result(descriptor)

    def _settle(self, serial: int, outcome: int | SandboxError) -> None:
        waiting = self._starting.get(serial)
        if waiting is None or waiting.done():
            return
        if isinstance(outcome, SandboxError):
            waiting.set_exception(outcome)
        else:
            waiting.set_result(outcome)

    def _exited(self, serial: int, status: ExitStatus) -> None:
        process = self._processes.pop(serial, None)
        if serial == _RUNNER and self._ahead is not None:  # it could not be started, or has ended
            self._ahead.close()
            self._ahead = None
        if process is not None and not process.exited.done():
            process.exited.set_result(status)

    def _on_close(self) -> None:
        """Init is gone, or never came to be; the pidfd tells when all others are gone too."""
        self._advance(SandboxError("the sandbox died while it was made"))

    def _on_death(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        # What init had still to say (exits) is in the socket: it comes before the end of the stream.
        self._link.drain()
        for serial in list(self._starting):
            self._settle(serial, SandboxError("the sandbox died"))
        for serial in list(self._processes):
            self._exited(serial, ExitStatus(signal=signal.SIGKILL))
        if self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)
        if not self.died.done():
            self.died.set_result(None)

    def _on_oom_event(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._oom_descriptor, 4096)
        callback()


def _finish(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


async def _connected(connection: socket.socket) -> None:
    """Wait for a connection that is under way. Raises OSError."""
    loop = asyncio.get_running_loop()
    writable: asyncio.Future[None] = loop.create_future()
    loop.add_writer(connection.fileno(), _finish, writable)
    try:
        async with asyncio.timeout(_CONNECT_LIMIT_S):
            await writable
    finally:
        loop.remove_writer(connection.fileno())
    if error := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(error, os.strerror(error))


def _order(spec: SandboxSpec, disk: TmpDisk, release_files: Path) -> dict[str, Any]:
    binds = [] if spec.is_root else [(str(spec.code_dir.resolve()), "/var/task")]
    if spec.release is not None and not spec.is_root:
        binds.append((str(release_files / spec.release), releases.PLACE))
    layers = [str(path.resolve()) for path in reversed(spec.layers)]  # overlayfs: the first is the uppermost
    if len(layers) == 1:
        binds.append((layers.pop(), "/opt"))
    return {"op": "place", "binds": binds, "layers": layers, "tmp": disk.folder, "shm_mb": spec.memory_mb}
