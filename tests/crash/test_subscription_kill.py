"""SIGKILL of a platform with a subscription filter: what PutLogEvents was answered for reaches the destination.

At least once. The destination is a stream, whose records are durable.
"""

import gzip
import json
import time
from pathlib import Path

from tests.platform import RunningPlatform, start, stop

PUTS = 15


def _messages(platform: RunningPlatform) -> set[str]:
    platform.drain()
    kinesis = platform.client("kinesis")
    iterator = kinesis.get_shard_iterator(
        StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: set[str] = set()
    for record in kinesis.get_records(ShardIterator=iterator)["Records"]:
        found |= {event["message"] for event in json.loads(gzip.decompress(record["Data"]))["logEvents"]}
    return found


def test_what_was_answered_reaches_the_destination_after_a_kill(tmp_path: Path) -> None:
    """The kill comes right behind an answer; the filter itself is known after it, too."""
    platform = start(tmp_path)
    sent: set[str] = set()
    try:
        platform.client("kinesis").create_stream(StreamName="s", ShardCount=1)
        logs = platform.client("logs")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="t")
        logs.put_subscription_filter(
            logGroupName="g", filterName="n", filterPattern="", roleArn="arn:aws:iam::000000000000:role/unknown",
            destinationArn="arn:aws:kinesis:us-east-1:000000000000:stream/s",
        )  # fmt: skip
        for number in range(PUTS):
            event = {"timestamp": int(time.time() * 1000), "message": f"{number}"}
            logs.put_log_events(logGroupName="g", logStreamName="t", logEvents=[event])
            sent.add(f"{number}")
        platform.kill()
        platform = start(tmp_path)
        event = {"timestamp": int(time.time() * 1000), "message": "after"}
        platform.client("logs").put_log_events(logGroupName="g", logStreamName="t", logEvents=[event])
        sent.add("after")
        assert sent <= _messages(platform)
    finally:
        stop(platform)
