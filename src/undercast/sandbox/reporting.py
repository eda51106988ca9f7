"""What an execution environment tells of itself: its log, REPORT figures, and the callers' answers with their log tail.

END and REPORT of an invocation wait for a next event that is at hand, so that they delay nobody.
AWS: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs", "Invoke" (LogType).
"""

import signal
from collections.abc import Callable

from undercast.core.clock import HostClock
from undercast.sandbox import errors
from undercast.sandbox.driver import Sandbox
from undercast.sandbox.errors import Fault
from undercast.sandbox.extensions import Extensions
from undercast.sandbox.initialisation import Problem
from undercast.sandbox.logs import (
    EnvironmentLog,
    end_line,
    extension_line,
    init_report_line,
    init_start_line,
    start_line,
)
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.processes import RuntimeProcess
from undercast.sandbox.run import TIMED_OUT, Run

_MEMORY_SAMPLE_S = 0.1
_MIB = 1024 * 1024


class Reporter:
    """See the module. `drain` makes the environment's pipes hand over what they hold."""

    def __init__(self, function: FunctionVersion, sandbox: Sandbox, log: EnvironmentLog, clock: HostClock) -> None:
        self.max_memory_mb = 0
        self._function = function
        self._sandbox = sandbox
        self._log = log
        self._clock = clock
        self._unreported: Run | None = None
        self._sampled_at = 0.0
        self._oom_kills = 0
        self.drain: Callable[[], None] = _nothing

    # Output of the processes

    def write(self, lines: list[str], extension: str = "") -> None:
        """See Output."""
        self._log.write(lines)

    def hold(self, lines: list[str], extension: str = "") -> None:
        """See Output."""
        for line in lines:
            self._log.hold(line)

    def last_words(self) -> None:
        """The processes are gone: what they left in their pipes."""
        self.drain()
        self._log.write([])

    # INIT

    def init_started(self, launch: RuntimeProcess) -> None:
        """The first line of the stream, and what the user should know of this start."""
        self._log.hold(init_start_line(launch.version_label, launch.version_arn))
        if launch.notice:
            self._log.hold(f"undercast: {launch.notice}\n")

    def init_ended(self, extensions: Extensions) -> None:
        """One line for each extension."""
        if extensions:
            self.drain()
            self._log.write([extension_line(member) for member in extensions.by_name.values()])

    def init_failed(self, problem: Problem, took_ms: float, phase: str) -> None:
        """INIT_REPORT is written for what went wrong only."""
        error_type = error_type_of(problem)
        status = "timeout" if error_type == TIMED_OUT else "error"
        self.drain()
        self._log.write([init_report_line(took_ms, phase, status, "" if status == "timeout" else error_type)])

    # INVOKE

    def tail_begins(self) -> None:
        """The next invocation's caller asks for the end of its log."""
        self.flush()
        self._log.begin_tail()

    def before_event(self) -> None:
        """What the pipes hold now is the last invocation's: the runtime writes for the next as soon as it has it."""
        if self._unreported is not None:
            self.drain()

    def started(self, run: Run) -> None:
        """The event is handed over."""
        self.flush(drained=True)
        self._log.hold(start_line(run.request_id, self._function.version))

    def ended(self, run: Run) -> None:
        """Everyone has asked for the next event."""
        self._unreported = run

    def flush(self, *, drained: bool = False) -> None:
        """END and REPORT of the invocation that is over, if they are still to come."""
        run, self._unreported = self._unreported, None
        if run is not None:
            self._sample_memory()
            if not drained:
                self.drain()
            self._write_report(run)

    def failed(self, run: Run, fault: Fault | None, now: float) -> None:
        """END and REPORT of an invocation that failed. `now` is platform-clock seconds."""
        error_type = fault.error_type if fault is not None else error_type_of(run.answer)
        self._sample_memory(now=True)
        self.drain()
        if fault is not None:
            self._log.hold(run.failure_line(fault, now))
            if self._ran_out_of_memory(fault):
                error_type = "Runtime.OutOfMemory"
                self.max_memory_mb = self._function.memory_mb
        self._write_report(run, error_type)

    def resolve(self, run: Run) -> None:
        """Give the caller the answer."""
        tail = self._log.take_tail() if run.invocation.tail_log and not run.outcome.done() else b""
        run.resolve(self._sandbox.environment_id, self.max_memory_mb, tail)

    def _write_report(self, run: Run, error_type: str = "") -> None:
        report = run.report(self.max_memory_mb, error_type)
        self._log.write([end_line(run.request_id), report.line()])
        self.resolve(run)

    def _ran_out_of_memory(self, fault: Fault) -> bool:
        if fault != errors.exited(None, signal.SIGKILL):
            return False
        before, self._oom_kills = self._oom_kills, self._sandbox.memory().oom_kills
        return self._oom_kills > before

    def _sample_memory(self, *, now: bool = False) -> None:
        """Max Memory Used counts over all invokes. The driver samples by itself; this is for the last moment."""
        moment = self._clock.monotonic()
        if not now and self._sampled_at and moment - self._sampled_at < _MEMORY_SAMPLE_S:
            return
        self._sampled_at = moment
        used_mb = -(-self._sandbox.memory().peak_bytes // _MIB)
        self.max_memory_mb = min(max(self.max_memory_mb, used_mb), self._function.memory_mb)


def error_type_of(problem: Problem | None) -> str:
    """The error type that INIT_REPORT and REPORT lines show."""
    return (problem.error_type if problem is not None else "") or "Runtime.Unknown"


def _nothing() -> None:
    """Until the environment has pipes."""
