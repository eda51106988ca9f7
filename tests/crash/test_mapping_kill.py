"""SIGKILL of a platform whose function works off a queue: every message has its effect, at least once.

The effect of a message is an object, which is durable when the function's put is answered.
"""

import io
import random
import time
import zipfile
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.platform import RunningPlatform, start, stop

HANDLER = """
import boto3
s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        s3.put_object(Bucket="effects", Key=record["body"], Body=b"")
"""
KILLS = 4
PATIENCE_S = 60.0


def _deploy(platform: RunningPlatform) -> str:
    functions, sqs = platform.client("lambda"), platform.client("sqs")
    platform.client("s3").create_bucket(Bucket="effects")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", HANDLER)
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/unknown",
        Handler="app.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=20,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    url: str = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:q"
    functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", BatchSize=3)
    return url


def _send_until_killed(platform: RunningPlatform, url: str, sent: list[str], kill_after_s: float) -> None:
    sqs = platform.client("sqs")
    ends = time.monotonic() + kill_after_s
    while time.monotonic() < ends:
        body = f"m{len(sent)}"
        try:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        except (BotoCoreError, ClientError):
            break
        sent.append(body)
    platform.kill()


def _effects(s3: Any) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="effects")
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def test_every_message_has_its_effect_over_kills(tmp_path: Path) -> None:
    """What was in flight comes back after its visibility timeout; the mapping is read again at each start."""
    chance, sent = random.Random(38), list[str]()
    platform = start(tmp_path)
    url = _deploy(platform)
    for _ in range(KILLS):
        _send_until_killed(platform, url, sent, chance.uniform(0.3, 1.5))
        platform = start(tmp_path)
    try:
        ends = time.monotonic() + PATIENCE_S
        while missing := set(sent) - _effects(platform.client("s3")):
            assert time.monotonic() < ends, (
                f"{len(missing)} of {len(sent)} messages had no effect: {sorted(missing)[:5]}"
            )
            platform.advance(31)
            time.sleep(0.5)
        assert len(sent) > 10 * KILLS
    finally:
        stop(platform)
