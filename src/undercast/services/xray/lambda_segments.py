"""The segments that Lambda itself sends for a sampled invocation.

Pure. "AWS::Lambda" is the service that took the request, "AWS::Lambda::Function" the work of the function, with its
Initialization (or Restore), Invocation and Overhead.
AWS: Lambda Developer Guide, "Visualize Lambda function invocations using AWS X-Ray", "Monitoring for Lambda SnapStart".
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from undercast.core import json_values
from undercast.sandbox.model import TracedRun


def segments(run: TracedRun) -> tuple[dict[str, Any], ...]:
    """The service's and the function's; of a queued event also subsegments of the service's, on their own.

    Every attempt of an event sends the service's segment again, which replaces the one before.
    """
    invocation, tracing = run.invocation, run.tracing
    function = invocation.function
    began = run.ended_at - run.duration_ms / 1000
    failed = {"fault": True} if run.error_type else {}
    service = {
        "id": tracing.service_id,
        "trace_id": tracing.trace_id,
        "name": function.name,
        "origin": "AWS::Lambda",
        "start_time": round(min(tracing.accepted_at, began), 6),
        "end_time": round(run.ended_at, 6),
        "http": {"response": {"status": 200}},
        "aws": {"request_id": invocation.request_id, "resource_names": [function.name]},
        "resource_arn": invocation.invoked_arn,
        **failed,
    }
    if tracing.links:
        service["links"] = [{"trace_id": trace_id, "id": segment_id} for trace_id, segment_id in tracing.links]
    if tracing.parent_id:
        service["parent_id"] = tracing.parent_id
    own = {
        "id": tracing.function_id,
        "trace_id": tracing.trace_id,
        "parent_id": tracing.attempt_id or tracing.service_id,
        "name": function.name,
        "origin": "AWS::Lambda::Function",
        "start_time": round(began, 6),
        "end_time": round(run.ended_at, 6),
        "aws": {"account_id": function.account_id, "function_arn": function.arn, "request_id": invocation.request_id},
        "resource_arn": function.arn,
        "subsegments": list(_phases(run, began)),
        **failed,
    }
    if run.error_type:
        own["cause"] = _cause(run)
    return service, own, *_waiting(run, began, failed)


def _waiting(run: TracedRun, began: float, failed: dict[str, bool]) -> Iterator[dict[str, Any]]:
    """How long a queued event waited for its first attempt, and this attempt."""
    queued, tracing = run.invocation.queued, run.tracing
    if queued is None:
        return
    common = {"type": "subsegment", "trace_id": tracing.trace_id, "parent_id": tracing.service_id}
    if queued.attempt == 1:
        yield {**_phase(run, "Dwell Time", min(queued.at, began), began), **common}
    attempt = _phase(run, f"Attempt #{queued.attempt}", began, run.ended_at)
    yield {**attempt, **common, "id": tracing.attempt_id, "http": {"response": {"status": 200}}, **failed}


def _phases(run: TracedRun, began: float) -> Iterator[dict[str, Any]]:
    if run.init_duration_ms is not None:
        yield _phase(run, "Initialization", began - run.init_duration_ms / 1000, began)
    if run.restore_duration_ms is not None:
        yield _phase(run, "Restore", began - run.restore_duration_ms / 1000, began)
    answered = began + (run.answered_ms or run.duration_ms) / 1000
    yield _phase(run, "Invocation", began, answered)
    yield _phase(run, "Overhead", answered, max(answered, run.ended_at))


def _phase(run: TracedRun, name: str, start: float, end: float) -> dict[str, Any]:
    """Its id is drawn from the segment's: an invocation that is not sampled draws none."""
    digits = hashlib.sha256(f"{run.tracing.function_id}{name}".encode()).hexdigest()[:16]
    return {"id": digits, "name": name, "start_time": round(start, 6), "end_time": round(end, 6)}


def _cause(run: TracedRun) -> dict[str, Any]:
    """From the error that the caller gets, where it is one."""
    try:
        told = json_values.parse(run.error)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    digits = hashlib.sha256(f"{run.tracing.function_id}cause".encode()).hexdigest()[:16]
    exception = {"id": digits, "message": str(told.get("errorMessage", "")), "type": run.error_type}
    if isinstance(told.get("errorType"), str):
        exception["type"] = told["errorType"]
    return {"exceptions": [exception]}
