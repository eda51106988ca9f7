"""Metrics of streams, on the real platform.

AWS: Kinesis Data Streams Developer Guide, "Monitor the Amazon Kinesis Data Streams service with Amazon CloudWatch".
"""

from typing import Any

from tests.platform import RunningPlatform
from tests.services.measured import measured


def test_what_comes_and_goes_is_counted(platform: RunningPlatform, account: str, kinesis: Any) -> None:
    """Records and bytes in and out, how far a reader is behind, refusals."""
    cloudwatch = platform.client("cloudwatch", account=account)
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.put_record(StreamName="s", Data=b"12", PartitionKey="k")
    kinesis.put_records(StreamName="s", Records=[{"Data": b"345", "PartitionKey": "k"} for _ in range(2)])
    shard = kinesis.list_shards(StreamName="s")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    got = kinesis.get_records(ShardIterator=iterator["ShardIterator"])
    assert len(got["Records"]) == 3

    def counted(metric: str, statistic: str = "Sum") -> float | None:
        return measured(cloudwatch, "AWS/Kinesis", metric, statistic, StreamName="s")

    assert counted("IncomingRecords") == counted("GetRecords.Records") == 3
    assert counted("IncomingBytes") == counted("GetRecords.Bytes") == 2 + 3 + 3 + 3 * len("k")
    assert counted("GetRecords.IteratorAgeMilliseconds", "Maximum") == 0
    assert counted("GetRecords.Success", "Average") == 1
    assert counted("WriteProvisionedThroughputExceeded") == counted("ReadProvisionedThroughputExceeded") == 0
