"""Subscription filters, and the message that a destination gets.

Pure. AWS: CloudWatch Logs User Guide, "Log group-level subscription filters" (the decoded DATA_MESSAGE); Lambda
Developer Guide, "Using Lambda with CloudWatch Logs" (awslogs.data).
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.services.logs.followers import Event, GroupName, StreamName, event_id
from undercast.services.logs.models import group_arn

MAX_PER_GROUP = 2
MAX_MESSAGE_BYTES = 512 * 1024
"""Ours, of text before it is packed: packed and in base64 it is below the 1 MB that a function's event may have."""
MAX_MESSAGE_EVENTS = 10_000
BY_STREAM = "ByLogStream"


@record
class SubscriptionFilter:
    """One filter of one group."""

    scope: Scope
    group: str
    name: str
    created_ms: int
    pattern: str
    destination_arn: str
    role_arn: str = ""
    distribution: str = BY_STREAM

    @property
    def group_name(self) -> GroupName:
        """Of the group that it is on."""
        return GroupName(self.scope, self.group)

    @property
    def source_arn(self) -> str:
        """What the policy of a function sees as aws:SourceArn."""
        return f"{group_arn(self.scope, self.group)}:*"

    def output(self) -> dict[str, Any]:
        """SubscriptionFilter."""
        found: dict[str, Any] = {
            "filterName": self.name,
            "logGroupName": self.group,
            "filterPattern": self.pattern,
            "destinationArn": self.destination_arn,
            "distribution": self.distribution,
            "applyOnTransformedLogs": False,
            "creationTime": self.created_ms,
        }
        if self.role_arn:
            found["roleArn"] = self.role_arn
        return found


def portions(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Events that fit into one message each, in their order."""
    begin, size = 0, 0
    for at, event in enumerate(events):
        length = len(event[4].encode(errors="replace"))
        if at > begin and (size + length > MAX_MESSAGE_BYTES or at - begin >= MAX_MESSAGE_EVENTS):
            yield events[begin:at]
            begin, size = at, 0
        size += length
    if begin < len(events):
        yield events[begin:]


def packed(
    owner: str,
    stream: StreamName,
    filter_name: str,
    events: Sequence[Event],
    fields: Callable[[str], Mapping[str, str]] | None,
) -> bytes:
    """The DATA_MESSAGE, gzip. `owner` is the group's account; `fields` takes named fields out of a message."""
    shown: list[dict[str, Any]] = []
    for event in events:
        one: dict[str, Any] = {"id": event_id(event), "timestamp": event[2], "message": event[4]}
        if fields is not None:
            one["extractedFields"] = dict(fields(event[4]))
        shown.append(one)
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": owner,
        "logGroup": stream.group,
        "logStream": stream.stream,
        "subscriptionFilters": [filter_name],
        "logEvents": shown,
    }
    return gzip.compress(as_json(document), mtime=0)


def as_json(document: Mapping[str, Any]) -> bytes:
    """Half a surrogate pair, which UTF-8 has not, becomes "?"."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def function_event(message: bytes) -> bytes:
    """What a function gets."""
    return as_json({"awslogs": {"data": base64.b64encode(message).decode()}})
