"""A fake `Driver` whose processes are coroutines: a scripted runtime that speaks the Runtime API over real sockets.

For tests of environments and the pool. Each spawn runs the script of the sandbox's code folder.
"""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes import CountingIds, FakeClock
from undercast.core.arn import DEFAULT_ACCOUNT, Region
from undercast.core.clock import HostClock
from undercast.core.config import Config
from undercast.core.context import Cause
from undercast.sandbox.admission import Limits
from undercast.sandbox.driver import Capabilities, ExitStatus, MemoryUse, ProcessSpec, SandboxError, SandboxSpec
from undercast.sandbox.model import EnvironmentCredentials, FunctionVersion, Invocation, LogEvent, TraceSink
from undercast.sandbox.pool import Pool
from undercast.sandbox.pool_parts import PoolParts
from undercast.sandbox.runtimes.plan import RuntimePlan, Runtimes

Script = Callable[["FakeRuntime"], Awaitable[None]]


class Exit(Exception):
    """Raised by a script: the process ends so."""

    def __init__(self, code: int | None = 0, signal: int | None = None) -> None:
        super().__init__(f"exit {code} {signal}")
        self.status = ExitStatus(code=code if signal is None else None, signal=signal)


class FakeRuntime:
    """What a script sees: the process's pipes and the Runtime API."""

    def __init__(self, process: "FakeProcess", spec: ProcessSpec, address: str) -> None:
        self.process = process
        self.environment = spec.environment
        self._spec = spec
        self._address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def another(self) -> "FakeRuntime":
        """The same process with a connection of its own."""
        return FakeRuntime(self.process, self._spec, self._address)

    def print(self, text: str) -> None:
        """Write to stdout."""
        os.write(self.process.stdout_end, text.encode())

    def record(self, text: str, kind: bytes = b"\xa5\x5a\x00\x03") -> None:
        """Write one framed record to the telemetry descriptor."""
        assert self.process.telemetry_end is not None
        data = text.encode()
        head = kind + len(data).to_bytes(4, "big") + (0).to_bytes(8, "big")
        os.write(self.process.telemetry_end, head + data)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on the runtime's connection: status, headers (lower case), body."""
        await self.send(method, path, body, headers)
        return await self.receive()

    async def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """The request without its answer. A path without a slash in front is one of the Runtime API."""
        target = path if path.startswith("/") else f"/2018-06-01/runtime/{path}"
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1:9001"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body)}")
        await self.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def write(self, data: bytes) -> None:
        """Raw bytes on the connection."""
        if self._writer is None:
            host, port = self._address.split(":")
            self._reader, self._writer = await asyncio.open_connection(host, int(port))
        self._writer.write(data)
        await self._writer.drain()

    def finds_input(self) -> bool:
        """Whether something to receive is in the connection's socket; asked while the event loop stands still."""
        assert self._writer is not None
        readable, _, _ = select.select([self._writer.get_extra_info("socket")], [], [], 5)
        return bool(readable)

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer on the connection."""
        assert self._reader is not None
        status = int((await self._reader.readline()).split()[1])
        headers: dict[str, str] = {}
        while line := (await self._reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return status, headers, body

    async def next(self) -> tuple[str, bytes, dict[str, str]]:
        """Wait for an event: request id, payload, headers."""
        _, headers, body = await self.request("GET", "invocation/next")
        return headers["lambda-runtime-aws-request-id"], body, headers

    async def respond(self, request_id: str, body: bytes) -> int:
        """Answer an invocation; the status that the Runtime API gave."""
        status, _, _ = await self.request("POST", f"invocation/{request_id}/response", body)
        return status

    async def extension(
        self, method: str, path: str, body: object = None, identifier: str = "", **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """One request of the Extensions API: status, headers, parsed body. `headers` without "Lambda-Extension-"."""
        named = {f"Lambda-Extension-{name.replace('_', '-')}": value for name, value in headers.items()}
        if identifier:
            named["Lambda-Extension-Identifier"] = identifier
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answered, text = await self.request(method, f"/2020-01-01/extension/{path}", data, named)
        return status, answered, json.loads(text) if text else None

    async def register(self, *events: str, name: str = "") -> str:
        """Register under the name of the file, or another: the identifier."""
        body = {"events": list(events)}
        status, headers, answer = await self.extension("POST", "register", body, Name=name or self.process.name)
        assert status == 200, answer
        return headers["lambda-extension-identifier"]

    async def event(self, identifier: str) -> dict[str, Any]:
        """Wait for an event of the Extensions API."""
        status, _, event = await self.extension("GET", "event/next", identifier=identifier)
        assert status == 200, event
        assert isinstance(event, dict)
        return event

    def hang_up(self) -> None:
        """Close the connection, as the end of a process does."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


async def echo(runtime: FakeRuntime) -> None:
    """Answers each event with itself."""
    while True:
        request_id, body, _ = await runtime.next()
        await runtime.respond(request_id, body)


class FakeProcess:
    """A running script."""

    def __init__(self, script: Script, spec: ProcessSpec, address: str, pid: int) -> None:
        self.pid = pid
        self.name = spec.argv[0].rpartition("/")[2]
        self.signals: list[int] = []
        self.ignores_sigterm = False
        self.stdout, self.stdout_end = os.pipe()
        self.stderr, self.stderr_end = os.pipe()
        self.telemetry: int | None = None
        self.telemetry_end: int | None = None
        if spec.telemetry:
            self.telemetry, self.telemetry_end = os.pipe()
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.runtime = FakeRuntime(self, spec, address)
        self._task = asyncio.get_running_loop().create_task(self._run(script))

    async def _run(self, script: Script) -> None:
        status = ExitStatus(code=0)
        try:
            await script(self.runtime)
        except Exit as end:
            status = end.status
        except asyncio.CancelledError:
            status = ExitStatus(signal=9)
        except (ConnectionError, asyncio.IncompleteReadError, IndexError):
            status = ExitStatus(code=1)
        finally:
            self.runtime.hang_up()
            for end_of_pipe in (self.stdout_end, self.stderr_end, self.telemetry_end):
                if end_of_pipe is not None:
                    os.close(end_of_pipe)
            if not self.exited.done():
                self.exited.set_result(status)

    def signal(self, number: int) -> None:
        """See SandboxProcess."""
        if not self.exited.done():
            self.signals.append(number)
            if number != signal.SIGTERM or not self.ignores_sigterm:
                self._task.cancel()

    async def kill(self) -> None:
        """End it and wait for its end."""
        self._task.cancel()
        await asyncio.wait((self._task,))


class FakeSandbox:
    """See Sandbox. Remembers what was asked of it in `calls`."""

    def __init__(self, spec: SandboxSpec, driver: "FakeDriver") -> None:
        self.environment_id = spec.environment_id
        self.spec = spec
        self.uid = 1000
        self.use = MemoryUse(current_bytes=0, peak_bytes=20 * 1024 * 1024, oom_kills=0)
        listener = socket.create_server(("127.0.0.1", 0))
        self.runtime_api = f"127.0.0.1:{listener.getsockname()[1]}"
        self.xray_daemon = "127.0.0.1:2000"
        self.rpc_port = 1
        self.listeners: Mapping[str, socket.socket] = {"runtime": listener}
        self.code_root, self.opt_root, self.tmp_root, self.runtime_root = "/var/task", "/opt", "/tmp", "/var/runtime"
        self.lang_root = "/var/lang/bin"
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.calls: list[str] = []
        self.on_thaw: Callable[[], None] = lambda: None
        self.processes: list[FakeProcess] = []
        self._driver = driver

    async def furnished(self) -> None:
        """See Sandbox."""

    async def spawn(self, spec: ProcessSpec) -> FakeProcess:
        """See Sandbox."""
        self.calls.append("spawn")
        name = spec.argv[0].rpartition("/")[2]
        if error := self._driver.spawn_errors.get(name) or self._driver.spawn_error:
            raise SandboxError(error)
        self._driver.order.append(name)
        script = self._driver.extensions.get(name)
        if script is None:
            scripts = self._driver.scripts
            script = scripts[min(self._driver.spawned, len(scripts) - 1)]
            self._driver.spawned += 1
        process = FakeProcess(script, spec, self.runtime_api, self._driver.spawned)
        self.processes.append(process)
        return process

    async def snapshot(self) -> int:
        """See Sandbox."""
        raise SandboxError("the fake takes no snapshots")

    async def connect(self, port: int) -> socket.socket:
        """See Sandbox: its loopback is this machine's, for listeners that a test has started."""
        connection = socket.socket()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except OSError:
            connection.close()
            raise
        return connection

    def freeze(self) -> None:
        """See Sandbox."""
        self.calls.append("freeze")

    def thaw(self) -> None:
        """See Sandbox."""
        self.calls.append("thaw")
        self.on_thaw()

    def begin_init(self) -> None:
        """See `Sandbox`."""
        self.calls.append("begin_init")

    def end_init(self) -> None:
        """See Sandbox."""
        self.calls.append("end_init")

    def memory(self) -> MemoryUse:
        """See Sandbox."""
        return self.use

    def on_oom(self, callback: Callable[[], None]) -> None:
        """See Sandbox."""

    async def kill_processes(self) -> None:
        """See Sandbox."""
        self.calls.append("kill_processes")
        for process in self.processes:
            await process.kill()

    async def destroy(self) -> None:
        """See Sandbox."""
        self.calls.append("destroy")
        for process in self.processes:
            await process.kill()
        self.listeners["runtime"].close()
        if not self.died.done():
            self.died.set_result(None)
            self._driver.alive.discard(self.environment_id)


class FakeDriver:
    """See Driver. `scripts[n]` is run by the n-th spawn, the last one by all further."""

    name = "fake"
    notice = ""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = scripts or (echo,)
        self.extensions: dict[str, Script] = {}
        """By the names of their files."""
        self.spawned = 0
        """Runtimes, without extensions."""
        self.order: list[str] = []
        self.spawn_errors: dict[str, str] = {}
        self.sandboxes: list[FakeSandbox] = []
        self.alive: set[str] = set()
        self.no_images = ""
        self.create_error = ""
        self.spawn_error = ""
        self.creating = 0
        self.most_creating = 0
        self.gate: asyncio.Event | None = None
        """Holds `create` back until it is set."""

    @property
    def remaining(self) -> int:
        """See Driver."""
        return len(self.alive)

    async def start(self) -> None:
        """See Driver."""

    async def stop(self) -> None:
        """See Driver."""

    async def warm(self, spec: SandboxSpec) -> None:
        """See Driver."""

    async def create(self, spec: SandboxSpec) -> FakeSandbox:
        """See Driver."""
        if self.create_error:
            raise SandboxError(self.create_error)
        self.creating += 1
        self.most_creating = max(self.most_creating, self.creating)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.creating -= 1
        sandbox = FakeSandbox(spec, self)
        self.sandboxes.append(sandbox)
        self.alive.add(spec.environment_id)
        return sandbox

    def zygote_runs(self, python: Path) -> bool:
        """See Driver."""
        return False

    def takes_images(self) -> str:
        """See Driver."""
        return self.no_images

    def takes_snapshots(self) -> str:
        """See Driver."""
        return "the fake cannot"

    def capabilities(self) -> Capabilities:
        """See Driver."""
        return Capabilities(driver=self.name, promises=())


class MemoryLog:
    """A LogSink that keeps what it gets, by stream."""

    def __init__(self) -> None:
        self.streams: dict[str, list[LogEvent]] = {}

    def append(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        """See LogSink."""
        self.streams.setdefault(log_stream, []).extend(events)

    @property
    def messages(self) -> list[str]:
        """The messages of all streams."""
        return [message for events in self.streams.values() for _, message in events]


class FixedCredentials:
    """A CredentialSource."""

    def __init__(self) -> None:
        self.expires_at = 2e9
        self.ended: list[str] = []
        self.alive: set[str] = set()
        self.gate: asyncio.Event | None = None
        """Holds `issue` back until it is set."""

    async def issue(self, function: FunctionVersion, environment_id: str) -> EnvironmentCredentials:
        """See CredentialSource. Once begun it comes to its end: a commit is not taken back."""
        if self.gate is not None:
            while not self.gate.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await self.gate.wait()
        self.alive.add(environment_id)
        return EnvironmentCredentials(
            access_key_id="ASIAEXAMPLE", secret_access_key="secret", session_token="token", expires_at=self.expires_at
        )

    async def end(self, environment_id: str) -> None:
        """See CredentialSource."""
        self.ended.append(environment_id)
        self.alive.discard(environment_id)


class ClosedDoor:
    """A FrontDoor that remembers what it serves."""

    def __init__(self) -> None:
        self.served: set[str] = set()

    def adopt(self, listener: socket.socket, environment_id: str, *, tls: bool) -> None:
        """See FrontDoor."""
        self.served.add(environment_id)

    def accept(self, connection: socket.socket, environment_id: str, *, tls: bool) -> None:
        """See FrontDoor."""
        connection.close()

    def release(self, environment_id: str) -> None:
        """See FrontDoor."""
        self.served.discard(environment_id)


@dataclass
class Causes:
    """A CauseBook that keeps the order of phases."""

    phases: list[Cause | None] = field(default_factory=list)
    invocations: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def set_phase(self, environment_id: str, cause: Cause | None) -> None:
        """See CauseBook."""
        self.phases.append(cause)

    def invoked(self, invocation: Invocation, environment_id: str) -> None:
        """See CauseBook."""
        self.invocations.append(invocation.request_id)

    def failed(self, invocation: Invocation, environment_id: str, error_type: str) -> None:
        """See CauseBook."""
        self.errors.append((invocation.request_id, error_type))


class FakeRuntimes(Runtimes):
    """Plans without looking at this machine."""

    def __init__(self, plan: RuntimePlan | None = None) -> None:
        self._plan = plan or RuntimePlan(program="{task}/bootstrap", telemetry=True, version_label="fake:1")

    def plan(self, function: FunctionVersion) -> RuntimePlan:
        """See Runtimes."""
        return self._plan


@dataclass
class Bench:
    """A pool on a fake driver, and everything that it talks to."""

    driver: FakeDriver
    pool: Pool
    log: MemoryLog
    causes: Causes
    door: ClosedDoor
    clock: FakeClock

    def invocation(self, payload: bytes = b"{}", *, request_id: str = "r-1", **function: object) -> Invocation:
        """An invocation of the function `f`, synchronous."""
        version = a_function(**function)
        return Invocation(request_id=request_id, function=version, payload=payload, invoked_arn=version.arn)


def bench(
    tmp_path: Path,
    *scripts: Script,
    limits: Limits | None = None,
    idle_timeout_s: float = 600.0,
    plan: RuntimePlan | None = None,
    traces: TraceSink | None = None,
) -> Bench:
    """Start the pool yourself; stop it at the end of the test."""
    driver, log, causes, door, clock = FakeDriver(*scripts), MemoryLog(), Causes(), ClosedDoor(), FakeClock()
    parts = PoolParts(
        driver=driver,
        runtimes=FakeRuntimes(plan),
        logs=log,
        credentials=FixedCredentials(),
        front_door=door,
        causes=causes,
        host_clock=HostClock(),
        platform_clock=clock,
        ids=CountingIds(),
        config=Config(data_dir=tmp_path, idle_timeout_s=idle_timeout_s),
        limits=limits or Limits(inits=4, memory_mb=4096),
        traces=traces,
    )
    return Bench(driver=driver, pool=Pool(parts), log=log, causes=causes, door=door, clock=clock)


def a_function(**changes: object) -> FunctionVersion:
    """The function `f` with defaults."""
    name = str(changes.pop("name", "f"))
    values: dict[str, object] = {
        "arn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        "name": name,
        "version": "$LATEST",
        "revision": "1",
        "account_id": DEFAULT_ACCOUNT,
        "region": Region("us-east-1"),
        "runtime": "provided.al2023",
        "handler": "app.handler",
        "code_dir": Path("/nonexistent"),
        "role_arn": "arn:aws:iam::000000000000:role/r",
        "log_group": f"/aws/lambda/{name}",
        **changes,
    }
    return FunctionVersion(**values)  # type: ignore[arg-type]


def answer(result: bytes) -> object:
    """The parsed payload."""
    return json.loads(result)
