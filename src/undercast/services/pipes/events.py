"""What of a source's records goes through a pipe, how filters and templates see it, and what templates make of it.

Pure. AWS: EventBridge User Guide, "Amazon EventBridge Pipes input transformation" (reserved variables, implicit body
data parsing), "Amazon EventBridge Pipes sources" (the shapes of events).
"""

import base64
from collections.abc import Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.json_text import is_json
from undercast.events.inputs import MISSING, at_path, compact, fill_paths
from undercast.services.pipes.models import Pipe


def event_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """An event of the pipe: as a function gets it, but a Kinesis record's members are on the top."""
    if "kinesis" not in record:
        return dict(record)
    rest = {name: value for name, value in record.items() if name != "kinesis"}
    return {**record["kinesis"], **rest}


def identifier_of(event: Any) -> str:
    """By which a target names what it could not do: messageId or eventID."""
    if not isinstance(event, Mapping):
        return ""
    return str(event.get("messageId") or event.get("eventID") or "")


def view_of(event: Any) -> Any:
    """The event with its body or data as JSON, where that is JSON."""
    if not isinstance(event, Mapping):
        return event
    if event.get("eventSource") == "aws:sqs":
        return {**event, "body": _parsed(event["body"], event["body"])}
    if event.get("eventSource") == "aws:kinesis":
        return {**event, "data": _parsed(base64.b64decode(event["data"]), event["data"])}
    return event


def _parsed(text: str | bytes, otherwise: Any) -> Any:
    try:
        return json_values.parse(text)
    except ValueError:
        return otherwise


def shaped(pipe: Pipe, template: str, event: Any, now: str) -> str:
    """One event as text: through the template, or as JSON."""
    if not template:
        return event if isinstance(event, str) else compact(event)
    view = view_of(event)
    variables = {
        "aws.pipes.pipe-arn": pipe.arn,
        "aws.pipes.pipe-name": pipe.name,
        "aws.pipes.source-arn": pipe.source,
        "aws.pipes.enrichment-arn": pipe.given.get("Enrichment") or MISSING,
        "aws.pipes.target-arn": pipe.target,
        "aws.pipes.event.ingestion-time": now,
        "aws.pipes.event": event,
        "aws.pipes.event.json": view,
    }
    return fill_paths(template, variables, view)


def batch_text(texts: list[str]) -> str:
    """A batch as one JSON array; a text that is no JSON is a string in it."""
    return f"[{','.join(text if is_json(text) else compact(text) for text in texts)}]"


def is_dynamic(value: str) -> bool:
    """Whether a parameter of the target is a path into the event."""
    return value.startswith("$.")


def dynamic(value: str, event: Any) -> str:
    """A parameter of the target: a path into the event, or itself."""
    if not is_dynamic(value):
        return value
    found = at_path(view_of(event), value)
    return "" if found is MISSING else found if isinstance(found, str) else compact(found)
