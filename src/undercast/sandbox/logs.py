"""What an execution environment writes to its log stream: the platform's lines and the function's.

START, END and REPORT to the letter, and the tail of an invocation. What comes through pipes is read in `log_pipes`.
AWS: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs", "Invoke" (LogType).
"""

import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from undercast.core.clock import Clock
from undercast.core.record import record
from undercast.sandbox.extensions import Extension
from undercast.sandbox.model import FunctionVersion, LogEvent, LogSink

TAIL_BYTES = 4096
"""X-Amz-Log-Result: the last 4 KB of the invocation's log."""


_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SEGMENT_ID = re.compile(r"[0-9a-f]{16}")


class Billing(NamedTuple):
    """How an era rounds and what it bills."""

    step_ms: int = 1
    with_init: bool = True


ERAS: Mapping[str, Billing] = MappingProxyType({"1ms": Billing(), "100ms": Billing(100, with_init=False)})
"""AWS blogs: 1 ms steps since 2020-12-01, INIT billed for every runtime since 2025-08-01."""


class Restored(NamedTuple):
    """How long a restore from a SnapStart snapshot took; billed is what the runtime and its hooks needed of it."""

    duration_ms: float
    billed_ms: int


@record
class Report:
    """What the REPORT line says of an invocation."""

    request_id: str
    duration_ms: float
    memory_mb: int
    max_memory_used_mb: int
    init_duration_ms: float | None = None
    """On the first invocation of an environment whose INIT succeeded."""
    restored: Restored | None = None
    """On the first invocation of an environment that was restored."""
    status: str = ""
    """"timeout", "error" or "" for success."""
    error_type: str = ""
    billing: Billing = Billing()
    trace_header: str = ""
    """X-Amzn-Trace-Id of an invocation that is traced; "" for others."""

    @property
    def billed_ms(self) -> int:
        """Whole steps, one at least."""
        init_ms = (self.init_duration_ms or 0.0) if self.billing.with_init else 0.0
        step_ms = self.billing.step_ms
        restored_ms = self.restored.billed_ms if self.restored is not None else 0
        return step_ms * max(1, math.ceil((self.duration_ms + init_ms) / step_ms)) + restored_ms

    def line(self) -> str:
        """The REPORT line as AWS writes it."""
        text = (
            f"REPORT RequestId: {self.request_id}\tDuration: {self.duration_ms:.2f} ms\t"
            f"Billed Duration: {self.billed_ms} ms\tMemory Size: {self.memory_mb} MB\t"
            f"Max Memory Used: {self.max_memory_used_mb} MB\t"
        )
        if self.init_duration_ms is not None:
            text += f"Init Duration: {self.init_duration_ms:.2f} ms\t"
        if self.restored is not None:
            text += f"Restore Duration: {self.restored.duration_ms:.2f} ms\t"
            text += f"Billed Restore Duration: {self.restored.billed_ms} ms\t"
        if self.status:
            text += f"Status: {self.status}\t"
        if self.error_type:
            text += f"Error Type: {self.error_type}\t"
        return f"{text}\n{self._trace_line()}" if self.trace_header else text + "\n"

    def _trace_line(self) -> str:
        """As recorded logs have it: behind a tab and a line break, in the same event."""
        fields = dict(field.strip().partition("=")[::2] for field in self.trace_header.split(";"))
        root, parent = fields.get("Root", ""), fields.get("Parent", "")
        if not _TRACE_ID.fullmatch(root) or not _SEGMENT_ID.fullmatch(parent):
            return ""
        sampled = "true" if fields.get("Sampled") == "1" else "false"
        return f"XRAY TraceId: {root}\tSegmentId: {parent}\tSampled: {sampled}\t\n"


def start_line(request_id: str, version: str) -> str:
    """The first line of an invocation."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end_line(request_id: str) -> str:
    """The line after everything that the invocation wrote."""
    return f"END RequestId: {request_id}\n"


def init_start_line(runtime_version: str, runtime_arn: str) -> str:
    """The line that opens a log stream."""
    return f"INIT_START Runtime Version: {runtime_version}\tRuntime Version ARN: {runtime_arn}\n"


def restore_start_line(runtime_version: str, runtime_arn: str) -> str:
    """The line that opens the log stream of an environment that is restored."""
    return f"RESTORE_START Runtime Version: {runtime_version}\tRuntime Version ARN: {runtime_arn}\n"


def restore_report_line(duration_ms: float, status: str = "", error_type: str = "") -> str:
    """The line about a restore; `status` is "" when it succeeded."""
    text = f"RESTORE_REPORT Restore Duration: {duration_ms:.2f} ms"
    if status:
        text += f"\tStatus: {status}"
    return text + (f"\tError Type: {error_type}\n" if error_type else "\n")


def init_report_line(duration_ms: float, phase: str, status: str, error_type: str = "") -> str:
    """The line about an INIT that failed, or of a snapshot's; `phase` is "init", or "invoke" for a suppressed init."""
    if status == "success":
        return f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\n"
    kind = f"\tError Type: {error_type}" if error_type else ""
    return f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: {status}{kind}\n"


def extension_line(extension: Extension) -> str:
    """The line about an extension at the end of INIT, successful or not."""
    error = f"\tError Type: {extension.error_type}" if extension.error_type else ""
    return (
        f"EXTENSION\tName: {extension.name}\tState: {extension.state}\tEvents: [{', '.join(extension.events)}]{error}\n"
    )


def subscription_line(api: str, name: str, types: Sequence[str]) -> str:
    """The line about an extension that subscribed to the Telemetry or the Logs API."""
    listed = ", ".join(kind.capitalize() for kind in types)
    return f"{api.upper()}\tName: {name}\tState: Subscribed\tTypes: [{listed}]\n"


class EnvironmentLog:
    """The log stream of one environment, and the tail of the invocation that runs."""

    def __init__(self, function: FunctionVersion, stream: str, sink: LogSink, clock: Clock) -> None:
        self.stream = stream
        self._function = function
        self._sink = sink
        self._clock = clock
        self._held: list[LogEvent] = []
        self._tail: deque[bytes] | None = None
        self._tail_bytes = 0

    def hold(self, message: str) -> None:
        """Add an event that goes out together with the next one: START costs no call of its own."""
        self._held.append((self._now_ms(), message))
        if self._tail is not None:
            self._to_tail(message)

    def write(self, messages: list[str]) -> None:
        """Add events now."""
        now = self._now_ms()
        events = self._held
        self._held = []
        events.extend([(now, message) for message in messages])
        if self._tail is not None:
            for message in messages:
                self._to_tail(message)
        if events:
            self._sink.append(self._function, self.stream, events)

    def begin_tail(self) -> None:
        """Keep the end of what follows, for LogType=Tail."""
        self._tail = deque()
        self._tail_bytes = 0

    def take_tail(self) -> bytes:
        """The last 4 KiB since `begin_tail`."""
        kept, self._tail = self._tail, None
        return b"".join(kept)[-TAIL_BYTES:] if kept else b""

    def _to_tail(self, message: str) -> None:
        if self._tail is None:
            return
        data = message[-TAIL_BYTES:].encode()
        if not data.endswith(b"\n"):
            data += b"\n"
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)
