"""The processes of an execution environment, extensions and runtime, and the pipes that they write to.

Started and closed by the environment; a program that cannot be executed is a fault of the function, told as AWS does.
AWS: Lambda Developer Guide, "Troubleshoot execution issues in Lambda" (InvalidEntrypoint, Extension.LaunchError).
"""

import asyncio
import select
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Protocol

from undercast.core.record import record
from undercast.sandbox import errors
from undercast.sandbox.debugging.session import Debugger
from undercast.sandbox.driver import ExitStatus, ProcessSpec, Sandbox, SandboxError, SandboxProcess
from undercast.sandbox.errors import Fault
from undercast.sandbox.log_pipes import FrameReader, LineReader, LogFlow, LogPump
from undercast.sandbox.platform_events import InitType

_EXEC_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "ENOENT": "no such file or directory",
        "EACCES": "permission denied",
        "ENOEXEC": "exec format error",
        "EISDIR": "is a directory",
        "ELOOP": "too many levels of symbolic links",
        "ENOTDIR": "not a directory",
    }
)
"""Error codes as Go prints them, in which Lambda's supervisor is written."""


@record
class RuntimeProcess:
    """How the processes of a function are started, or why its runtime cannot be."""

    spec: ProcessSpec | None
    fault: Fault | None = None
    go1x: bool = False
    """Whether faults are told as the Go 1.x runtime told them."""
    init_type: InitType = "on-demand"
    image: int | None = None
    """The first start goes on from this snapshot."""
    version_label: str = ""
    """Behind "INIT_START Runtime Version: "."""
    version_arn: str = ""
    notice: str = ""
    """What the user should know of this start, for the log."""
    debugger: Debugger | None = None
    """Of a function that runs under one."""
    extensions: Mapping[str, ProcessSpec] = field(default_factory=dict)
    """External extensions by the names of their files, in the order in which they start."""


class Output(Protocol):
    """Takes what the processes write; `extension` is its name, "" for the runtime."""

    def write(self, lines: list[str], extension: str = "") -> None:
        """Now."""
        ...

    def hold(self, lines: list[str], extension: str = "") -> None:
        """Together with what is written next."""
        ...


class Processes:
    """What runs now. `on_exit` is called for whichever ends: its name, "" for the runtime."""

    def __init__(
        self,
        sandbox: Sandbox,
        launch: RuntimeProcess,
        output: Output,
        flow: LogFlow,
        on_exit: Callable[[SandboxProcess, str, ExitStatus], None],
    ) -> None:
        self.runtime: SandboxProcess | None = None
        self.extensions: dict[str, SandboxProcess] = {}
        self._sandbox = sandbox
        self._launch = launch
        self._output = output
        self._flow = flow
        self._on_exit = on_exit
        self._pumps: list[LogPump] = []
        self._poll = select.poll()

    async def start_runtime(self, image: int | None = None) -> Fault | None:
        """Start the runtime; or why that is not possible. SandboxError: the snapshot cannot be restored."""
        spec = self._launch.spec
        if spec is None:
            return self._launch.fault or errors.exited(None, None)
        if image is not None:
            spec = replace(spec, image=image)
        started = await self._spawn(spec, "")
        if isinstance(started, str):
            return errors.cannot_execute(spec.argv[0], started, go1x=self._launch.go1x)
        self.runtime = started
        self._watch(started, "")
        return None

    async def start_extension(self, name: str) -> Fault | None:
        """Start an external extension; or why that is not possible."""
        spec = self._launch.extensions[name]
        started = await self._spawn(spec, name)
        if isinstance(started, str):
            return errors.cannot_launch(spec.argv[0], started)
        self.extensions[name] = started
        self._watch(started, name)
        return None

    async def _spawn(self, spec: ProcessSpec, name: str) -> SandboxProcess | str:
        try:
            process = await self._sandbox.spawn(spec)
        except SandboxError as error:
            if spec.image is not None:
                raise
            # The driver's text holds the system's error code, as in "ENOENT: ...".
            return next((reason for code, reason in _EXEC_REASONS.items() if f"{code}:" in str(error)), str(error))
        readers: list[tuple[int, LineReader | FrameReader]] = [
            (process.stdout, LineReader()),
            (process.stderr, LineReader()),
        ]
        if process.telemetry is not None:
            readers.append((process.telemetry, FrameReader()))
        for descriptor, reader in readers:
            self._pumps.append(LogPump(descriptor, reader, _named(self._output.write, name), self._flow, name))
            self._poll.register(descriptor, select.POLLIN)
        return process

    def _watch(self, process: SandboxProcess, name: str) -> None:
        def ended(done: "asyncio.Future[ExitStatus]") -> None:
            if not done.cancelled() and (process is self.runtime or self.extensions.get(name) is process):
                self._on_exit(process, name, done.result())

        process.exited.add_done_callback(ended)

    def drain(self) -> None:
        """Hold what is in the pipes now. One system call tells that it is nothing, as mostly."""
        reads = bool(self._poll.poll(0))
        for pump in self._pumps:
            if reads or pump.left:
                self._hold(pump, reads=reads)

    def drain_polled(self) -> None:
        """The same without a system call, when the event loop has looked at the pipes since they were written to.

        Then their readers have been called; only one that rests after a flood, or has only just rested, has left
        something.
        """
        for pump in self._pumps:
            if pump.left:
                self._hold(pump, reads=True)

    def _hold(self, pump: LogPump, *, reads: bool) -> None:
        if lines := pump.drain(reads=reads):
            self._output.hold(lines, pump.name)

    def close(self) -> None:
        """Forget them and stop reading."""
        self.runtime = None
        self.extensions.clear()
        for pump in self._pumps:
            pump.close()
        self._pumps.clear()
        self._poll = select.poll()


def _named(write: Callable[[list[str], str], None], name: str) -> Callable[[list[str]], None]:
    return lambda lines: write(lines, name)
