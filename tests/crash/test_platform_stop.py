"""SIGTERM under load loses nothing, and two platforms never share a data folder."""

import json
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash import inventory
from tests.crash.lives import Lives
from tests.e2e.functions import create_function
from tests.platform import RunningPlatform, running, start, stop

STOP_LIMIT_S = 10
PATIENCE_S = 60.0
GATED = """
import boto3, socket
from botocore.config import Config
s3 = boto3.client("s3", config=Config(retries={"max_attempts": 0}))

def handler(event, context):
    with socket.create_connection(("127.0.0.1", event["port"])) as gate:
        gate.recv(1)
    s3.put_object(Bucket="effects", Key="done", Body=b"")
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("driver", ["auto", "process"])
def test_sigterm_under_load_loses_nothing(tmp_path: Path, driver: str) -> None:
    """Requests in flight are answered or not begun; the status is 0, within ten seconds.

    Of its own: what it waits for a processor that others have does not count.
    """
    with Lives(tmp_path, 3, ("--driver", driver)) as lives:
        for _ in range(4):
            lives.stop_working(STOP_LIMIT_S)
        lives.judge()


def test_a_second_platform_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    """It names the pid of the first and what to do; after a SIGKILL of the first the folder is free at once."""
    with Lives(tmp_path, 4) as lives:
        first = lives.start()
        assert lives.ready_line(first)
        refused = subprocess.run(lives.command(), capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1
        assert f"in use by the platform with pid {first.pid}" in refused.stderr
        assert f"undercast stop --data {lives.data}" in refused.stderr
        first.kill()
        first.wait(60)
        with lives.alive() as second:
            assert second.process.poll() is None


@pytest.mark.timeout(600)
def test_an_event_whose_function_is_cut_off_by_a_stop_runs_after_the_next_start(tmp_path: Path) -> None:
    """Under the process driver functions call through the front door: that it closes is no failure of theirs.

    The event has one attempt only. AWS: Lambda API Reference, PutFunctionEventInvokeConfig (MaximumRetryAttempts 0).
    """
    options, data = ["--driver", "process"], tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as gate:
        gate.settimeout(PATIENCE_S)
        platform = start(data, options)
        try:
            platform.client("s3").create_bucket(Bucket="effects")
            create_function(platform, "000000000000", "f", GATED, Timeout=60)
            functions = platform.client("lambda")
            functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
            event = json.dumps({"port": gate.getsockname()[1]})
            functions.invoke(FunctionName="f", InvocationType="Event", Payload=event)
            with gate.accept()[0]:
                platform.process.send_signal(signal.SIGTERM)
                _wait_until_closed(platform)
            assert platform.process.wait(PATIENCE_S) == 0
        finally:
            stop(platform)
        assert inventory.waiting_deliveries(data) == 1
        with running(data, options) as again:
            gate.accept()[0].close()
            again.drain()
            assert [entry["Key"] for entry in again.client("s3").list_objects_v2(Bucket="effects")["Contents"]] == [
                "done"
            ]


def _wait_until_closed(platform: RunningPlatform) -> None:
    """Return once nobody is let in any more."""
    address = ("127.0.0.1", int(platform.url.rpartition(":")[2]))
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            socket.create_connection(address, timeout=PATIENCE_S).close()
        except ConnectionRefusedError:
            return
        with suppress(subprocess.TimeoutExpired):
            platform.process.wait(0.02)
    raise AssertionError("the front door does not close")
