"""The envelope of an event, and what PutEvents asks of an entry.

Pure. AWS: EventBridge User Guide, "Event structure", "Calculating PutEvents event entry size"; API Reference,
PutEventsRequestEntry and PutEventsResultEntry (error codes).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.events.inputs import compact

MAX_BYTES: Mapping[str, int] = {"current": 1_048_576, "2019": 262_144}
"""Of all entries of a request together, by profile. AWS Compute Blog, 2026-01-29: 1 MB instead of 256 KB."""
_TIME_BYTES = 14
_MAX_DETAIL_TYPE = 128


@record
class Event:
    """One event. `document` is what a pattern is asked about and what a target gets."""

    document: Mapping[str, Any]
    text: str
    trace_header: str = ""
    is_received: bool = False
    """Whether it came from another bus: then it goes to no third one."""

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.document["id"])


@record
class Refused(Exception):
    """An entry that is no event; code and text of its result."""

    code: str
    text: str


def iso_seconds(at: float) -> str:
    """Times in events: 2026-11-29T14:10:00Z."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def event_of(document: Mapping[str, Any], trace_header: str = "", *, is_received: bool = False) -> Event:
    """The event of an envelope."""
    return Event(document=document, text=compact(document), trace_header=trace_header, is_received=is_received)


def parse_event(payload: bytes, trace_header: str = "", *, is_received: bool = False) -> Event:
    """An event that another service or bus sent as text."""
    text = payload.decode()
    return Event(document=json.loads(text), text=text, trace_header=trace_header, is_received=is_received)


def envelope(scope: Scope, at: float, identifier: str, what: Mapping[str, Any]) -> dict[str, Any]:
    """All members in AWS's order. `what` has detail-type, source, resources and detail."""
    return {
        "version": "0",
        "id": identifier,
        "detail-type": what["detail-type"],
        "source": what["source"],
        "account": scope.account_id,
        "time": iso_seconds(at),
        "region": scope.region,
        "resources": list(what["resources"]),
        "detail": what["detail"],
    }


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """The size that counts."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + list(entry.get("Resources") or ())
    return sum(len(text.encode()) for text in texts) + (_TIME_BYTES if entry.get("Time") else 0)


def checked(entry: Mapping[str, Any]) -> Any:
    """The detail of an entry, parsed. Raises Refused."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            raise _invalid(name, f"{name} is a required argument.")
    if entry["Source"].startswith("aws."):
        raise Refused(code="NotAuthorizedForSourceException", text="Not authorized for the source.")
    if len(entry["DetailType"]) > _MAX_DETAIL_TYPE:
        raise _invalid("DetailType", f"DetailType must be at most {_MAX_DETAIL_TYPE} characters long.")
    try:
        detail = json_values.parse(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        raise Refused(code="MalformedDetail", text="Detail is malformed.")
    return detail


def _invalid(name: str, reason: str) -> Refused:
    return Refused(code="InvalidArgument", text=f"Parameter {name} is not valid. Reason: {reason}")
