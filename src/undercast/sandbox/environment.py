"""One execution environment: makes its sandbox, runs INIT and invocations, resets after failures.

Driven by callbacks (the Runtime API, process exits, the deadline), so that a warm invoke costs no task of its own.
Every step goes through the table in `lifecycle`. Durations and deadlines are the host clock's.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
import math
import signal
from dataclasses import dataclass
from typing import Protocol

from undercast.core.clock import Clock, HostClock
from undercast.core.context import Cause, CauseKind
from undercast.core.deadline import Deadline
from undercast.sandbox import errors
from undercast.sandbox.driver import ExitStatus, Sandbox, SandboxError, SandboxProcess
from undercast.sandbox.errors import Fault
from undercast.sandbox.lifecycle import Event, State, accepts, step
from undercast.sandbox.log_pipes import LogFlow
from undercast.sandbox.logs import EnvironmentLog, end_line, init_report_line, init_start_line, start_line
from undercast.sandbox.model import CauseBook, FunctionVersion, Invocation, InvocationResult
from undercast.sandbox.processes import Processes, RuntimeProcess, start_processes
from undercast.sandbox.run import TIMED_OUT, Run
from undercast.sandbox.runtime_api import RuntimeApi
from undercast.sandbox.runtime_connection import Answer

INIT_TIMEOUT_S = 10.0
"""Lambda Developer Guide: INIT is limited to 10 s; then it is retried inside the first invoke."""
PROVISIONED_INIT_TIMEOUT_S = 130.0
"""Or the function's timeout, whichever is longer."""
_EXIT_GRACE_S = 0.05
"""How long the last words of a dead runtime may take from its socket to us."""
_KILL_TIMEOUT_S = 5.0
_MEMORY_SAMPLE_S = 0.1
_MIB = 1024 * 1024


class Owner(Protocol):
    """Whoever keeps the environment; told synchronously."""

    def on_idle(self, environment: "Environment") -> None:
        """It can take an invocation."""
        ...

    def on_gone(self, environment: "Environment") -> None:
        """Its sandbox died: it can never take one again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchers:
    """Who is told what the environment does, and the clocks."""

    causes: CauseBook
    host_clock: HostClock
    platform_clock: Clock
    flow: LogFlow
    owner: Owner


class Environment:
    """See the module. Only its owner calls `start`, `begin`, `freeze` and `destroy`."""

    def __init__(
        self,
        function: FunctionVersion,
        sandbox: Sandbox,
        runtime: RuntimeProcess,
        log: EnvironmentLog,
        watchers: Watchers,
    ) -> None:
        self.id = sandbox.environment_id
        self.function = function
        self.sandbox = sandbox
        self.log = log
        self.state = State.CREATING
        self.idle_since = 0.0
        self.usable_until = math.inf
        """Host-clock seconds: then its credentials are about to end, and it takes no further invocation."""
        self.provisioned = False
        """Initialised before anybody called: its INIT may take longer and is in no invocation's report."""
        self.max_memory_mb = 0
        self._watchers = watchers
        self._clock = watchers.host_clock
        self._loop = asyncio.get_running_loop()
        self._api = RuntimeApi(self)
        self._server: asyncio.Server | None = None
        self._runtime = runtime
        self._processes: Processes | None = None
        self._init: asyncio.Future[Answer | Fault | None] | None = None
        self._init_duration_ms: float | None = None
        self._init_ended = False
        self._run: Run | None = None
        self._unreported: Run | None = None
        """Is over, but END and REPORT wait for a next event that is at hand: they delay nobody."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sampled_at = 0.0
        self._oom_kills = 0
        self._deadline = Deadline(self._loop, self._on_deadline)
        self._causes = watchers.causes
        self._background = Cause(kind="background", id=self.id, environment_id=self.id)

    async def start(self) -> None:
        """Run INIT. Afterwards the environment is idle: READY, or STALE when INIT failed. Raises SandboxError."""
        self.sandbox.died.add_done_callback(lambda _: self._on_died())
        self._server = await self._loop.create_server(self._api.connection, sock=self.sandbox.listeners["runtime"])
        self._set_phase("init", self.id)
        self.log.hold(init_start_line(self._runtime.version_label, self._runtime.version_arn))
        if self._runtime.notice:
            self.log.hold(f"undercast: {self._runtime.notice}\n")
        began = self._clock.monotonic()
        limit_s = max(PROVISIONED_INIT_TIMEOUT_S, self.function.timeout_s) if self.provisioned else INIT_TIMEOUT_S
        problem = await self._initialise(limit_s)
        if self.state is State.GONE:
            raise SandboxError("the sandbox died during INIT")
        took_ms = (self._clock.monotonic() - began) * 1000
        if problem is not None:
            self._report_init(problem, took_ms, "init")
            await self._clear()
        elif self.state is State.READY:
            self._init_duration_ms = None if self.provisioned else took_ms
            self._became_idle()

    def begin(self, invocation: Invocation, outcome: "asyncio.Future[InvocationResult]") -> None:
        """Take an invocation; the environment must be idle. The outcome is set when the answer is there."""
        if invocation.tail_log:
            self._report_last()
            self.log.begin_tail()
        if self.state is State.STALE:
            self._spawn_task(self._begin_with_init(invocation, outcome))
        else:
            self._hand_over(self._new_run(invocation, outcome))

    def freeze(self) -> None:
        """Stop the processes until the next invocation."""
        if self.state is State.READY:
            self._report_last()
            self.state = step(self.state, Event.FREEZE)
            self.sandbox.freeze()

    async def destroy(self) -> None:
        """Without extensions SHUTDOWN has 0 ms: the processes are killed and nothing is left."""
        if not accepts(self.state, Event.DESTROY):
            return
        self._report_last()
        self.state = step(self.state, Event.DESTROY)
        run, self._run = self._run, None
        if run is not None:
            run.abandon("The execution environment was shut down")
        for task in tuple(self._tasks):
            task.cancel()
        self._close()
        await self.sandbox.destroy()

    # INIT

    async def _initialise(self, timeout_s: float) -> Answer | Fault | None:
        """Start the runtime and wait until it asks for an event. None when it did, else what went wrong."""
        self.state = step(self.state, Event.START)
        self._init = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout_s):
                fault = await self._start_runtime()
                problem = fault or await self._init
        except TimeoutError:
            problem = errors.timed_out(timeout_s)
        finally:
            self._init = None
        if problem is not None and accepts(self.state, Event.FAIL):
            self.state = step(self.state, Event.FAIL)
        return problem

    async def _start_runtime(self) -> Fault | None:
        started = await start_processes(self.sandbox, self._runtime, self.log.write, self._watchers.flow)
        if isinstance(started, Fault):
            return started
        self._processes = started
        process = started.runtime
        process.exited.add_done_callback(lambda done: self._on_exit(process, done))
        return None

    def _init_over(self, problem: Answer | Fault | None) -> None:
        if self._init is not None and not self._init.done():
            if problem is None:
                self.state = step(self.state, Event.SETTLE)
                if not self._init_ended:
                    self._init_ended = True
                    self.sandbox.end_init()
            self._init.set_result(problem)

    def _report_init(self, problem: Answer | Fault, took_ms: float, phase: str) -> None:
        status = "timeout" if _error_type(problem) == TIMED_OUT else "error"
        error_type = "" if status == "timeout" else _error_type(problem)
        self.log.write([*self._drain(), init_report_line(took_ms, phase, status, error_type)])

    async def _begin_with_init(self, invocation: Invocation, outcome: "asyncio.Future[InvocationResult]") -> None:
        """A suppressed INIT: no Init Duration, its time is the invocation's, its limit is the function's timeout."""
        run = self._run = self._new_run(invocation, outcome)
        self._set_phase("invocation", invocation.request_id)
        # At the share of 128 MB an import of the SDK takes longer than the default timeout: it would never end.
        self.sandbox.begin_init()
        self._init_ended = False
        problem = await self._initialise(float(self.function.timeout_s))
        if self.state is State.GONE:
            return
        took_ms = (self._clock.monotonic() - run.began) * 1000
        if problem is None and self.state is State.READY:
            self._hand_over(run)
            return
        problem = problem or errors.exited(None, None)
        self._report_init(problem, took_ms, "invoke")
        self.log.hold(start_line(invocation.request_id, self.function.version))
        self._watchers.causes.invoked(invocation, self.id)
        if isinstance(problem, Answer):
            run.answer = problem
        else:
            run.fault = problem
        self._conclude_failed(run)

    # INVOKE

    def _new_run(self, invocation: Invocation, outcome: "asyncio.Future[InvocationResult]") -> Run:
        deadline_ms = int((self._clock.now() + self.function.timeout_s) * 1000)
        return Run(invocation=invocation, outcome=outcome, began=self._clock.monotonic(), deadline_ms=deadline_ms)

    def _hand_over(self, run: Run) -> None:
        """Give the event to the waiting runtime first; the bookkeeping hides behind the function's own work."""
        if self.state is State.FROZEN:
            self.sandbox.thaw()
        self.state = step(self.state, Event.INVOKE)
        invocation = run.invocation
        self._run = run
        # What the pipes hold now is the last invocation's: the runtime writes for this one as soon as it has the event.
        last_lines = self._drain() if self._unreported is not None else []
        self._api.offer(run.event)
        self._report_last(last_lines)
        left_s = self.function.timeout_s - (self._clock.monotonic() - run.began)
        self._deadline.arm(max(left_s, 0.0))
        run.init_duration_ms, self._init_duration_ms = self._init_duration_ms, None
        self._set_phase("invocation", invocation.request_id)
        self._watchers.causes.invoked(invocation, self.id)
        self.log.hold(start_line(invocation.request_id, self.function.version))

    def on_next(self) -> None:
        """See RuntimeEvents."""
        if self.state is State.INIT:
            self._init_over(None)
        elif self.state is State.ANSWERED and self._run is not None:
            run, self._run = self._run, None
            self._deadline.lift()
            self.state = step(self.state, Event.SETTLE)
            run.duration_ms = (self._clock.monotonic() - run.began) * 1000
            self._unreported = run
            if run.invocation.tail_log:
                self._report_last()
            else:
                # Behind the first step of whatever came from the sockets together with this `next`.
                self._loop.call_soon(self._report_soon)
            self._causes.set_phase(self.id, self._background)
            self._became_idle()

    def on_response(self, answer: Answer) -> None:
        """See RuntimeEvents."""
        run = self._run
        if run is None or self.state is not State.INVOKE:
            return
        self.state = step(self.state, Event.ANSWER)
        run.duration_ms = (self._clock.monotonic() - run.began) * 1000
        run.answer = answer
        if answer.too_large:
            run.fault = errors.response_too_large()
        if not run.invocation.tail_log:
            self._resolve(run)
        self._set_phase("post-response", run.invocation.request_id)

    def on_init_error(self, answer: Answer) -> None:
        """See RuntimeEvents."""
        self._init_over(answer)

    def on_truncated(self) -> None:
        """See RuntimeEvents."""
        if self._run is not None and self.state is State.INVOKE:
            self._spawn_task(self._after_truncation(self._run))

    async def _after_truncation(self, run: Run) -> None:
        """A runtime that is dying truncates too: then its exit is the better answer."""
        process = self._processes.runtime if self._processes is not None else None
        if process is not None:
            await asyncio.wait((process.exited,), timeout=_EXIT_GRACE_S)
        if self._run is run and self.state is State.INVOKE and not (process and process.exited.done()):
            run.fault = errors.truncated_response()
            self._fail(run)

    def _on_deadline(self) -> None:
        run = self._run
        if run is None:
            return
        timeout = errors.timed_out(self.function.timeout_s)
        if self.state is State.INVOKE:
            run.fault = timeout
            self._fail(run)
        elif self.state is State.ANSWERED:
            self._fail(run, after_answer=timeout)

    def _on_exit(self, process: SandboxProcess, done: "asyncio.Future[ExitStatus]") -> None:
        if self._processes is None or self._processes.runtime is not process or done.cancelled():
            return
        status = done.result()
        self._spawn_task(self._after_exit(process, errors.exited(status.code, status.signal)))

    async def _after_exit(self, process: SandboxProcess, fault: Fault) -> None:
        """The runtime is dead; what it said before may still be in its socket, and counts."""
        await self._api.closed(_EXIT_GRACE_S)
        if self._processes is None or self._processes.runtime is not process:
            return
        if self.state is State.INIT:
            self._init_over(fault)
        elif self.state is State.INVOKE and self._run is not None:
            self._run.fault = fault
            self._fail(self._run)
        elif self.state is State.ANSWERED and self._run is not None:
            self._fail(self._run, after_answer=fault)
        elif self.state in (State.READY, State.FROZEN):
            self._report_last()
            self.state = step(self.state, Event.FAIL)
            self.log.write(self._drain())
            await self._clear()

    # Failure

    def _fail(self, run: Run, after_answer: Fault | None = None) -> None:
        """End an invocation without an answer, or one whose runtime failed behind its answer."""
        self.state = step(self.state, Event.FAIL)
        self._conclude_failed(run, after_answer)

    def _conclude_failed(self, run: Run, after_answer: Fault | None = None) -> None:
        self._run = None
        self._deadline.lift()
        fault = after_answer or run.fault
        error_type = fault.error_type if fault is not None else _error_type(run.answer)
        run.duration_ms = (self._clock.monotonic() - run.began) * 1000
        if error_type == TIMED_OUT:
            run.duration_ms = self.function.timeout_s * 1000.0
        self._sample_memory(now=True)
        lines = self._drain()
        if fault is not None:
            lines.append(run.failure_line(fault, self._watchers.platform_clock.now()))
        if fault is not None and self._ran_out_of_memory(fault):
            error_type = "Runtime.OutOfMemory"
            self.max_memory_mb = self.function.memory_mb
        self._write_report(run, lines, error_type)
        self._spawn_task(self._clear())

    def _ran_out_of_memory(self, fault: Fault) -> bool:
        if fault != errors.exited(None, signal.SIGKILL):
            return False
        before, self._oom_kills = self._oom_kills, self.sandbox.memory().oom_kills
        return self._oom_kills > before

    async def _clear(self) -> None:
        """AWS's reset: every process is killed; /tmp and the log stream stay, the environment is kept."""
        if self.state is not State.RESET:
            return
        try:
            async with asyncio.timeout(_KILL_TIMEOUT_S):
                await self.sandbox.kill_processes()
        except (TimeoutError, SandboxError):
            self._on_died()
            return
        if self.state is not State.RESET:
            return
        self._close_processes()
        self._api.restart()
        self.state = step(self.state, Event.CLEAR)
        self._init_duration_ms = None
        self._became_idle()

    def _on_died(self) -> None:
        """The sandbox is gone without our doing."""
        if not accepts(self.state, Event.DESTROY):
            return
        run = self._run
        self._report_last()
        self.state = step(self.state, Event.DESTROY)
        if self._init is not None and not self._init.done():
            self._init.set_result(errors.exited(None, signal.SIGKILL))
        if run is not None:
            run.fault = errors.exited(None, signal.SIGKILL)
            self._run = None
            self._resolve(run)
        self._close()
        self._watchers.owner.on_gone(self)

    # Shared

    def _resolve(self, run: Run) -> None:
        tail = self.log.take_tail() if run.invocation.tail_log and not run.outcome.done() else b""
        run.resolve(self.id, self.max_memory_mb, tail)

    def _report_soon(self) -> None:
        self._loop.call_soon(self._report_last)

    def _report_last(self, lines: list[str] | None = None) -> None:
        run, self._unreported = self._unreported, None
        if run is not None:
            self._sample_memory()
            self._write_report(run, self._drain() if lines is None else lines)

    def _write_report(self, run: Run, lines: list[str], error_type: str = "") -> None:
        report = run.report(self.max_memory_mb, error_type)
        self.log.write([*lines, end_line(run.request_id), report.line()])
        self._resolve(run)

    def _drain(self) -> list[str]:
        return self._processes.drain() if self._processes is not None else []

    def _sample_memory(self, *, now: bool = False) -> None:
        """Max Memory Used counts over all invokes. The driver samples by itself; this is for the last moment."""
        moment = self._clock.monotonic()
        if not now and self._sampled_at and moment - self._sampled_at < _MEMORY_SAMPLE_S:
            return
        self._sampled_at = moment
        used_mb = -(-self.sandbox.memory().peak_bytes // _MIB)
        self.max_memory_mb = min(max(self.max_memory_mb, used_mb), self.function.memory_mb)

    def _became_idle(self) -> None:
        self.idle_since = self._clock.monotonic()
        self._watchers.owner.on_idle(self)

    def _set_phase(self, kind: CauseKind, cause_id: str) -> None:
        self._causes.set_phase(self.id, Cause(kind=kind, id=cause_id, environment_id=self.id))

    def _spawn_task(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        """A defect of ours must not leave an invocation waiting for ever: the environment is given up."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": f"environment {self.id} failed", "exception": error})
            self._on_died()

    def _close_processes(self) -> None:
        processes, self._processes = self._processes, None
        if processes is not None:
            processes.close()

    def _close(self) -> None:
        self._close_processes()
        self._api.restart()
        if self._server is not None:
            self._server.close()
        self._deadline.cancel()
        self._causes.set_phase(self.id, None)


def _error_type(problem: Answer | Fault | None) -> str:
    if problem is None:
        return "Runtime.Unknown"
    return problem.error_type or "Runtime.Unknown"
