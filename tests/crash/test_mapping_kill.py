"""SIGKILL of a platform whose function works off a queue or a stream: every message and record has its effect.

At least once. The effect of a message is an object, which is durable when the function's put is answered.
"""

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.crash import mapped
from tests.platform import RunningPlatform, start, stop

HANDLER = """
import base64, boto3
s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        text = record["body"] if "body" in record else base64.b64decode(record["kinesis"]["data"]).decode()
        s3.put_object(Bucket="effects", Key=text, Body=b"")
"""
KILLS = 4
LEAST = 12
"""So many are sent in each life: a busy machine may take all the time of one for less."""
PATIENCE_S = 60.0
"""Without one more effect."""


def _deploy(platform: RunningPlatform) -> None:
    platform.client("s3").create_bucket(Bucket="effects")
    mapped.deploy(platform, HANDLER)


def _deploy_queue(platform: RunningPlatform) -> str:
    _deploy(platform)
    url: str = platform.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    mapped.follow(platform, "sqs:q", BatchSize=3)
    return url


def _send_until_killed(
    platform: RunningPlatform, send: Callable[[str], object], sent: list[str], kill_after_s: float
) -> None:
    ends, least = time.monotonic() + kill_after_s, len(sent) + LEAST
    try:
        while time.monotonic() < ends or len(sent) < least:
            body = f"m{len(sent)}"
            send(body)
            sent.append(body)
    finally:
        platform.kill()


def _effects(s3: Any) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="effects")
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def _wait_for_effects(platform: RunningPlatform, sent: list[str], step_s: float) -> None:
    ends, before = time.monotonic() + PATIENCE_S, len(sent)
    while missing := set(sent) - _effects(platform.client("s3")):
        if len(missing) < before:
            ends, before = time.monotonic() + PATIENCE_S, len(missing)
        assert time.monotonic() < ends, f"{len(missing)} of {len(sent)} had no effect: {sorted(missing)[:5]}"
        platform.advance(step_s)
        time.sleep(0.5)


@pytest.mark.timeout(600)
def test_every_message_has_its_effect_over_kills(tmp_path: Path) -> None:
    """What was in flight comes back after its visibility timeout; the mapping is read again at each start."""
    chance, sent = random.Random(38), list[str]()
    platform = start(tmp_path)
    url = _deploy_queue(platform)
    for _ in range(KILLS):
        sqs = platform.client("sqs")
        send = partial(_send, sqs, url)
        _send_until_killed(platform, send, sent, chance.uniform(0.3, 1.5))
        platform = start(tmp_path)
    try:
        _wait_for_effects(platform, sent, 31)
    finally:
        stop(platform)


def _send(sqs: Any, url: str, body: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody=body)


@pytest.mark.timeout(600)
def test_every_record_is_there_and_has_its_effect_over_kills(tmp_path: Path) -> None:
    """Kinesis: what is acknowledged is in the stream, in order; the mapping goes on behind its last commit."""
    chance, sent = random.Random(39), list[str]()
    platform = start(tmp_path)
    _deploy(platform)
    platform.client("kinesis").create_stream(StreamName="s", ShardCount=2)
    mapped.follow(platform, "kinesis:stream/s", StartingPosition="TRIM_HORIZON", BatchSize=3, ParallelizationFactor=2)
    for _ in range(2):
        _send_until_killed(platform, partial(_put, platform.client("kinesis")), sent, chance.uniform(0.3, 0.8))
        platform = start(tmp_path)
    try:
        _wait_for_effects(platform, sent, 1)
        kinesis, there = platform.client("kinesis"), list[int]()
        for shard in ("shardId-000000000000", "shardId-000000000001"):
            begin = {"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
            iterator = kinesis.get_shard_iterator(**begin)["ShardIterator"]
            records = kinesis.get_records(ShardIterator=iterator)["Records"]
            numbers = [int(record["Data"][1:]) for record in records]
            assert numbers == sorted(numbers)
            there += numbers
        assert sorted(there) == list(range(len(sent)))
    finally:
        stop(platform)


def _put(kinesis: Any, text: str) -> None:
    kinesis.put_record(StreamName="s", Data=text.encode(), PartitionKey=text)
