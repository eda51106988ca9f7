"""Rows of seed S4, and S3d-01: limits, lifecycle and scale, on a platform of their own where they move its clock."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from tests.e2e.functions import RUNTIME
from tests.e2e.rows.functions import deploy_binary
from tests.machine import lacking
from tests.platform import RunningPlatform, running
from tests.services.lambda_.conftest import package

DAY_S = 86_400
BURST, MEMORY_MB = 50, 128
WAITS = """
import os, socket
HERE = os.urandom(8).hex()
def handler(event, context):
    with socket.create_connection(("host.undercast.internal", event["port"])) as gate:
        gate.recv(1)
    return HERE
"""


def test_a_lifecycle_rule_expires_objects_with_their_event() -> None:
    """S4-03: a rule of one day, the platform's clock two days on: the object is gone and its event is in the queue."""
    with running() as platform:
        s3, sqs = platform.client("s3"), platform.client("sqs")
        s3.create_bucket(Bucket="short-lived")
        url = sqs.create_queue(QueueName="told")["QueueUrl"]
        arn = "arn:aws:sqs:us-east-1:000000000000:told"
        principal = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**principal, "Resource": arn}]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        wish = {"QueueArn": arn, "Events": ["s3:LifecycleExpiration:Delete"]}
        s3.put_bucket_notification_configuration(
            Bucket="short-lived", NotificationConfiguration={"QueueConfigurations": [wish]}
        )
        rule = {"ID": "day", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket="short-lived", LifecycleConfiguration={"Rules": [rule]})
        s3.put_object(Bucket="short-lived", Key="o", Body=b"x")
        (first,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        assert json.loads(first["Body"])["Event"] == "s3:TestEvent"
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        platform.advance(2 * DAY_S)
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        (record,) = json.loads(message["Body"])["Records"]
        assert (record["eventName"], record["s3"]["object"]["key"]) == ("LifecycleExpiration:Delete", "o")
        assert "Contents" not in s3.list_objects_v2(Bucket="short-lived")


def test_a_timeout_is_at_most_900_seconds(platform: RunningPlatform, account: str) -> None:
    """S4-26: 900 is taken, 901 is refused with AWS's words."""
    function = deploy_binary(platform, account, "long", package(app=WAITS), "app.handler", Runtime=RUNTIME, Timeout=900)
    assert function.client().get_function_configuration(FunctionName="long")["Timeout"] == 900
    with pytest.raises(ClientError, match="less than or equal to 900"):
        function.update(Timeout=901)


def test_a_burst_of_fifty_has_fifty_environments() -> None:
    """S3d-01: each of fifty invokes at once has an environment of its own, which ends when nobody asks for it."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=BURST) as gate,
        running(options=["--forward-ports", str(gate.getsockname()[1])]) as platform,
        ThreadPoolExecutor(BURST) as callers,
    ):
        if platform.driver != "namespace":
            lacking("only the namespace driver answers for host.undercast.internal")
        room_mb = platform.ask("/_undercast/status")["sandboxes"]["limits"]["memory_mb"]
        if room_mb < BURST * MEMORY_MB:
            lacking(f"{BURST} of {MEMORY_MB} MB need twice that much free memory, and there is {2 * room_mb} MB")
        gate.settimeout(1)
        settings = {"Runtime": RUNTIME, "Timeout": 110, "MemorySize": MEMORY_MB}
        function = deploy_binary(platform, "111111111111", "wide", package(app=WAITS), "app.handler", **settings)
        client = platform.client("lambda", account=function.account, max_pool_connections=BURST, read_timeout=115)
        event = json.dumps({"port": gate.getsockname()[1]})
        calls = [callers.submit(client.invoke, FunctionName="wide", Payload=event) for _ in range(BURST)]
        inside: list[socket.socket] = []
        while len(inside) < BURST:
            ended = [call.exception() or call.result()["Payload"].read() for call in calls if call.done()]
            assert ended == [], f"{len(inside)} are inside, and these ended before they were let out"
            with suppress(TimeoutError):
                inside.append(gate.accept()[0])
        for one in inside:
            one.close()
        answers = {call.result()["Payload"].read() for call in calls}
        assert len(answers) == BURST
