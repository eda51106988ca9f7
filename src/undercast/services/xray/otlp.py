"""Segments as OpenTelemetry spans: the JSON of one OTLP/HTTP request.

Pure. An X-Ray trace id without its dashes is a W3C one, a segment's id a span's. What is still in progress is left out:
it comes again when it has ended.
Sources: OpenTelemetry Protocol specification (JSON Protobuf encoding: hex ids, 64-bit numbers as text); OpenTelemetry
semantic conventions (http, cloud, faas); AWS: X-Ray Developer Guide, "AWS X-Ray segment documents".
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from undercast import __version__
from undercast.core.arn import Scope
from undercast.services.xray.documents import (
    SEGMENT_ID,
    TRACE_ID,
    Document,
    annotations_of,
    is_time,
    part,
    start_of,
    subsegments_of,
)

PATH = "/v1/traces"
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3
_ERROR = 2
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "http.request.method": ("http", "request", "method"),
    "url.full": ("http", "request", "url"),
    "client.address": ("http", "request", "client_ip"),
    "user_agent.original": ("http", "request", "user_agent"),
    "http.response.status_code": ("http", "response", "status"),
    "enduser.id": ("user",),
    "rpc.method": ("aws", "operation"),
    "aws.request_id": ("aws", "request_id"),
    "aws.dynamodb.table_name": ("aws", "table_name"),
    "aws.queue_url": ("aws", "queue_url"),
    "faas.invocation_id": ("aws", "request_id"),
    "aws.resource_arn": ("resource_arn",),
    "aws.xray.origin": ("origin",),
}


class Sent(NamedTuple):
    """A document that somebody sent to X-Ray."""

    scope: Scope
    text: str


def request(sent: Iterable[Sent]) -> bytes:
    """An ExportTraceServiceRequest of all their spans. Whatever stands in a document that was accepted, it is made."""
    resources: dict[tuple[Scope, str], list[dict[str, Any]]] = {}
    for scope, text in sent:
        document = json.loads(text)
        name = str(document.get("name", ""))
        spans = resources.setdefault((scope, "" if document.get("type") == "subsegment" else name), [])
        spans += _spans(document, _trace_id(document["trace_id"]), str(document.get("parent_id", "")))
    body = [_resource(scope, name, spans) for (scope, name), spans in resources.items() if spans]
    return json.dumps({"resourceSpans": body}, separators=(",", ":")).encode()


def _resource(scope: Scope, name: str, spans: list[dict[str, Any]]) -> dict[str, Any]:
    attributes = {"cloud.provider": "aws", "cloud.account.id": scope.account_id, "cloud.region": scope.region}
    if name:
        attributes["service.name"] = name
    return {
        "resource": {"attributes": _attributes(attributes)},
        "scopeSpans": [{"scope": {"name": "undercast.xray", "version": __version__}, "spans": spans}],
    }


def _spans(document: Document, trace_id: str, parent_id: str) -> Iterator[dict[str, Any]]:
    """That of the document and of all that is in it, where they have ended."""
    waiting = [(document, parent_id)]
    while waiting:
        one, above = waiting.pop()
        own = str(one.get("id", ""))
        if SEGMENT_ID.fullmatch(own) and is_time(one.get("start_time")) and is_time(one.get("end_time")):
            yield _span(one, trace_id, above)
        waiting += ((below, own) for below in reversed(subsegments_of(one)))


def _span(one: Document, trace_id: str, parent_id: str) -> dict[str, Any]:
    found = {name: value for name, path in _ATTRIBUTES.items() if (value := part(one, *path)) is not None}
    metadata = one.get("metadata")
    if isinstance(metadata, dict):
        found |= {f"aws.xray.metadata.{key}": json.dumps(value, default=str) for key, value in metadata.items()}
    span: dict[str, Any] = {
        "traceId": trace_id,
        "spanId": one.get("id", ""),
        "name": str(one.get("name", "")),
        "kind": _kind(one),
        "startTimeUnixNano": _nanoseconds(start_of(one)),
        "endTimeUnixNano": _nanoseconds(float(one["end_time"])),
        "attributes": _attributes({**found, **dict(annotations_of(one))}),
    }
    if parent_id:
        span["parentSpanId"] = parent_id
    if any(one.get(name) is True for name in ("fault", "error", "throttle")):
        exceptions = part(one, "cause", "exceptions")
        first = exceptions[0] if isinstance(exceptions, list) and exceptions else {}
        message = part(first, "message")
        span["status"] = {"code": _ERROR, **({"message": message} if isinstance(message, str) else {})}
    if found_links := list(_links(one)):
        span["links"] = found_links
    return span


def _links(one: Document) -> Iterator[dict[str, Any]]:
    given = one.get("links")
    for link in given if isinstance(given, list) else ():
        trace_id, segment_id = str(part(link, "trace_id")), str(part(link, "id"))
        if TRACE_ID.fullmatch(trace_id) and SEGMENT_ID.fullmatch(segment_id):
            yield {"traceId": _trace_id(trace_id), "spanId": segment_id}


def _kind(one: Document) -> int:
    if one.get("namespace") in ("aws", "remote"):
        return _CLIENT
    return _SERVER if "trace_id" in one and one.get("type") != "subsegment" else _INTERNAL


def _trace_id(trace_id: str) -> str:
    return trace_id[2:].replace("-", "")


def _nanoseconds(seconds: float) -> str:
    """To the microsecond: a float has no more of these numbers."""
    return str(round(seconds * 1_000_000) * 1000)


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}
