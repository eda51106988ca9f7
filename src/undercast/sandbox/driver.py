"""The seam between execution environments and what isolates them: the drivers `namespace` and `process`.

A driver makes sandboxes and starts processes in them; it knows nothing of functions, invocations or the Runtime API.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle"; quotas page for the limits.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal, Protocol

from undercast.core.record import record
from undercast.sandbox.releases import Release

Strength = Literal["hard", "best effort", "none"]


class SandboxError(Exception):
    """A sandbox could not be made or has died. The text names the step and the system's reason."""


@record
class Prestart:
    """A runtime that is started before its function is known: it reads one line from descriptor 4 and goes on.

    The line is {"environment": {...}, "cwd": ...}. Descriptors 0 to 3 are those of every process with telemetry.
    """

    command: tuple[str, ...]
    """The argv of the processes that it can stand for."""
    options: tuple[str, ...]
    """Behind it, when it is started ahead."""
    environment: tuple[tuple[str, str], ...]
    """What it reads when it starts."""


@record
class SandboxSpec:
    """What one sandbox is made of. Paths are the host's."""

    environment_id: str
    code_dir: Path
    """Becomes /var/task, read-only. Files must be readable by others, as on AWS."""
    is_root: bool = False
    """A container image: `code_dir` becomes /, in place of the host's files, and has the places of `rootfs.PLACES`."""
    runtime_dir: Path | None = None
    """Becomes /var/runtime, read-only."""
    lang_dir: Path | None = None
    """Becomes /var/lang: links/bin/node in it leads to what is /var/lang/bin/node, read-only; places/ is empty."""
    layers: tuple[Path, ...] = ()
    """Merged into /opt, a later layer over an earlier one."""
    release: Release | None = None
    """Which Amazon Linux /etc/os-release names."""
    prefixes: tuple[Path, ...] = ()
    """Interpreter prefixes, bound read-only at their own path. What lies in /usr, /bin, /lib* is always there."""
    python: Path | None = None
    """Interpreter whose zygote makes this sandbox, so that `ProcessSpec.zygote` can be used in it."""
    traces: bool = False
    """Its processes may trace each other (ptrace), as a debugger does."""
    prestart: Prestart | None = None
    """Sandboxes like this one may have a runtime in them already."""
    memory_mb: int = 128
    tmp_mb: int = 512
    front_door_port: int = 4566
    ports: tuple[int, ...] = ()
    """Further TCP ports to listen on inside (forwarded ports)."""
    ca_bundle: Path | None = None
    """PEM file that becomes /etc/ssl/certs/ca-certificates.crt: the system's roots and the local CA."""


@record
class ProcessSpec:
    """One process to start in a sandbox."""

    argv: tuple[str, ...]
    """With `zygote`: (interpreter, "/var/runtime/bootstrap.py", ...), seen as sys.orig_argv."""
    environment: Mapping[str, str]
    """Complete: nothing is inherited."""
    cwd: str = "/var/task"
    zygote: bool = False
    """Fork the zygote of `SandboxSpec.python` and call `bootstrap.main()` in it, instead of an exec."""
    image: int | None = None
    """Descriptor of what `Sandbox.snapshot` gave for another sandbox of the same kind: the process goes on from there
    instead of calling `run`. With `zygote` and `telemetry`, and in a sandbox's first process only."""
    telemetry: bool = False
    """Open a pipe for multi-line log records and name its number in _LAMBDA_TELEMETRY_LOG_FD."""


@record
class ExitStatus:
    """How a process ended: exactly one of the two is not None."""

    code: int | None = None
    signal: int | None = None


@record
class MemoryUse:
    """Memory of all processes of a sandbox together, in bytes."""

    current_bytes: int
    peak_bytes: int
    """Highest seen so far of what counts on AWS: anonymous and shared memory, not the page cache."""
    oom_kills: int
    """Processes killed so far because the sandbox reached its memory limit."""


class SandboxProcess(Protocol):
    """A running process. The owner closes the descriptors."""

    pid: int
    """Number in the sandbox's own table."""
    stdout: int
    """Read end of a non-blocking pipe; so are the next two."""
    stderr: int
    telemetry: int | None
    exited: "asyncio.Future[ExitStatus]"

    def signal(self, number: int) -> None:
        """Send a signal to the process; nothing happens when it has ended."""
        ...


class Sandbox(Protocol):
    """A place where the processes of one execution environment live."""

    environment_id: str
    uid: int
    """The host's uid that its processes have."""
    runtime_api: str
    """host:port as the processes see it: "127.0.0.1:9001" unless the driver cannot give a private loopback."""
    xray_daemon: str
    """host:port of the X-Ray daemon as the processes see it, UDP and TCP: listeners "xray-udp" and "xray"."""
    rpc_port: int
    """A TCP port of the sandbox's loopback that is left to a go1.x function to listen on."""
    listeners: Mapping[str, socket.socket]
    """Bound and listening inside: "runtime" (127.0.0.1:9001); in the namespace driver also "front" (front-door port),
    "http" (0.0.0.0:80), "https" (0.0.0.0:443), "dns" (UDP 127.0.0.1:53, bound) and "tcp:<port>" for each of
    `SandboxSpec.ports` (0.0.0.0, so that getsockname of a connection tells which 127.x.y.z was meant). The sandbox
    closes them in `destroy`."""
    code_root: str
    opt_root: str
    tmp_root: str
    runtime_root: str
    lang_root: str
    """The folders as the processes see them: /var/task /opt /tmp /var/runtime /var/lang/bin, or real ones (process)."""
    died: "asyncio.Future[None]"
    """Done when the sandbox is gone, by `destroy` or without our doing (then every process has exited with it)."""

    async def furnished(self) -> None:
        """Wait until code, layers and /tmp are in place. Before `spawn`. Raises SandboxError."""
        ...

    async def spawn(self, spec: ProcessSpec) -> SandboxProcess:
        """Start a process. Raises SandboxError when the program cannot be executed (text: "ENOENT: ...")."""
        ...

    async def snapshot(self) -> int:
        """The memory of the first process, which waits in pause(2), as a descriptor that the caller closes.

        Afterwards the process goes on. Raises SandboxError with a reason that the user can understand.
        """
        ...

    async def connect(self, port: int) -> socket.socket:
        """A connection to a port of the sandbox's loopback, non-blocking. Raises OSError or SandboxError."""
        ...

    def freeze(self) -> None:
        """Stop every process where it is. Thaw before anything is expected of them."""
        ...

    def thaw(self) -> None:
        """Let every process go on."""
        ...

    def begin_init(self) -> None:
        """A suppressed INIT begins: the CPU that AWS gives to INIT, until `end_init`. A new sandbox begins with it."""
        ...

    def end_init(self) -> None:
        """From now on the CPU share is memory/1769 of one CPU; AWS gives INIT more."""
        ...

    def memory(self) -> MemoryUse:
        """Sample now. Call it before the REPORT line; while running the driver samples by itself."""
        ...

    def on_oom(self, callback: Callable[[], None]) -> None:
        """Call back, on the loop, soon after a process was killed for want of memory."""
        ...

    async def kill_processes(self) -> None:
        """Every process dies; mounts, listeners and /tmp stay (AWS's reset of an environment). Thaws first."""
        ...

    async def destroy(self) -> None:
        """Nothing is left: processes, mounts, cgroups, loop devices, namespaces, folders. May be called twice."""
        ...


@record
class Promise:
    """One row of the table in SPECIFICATION.md, on this machine."""

    name: str
    strength: Strength
    how: str
    fix: str = ""
    """What the user can do to make it stronger."""


@record
class Capabilities:
    """What a driver can promise on this machine."""

    driver: str
    promises: tuple[Promise, ...]
    notes: tuple[str, ...] = field(default=())


class Driver(Protocol):
    """Makes sandboxes. One per platform; `start` before anything, `stop` at the end."""

    @property
    def name(self) -> str:
        """ "namespace" or "process"."""
        ...

    @property
    def notice(self) -> str:
        """One line for the user when `auto` had to fall back: why, and the fix. Empty otherwise."""
        ...

    @property
    def remaining(self) -> int:
        """How many sandboxes have not been destroyed, spares among them: a stop watches it get less."""
        ...

    async def start(self) -> None:
        """Sweep what a killed platform left and start the launcher."""
        ...

    async def stop(self) -> None:
        """Destroy every sandbox and end the launcher and the zygotes."""
        ...

    async def warm(self, spec: SandboxSpec) -> None:
        """Get ready for sandboxes like this one (a zygote, a spare). What is a function's own in it does not count."""
        ...

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Make a sandbox; its files may still be on their way (`Sandbox.furnished`). Raises SandboxError."""
        ...

    def zygote_runs(self, python: Path) -> bool:
        """Whether this interpreter can be served by a zygote here (Python >= 3.8 and the namespace driver)."""
        ...

    def takes_images(self) -> str:
        """Why container images cannot run here; "" when they can."""
        ...

    def takes_snapshots(self) -> str:
        """Why a process of a zygote cannot be taken as a snapshot here; "" when it can."""
        ...

    def capabilities(self) -> Capabilities:
        """For `undercast doctor`."""
        ...
