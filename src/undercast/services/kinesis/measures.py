"""What Kinesis tells CloudWatch: namespace AWS/Kinesis, dimension StreamName; with ShardId what is enabled of shards.

AWS: Kinesis Data Streams Developer Guide, "Monitor the Amazon Kinesis Data Streams service with Amazon CloudWatch";
API Reference, EnableEnhancedMonitoring.
"""

from collections.abc import Sequence
from typing import NamedTuple

from undercast.core.clock import Clock
from undercast.core.metrics import Meter, Metrics
from undercast.services.kinesis.models import Stream, shard_name
from undercast.services.kinesis.records import Page

SHARD_METRICS = {
    "IncomingBytes": "Bytes",
    "IncomingRecords": "Count",
    "OutgoingBytes": "Bytes",
    "OutgoingRecords": "Count",
    "WriteProvisionedThroughputExceeded": "Count",
    "ReadProvisionedThroughputExceeded": "Count",
    "IteratorAgeMilliseconds": "Milliseconds",
}
"""Those that can be enabled of shards, with their units."""


class Sent(NamedTuple):
    """A record of a request, and whether its shard took it or was at its limits."""

    shard: int
    size: int
    taken: bool


class Measures:
    """One per platform."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._meter = Meter(metrics, clock, "AWS/Kinesis")

    def put(self, stream: Stream, records: Sequence[Sent]) -> None:
        """A request brought these records."""
        for name, value in _incoming(records).items():
            self._put(stream, name, value, SHARD_METRICS[name])
        if stream.metrics:
            for number in sorted({one.shard for one in records}):
                self._put_shard(stream, number, _incoming([one for one in records if one.shard == number]))

    def got(self, stream: Stream, shard: int, page: Page) -> None:
        """GetRecords gave so much; its last record is so far behind the newest of the shard."""
        self._put(stream, "GetRecords.Records", len(page.records))
        self._put(stream, "GetRecords.Bytes", page.size, "Bytes")
        self._put(stream, "GetRecords.IteratorAgeMilliseconds", page.behind_ms, "Milliseconds")
        self._put(stream, "GetRecords.Success", 1)
        self._put(stream, "ReadProvisionedThroughputExceeded", 0)
        refused = {"ReadProvisionedThroughputExceeded": 0, "IteratorAgeMilliseconds": page.behind_ms}
        self._put_shard(stream, shard, {**_outgoing(page), **refused})

    def published(self, stream: Stream, shard: int, page: Page) -> None:
        """SubscribeToShard sends an event."""
        self._put_shard(stream, shard, _outgoing(page))

    def throttled(self, stream: Stream, shard: int) -> None:
        """GetRecords was above its shard's limits."""
        self._put(stream, "GetRecords.Success", 0)
        self._put(stream, "ReadProvisionedThroughputExceeded", 1)
        self._put_shard(stream, shard, {"ReadProvisionedThroughputExceeded": 1})

    def _put(self, stream: Stream, name: str, value: float, unit: str = "Count") -> None:
        self._meter.put(stream.of.scope, name, (("StreamName", stream.of.name),), float(value), unit)

    def _put_shard(self, stream: Stream, shard: int, values: dict[str, int]) -> None:
        dimensions = (("ShardId", shard_name(shard)), ("StreamName", stream.of.name))
        for name, value in values.items():
            if name in stream.metrics:
                self._meter.put(stream.of.scope, name, dimensions, float(value), SHARD_METRICS[name])


def _incoming(records: Sequence[Sent]) -> dict[str, int]:
    sizes = [one.size for one in records if one.taken]
    taken = {"IncomingRecords": len(sizes), "IncomingBytes": sum(sizes)} if sizes else {}
    return {**taken, "WriteProvisionedThroughputExceeded": len(records) - len(sizes)}


def _outgoing(page: Page) -> dict[str, int]:
    return {"OutgoingRecords": len(page.records), "OutgoingBytes": page.size}
