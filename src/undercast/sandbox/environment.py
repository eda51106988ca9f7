"""One execution environment: makes its sandbox, runs INIT and invocations, resets after failures, shuts down.

Driven by callbacks (the APIs inside, process exits, the deadline), so that a warm invoke costs no task of its own.
Every step goes through the table in `lifecycle`. Durations and deadlines are the host clock's.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
import math
import signal
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from undercast.core.clock import Clock, HostClock
from undercast.core.config import Profile
from undercast.core.context import Cause, CauseKind
from undercast.core.deadline import Deadline
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.tasks import Tasks
from undercast.sandbox import errors
from undercast.sandbox.apis import runtime_api
from undercast.sandbox.beginning import Beginning, Inside
from undercast.sandbox.driver import ExitStatus, Sandbox, SandboxError, SandboxProcess
from undercast.sandbox.errors import Fault
from undercast.sandbox.exits import Exits
from undercast.sandbox.extensions import Extensions
from undercast.sandbox.lifecycle import Event, State, accepts, step
from undercast.sandbox.log_pipes import LogFlow
from undercast.sandbox.logs import Billing, EnvironmentLog
from undercast.sandbox.model import CauseBook, FunctionVersion, Invocation, InvocationResult, TraceSink
from undercast.sandbox.processes import Processes, RuntimeProcess
from undercast.sandbox.reporting import Channels, Reporter, error_type_of
from undercast.sandbox.run import TIMED_OUT, Run, begun
from undercast.sandbox.runtime_api import RuntimeState
from undercast.sandbox.runtime_messages import Answer
from undercast.sandbox.shutdown import Reason, reason_of, shut_down
from undercast.sandbox.telemetry import Telemetry
from undercast.sandbox.vigil import Vigil

INIT_TIMEOUT_S = 10.0
"""Lambda Developer Guide: INIT is limited to 10 s; then it is retried inside the first invoke."""
PROVISIONED_INIT_TIMEOUT_S = 130.0
"""Or the function's timeout, whichever is longer."""
_KILL_TIMEOUT_S = 5.0


class Owner(Protocol):
    """Whoever keeps the environment; told synchronously."""

    def on_idle(self, environment: "Environment") -> None:
        """It can take an invocation."""
        ...

    def on_gone(self, environment: "Environment") -> None:
        """Its sandbox died: it can never take one again."""
        ...

    def init_again(self) -> AbstractAsyncContextManager[None]:
        """The time of a suppressed INIT; entering waits until the machine has a processor for it."""
        ...


@record
class Watchers:
    """Who is told what the environment does, the clocks and the ids."""

    causes: CauseBook
    host_clock: HostClock
    platform_clock: Clock
    ids: Ids
    flow: LogFlow
    billing: Billing
    owner: Owner
    cores: int
    """That this process may use."""
    profile: Profile = "current"
    log_payloads: bool = False
    traces: TraceSink | None = None


class Environment:
    """See the module. Only its owner calls `start`, `begin`, `freeze`, `shut_down`, `cut_off` and `destroy`."""

    _why_gone = "the sandbox died during INIT"

    def __init__(
        self,
        function: FunctionVersion,
        sandbox: Sandbox,
        launch: RuntimeProcess,
        log: EnvironmentLog,
        watchers: Watchers,
    ) -> None:
        self.id = sandbox.environment_id
        self.function = function
        self.sandbox = sandbox
        self.state = State.CREATING
        self.idle_since = 0.0
        self.usable_until = math.inf
        """Host-clock seconds: then its credentials are about to end, and it takes no further invocation."""
        self.provisioned = False
        """Initialised before anybody called: its INIT may take longer and is in no invocation's report."""
        self._watchers = watchers
        self._clock = watchers.host_clock
        self._loop = asyncio.get_running_loop()
        self._launch = launch
        self._extensions = Extensions(watchers.ids, self._on_extension_change)
        self._telemetry = Telemetry(sandbox.connect, watchers.platform_clock, is_json=function.logging.is_json)
        self._reporter = Reporter(
            function,
            sandbox,
            Channels(
                log=log,
                telemetry=self._telemetry,
                host_clock=watchers.host_clock,
                platform_clock=watchers.platform_clock,
                billing=watchers.billing,
                causes=watchers.causes,
                traces=watchers.traces,
                log_payloads=watchers.log_payloads,
            ),
        )
        self._api = runtime_api(self, function, self._extensions, self._telemetry, self._reporter.tell)
        self._server: asyncio.Server | None = None
        self._processes = Processes(sandbox, launch, self._reporter, watchers.flow, self._on_exit)
        self._reporter.init_type = launch.init_type
        self._reporter.drain, self._reporter.drain_polled = self._processes.drain, self._processes.drain_polled
        self._exits = Exits(self._api, self._processes, self._extensions)
        self._beginning = Beginning(
            self,
            Inside(sandbox, launch, self._api, self._processes, self._extensions, self._reporter),
            self._clock,
        )
        self._run: Run | None = None
        self._clears = False
        self._polled = True
        """Whether the event loop has looked at the pipes since the runtime asked for its next event."""
        self._vigil = Vigil(self._loop, self._clock, watchers.cores)
        self._tasks = Tasks(self._on_defect)
        debugger = launch.debugger
        self._deadline = (debugger.deadline if debugger else Deadline)(self._loop, self._on_deadline)
        if debugger is not None:
            debugger.on_change = self._on_debugger
        self._causes = watchers.causes
        self._background = Cause(kind="background", id=self.id, environment_id=self.id)

    async def start(self) -> None:
        """Run INIT. Afterwards the environment is idle: READY, or STALE when INIT failed. Raises SandboxError."""
        await self._listen()
        if self._launch.image is not None:
            await self._beginning.restore(self._launch.image)
            self._became_idle()
            return
        problem = await self._beginning.initialise(self._init_limit_s(), "init")
        if self.state is State.GONE:
            raise SandboxError(self._why_gone)
        if problem is not None:
            await self._clear(reason_of(error_type_of(problem)))
        elif self.state is State.READY:
            if self.provisioned:
                self._beginning.duration_ms = None
            self._became_idle()

    async def checkpoint(self) -> int:
        """Run INIT to its snapshot, whose descriptor this is. Then it can only be destroyed.

        Raises InitFailed, and SandboxError with the reason why there is none.
        """
        await self._listen()
        return await self._beginning.snapshot(self._init_limit_s())

    async def _listen(self) -> None:
        self.sandbox.died.add_done_callback(lambda _: self._on_died())
        self._server = await self._loop.create_server(self._api.connection, sock=self.sandbox.listeners["runtime"])
        if self.state is State.GONE:
            self._server.close()
            raise SandboxError(self._why_gone)
        self._set_phase("init", self.id)

    def _init_limit_s(self) -> float:
        # Under a debugger as long as if nobody waited: the debugger's own start is no part of the function's.
        if self._reporter.init_type == "on-demand" and self._launch.debugger is None:
            return INIT_TIMEOUT_S
        return max(PROVISIONED_INIT_TIMEOUT_S, self.function.timeout_s)

    def begin(self, invocation: Invocation, outcome: "asyncio.Future[InvocationResult]") -> None:
        """Take an invocation; the environment must be idle. The outcome is set when the answer is there."""
        if invocation.tail_log:
            self._reporter.tail_begins()
        if self.state is State.STALE:
            run = self._run = begun(invocation, outcome, self._clock, self._watchers.profile)
            self._tasks.spawn(self._begin_with_init(run))
        else:
            self._hand_over(begun(invocation, outcome, self._clock, self._watchers.profile))

    @property
    def runs(self) -> bool:
        """Whether an invocation is under way."""
        return self._run is not None

    def runs_for(self, outcome: "asyncio.Future[InvocationResult]") -> bool:
        """Whether that is of what it runs."""
        return self._run is not None and self._run.outcome is outcome

    def freeze(self) -> None:
        """Stop the processes until the next invocation."""
        if self.state is State.READY and not self.held:
            self._reporter.flush()
            self.state = step(self.state, Event.FREEZE)
            if self._telemetry.active:
                self._telemetry.freeze()
            self.sandbox.freeze()

    def _thaw(self) -> None:
        self.sandbox.thaw()
        if self._telemetry.active:
            self._telemetry.thaw()

    async def shut_down(self) -> None:
        """SHUTDOWN of an environment that is never used again. Its network still serves. At most 2 s."""
        if not accepts(self.state, Event.SHUTDOWN):
            return
        run, self._run = self._run, None
        if run is not None:
            self._end(run)
        self._reporter.flush()
        was_frozen = self.state is State.FROZEN
        self.state = step(self.state, Event.SHUTDOWN)
        if self._extensions:
            if was_frozen:
                self._thaw()
            await self._shut_down_processes(Reason.SPINDOWN)
            self._reporter.last_words()

    async def _shut_down_processes(self, reason: Reason) -> None:
        await shut_down(self._processes, self._extensions, self._telemetry, self._clock, reason)

    async def destroy(self) -> None:
        """The processes are killed and nothing is left."""
        if self.cut_off():
            await self.sandbox.destroy()

    def cut_off(self) -> bool:
        """Take no answer any more and run nothing again; whether it did. The sandbox is still to be destroyed."""
        if not accepts(self.state, Event.DESTROY):
            return False
        self._reporter.flush()
        self.state = step(self.state, Event.DESTROY)
        run, self._run = self._run, None
        if run is not None:
            run.abandon("The execution environment was shut down")
        self._tasks.cancel()
        self._close()
        return True

    # INIT

    def on_restore_next(self) -> None:
        """See RuntimeEvents."""
        self._beginning.on_restore_next()

    async def _begin_with_init(self, run: Run) -> None:
        """A suppressed INIT: no Init Duration, its time is the invocation's, its limit is the function's timeout."""
        async with self._watchers.owner.init_again():
            if self._run is not run:
                return  # the sandbox has died since `begin`, and whoever waits was told
            run.begin_later(self._clock)
            invocation = run.invocation
            self._set_phase("invocation", invocation.request_id)
            # At the share of 128 MB an import of the SDK takes longer than the default timeout: it would never end.
            self.sandbox.begin_init()
            debugged = self._launch.debugger is not None
            limit_s = self._init_limit_s() if debugged else float(self.function.timeout_s)
            problem = await self._beginning.initialise(limit_s, "invoke")
            if debugged:
                run.begin_later(self._clock)
        if self.state is State.GONE:
            return
        self._beginning.duration_ms = None
        if problem is None:
            self._hand_over(run)
            return
        self._reporter.started(run)
        self._watchers.causes.invoked(invocation, self.id)
        if isinstance(problem, Answer):
            run.answer = problem
        else:
            run.fault = problem
        self._conclude_failed(run)

    # Debugging

    @property
    def held(self) -> bool:
        """A debugger is attached: it is neither frozen nor taken away."""
        return self._launch.debugger is not None and self._launch.debugger.attached

    def _on_debugger(self) -> None:
        if self.held and self.state is State.FROZEN:
            self._thaw()
            self.state = step(self.state, Event.THAW)
        elif not self.held:
            self.idle_since = self._clock.monotonic()
            self.freeze()

    # INVOKE

    def _hand_over(self, run: Run) -> None:
        """Give the event to the waiting runtime first; the bookkeeping hides behind the function's own work."""
        was_frozen = self.state is State.FROZEN
        self.state = step(self.state, Event.INVOKE)
        invocation = run.invocation
        self._run = run
        self._reporter.before_event(polled=self._polled)
        self._api.offer(run.event)
        if was_frozen:  # the event first: it is there when the runtime wakes, which then does so once
            self._thaw()
        if self._extensions:
            self._extensions.invoke(run.extension_event)
            run.extended = self._extensions.busy > 0
        self._reporter.started(run)
        left_s = self.function.timeout_s - (self._clock.monotonic() - run.began)
        self._deadline.arm(max(left_s, 0.0))
        beginning = self._beginning
        run.init_duration_ms, beginning.duration_ms = beginning.duration_ms, None
        run.restored, beginning.restored = beginning.restored, None
        self._set_phase("invocation", invocation.request_id)
        self._watchers.causes.invoked(invocation, self.id)
        if invocation.synchronous and not was_frozen:
            self._vigil.begin()

    def on_next(self) -> None:
        """See RuntimeEvents."""
        if (init := self._beginning.running) is not None:
            init.runtime_asked()
        elif self.state is State.ANSWERED:
            if self._run is not None and self._reporter.structured:
                self._reporter.runtime_done(self._run)
            if not self._extensions.busy:
                self._settle()

    def _on_extension_change(self) -> None:
        """All have registered, or asked for what comes next."""
        if (init := self._beginning.running) is not None:
            init.extension_changed()
        elif self.state is State.ANSWERED and self._api.state is RuntimeState.READY:
            self._settle()

    def _settle(self) -> None:
        """The runtime has answered, and everyone has asked for the next event."""
        run, self._run = self._run, None
        if run is None:
            return
        self.state = step(self.state, Event.SETTLE)
        self._end(run)
        if run.invocation.tail_log:
            self._reporter.flush()
        self._polled = False
        # Behind the first step of whatever came from the sockets together with this `next`.
        self._loop.call_soon(self._report_soon)
        self._causes.set_phase(self.id, self._background)
        self._became_idle()

    def _end(self, run: Run) -> None:
        self._deadline.lift()
        run.duration_ms = (self._clock.monotonic() - run.began) * 1000
        self._reporter.ended(run)

    def _report_soon(self) -> None:
        # The round over what was readable has ended; what is called from here comes behind another one.
        self._polled = True
        self._loop.call_soon(self._reporter.flush_polled)

    def on_response(self, answer: Answer) -> None:
        """See RuntimeEvents."""
        run = self._run
        if run is None or self.state is not State.INVOKE:
            return
        self.state = step(self.state, Event.ANSWER)
        run.duration_ms = (self._clock.monotonic() - run.began) * 1000
        run.answered_ms = run.duration_ms
        self._vigil.end(run.answered_ms)
        run.answer = answer
        if answer.too_large:
            run.fault = errors.response_too_large(answer.limit_bytes)
        if not run.invocation.tail_log:
            self._reporter.resolve(run)
        self._set_phase("post-response", run.invocation.request_id)

    def on_init_error(self, answer: Answer) -> None:
        """See RuntimeEvents."""
        if (init := self._beginning.running) is not None:
            init.fail(answer)

    def on_truncated(self) -> None:
        """See RuntimeEvents."""
        if self._run is not None and self.state is State.INVOKE:
            self._tasks.spawn(self._after_truncation(self._run))

    async def _after_truncation(self, run: Run) -> None:
        if await self._exits.runtime_lives() and self._run is run and self.state is State.INVOKE:
            run.fault = errors.truncated_response()
            self._fail(run)

    # Failure

    def _on_deadline(self) -> None:
        if self._run is not None:
            self._fail_with(errors.timed_out(self.function.timeout_s))

    def _on_exit(self, process: SandboxProcess, name: str, status: ExitStatus) -> None:
        self._tasks.spawn(self._after_exit(process, name, status))

    async def _after_exit(self, process: SandboxProcess, name: str, status: ExitStatus) -> None:
        """A process that has to be there is not."""
        fault = await self._exits.fault_of(process, name, status)
        if fault is None:
            return
        if (init := self._beginning.running) is not None:
            init.fail(fault)
        elif self.state in (State.READY, State.FROZEN):
            self._reporter.flush()
            self.state = step(self.state, Event.FAIL)
            await self._clear(Reason.FAILURE)
        else:
            self._fail_with(fault)

    def _fail_with(self, fault: Fault) -> None:
        run = self._run
        if run is None:
            return
        if self.state is State.INVOKE:
            run.fault = fault
            self._fail(run)
        elif self.state is State.ANSWERED:
            self._fail(run, after_answer=fault)

    def _fail(self, run: Run, after_answer: Fault | None = None) -> None:
        """End an invocation without an answer, or one whose runtime failed behind its answer."""
        self.state = step(self.state, Event.FAIL)
        self._conclude_failed(run, after_answer)

    def _conclude_failed(self, run: Run, after_answer: Fault | None = None) -> None:
        self._run = None
        self._deadline.lift()
        fault = after_answer or run.fault
        error_type = error_type_of(fault or run.answer)
        run.duration_ms = (self._clock.monotonic() - run.began) * 1000
        if error_type == TIMED_OUT:
            run.duration_ms = self.function.timeout_s * 1000.0
        self._reporter.failed(run, fault)
        self._tasks.spawn(self._clear(reason_of(error_type)))

    async def _clear(self, reason: Reason) -> None:
        """AWS's reset: SHUTDOWN, every process is killed; /tmp and the log stream stay, the environment is kept."""
        if self.state is not State.RESET or self._clears:
            return  # two reasons at once are one reset
        self._clears = True
        try:
            if self._extensions:
                self._thaw()
                await self._shut_down_processes(reason)
            async with asyncio.timeout(_KILL_TIMEOUT_S):
                await self.sandbox.kill_processes()
        except (TimeoutError, SandboxError):
            self._on_died()
            return
        finally:
            self._clears = False
        if self.state is not State.RESET:
            return
        self._reporter.last_words()
        self._processes.close()
        self._telemetry.close()
        self._api.restart()
        self.state = step(self.state, Event.CLEAR)
        self._beginning.duration_ms = None
        self._became_idle()

    def give_up(self, reason: str) -> None:
        """What it needs is not there: its start fails, and it is never used."""
        self._why_gone = reason
        self._on_died()

    def _on_died(self) -> None:
        """The sandbox is gone without our doing."""
        if not accepts(self.state, Event.DESTROY):
            return
        run, self._run = self._run, None
        self._reporter.flush()
        self.state = step(self.state, Event.DESTROY)
        if (init := self._beginning.running) is not None:
            init.fail(errors.exited(None, signal.SIGKILL))
        if run is not None:
            run.fault = errors.exited(None, signal.SIGKILL)
            self._reporter.resolve(run)
        self._close()
        self._watchers.owner.on_gone(self)

    # Shared

    def _became_idle(self) -> None:
        self.idle_since = self._clock.monotonic()
        self._watchers.owner.on_idle(self)

    def _set_phase(self, kind: CauseKind, cause_id: str) -> None:
        self._causes.set_phase(self.id, Cause(kind=kind, id=cause_id, environment_id=self.id))

    def _on_defect(self, error: BaseException) -> None:
        """A defect of ours must not leave an invocation waiting for ever: the environment is given up."""
        self._loop.call_exception_handler({"message": f"environment {self.id} failed", "exception": error})
        self._on_died()

    def _close(self) -> None:
        self._processes.close()
        self._telemetry.close()
        self._api.restart()
        if self._server is not None:
            self._server.close()
        self._deadline.cancel()
        self._causes.set_phase(self.id, None)
