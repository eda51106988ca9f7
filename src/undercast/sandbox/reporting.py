"""What an execution environment tells of itself: its log, telemetry, REPORT figures, and the callers' log tails.

END and REPORT of an invocation wait for a next event that is at hand, so that they delay nobody. Event objects are made
only where somebody reads them.
AWS: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs", "Invoke" (LogType), Telemetry API.
"""

import asyncio
import json
import signal
from collections.abc import Callable

from undercast.core import json_values
from undercast.core.clock import Clock, HostClock
from undercast.core.record import record
from undercast.sandbox import errors
from undercast.sandbox import platform_events as told
from undercast.sandbox.driver import Sandbox
from undercast.sandbox.errors import Fault
from undercast.sandbox.extensions import Extensions
from undercast.sandbox.initialisation import Problem
from undercast.sandbox.log_levels import passing, reaches
from undercast.sandbox.log_pipes import pieces
from undercast.sandbox.logs import Billing, EnvironmentLog, end_line, start_line
from undercast.sandbox.model import CauseBook, FunctionVersion, TracedRun, TraceSink, Tracing
from undercast.sandbox.platform_events import Init, PlatformEvent
from undercast.sandbox.processes import RuntimeProcess
from undercast.sandbox.run import TIMED_OUT, Run
from undercast.sandbox.telemetry import Telemetry

_MEMORY_SAMPLE_S = 0.1
_MIB = 1024 * 1024
_READ_ERROR_BYTES, _ERROR_NAME = 64 * 1024, 256
"""What of a function's error is looked at for the causal log, and kept."""


@record
class Channels:
    """Whom the reporter tells, and the clocks."""

    log: EnvironmentLog
    telemetry: Telemetry
    host_clock: HostClock
    platform_clock: Clock
    billing: Billing
    causes: CauseBook
    traces: TraceSink | None = None
    log_payloads: bool = False


class Reporter:
    """See the module. `drain` and `drain_polled` make the environment's pipes hand over what they hold."""

    def __init__(self, function: FunctionVersion, sandbox: Sandbox, channels: Channels) -> None:
        self.max_memory_mb = 0
        self.init_type: told.InitType = "on-demand"
        self._function = function
        self._sandbox = sandbox
        self._log = channels.log
        self._telemetry = channels.telemetry
        self._clock = channels.host_clock
        self._platform_clock = channels.platform_clock
        self._billing = channels.billing
        self._causes = channels.causes
        self._traces = channels.traces
        self._log_payloads = channels.log_payloads
        self._json = function.logging if function.logging.is_json else None
        """What the log lets pass, where it is made of JSON objects."""
        self._unreported: Run | None = None
        self._sampled_at = 0.0
        self._oom_kills = 0
        self.drain: Callable[[], None] = _nothing
        self.drain_polled: Callable[[], None] = _nothing

    # Output of the processes

    def write(self, lines: list[str], extension: str = "") -> None:
        """See Output."""
        self._log.write(self._passing(lines, extension))
        if self._telemetry.active:
            self._telemetry.lines("extension" if extension else "function", lines)

    def hold(self, lines: list[str], extension: str = "") -> None:
        """See Output."""
        for line in self._passing(lines, extension):
            self._log.hold(line)
        if self._telemetry.active:
            self._telemetry.lines("extension" if extension else "function", lines)

    def _passing(self, lines: list[str], extension: str) -> list[str]:
        return lines if self._json is None or extension else passing(lines, self._json.application_level)

    def last_words(self) -> None:
        """The processes are gone: what they left in their pipes."""
        self.drain()
        self._log.write([])

    @property
    def structured(self) -> bool:
        """Whether anybody reads Event objects."""
        return self._json is not None or self._telemetry.active

    def tell(self, event: PlatformEvent) -> None:
        """Hand an event to the log, which holds it for the next write, and to the subscribers."""
        if self._json is None:
            if event.text:
                self._log.hold(event.text)
        elif event.level is not None and reaches(event.level, self._json.system_level):
            shape = told.event_object(event.type, event.record, self._platform_clock.now())
            self._log.hold(json.dumps(shape, separators=(",", ":")) + "\n")
        if self._telemetry.active:
            self._telemetry.publish(event)

    def _notice(self, text: str, level: str = "WARN") -> None:
        if self._json is None:
            line = f"undercast: {text}\n"
        else:
            shape = {"timestamp": told.timestamp(self._platform_clock.now()), "level": level, "message": text}
            line = json.dumps(shape, separators=(",", ":")) + "\n"
        for piece in pieces(line.encode()):
            self._log.hold(piece)

    def _note_payload(self, name: str, run: Run, payload: bytes) -> None:
        """A line with an invocation's event or answer, where `log_payloads` asks for it."""
        if self._log_payloads:
            self._notice(f"{name} RequestId: {run.request_id}\t{payload.decode('utf-8', 'replace')}", "INFO")

    # INIT

    def init_started(self, launch: RuntimeProcess, phase: told.Phase) -> None:
        """The first line of the stream, and what the user should know of this start."""
        self._telemetry.restart()
        event = Init(type=self.init_type, phase=phase).start(launch.version_label, launch.version_arn)
        if phase == "init" or self._json is not None:
            self.tell(event)
            if launch.notice and phase == "init":
                self._notice(launch.notice)
        else:
            self._telemetry.publish(event)

    def init_ended(self, extensions: Extensions, problem: Problem | None, took_ms: float, phase: told.Phase) -> None:
        """One line for each extension; INIT_REPORT is written for what went wrong only."""
        if (
            problem is None
            and not extensions
            and self._json is None
            and not (self.init_type == "snap-start" and phase == "init")
        ):
            self._telemetry.close_subscriptions()
            return
        error_type = "" if problem is None else error_type_of(problem)
        status = "success" if problem is None else "timeout" if error_type == TIMED_OUT else "error"
        init = Init(type=self.init_type, phase=phase, status=status, error_type=error_type)
        self.drain()
        self.tell(init.runtime_done())
        for member in extensions.by_name.values():
            self.tell(told.extension_event(member))
        self.tell(init.report(took_ms))
        self._log.write([])
        self._telemetry.close_subscriptions()

    def restore_started(self, launch: RuntimeProcess) -> None:
        """The first line of the stream of an environment that has no INIT of its own."""
        self.tell(told.restore_start_event(self._function, launch.version_label, launch.version_arn))

    def restore_ended(self, problem: Problem | None, took_ms: float) -> None:
        """How the restore went, whatever it took."""
        error_type = "" if problem is None else error_type_of(problem)
        status = "success" if problem is None else "timeout" if error_type == TIMED_OUT else "error"
        self.drain()
        for event in told.restore_events(took_ms, status, error_type):
            self.tell(event)
        self._log.write([])

    # INVOKE

    def tail_begins(self) -> None:
        """The next invocation's caller asks for the end of its log."""
        self.flush()
        self._log.begin_tail()

    def before_event(self, *, polled: bool) -> None:
        """What the pipes hold now is the last invocation's: the runtime writes for the next as soon as it has it.

        `polled`: the event loop has looked at the pipes since the runtime asked for its next event.
        """
        if self._unreported is not None:
            self.drain_polled() if polled else self.drain()

    def started(self, run: Run) -> None:
        """The event is handed over."""
        self.flush(drained=True)
        if self.structured:
            self.tell(told.start_event(run, self._function.version))
        else:
            self._log.hold(start_line(run.request_id, self._function.version))
        self._note_payload("EVENT", run, run.invocation.payload)

    def runtime_done(self, run: Run) -> None:
        """The runtime has asked for the next event."""
        run.runtime_ms = (self._clock.monotonic() - run.began) * 1000
        self.drain()
        self.tell(told.runtime_done_event(run, self._platform_clock.now()))

    def ended(self, run: Run) -> None:
        """Everyone has asked for the next event."""
        self._unreported = run

    def flush_polled(self) -> None:
        """`flush` when the event loop has looked at the pipes since the runtime asked for its next event."""
        if self._unreported is not None:
            self.drain_polled()
            self.flush(drained=True)

    def flush(self, *, drained: bool = False) -> None:
        """END and REPORT of the invocation that is over, if they are still to come."""
        run, self._unreported = self._unreported, None
        if run is not None:
            self._sample_memory()
            if not drained:
                self.drain()
            self._write_report(run)

    def failed(self, run: Run, fault: Fault | None) -> None:
        """END and REPORT of an invocation that failed."""
        error_type = fault.error_type if fault is not None else error_type_of(run.answer)
        now = self._platform_clock.now()
        self._sample_memory(now=True)
        self.drain()
        if fault is not None:
            self.tell(told.fault_event(run.tell(fault, now)))
            if self._ran_out_of_memory(fault):
                error_type = "Runtime.OutOfMemory"
                self.max_memory_mb = self._function.memory_mb
        if self.structured and not run.runtime_ms:
            run.runtime_ms = run.duration_ms
            status = "timeout" if error_type == TIMED_OUT else "error"
            self.tell(told.runtime_done_event(run, now, status, "" if status == "timeout" else error_type))
        self._write_report(run, error_type)

    def resolve(self, run: Run, error_type: str = "") -> None:
        """Give the caller the answer; that it is an error is noted before what the caller makes of it."""
        self._note_error(run, error_type or _error_of(run))
        tail = self._log.take_tail() if run.invocation.tail_log and not run.outcome.done() else b""
        run.resolve(self._sandbox.environment_id, self.max_memory_mb, tail)

    def _write_report(self, run: Run, error_type: str = "") -> None:
        report = run.report(self.max_memory_mb, self._billing, error_type)
        stream = run.invocation.stream
        self._note_payload("ANSWER", run, b"(streamed)" if stream is not None and stream.begun else run.payload)
        if self._json is None:
            self._log.write([end_line(run.request_id), report.line()])
        if self.structured:
            self.tell(told.end_event(run.request_id))
            self.tell(told.report_event(run, report, self._platform_clock.now()))
        if self._json is not None:
            self._log.write([])
        error_type = error_type or _error_of(run)
        self.resolve(run, error_type)
        if run.invocation.meter is not None:
            run.invocation.meter.reported(report.duration_ms, report.max_memory_used_mb)
        if run.invocation.tracing is not None and self._traces is not None:
            # By itself: the environment goes on whatever the sink makes of it, and the loop tells a failure.
            asyncio.get_running_loop().call_soon(
                self._traces.ran, self._traced(run, run.invocation.tracing, error_type)
            )

    def _note_error(self, run: Run, error_type: str) -> None:
        if error_type and not run.error_noted:
            run.error_noted = True
            self._causes.failed(run.invocation, self._sandbox.environment_id, _named_error(run) or error_type)

    def _traced(self, run: Run, tracing: Tracing, error_type: str) -> TracedRun:
        since_end_s = self._clock.monotonic() - run.began - run.duration_ms / 1000
        answer, fault = run.answer, run.fault
        error = b"" if answer is None else answer.payload
        return TracedRun(
            invocation=run.invocation,
            tracing=tracing,
            environment_id=self._sandbox.environment_id,
            ended_at=self._platform_clock.now() - since_end_s,
            duration_ms=run.duration_ms,
            answered_ms=run.answered_ms,
            init_duration_ms=run.init_duration_ms,
            restore_duration_ms=None if run.restored is None else run.restored.duration_ms,
            error_type=error_type,
            error=error if fault is None else run.payload_of(fault),
        )

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


def _error_of(run: Run) -> str:
    """The error type of what was answered, or of what is wrong with the answer; "" for success."""
    if run.answer is not None and run.answer.error_type is not None:
        return error_type_of(run.answer)
    return "" if run.fault is None else run.fault.error_type


def _named_error(run: Run) -> str:
    """The errorType that the function's answer names; "" where it names none."""
    if run.fault is not None or run.answer is None or len(run.answer.payload) > _READ_ERROR_BYTES:
        return ""
    try:
        answer = json_values.parse(run.answer.payload)
    except ValueError:
        return ""
    named = answer.get("errorType") if isinstance(answer, dict) else None
    # Half of a surrogate pair is JSON, but nothing that can be stored.
    return named[:_ERROR_NAME].encode(errors="replace").decode() if isinstance(named, str) else ""


def _nothing() -> None:
    """Until the environment has pipes."""
