"""The trace header that every invocation has, with or without X-Ray.

Pure. AWS: X-Ray Developer Guide, "Tracing header"; Lambda sends it as Lambda-Runtime-Trace-Id to every runtime.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from undercast.core.config import Profile
from undercast.core.ids import Ids
from undercast.sandbox.model import FunctionVersion, Invocation, Tracing

MAX_LINKS = 20
"""X-Ray Developer Guide, "Tracing event-driven applications": of one segment."""
HEADER = "x-amzn-trace-id"


SAMPLED = "Sampled=1"
_DECISIONS = ("Sampled=0", SAMPLED)
_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}", re.ASCII)
_SEGMENT_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def trace_header(incoming: str, ids: Ids, now: float, *, active: bool) -> str:
    """The caller's header when it names a trace, else the root of a new one.

    Who called decides whether the trace is sampled. Where nobody has, a function of Mode Active samples each (AWS:
    the first request of each second and 5 % of the rest), one of Mode PassThrough none.
    """
    return _decided(incoming, active) or _new(ids.hex(40), now, active)


def event_header(incoming: str, event_id: str, accepted_at: float, *, active: bool) -> str:
    """The same for a queued event: every attempt is in one trace, also where nobody has said which."""
    return _decided(incoming, active) or _new(_digits("root", event_id), accepted_at, active)


def _decided(incoming: str, active: bool) -> str:
    """The header with a decision; "" where it names no trace."""
    if not incoming:
        return ""
    fields = [field for field in incoming.split(";") if field]
    if not any(field.startswith("Root=") for field in fields):
        return ""
    if not active or any(field.strip() in _DECISIONS for field in fields):
        return incoming
    undecided = [field for field in fields if not field.strip().startswith("Sampled=")]
    return ";".join([*undecided, SAMPLED])


def is_traced(function: FunctionVersion, profile: Profile) -> bool:
    """Whether Lambda sends segments of a sampled invocation.

    PassThrough hands the header on and sends none; in 2019 it followed the caller's decision. AWS: Compute Blog,
    "Streamlining trace sampling behavior for AWS Lambda functions with AWS X-Ray"; API Reference, TracingConfig.
    """
    return function.traces_actively or profile == "2019"


def traced(invocation: Invocation, ids: Ids, now: float) -> Invocation:
    """An invocation that is sampled, with segments of its own: the function's is Parent of what the function does."""
    fields = _fields(invocation.trace_header)
    trace_id, parent = fields.get("Root", ""), fields.get("Parent", "")
    if not _TRACE_ID.fullmatch(trace_id):
        return invocation
    digits, queued = ids.hex(32), invocation.queued
    tracing = Tracing(
        trace_id=trace_id,
        parent_id=parent if _SEGMENT_ID.fullmatch(parent) else "",
        service_id=digits[:16] if queued is None else _digits("service", invocation.request_id)[:16],
        function_id=digits[16:],
        accepted_at=now if queued is None else queued.at,
        attempt_id="" if queued is None else digits[:16],
        links=tuple(islice(_links(invocation.linked_headers), MAX_LINKS)),
    )
    fields = {"Root": trace_id, "Parent": tracing.function_id, "Sampled": "1"} | {
        name: value for name, value in fields.items() if name not in ("Root", "Parent", "Sampled", "")
    }
    header = ";".join(f"{name}={value}" for name, value in fields.items())
    return replace(invocation, trace_header=header, tracing=tracing)


def _links(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    for header in headers:
        fields = _fields(header)
        trace_id, parent = fields.get("Root", ""), fields.get("Parent", "")
        if _TRACE_ID.fullmatch(trace_id) and _SEGMENT_ID.fullmatch(parent) and fields.get("Sampled") == "1":
            yield trace_id, parent


def _fields(header: str) -> dict[str, str]:
    return dict(field.strip().partition("=")[::2] for field in header.split(";"))


def _digits(use: str, event_id: str) -> str:
    """40 digits that are the same on each attempt."""
    return hashlib.sha256(f"{use} {event_id}".encode()).hexdigest()[:40]


def _new(digits: str, now: float, active: bool) -> str:
    if active:
        return f"Root=1-{int(now):08x}-{digits[:24]};{SAMPLED}"
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"
