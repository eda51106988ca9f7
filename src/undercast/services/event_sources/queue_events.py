"""What a function gets of a queue's messages, which of them it wants, and what its answer says of them.

Pure. AWS: Lambda Developer Guide, "Example standard queue message event", "Example FIFO queue message event",
"Using event filtering with an Amazon SQS event source", "Implementing partial batch responses" (success and failure
conditions).
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core import json_values
from undercast.events.patterns import Pattern, compile_pattern

REPORTS = "ReportBatchItemFailures"
_quoted = json.encoder.encode_basestring
_NONE: frozenset[str] = frozenset()


def record_of(message: Mapping[str, Any], queue_arn: str, region: str) -> dict[str, Any]:
    """One entry of Records. `message` is as ReceiveMessage gives it."""
    found: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if "MD5OfMessageAttributes" in message:
        found["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return found


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "StringValue" in value:
        found["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        found["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return {**found, "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def text_of(value: Any) -> str:
    """A record as JSON: text, objects and lists of it. Byte by byte what json.dumps makes, which takes four times as
    long to begin."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_quoted(name)}: {text_of(one)}" for name, one in value.items()]) + "}"
    return "[" + ", ".join([text_of(one) for one in value]) + "]"


def patterns_of(criteria: Mapping[str, Any]) -> tuple[Pattern, ...]:
    """The compiled patterns of a FilterCriteria. Raises ValueError for what is no pattern.

    Also for one that is stored, that an older version took and that is refused now: left out it would want everything
    or nothing, and what is not wanted does not come again. Its source is not read (`poller.source_or_reason`).
    """
    return tuple(_pattern(one) for one in criteria.get("Filters", ()))


def _pattern(given: Mapping[str, Any]) -> Pattern:
    return compile_pattern(json.loads(given.get("Pattern", "")))


def is_wanted(record: Mapping[str, Any], patterns: Sequence[Pattern]) -> bool:
    """Whether any pattern matches. A body that is a JSON object is matched as one, any other as a string."""
    if not patterns:
        return True
    try:
        body = json_values.parse(record["body"])
    except ValueError:
        body = None
    event = {**record, "body": body} if isinstance(body, dict) else record
    return any(pattern.matches(event) for pattern in patterns)


def failed_items(payload: bytes, message_ids: frozenset[str]) -> frozenset[str] | None:
    """The messages that the function reports as failed; None when its answer is malformed, so that all have failed.

    An empty or null answer, and an empty or null list, are complete success.
    """
    try:
        answer = json_values.parse(payload) if payload else None
    except ValueError:
        return None
    if answer is None:
        return _NONE
    if not isinstance(answer, dict):
        return None
    items = answer.get("batchItemFailures")
    if items is None:
        return _NONE
    if not isinstance(items, list):
        return None
    failed = [item.get("itemIdentifier") for item in items if isinstance(item, dict)]
    known = frozenset(one for one in failed if isinstance(one, str) and one in message_ids)
    return known if len(failed) == len(items) and known.issuperset(map(str, failed)) else None
