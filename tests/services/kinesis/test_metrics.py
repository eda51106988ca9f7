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


def test_of_shards_there_is_what_is_enabled(platform: RunningPlatform, account: str, kinesis: Any) -> None:
    """Each shard for itself: what is written, read and published. API Reference, EnableEnhancedMonitoring."""
    cloudwatch = platform.client("cloudwatch", account=account)
    kinesis.create_stream(StreamName="s", ShardCount=2)
    arn = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    one, other = (shard["ShardId"] for shard in kinesis.list_shards(StreamName="s")["Shards"])
    low, high = {"PartitionKey": "k", "ExplicitHashKey": "0"}, {"PartitionKey": "k", "ExplicitHashKey": str(2**128 - 1)}
    kinesis.put_record(StreamName="s", Data=b"before", **low)
    kinesis.enable_enhanced_monitoring(StreamName="s", ShardLevelMetrics=["ALL"])
    kinesis.disable_enhanced_monitoring(StreamName="s", ShardLevelMetrics=["IncomingBytes"])
    records = [{"Data": b"1", **low}, {"Data": b"2", **high}, {"Data": b"345", **high}]
    kinesis.put_records(StreamName="s", Records=records)
    iterator = kinesis.get_shard_iterator(StreamName="s", ShardId=other, ShardIteratorType="TRIM_HORIZON")
    kinesis.get_records(ShardIterator=iterator["ShardIterator"])
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    start = {"Type": "TRIM_HORIZON"}
    events = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=one, StartingPosition=start)["EventStream"]
    assert len(next(iter(events))["SubscribeToShardEvent"]["Records"]) == 2
    events.close()

    def counted(metric: str, shard: str, statistic: str = "Sum") -> float | None:
        return measured(cloudwatch, "AWS/Kinesis", metric, statistic, StreamName="s", ShardId=shard)

    assert (counted("IncomingRecords", one), counted("IncomingRecords", other)) == (1, 2)
    assert (counted("OutgoingRecords", one), counted("OutgoingRecords", other)) == (2, 2)
    assert (counted("OutgoingBytes", one), counted("OutgoingBytes", other)) == (2 + len("before1"), 2 + len("2345"))
    assert counted("WriteProvisionedThroughputExceeded", one) == 0
    assert counted("IteratorAgeMilliseconds", other, "Maximum") == 0
    dimensions = [{"Name": "ShardId", "Value": one}]
    found = cloudwatch.list_metrics(Namespace="AWS/Kinesis", Dimensions=dimensions)["Metrics"]
    assert {metric["MetricName"] for metric in found} == {
        "IncomingRecords", "OutgoingRecords", "OutgoingBytes", "WriteProvisionedThroughputExceeded",
    }  # fmt: skip
