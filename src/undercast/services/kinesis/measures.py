"""What Kinesis tells CloudWatch of its streams: namespace AWS/Kinesis, dimension StreamName.

AWS: Kinesis Data Streams Developer Guide, "Monitor the Amazon Kinesis Data Streams service with Amazon CloudWatch".
"""

from collections.abc import Sequence

from undercast.core.clock import Clock
from undercast.core.metrics import Meter, Metrics
from undercast.services.kinesis.models import StreamName


class Measures:
    """One per platform."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._meter = Meter(metrics, clock, "AWS/Kinesis")

    def put(self, stream: StreamName, sizes: Sequence[int], refused: int) -> None:
        """A request brought records of these sizes; so many more were above their shards' limits."""
        if sizes:
            self._put(stream, "IncomingRecords", len(sizes))
            self._put(stream, "IncomingBytes", sum(sizes), "Bytes")
        self._put(stream, "WriteProvisionedThroughputExceeded", refused)

    def got(self, stream: StreamName, records: int, size: int, behind_ms: float) -> None:
        """GetRecords gave so much; its last record is so far behind the newest of the shard."""
        self._put(stream, "GetRecords.Records", records)
        self._put(stream, "GetRecords.Bytes", size, "Bytes")
        self._put(stream, "GetRecords.IteratorAgeMilliseconds", behind_ms, "Milliseconds")
        self._put(stream, "GetRecords.Success", 1)
        self._put(stream, "ReadProvisionedThroughputExceeded", 0)

    def throttled(self, stream: StreamName) -> None:
        """GetRecords was above its shard's limits."""
        self._put(stream, "GetRecords.Success", 0)
        self._put(stream, "ReadProvisionedThroughputExceeded", 1)

    def _put(self, stream: StreamName, name: str, value: float, unit: str = "Count") -> None:
        self._meter.put(stream.scope, name, (("StreamName", stream.name),), float(value), unit)
