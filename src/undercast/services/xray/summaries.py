"""What GetTraceSummaries tells of a trace.

Pure. Http, HasFault, HasError, HasThrottle and ResponseTime are the root segment's.
AWS: X-Ray API Reference, TraceSummary.
"""

from collections.abc import Iterator
from typing import Any

from undercast.core.clock import moment
from undercast.services.xray.assembly import Trace
from undercast.services.xray.documents import Document, annotations_of, end_of, entities, part, start_of

_HTTP = {
    "HttpURL": ("request", "url"),
    "HttpStatus": ("response", "status"),
    "HttpMethod": ("request", "method"),
    "UserAgent": ("request", "user_agent"),
    "ClientIp": ("request", "client_ip"),
}


def summary(trace: Trace, account_id: str) -> dict[str, Any]:
    """A TraceSummary."""
    root = trace.root
    told: dict[str, Any] = {
        "Id": trace.id,
        "StartTime": moment(trace.start),
        "Duration": round(trace.end - trace.start, 3),
        "ResponseTime": round(end_of(root) - start_of(root), 3),
        "HasFault": root.get("fault") is True,
        "HasError": root.get("error") is True,
        "HasThrottle": root.get("throttle") is True,
        "IsPartial": trace.in_progress,
        "Http": {name: value for name, path in _HTTP.items() if (value := part(root, "http", *path)) is not None},
        "Annotations": _annotations(trace, account_id),
        "Users": _users(trace, account_id),
        "ServiceIds": [service_id(one, account_id) for one in distinct(trace)],
        "ResourceARNs": [{"ARN": arn} for arn in _each(trace, "resource_arn")],
        "InstanceIds": [{"Id": one} for one in _each(trace, "aws", "ec2", "instance_id")],
        "AvailabilityZones": [{"Name": one} for one in _each(trace, "aws", "ec2", "availability_zone")],
        "EntryPoint": service_id(root, account_id),
        "Revision": len(trace.segments),
    }
    return told


def service_id(segment: Document, account_id: str) -> dict[str, Any]:
    """A ServiceId."""
    name = str(segment.get("name", ""))
    told: dict[str, Any] = {"Name": name, "Names": [name], "AccountId": account_id}
    if kind := type_of(segment):
        told["Type"] = kind
    return told


def type_of(segment: Document) -> str:
    """The origin; "" for a program of which nothing is known."""
    return str(segment.get("origin", ""))


def distinct(trace: Trace) -> Iterator[Document]:
    """One segment for each service of a trace."""
    seen: set[tuple[str, str]] = set()
    for one in trace.segments:
        key = str(one.get("name", "")), type_of(one)
        if key not in seen:
            seen.add(key)
            yield one


def _annotations(trace: Trace, account_id: str) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {}
    for segment in trace.segments:
        for inner in entities(segment):
            for key, value in annotations_of(inner):
                entry = {"AnnotationValue": _typed(value), "ServiceIds": [service_id(segment, account_id)]}
                if entry not in found.setdefault(key, []):
                    found[key].append(entry)
    return found


def _typed(value: str | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BooleanValue": value}
    return {"StringValue": value} if isinstance(value, str) else {"NumberValue": float(value)}


def _users(trace: Trace, account_id: str) -> list[dict[str, Any]]:
    users = {str(one["user"]): one for one in reversed(trace.segments) if isinstance(one.get("user"), str)}
    return [{"UserName": name, "ServiceIds": [service_id(one, account_id)]} for name, one in sorted(users.items())]


def _each(trace: Trace, *names: str) -> list[str]:
    return sorted({value for one in trace.segments if isinstance(value := part(one, *names), str)})
