"""Makes an execution environment: plan, credentials, sandbox, and the listeners that serve it.

Nothing is left when a step fails. What listens inside a sandbox is told apart by name in `Sandbox.listeners`.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle", INIT phase.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import NamedTuple

from undercast.core.clock import Clock
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.sandbox.debugging.programs import MEMORY_MB
from undercast.sandbox.debugging.registry import Debugging
from undercast.sandbox.driver import Driver, Prestart, ProcessSpec, Sandbox, SandboxSpec
from undercast.sandbox.environment import Environment, Watchers
from undercast.sandbox.extension_files import FOLDER, extensions_of
from undercast.sandbox.logs import EnvironmentLog
from undercast.sandbox.model import (
    CredentialSource,
    EnvironmentCredentials,
    FrontDoor,
    FunctionVersion,
    LogSink,
    TraceSink,
)
from undercast.sandbox.outbound import Outbound
from undercast.sandbox.platform_events import InitType
from undercast.sandbox.processes import RuntimeProcess
from undercast.sandbox.releases import release_of
from undercast.sandbox.rootfs import IMAGE_CA_BUNDLE, hidden_place
from undercast.sandbox.runtimes.lang import programs
from undercast.sandbox.runtimes.plan import PreparedPython, RuntimePlan, expand, invalid_runtime
from undercast.sandbox.variables import Roots, Surroundings, extension_variables, startup_variables, variables
from undercast.sandbox.xray_daemon import XRayDaemon

_LAST_HOUR_S = 3600.0
"""An environment whose session ends sooner than this is not used again: an invocation and its calls take minutes."""
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where a namespace sandbox has the system's roots and the local CA."""


@record
class Site:
    """What all environments of a platform have in common."""

    front_door_port: int
    forward_ports: tuple[int, ...] = ()
    ca_bundle: Path | None = None


class _Given(NamedTuple):
    """What one environment has that others of its function have not."""

    credentials: EnvironmentCredentials
    log_stream: str
    initialization_type: str


@record
class Start:
    """How an environment is to begin."""

    init_type: InitType = "on-demand"
    provisioned: bool = False
    """Initialised before anybody called, and kept."""
    image: int | None = None
    """Of the snapshot that it is restored from."""
    notice: str = ""
    """For the function's log."""


ON_DEMAND = Start()


@record
class Creation:
    """Makes environments. One per platform."""

    driver: Driver
    logs: LogSink
    credentials: CredentialSource
    front_door: FrontDoor
    ids: Ids
    platform_clock: Clock
    site: Site
    debugging: Debugging
    traces: TraceSink | None = None
    _daemons: dict[str, XRayDaemon] = field(default_factory=dict)
    _ways_out: dict[str, Outbound] = field(default_factory=dict)
    _unserved: dict[str, asyncio.Handle] = field(default_factory=dict)
    """By environments whose listeners nobody serves yet."""

    async def create(
        self, function: FunctionVersion, plan: RuntimePlan, watchers: Watchers, start: Start = ON_DEMAND
    ) -> Environment:
        """A new environment whose INIT has not begun. Raises SandboxError, or what the credential source raises."""
        if function.container is not None and (unable := self.driver.takes_images()):
            raise invalid_runtime(f"Undercast cannot run {function.name} here: {unable}")
        hidden = "" if self.driver.takes_images() else _hidden(plan)
        environment_id = self.ids.hex(32)
        issuing = asyncio.ensure_future(self.credentials.issue(function, environment_id))
        try:
            sandbox = await self.driver.create(self._spec(function, plan, environment_id))
        except BaseException:
            await asyncio.gather(issuing, return_exceptions=True)  # one that is on its way ends behind `end` else
            await self.credentials.end(environment_id)
            raise
        try:
            issued = await asyncio.shield(issuing)
            log = EnvironmentLog(function, self._stream(function, environment_id), self.logs, self.platform_clock)
            given = _Given(issued, log.stream, start.init_type)
            debugger = self.debugging.watch(function, sandbox)
            runtime = self._process(function, plan, sandbox, given)
            process = RuntimeProcess(
                spec=runtime if plan.fault is None else None,
                fault=plan.fault,
                extensions=self._extensions(function, plan, sandbox, runtime.environment),
                go1x=function.runtime == "go1.x",
                version_label=plan.version_label,
                notice="; ".join(filter(None, (plan.notice, hidden, start.notice))),
                init_type=start.init_type,
                image=start.image,
                debugger=debugger,
                version_arn=f"arn:aws:lambda:{function.region}::runtime:{function.runtime}" if function.runtime else "",
            )
            environment = Environment(function, sandbox, process, log, watchers)
            environment.provisioned = start.provisioned
            left_s = issued.expires_at - watchers.host_clock.now()
            environment.usable_until = issued.expires_at - min(_LAST_HOUR_S, left_s / 2)
            await sandbox.furnished()
            # When its caller next waits, which is for the runtime: until then the kernel keeps who connects.
            loop = asyncio.get_running_loop()
            self._unserved[environment_id] = loop.call_soon(self._serve_soon, environment)
        except BaseException:
            await asyncio.gather(issuing, return_exceptions=True)
            try:
                await self.release(environment_id)
            finally:
                await sandbox.destroy()
            raise
        return environment

    async def warm(self, python: PreparedPython | None) -> None:
        """Get ready for first sandboxes of a Python, or of none. Raises SandboxError."""
        nowhere = Path("/nonexistent")
        spec = SandboxSpec(
            environment_id="",
            code_dir=nowhere,
            front_door_port=self.site.front_door_port,
            ports=self.site.forward_ports,
            ca_bundle=self.site.ca_bundle,
        )
        if python is not None:
            found = python.interpreter
            zygote = found.path if self.driver.zygote_runs(found.path) else None
            spec = replace(
                spec, runtime_dir=python.runtime_dir, lang_dir=python.lang_dir, prefixes=found.prefixes, python=zygote
            )
        await self.driver.warm(spec)

    async def warm_runtime(self, function: FunctionVersion, plan: RuntimePlan) -> None:
        """Have one sandbox with a runtime in it that can become this function's. Raises SandboxError."""
        spec = self._spec(function, plan, "")
        if spec.prestart is not None:
            await self.driver.warm(spec)

    async def release(self, environment_id: str, *, keep_session: bool = False) -> None:
        """Stop serving the listeners of an environment, end its session. Before its sandbox is destroyed.

        Each step is done whatever another raises; where several do, the last has the others as its context.
        """
        self.debugging.forget(environment_id)
        if (unserved := self._unserved.pop(environment_id, None)) is not None:
            unserved.cancel()
        try:
            await self._close_network(environment_id)
        finally:
            if not keep_session:
                await self.credentials.end(environment_id)

    async def _close_network(self, environment_id: str) -> None:
        daemon, way_out = self._daemons.pop(environment_id, None), self._ways_out.pop(environment_id, None)
        try:
            if daemon is not None:
                daemon.close()
        finally:
            try:
                if way_out is not None:
                    await way_out.close()
            finally:
                self.front_door.release(environment_id)

    def _stream(self, function: FunctionVersion, environment_id: str) -> str:
        day = time.strftime("%Y/%m/%d", time.gmtime(self.platform_clock.now()))
        name = function.name if function.has_own_log_group else ""
        return f"{day}/{name}[{function.version}]{environment_id}"

    def _spec(self, function: FunctionVersion, plan: RuntimePlan, environment_id: str) -> SandboxSpec:
        zygote = plan.python if plan.forkable and plan.python and self.driver.zygote_runs(plan.python) else None
        return SandboxSpec(
            environment_id=environment_id,
            code_dir=function.code_dir,
            is_root=function.container is not None,
            runtime_dir=plan.runtime_dir,
            lang_dir=plan.lang_dir,
            layers=function.layers,
            release=release_of(function.runtime),
            prefixes=plan.prefixes,
            python=zygote,
            traces=plan.traces,
            prestart=self._prestart(function, plan),
            memory_mb=function.memory_mb + (MEMORY_MB if function.debug is not None else 0),
            tmp_mb=function.tmp_mb,
            front_door_port=self.site.front_door_port,
            ports=self.site.forward_ports,
            ca_bundle=self.site.ca_bundle,
        )

    def _prestart(self, function: FunctionVersion, plan: RuntimePlan) -> Prestart | None:
        """A runtime that was started ahead fits where nothing that it reads at its start is the function's own."""
        startup = startup_variables(function, "" if self.site.ca_bundle is None else CA_BUNDLE)
        if not plan.prestart or startup is None or function.debug is not None:
            return None
        command = plan.argv(Roots())
        return Prestart(command=command, options=plan.prestart, environment=tuple(sorted(startup.items())))

    def _serve_soon(self, environment: Environment) -> None:
        del self._unserved[environment.id]
        try:
            self._serve_network(environment.function, environment.sandbox)
        except BaseException as error:
            # Its function would wait for ever for what nobody serves.
            environment.give_up(f"its network cannot be served: {error}")
            raise

    def _serve_network(self, function: FunctionVersion, sandbox: Sandbox) -> None:
        """The front door on its port, names, 80, 443 and the forwarded ports where the driver has them; X-Ray."""
        front = sandbox.listeners.get("front")
        if front is not None:
            self.front_door.adopt(front, sandbox.environment_id, tls=False)
        if "dns" in sandbox.listeners:
            way_out = self._ways_out[sandbox.environment_id] = Outbound(
                lambda connection, tls: self.front_door.accept(connection, sandbox.environment_id, tls=tls),
                self.site.front_door_port,
            )
            way_out.start(sandbox.listeners)
        if self.traces is not None:
            self._daemons[sandbox.environment_id] = XRayDaemon(function, self.traces, sandbox.listeners)

    def _process(self, function: FunctionVersion, plan: RuntimePlan, sandbox: Sandbox, given: _Given) -> ProcessSpec:
        roots = Roots(
            task=sandbox.code_root,
            opt=sandbox.opt_root,
            tmp=sandbox.tmp_root,
            runtime=sandbox.runtime_root,
            lang=sandbox.lang_root,
        )
        surroundings = Surroundings(
            runtime_api=sandbox.runtime_api,
            xray_daemon=sandbox.xray_daemon,
            log_stream=given.log_stream,
            initialization_type=given.initialization_type,
            endpoint_url=f"http://localhost:{self.site.front_door_port}",
            ca_bundle=self._bundle_path(function, sandbox),
            roots=roots,
            rpc_port=sandbox.rpc_port if function.runtime == "go1.x" else 0,
            execution_env=plan.execution_env,
            image_variables=None if function.container is None else function.container.environment,
            runtime_variables={name: expand(value, roots) for name, value in plan.variables.items()},
        )
        return ProcessSpec(
            argv=plan.argv(roots),
            environment=variables(function, given.credentials, surroundings),
            cwd=plan.cwd or roots.task,
            zygote=bool(plan.forkable and plan.python and self.driver.zygote_runs(plan.python)),
            telemetry=plan.telemetry,
        )

    def _extensions(
        self, function: FunctionVersion, plan: RuntimePlan, sandbox: Sandbox, variables: Mapping[str, str]
    ) -> dict[str, ProcessSpec]:
        names = extensions_of(function)
        if not names:
            return {}
        environment = extension_variables(variables, function, plan.variables)
        folder = f"{sandbox.opt_root}/{FOLDER}"
        return {name: ProcessSpec(argv=(f"{folder}/{name}",), environment=environment, cwd="/") for name in names}

    def _bundle_path(self, function: FunctionVersion, sandbox: Sandbox) -> str:
        """A sandbox with a root file system of its own has the bundle at the usual place."""
        if self.site.ca_bundle is None:
            return ""
        if function.container is not None:
            return IMAGE_CA_BUNDLE
        return CA_BUNDLE if sandbox.code_root == Roots().task else str(self.site.ca_bundle)


def _hidden(plan: RuntimePlan) -> str:
    """What the function's log should say of an SDK that its sandbox's own /tmp covers. Raises for the interpreter."""
    for prefix in plan.prefixes:
        if reason := hidden_place(prefix):
            words = [Path(word) for word in plan.argv(Roots())]
            if plan.lang_dir is not None:
                words += [link.resolve() for link in programs(plan.lang_dir).iterdir()]
            if any(word.is_relative_to(prefix) for word in words):
                raise invalid_runtime(reason)
            return reason
    return ""
