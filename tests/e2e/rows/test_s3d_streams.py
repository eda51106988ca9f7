"""Kinesis -> Lambda, by the AWS CLI calls of the seed (S3d-25, S3d-27, S3d-28).

AWS: Lambda Developer Guide, "Tutorial: Using Lambda with Kinesis Data Streams".
"""

import base64
import json
import time
from pathlib import Path
from typing import Any

from tests.e2e.functions import RUNTIME, package
from tests.e2e.test_aws_cli_flow import Cli
from tests.platform import RunningPlatform

NAME = "ProcessKinesisStream_easwy"
SOURCE = """
import base64

def handler(event, context):
    text = None
    for record in event["Records"]:
        if "kinesis" in record:
            text = base64.b64decode(record["kinesis"]["data"]).decode()
            print("Decoded payload : " + text)
    return text
"""
TEXT = "This is a test from RaceLab. final"


def test_a_record_of_kinesis_is_decoded(platform: RunningPlatform, account: str, tmp_path: Path) -> None:
    """A direct invoke with a sample event gives the golden text; a record that is put comes to the log."""
    functions = platform.client("lambda", account=account, region="us-west-2")
    functions.create_function(
        FunctionName=NAME,
        Runtime=RUNTIME,
        Role=f"arn:aws:iam::{account}:role/lambda-kinesis-role",
        Handler="app.handler",
        Code={"ZipFile": package(SOURCE)},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    cli = Cli(platform, account, tmp_path, region="us-west-2")
    data = base64.b64encode(b"Hello, this is a test 123.").decode()
    sample = {"Records": [{"kinesis": {"partitionKey": "k", "data": data}, "eventSource": "aws:kinesis"}]}
    (tmp_path / "input.txt").write_text(json.dumps(sample))
    cli(f"lambda invoke --function-name {NAME} --payload file://./input.txt outputfile.txt")
    assert (tmp_path / "outputfile.txt").read_text() == '"Hello, this is a test 123."'
    cli("kinesis create-stream --stream-name kinesis-lambda --shard-count 1")
    arn = f"arn:aws:kinesis:us-west-2:{account}:stream/kinesis-lambda"
    source = f"--event-source {arn} --batch-size 100 --starting-position TRIM_HORIZON"
    cli(f"lambda create-event-source-mapping --function-name {NAME} {source}")
    cli(f'kinesis put-record --stream-name kinesis-lambda --data "{TEXT}" --partition-key shardId-000000000000')
    logs = platform.client("logs", account=account, region="us-west-2")
    for _ in range(300):
        if f"Decoded payload : {TEXT}" in logged(logs):
            return
        time.sleep(0.1)
    raise AssertionError(logged(logs))


def logged(logs: Any) -> str:
    """What the function has printed."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{NAME}")
    return "".join(event["message"] for page in pages for event in page["events"])
