"""A trace from the documents that came of it: subsegments in their places, and segments for what was called.

Pure. A subsegment that was sent on its own belongs below its parent; a call to a service that sent no segment has an
inferred one.
AWS: X-Ray Developer Guide, "AWS X-Ray segment documents" (Subsegments; "generate inferred segments"), "Concepts".
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from undercast.services.xray.documents import Document, end_of, entities, part, start_of, subsegments_of

MAX_BYTES = 500_000
"""AWS: X-Ray quotas, "Trace document size"."""
MAX_DEPTH = 100
_OWN_ONLY = ("type", "trace_id", "parent_id")


@dataclass(frozen=True)
class Trace:
    """Its segments, the earliest first."""

    id: str
    segments: tuple[Document, ...]
    limit_exceeded: bool = False
    """Whether documents of it are left out: it has more than MAX_BYTES."""

    @cached_property
    def root(self) -> Document:
        """The segment that nothing in the trace has called; the earliest of several."""
        known = self.owners
        return next((one for one in self.segments if one.get("parent_id", "") not in known), self.segments[0])

    @cached_property
    def owners(self) -> Mapping[str, Document]:
        """The segment in which an id is: its own, or one of its subsegments."""
        return {str(inner.get("id")): one for one in self.segments for inner in entities(one)}

    def caller(self, segment: Document) -> Document | None:
        """The segment from which this one was called."""
        return self.owners.get(str(segment.get("parent_id", "")))

    @property
    def start(self) -> float:
        """Of its earliest segment."""
        return min(start_of(one) for one in self.segments)

    @property
    def end(self) -> float:
        """Of its last segment."""
        return max(end_of(one) for one in self.segments)

    @property
    def in_progress(self) -> bool:
        """Whether something of it has not ended."""
        return any(one.get("in_progress") is True for one in self.segments)


def assemble(trace_id: str, documents: Sequence[str]) -> Trace:
    """The trace that the documents make, the earliest first; those that are too much for a trace are left out."""
    sizes = accumulate(len(text) for text in documents)
    kept = [text for text, size in zip(documents, sizes, strict=True) if size <= MAX_BYTES]
    parsed = [json.loads(text) for text in kept]
    segments = [one for one in parsed if one.get("type") != "subsegment"]
    loose = sorted((one for one in parsed if one.get("type") == "subsegment"), key=start_of)
    places = {str(inner.get("id")): inner for one in (*segments, *loose) for inner in _mutable(one)}
    for one in loose:
        parent = places.get(one["parent_id"])
        if parent is None or any(inner is parent for inner in entities(one)):
            segments.append(one)  # what it belongs to has not come
            continue
        for name in _OWN_ONLY:
            one.pop(name, None)
        others = [below for below in subsegments_of(parent) if below.get("id") != one["id"]]
        parent["subsegments"] = sorted([*others, one], key=start_of)
    segments += [deep for one in tuple(segments) for deep in _cut(one)]
    inferred = [made for one in segments for made in _inferred(trace_id, one, segments)]
    return Trace(trace_id, tuple(sorted([*segments, *inferred], key=start_of)), len(kept) < len(documents))


def _cut(segment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What lies too deep to be written as JSON, taken out: each piece stands for itself then."""
    waiting = [(segment, 0)]
    while waiting:
        one, depth = waiting.pop()
        below = [inner for inner in subsegments_of(one) if isinstance(inner, dict)]
        if depth < MAX_DEPTH:
            waiting += [(inner, depth + 1) for inner in below]
            continue
        one.pop("subsegments", None)
        for inner in below:
            yield inner
            waiting.append((inner, 0))


def _mutable(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (one for one in entities(document) if isinstance(one, dict))


def _inferred(trace_id: str, segment: Document, segments: Sequence[Document]) -> Iterator[Document]:
    called = {one.get("parent_id") for one in segments}
    for inner in entities(segment):
        if inner is segment or inner.get("namespace") not in ("aws", "remote") or inner.get("id") in called:
            continue
        name, origin = _named(inner)
        made: dict[str, Any] = {
            "id": hashlib.sha256(f"{trace_id}{inner['id']}".encode()).hexdigest()[:16],
            "name": name,
            "start_time": start_of(inner),
            "trace_id": trace_id,
            "parent_id": inner["id"],
            "inferred": True,
        }
        made |= {"end_time": inner["end_time"]} if "end_time" in inner else {"in_progress": True}
        if origin:
            made["origin"] = origin
        kept = ("http", "aws", "fault", "error", "throttle", "cause", "sql")
        yield made | {key: inner[key] for key in kept if key in inner}


_RESOURCES: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "dynamodb": ("AWS::DynamoDB", (("table_name", "AWS::DynamoDB::Table"),)),
    "s3": ("AWS::S3", (("bucket_name", "AWS::S3::Bucket"),)),
    "sqs": ("AWS::SQS", (("queue_url", "AWS::SQS::Queue"),)),
    "sns": ("AWS::SNS", (("topic_arn", "AWS::SNS::Topic"),)),
    "lambda": ("AWS::Lambda", (("function_name", "AWS::Lambda"),)),
}
"""Service -> its type, and of which member of `aws` a resource's own name is."""


def _named(subsegment: Document) -> tuple[str, str]:
    """Name and type of what a subsegment called."""
    name = str(subsegment.get("name", ""))
    if subsegment.get("namespace") != "aws":
        return name, "remote"
    kind, members = _RESOURCES.get(name.lower(), (f"AWS::{name}", ()))
    for member, of_resource in members:
        value = part(subsegment, "aws", member)
        if isinstance(value, str) and value:
            return value.rstrip("/").rpartition("/")[2].rpartition(":")[2], of_resource
    return name, kind
