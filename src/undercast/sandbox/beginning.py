"""How an execution environment begins: by INIT, by a suppressed INIT inside an invocation, or from a snapshot.

Runs one at a time, moves the environment's state through the table in `lifecycle`, and keeps what the next invocation
reports of it. What follows from a failure is the environment's business.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle" (Init and Restore phases).
"""

import asyncio
import math
from typing import NamedTuple, Protocol

from undercast.core.clock import HostClock
from undercast.sandbox import errors
from undercast.sandbox.driver import Sandbox, SandboxError
from undercast.sandbox.extensions import Extensions
from undercast.sandbox.gorpc.client import meet
from undercast.sandbox.initialisation import Initialisation, Problem
from undercast.sandbox.lifecycle import Event, State, accepts, step
from undercast.sandbox.logs import Restored
from undercast.sandbox.platform_events import Phase
from undercast.sandbox.processes import Processes, RuntimeProcess
from undercast.sandbox.reporting import Reporter, error_type_of
from undercast.sandbox.runtime_api import RuntimeApi, RuntimeState
from undercast.sandbox.snapstart import GO_ON, PAUSE, RESTORE_TIMEOUT_S, InitFailed, refreshed, restore_failure


class Begun(Protocol):
    """The environment, as far as its beginning goes."""

    state: State


class Inside(NamedTuple):
    """What is in an environment and begins with it."""

    sandbox: Sandbox
    launch: RuntimeProcess
    api: RuntimeApi
    processes: Processes
    extensions: Extensions
    reporter: Reporter


class Beginning:
    """See the module. `duration_ms` and `restored` are taken by the first invocation behind it."""

    def __init__(self, environment: Begun, inside: Inside, clock: HostClock) -> None:
        self._environment = environment
        self._inside = inside
        self._clock = clock
        self.running: Initialisation | None = None
        self.duration_ms: float | None = None
        """Of INIT."""
        self.restored: Restored | None = None
        self._takes_snapshot = False
        self._loaded_at = 0.0
        """When a restored runtime began its part of the restore."""

    async def initialise(self, limit_s: float, phase: Phase) -> Problem | None:
        """Run INIT and wait for its end. None when it succeeded, else what went wrong."""
        environment, inside = self._environment, self._inside
        environment.state = step(environment.state, Event.START)
        inside.reporter.init_started(inside.launch, phase)
        began = self._clock.monotonic()
        debugger = inside.launch.debugger
        limit = debugger.limit if debugger is not None else asyncio.timeout
        init = self.running = Initialisation(inside.processes, inside.extensions, self._on_over, limit)
        meeting = meet(inside.sandbox, inside.api, inside.processes) if inside.launch.go1x else None
        try:
            problem = await init.run(tuple(inside.launch.extensions), limit_s, meeting)
        finally:
            self.running = None
        self.duration_ms = took_ms = (self._clock.monotonic() - began) * 1000
        problem = self._ended(problem)
        if problem is not None and accepts(environment.state, Event.FAIL):
            environment.state = step(environment.state, Event.FAIL)
        inside.reporter.init_ended(inside.extensions, problem, took_ms, phase)
        return problem

    async def snapshot(self, limit_s: float) -> int:
        """Run INIT to its snapshot, whose descriptor this is.

        Raises InitFailed, and SandboxError with the reason why there is none.
        """
        self._takes_snapshot = True
        problem = await self.initialise(limit_s, "init")
        if problem is not None:
            raise InitFailed(error_type_of(problem))
        api = self._inside.api
        if api.state is not RuntimeState.RESTORE_READY:
            raise SandboxError("its runtime does not wait for the restore")
        api.restore(PAUSE, again=True)
        return await self._inside.sandbox.snapshot()

    async def restore(self, image: int) -> None:
        """In place of INIT. Raises the error of the invocation that waits for it, or SandboxError."""
        environment, inside = self._environment, self._inside
        environment.state = step(environment.state, Event.START)
        inside.reporter.restore_started(inside.launch)
        began = self._loaded_at = self._clock.monotonic()
        init = self.running = Initialisation(inside.processes, inside.extensions, self._on_over, image=image)
        try:
            problem = await init.run((), RESTORE_TIMEOUT_S)
        finally:
            self.running = None
        now = self._clock.monotonic()
        problem = self._ended(problem)
        inside.reporter.restore_ended(problem, (now - began) * 1000)
        if problem is not None:
            raise restore_failure(problem)
        self.restored = Restored((now - began) * 1000, math.ceil((now - self._loaded_at) * 1000))

    def _ended(self, problem: Problem | None) -> Problem | None:
        if problem is None and self._environment.state is not State.READY:
            return errors.exited(None, None)  # it ended in the same moment
        return problem

    def on_restore_next(self) -> None:
        """The runtime of a SnapStart function waits: for its snapshot, or for what is its environment's own."""
        launch = self._inside.launch
        self._loaded_at = self._clock.monotonic()
        if self._takes_snapshot:
            if self.running is not None:
                self.running.runtime_asked()
        elif launch.image is not None and launch.spec is not None:
            self._inside.api.restore(refreshed(launch.spec.environment))
        else:
            self._inside.api.restore(GO_ON)

    def _on_over(self) -> None:
        self.running = None
        self._environment.state = step(self._environment.state, Event.SETTLE)
        if self._inside.launch.debugger is None:  # a debugger on a twentieth of a CPU is of no use
            self._inside.sandbox.end_init()
