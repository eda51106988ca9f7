"""What the platform tells of an execution environment, as Event objects and as the lines of the text log.

Pure. One event is told up to three times: to the log stream (its text, or itself where the log format is JSON), and to
the subscribers of the Telemetry and Logs APIs.
AWS: Lambda Developer Guide, "Lambda Telemetry API Event schema reference", "Lambda Logs API", "Log-level filtering"
(System log level event mapping), "Sending Lambda function logs to CloudWatch Logs".
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from undercast.core.record import record
from undercast.sandbox.extensions import Extension
from undercast.sandbox.lifecycle import ExtensionState
from undercast.sandbox.logs import (
    Report,
    extension_line,
    init_report_line,
    init_start_line,
    restore_report_line,
    restore_start_line,
    start_line,
    subscription_line,
)
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.run import Run

Level = Literal["DEBUG", "INFO", "WARN"]
InitType = Literal["on-demand", "provisioned-concurrency", "snap-start"]
Phase = Literal["init", "invoke"]
DROPPED = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."


@record(kw_only=False)
class PlatformEvent:
    """One event. `text` is its line in a text log, "" where it has none; without a level no JSON log has it."""

    type: str
    record: Mapping[str, Any] | str
    level: Level | None
    text: str = ""


def event_object(kind: str, record: object, now: float) -> dict[str, Any]:
    """The shape that subscribers and JSON logs get. `now` is platform-clock seconds."""
    return {"time": timestamp(now), "type": kind, "record": record}


def timestamp(now: float) -> str:
    """ISO 8601 with milliseconds, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


@record
class Init:
    """What all events of one INIT have in common, and how it ended."""

    type: InitType
    phase: Phase
    status: str = "success"
    """Or "error" or "timeout"."""
    error_type: str = ""

    @property
    def failed(self) -> bool:
        """Whether it did not end well."""
        return self.status != "success"

    def _record(self) -> dict[str, Any]:
        record: dict[str, Any] = {"initializationType": self.type, "phase": self.phase, "status": self.status}
        if self.error_type:
            record["errorType"] = self.error_type
        return record

    def start(self, runtime_version: str, runtime_version_arn: str) -> PlatformEvent:
        """platform.initStart."""
        record: dict[str, Any] = {"initializationType": self.type, "phase": self.phase}
        if runtime_version:
            record |= {"runtimeVersion": runtime_version, "runtimeVersionArn": runtime_version_arn}
        text = init_start_line(runtime_version, runtime_version_arn) if runtime_version else ""
        return PlatformEvent("platform.initStart", record, "INFO" if runtime_version else "DEBUG", text)

    def runtime_done(self) -> PlatformEvent:
        """platform.initRuntimeDone."""
        return PlatformEvent("platform.initRuntimeDone", self._record(), "WARN" if self.failed else "DEBUG")

    def report(self, duration_ms: float) -> PlatformEvent:
        """platform.initReport; a text log has a line for an INIT that failed only."""
        record = self._record() | {"metrics": {"durationMs": round(duration_ms, 3)}}
        quiet: Level = "DEBUG" if self.type == "on-demand" else "INFO"
        error_type = self.error_type if self.status == "error" else ""
        told = self.failed or (self.type == "snap-start" and self.phase == "init")
        text = init_report_line(duration_ms, self.phase, self.status, error_type) if told else ""
        return PlatformEvent("platform.initReport", record, "WARN" if self.failed else quiet, text)


def restore_start_event(function: FunctionVersion, runtime_version: str, runtime_version_arn: str) -> PlatformEvent:
    """platform.restoreStart."""
    record = {
        "runtimeVersion": runtime_version,
        "runtimeVersionArn": runtime_version_arn,
        "functionName": function.name,
        "functionVersion": function.version,
        "instanceMaxMemory": function.memory_mb,
    }
    text = restore_start_line(runtime_version, runtime_version_arn)
    return PlatformEvent("platform.restoreStart", record, "INFO", text)


def restore_events(duration_ms: float, status: str = "success", error_type: str = "") -> tuple[PlatformEvent, ...]:
    """platform.restoreRuntimeDone and platform.restoreReport."""
    done: dict[str, Any] = {"status": status}
    if error_type:
        done["errorType"] = error_type
    failed = status != "success"
    kind = error_type if status == "error" else ""
    text = restore_report_line(duration_ms, status if failed else "", kind)
    report = {**done, "metrics": {"durationMs": round(duration_ms, 3)}}
    return (
        PlatformEvent("platform.restoreRuntimeDone", done, "WARN" if failed else "DEBUG"),
        PlatformEvent("platform.restoreReport", report, "WARN" if failed else "INFO", text),
    )


def extension_event(extension: Extension) -> PlatformEvent:
    """platform.extension: one for each, at the end of INIT."""
    record: dict[str, Any] = {
        "name": extension.name,
        "state": str(extension.state),
        "events": list(extension.events),
    }
    if extension.error_type:
        record["errorType"] = extension.error_type
    level: Level = "INFO" if extension.state in (ExtensionState.READY, ExtensionState.REGISTERED) else "WARN"
    return PlatformEvent("platform.extension", record, level, extension_line(extension))


def subscription_event(api: str, name: str, types: Sequence[str]) -> PlatformEvent:
    """platform.telemetrySubscription or platform.logsSubscription; `api` is "telemetry" or "logs"."""
    record = {"name": name, "state": "Subscribed", "types": list(types)}
    return PlatformEvent(f"platform.{api}Subscription", record, "INFO", subscription_line(api, name, types))


def start_event(run: Run, version: str) -> PlatformEvent:
    """platform.start."""
    record = {"requestId": run.request_id, "version": version} | _tracing(run)
    return PlatformEvent("platform.start", record, "INFO", start_line(run.request_id, version))


def runtime_done_event(run: Run, now: float, status: str = "success", error_type: str = "") -> PlatformEvent:
    """platform.runtimeDone. `now` is platform-clock seconds, at which the runtime asked for the next event."""
    record: dict[str, Any] = {"requestId": run.request_id, "status": status}
    if error_type:
        record["errorType"] = error_type
    metrics: dict[str, Any] = {"durationMs": round(run.runtime_ms, 3)}
    if run.answer is not None:
        metrics["producedBytes"] = len(run.answer.payload)
        began = now - run.runtime_ms / 1000
        record["spans"] = [
            _span("responseLatency", began, run.answered_ms),
            _span("responseDuration", began + run.answered_ms / 1000, 0.0),
            _span("runtimeOverhead", began + run.answered_ms / 1000, run.runtime_ms - run.answered_ms),
        ]
    record["metrics"] = metrics
    return PlatformEvent("platform.runtimeDone", record | _tracing(run), "DEBUG" if status == "success" else "WARN")


def end_event(request_id: str) -> PlatformEvent:
    """platform.end, which the Logs API alone has."""
    return PlatformEvent("platform.end", {"requestId": request_id}, None)


def report_event(run: Run, report: Report, now: float) -> PlatformEvent:
    """platform.report."""
    metrics: dict[str, Any] = {
        "durationMs": round(report.duration_ms, 3),
        "billedDurationMs": report.billed_ms,
        "memorySizeMB": report.memory_mb,
        "maxMemoryUsedMB": report.max_memory_used_mb,
    }
    if report.init_duration_ms is not None:
        metrics["initDurationMs"] = round(report.init_duration_ms, 3)
    if report.restored is not None:
        metrics["restoreDurationMs"] = round(report.restored.duration_ms, 3)
    record: dict[str, Any] = {"requestId": report.request_id, "metrics": metrics, "status": report.status or "success"}
    if report.error_type:
        record["errorType"] = report.error_type
    overhead_ms = report.duration_ms - run.runtime_ms
    if run.extended and overhead_ms > 0:
        record["spans"] = [_span("extensionOverhead", now - overhead_ms / 1000, overhead_ms)]
    level: Level = "WARN" if report.status else "INFO"
    return PlatformEvent("platform.report", record | _tracing(run), level)


def fault_event(text: str) -> PlatformEvent:
    """platform.fault, which the Logs API alone has; the text log has its line."""
    return PlatformEvent("platform.fault", text.rstrip("\n"), None, text)


def logs_dropped_event(records: int, size_bytes: int) -> PlatformEvent:
    """platform.logsDropped."""
    record = {"reason": DROPPED, "droppedRecords": records, "droppedBytes": size_bytes}
    return PlatformEvent("platform.logsDropped", record, "WARN")


def _tracing(run: Run) -> dict[str, Any]:
    header = run.invocation.trace_header
    return {"tracing": {"type": "X-Amzn-Trace-Id", "value": header}} if header else {}


def _span(name: str, start: float, duration_ms: float) -> dict[str, Any]:
    return {"name": name, "start": timestamp(start), "durationMs": round(max(duration_ms, 0.0), 3)}
