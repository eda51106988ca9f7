"""Invariants of the architecture, seen from outside on a real platform."""

import json
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform, running

ECHO = "def handler(event, context):\n    return event\n"
GATED = """
import socket

def handler(event, context):
    with socket.create_connection((event["host"], event["port"])) as gate:
        gate.recv(1)
    return context.get_remaining_time_in_millis()
"""
IDENTITY = """
import os, boto3

def handler(event, context):
    kept = boto3.client("sts").get_caller_identity()["Arn"]
    try:
        forged = boto3.client("sts", aws_access_key_id=event["key"], aws_secret_access_key="x", aws_session_token=None)
        return [kept, forged.get_caller_identity()["Arn"]]
    except Exception as error:
        return [kept, type(error).__name__ + " " + str(error)]
"""


def test_a_synchronous_invoke_commits_nothing(platform: RunningPlatform, account: str) -> None:
    """A warm RequestResponse invoke makes no write to state.db; data_version counts other connections' commits."""
    create_function(platform, account, "echo", ECHO)
    client = platform.client("lambda", account=account)
    client.invoke(FunctionName="echo", Payload=b"{}")
    watch = sqlite3.connect(f"file:{platform.data / 'state.db'}?mode=ro", uri=True)

    def version() -> int:
        return int(watch.execute("PRAGMA data_version").fetchone()[0])

    quiet = False
    for _ in range(5):  # the deployment's own last commits may fall into the first rounds
        before = version()
        for number in range(50):
            payload = client.invoke(FunctionName="echo", Payload=json.dumps({"n": number}).encode())["Payload"]
            assert json.load(payload) == {"n": number}
        quiet = quiet or version() == before
    assert quiet
    before = version()
    platform.client("s3", account=account).create_bucket(Bucket=f"counted-{account}")
    assert version() > before
    watch.close()


@pytest.mark.parametrize(
    ("service", "operation"), [("ec2", "DescribeInstances"), ("elasticache", "DescribeCacheClusters")]
)
def test_a_service_that_is_missing_is_named(platform: RunningPlatform, service: str, operation: str) -> None:
    """Also in EC2's own protocol, whose errors have another form than the query protocol's."""
    client = platform.client(service)
    with pytest.raises(ClientError, match=f"does not implement {service}:{operation}") as caught:
        getattr(client, xform_name(operation))()
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_moving_the_platform_clock_leaves_a_running_invoke_alone(account: str) -> None:
    """Deadlines are host time (I5): six hours pass for retries and retention, not for the function."""
    with (
        socket.create_server(("127.0.0.1", 0)) as gate,
        running(options=["--forward-ports", str(gate.getsockname()[1])]) as platform,
        ThreadPoolExecutor(1) as caller,
    ):
        gate.settimeout(60)
        create_function(platform, account, "gated", GATED, Timeout=60)
        host = "host.undercast.internal" if platform.driver == "namespace" else "127.0.0.1"
        event = json.dumps({"host": host, "port": gate.getsockname()[1]})
        client = platform.client("lambda", account=account)
        running_invoke = caller.submit(client.invoke, FunctionName="gated", Payload=event)
        with gate.accept()[0]:  # it is inside, and comes out behind the move
            platform.advance(6 * 3600)
        answer = running_invoke.result()
        assert "FunctionError" not in answer
        assert 0 < json.load(answer["Payload"]) < 60_000


def test_a_function_is_its_role_and_no_other_key_works_inside(platform: RunningPlatform, account: str) -> None:
    """A key that we did not issue is the user's convenience outside; inside a sandbox it would be a way out."""
    create_function(platform, account, "identity", IDENTITY, Timeout=20)
    client = platform.client("lambda", account=account)
    kept, forged = json.load(client.invoke(FunctionName="identity", Payload=b'{"key": "000000000000"}')["Payload"])
    assert kept.startswith(f"arn:aws:sts::{account}:assumed-role/unknown/")
    if platform.driver == "namespace":
        assert "InvalidClientTokenId" in forged


def test_the_platform_clock_goes_on_after_a_restart(tmp_path: Path) -> None:
    """What was due stays due, and no row is in the future."""
    with running(tmp_path / "data") as first:
        first.advance(86_400)
        first.client("s3").create_bucket(Bucket="tomorrow")
        made = first.client("s3").list_buckets()["Buckets"][0]["CreationDate"].timestamp()
    with running(tmp_path / "data") as second:
        assert second.ask("/_undercast/clock", {"advance_s": 0})["now"] >= made


def test_a_function_recovers_from_a_timeout_at_the_smallest_memory(platform: RunningPlatform, account: str) -> None:
    """The INIT behind a reset has INIT's CPU: at the share of 128 MB importing the SDK would outlast the timeout."""
    source = (
        "import time\nimport boto3\nboto3.client('s3')\n"
        "def handler(event, context):\n    time.sleep(event['s'])\n    return 'well'\n"
    )
    create_function(platform, account, "recovers", source, Timeout=6, MemorySize=128)
    client = platform.client("lambda", account=account)
    assert "FunctionError" in client.invoke(FunctionName="recovers", Payload=b'{"s": 30}')
    assert client.invoke(FunctionName="recovers", Payload=b'{"s": 0}')["Payload"].read() == b'"well"'
