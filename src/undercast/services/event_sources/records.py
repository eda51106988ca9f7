"""What a stream of either kind gives to its consumers: shards and records, the same for both.

AWS: Lambda Developer Guide, "Using Lambda with Kinesis", "Using Lambda with DynamoDB".
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from undercast.core import json_values
from undercast.core.record import record


class ShardSeen(NamedTuple):
    """A shard as its stream lists it. Parents that have expired are not named."""

    id: str
    parents: tuple[str, ...]


class Listing(NamedTuple):
    """A stream's shards, parents before their children, and how long it keeps records."""

    shards: Sequence[ShardSeen]
    retention_s: float


@record
class Record:
    """One record."""

    sequence: str
    arrived_at: float
    key: str
    """What orders it: records of one key never overtake each other."""
    event: Mapping[str, Any]
    """Its entry of Records."""
    text: str = field(compare=False)
    """The same as JSON."""

    @property
    def id(self) -> str:
        """eventID."""
        return str(self.event["eventID"])

    def lane(self, factor: int) -> int:
        """Which of so many concurrent batches of its shard takes it."""
        return zlib.crc32(self.key.encode()) % factor


class Page(NamedTuple):
    """One answer. `following` is None at the end of a closed shard."""

    records: Sequence[Record]
    following: str | None
    is_last: bool = False
    """Whether nothing was behind its records when it was read; where that is unknown, the next page is empty."""


def text_of(event: Mapping[str, Any]) -> str:
    """As JSON; blobs in base64."""
    return json.dumps(event, ensure_ascii=False, default=lambda value: base64.b64encode(value).decode())


def filter_view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What filters look at: of Kinesis only `data`, decoded, as JSON where it is JSON."""
    if "kinesis" not in event:
        return event
    data = base64.b64decode(event["kinesis"]["data"])
    try:
        return {"data": json_values.parse(data)}
    except ValueError:
        return {"data": data.decode(errors="replace")}
