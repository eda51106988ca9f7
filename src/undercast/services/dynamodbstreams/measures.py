"""What DynamoDB Streams tells CloudWatch of GetRecords: namespace AWS/DynamoDB, by operation, stream and table.

Whoever reads counts, event source mappings and pipes as well: the SampleCount of SuccessfulRequestLatency is how many
reads a stream had.
AWS: DynamoDB Developer Guide, "DynamoDB Metrics and dimensions".
"""

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import Clock
from undercast.core.metrics import Meter, Metrics


class Measures:
    """One per platform."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._meter = Meter(metrics, clock, "AWS/DynamoDB")

    def got(self, stream_arn: str, records: int, size_bytes: int, latency_ms: float) -> None:
        """GetRecords gave so much."""
        arn = Arn.parse(stream_arn)
        _, table, _, label = arn.resource.split("/", 3)
        scope = Scope(AccountId(arn.account_id), Region(arn.region))
        dimensions = (("Operation", "GetRecords"), ("StreamLabel", label), ("TableName", table))
        self._meter.put(scope, "SuccessfulRequestLatency", dimensions, latency_ms, "Milliseconds")
        self._meter.put(scope, "ReturnedRecordsCount", dimensions, float(records))
        self._meter.put(scope, "ReturnedBytes", dimensions, float(size_bytes), "Bytes")
