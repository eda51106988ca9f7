"""The runtime process of an execution environment and the pipes that it writes to.

Started and closed by the environment; a program that cannot be executed is a fault of the function, told as AWS does.
AWS: Lambda Developer Guide, "Troubleshoot execution issues in Lambda", Runtime.InvalidEntrypoint.
"""

import select
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from undercast.sandbox import errors
from undercast.sandbox.driver import ProcessSpec, Sandbox, SandboxError, SandboxProcess
from undercast.sandbox.errors import Fault
from undercast.sandbox.log_pipes import FrameReader, LineReader, LogFlow, LogPump

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeProcess:
    """How the runtime of a function is started, or why it cannot be."""

    spec: ProcessSpec | None
    fault: Fault | None = None
    go1x: bool = False
    """Whether faults are told as the Go 1.x runtime told them."""
    version_label: str = ""
    """Behind "INIT_START Runtime Version: "."""
    version_arn: str = ""
    notice: str = ""
    """What the user should know of this start, for the log."""


class Processes:
    """One runtime process and the readers of its pipes."""

    def __init__(self, runtime: SandboxProcess, pumps: tuple[LogPump, ...]) -> None:
        self.runtime = runtime
        self._pumps = pumps
        self._poll = select.poll()
        for pump in pumps:
            self._poll.register(pump.descriptor, select.POLLIN)

    def drain(self) -> list[str]:
        """What is in the pipes now. One system call tells that it is nothing, as mostly."""
        reads = bool(self._poll.poll(0))
        return [line for pump in self._pumps for line in pump.drain(reads=reads)]

    def close(self) -> None:
        """Stop reading."""
        for pump in self._pumps:
            pump.close()


async def start_processes(
    sandbox: Sandbox, runtime: RuntimeProcess, write: Callable[[list[str]], None], flow: LogFlow
) -> Processes | Fault:
    """Start the runtime; or why that is not possible."""
    if runtime.spec is None:
        return runtime.fault or errors.exited(None, None)
    try:
        process = await sandbox.spawn(runtime.spec)
    except SandboxError as error:
        # The driver's text holds the system's error code, as in "ENOENT: ...".
        reason = next((reason for code, reason in _EXEC_REASONS.items() if f"{code}:" in str(error)), str(error))
        return errors.cannot_execute(runtime.spec.argv[0], reason, go1x=runtime.go1x)
    pumps = [
        LogPump(process.stdout, LineReader(), write, flow),
        LogPump(process.stderr, LineReader(), write, flow),
    ]
    if process.telemetry is not None:
        pumps.append(LogPump(process.telemetry, FrameReader(), write, flow))
    return Processes(process, tuple(pumps))
