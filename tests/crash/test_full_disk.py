"""A full disk refuses what it cannot hold, costs nothing that was acknowledged, and says what is wrong."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.crash.ledger import Ledger
from tests.machine import lacking

MIB = 1024 * 1024
DISK_MIB = 24
# Under the process driver nothing of the sandboxes is mounted from the small disk.
OPTIONS = ("--driver", "process")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds so much."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", str(place)]
    if os.geteuid():
        pytest.skip("only root mounts a disk of its own")
    if subprocess.run(mount, capture_output=True, timeout=30).returncode:
        lacking("no right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=30)


def refused(change: Callable[[], object]) -> str:
    """The text of the error that a change meets; "" when it is accepted."""
    try:
        change()
    except ClientError as error:
        return str(error)
    return ""


def fill(client: Callable[[str], Any], ledger: Ledger) -> dict[str, int]:
    """Put objects and lines until neither a large nor a small one is taken; the lines acknowledged."""
    s3, logs = client("s3"), client("logs")
    lines = 0
    for size in (2 * MIB, 50_000, 3000):
        for number in range(2000):
            key, body = f"{size}/{number}", os.urandom(size)
            digest = hashlib.sha256(body).hexdigest()
            ledger.will("object", key, digest)
            if error := refused(lambda key=key, body=body: s3.put_object(Bucket="disk", Key=key, Body=body)):  # type: ignore[misc]
                assert "full" in error or "No space left" in error
                break
            ledger.done("object", key, digest)
        else:
            raise AssertionError(f"never full for {size} bytes")
    for _ in range(200):
        event = {"timestamp": int(time.time() * 1000), "message": "x" * 100_000}
        request = {"logGroupName": "disk", "logStreamName": "disk", "logEvents": [event]}
        if error := refused(lambda request=request: logs.put_log_events(**request)):  # type: ignore[misc]
            assert "full" in error
            break
        lines += 1
    else:
        raise AssertionError("never full for lines")
    return {"disk": lines}


def check(client: Callable[[str], Any], ledger: Ledger, lines: dict[str, int]) -> None:
    """Everything acknowledged is there."""
    found = {}
    s3 = client("s3")
    for item in s3.list_objects_v2(Bucket="disk").get("Contents", ()):
        body = s3.get_object(Bucket="disk", Key=item["Key"])["Body"].read()
        found[item["Key"]] = hashlib.sha256(body).hexdigest()
    ledger.check("object", found)
    assert ledger.problems == []
    for stream, count in lines.items():
        pages = client("logs").get_paginator("filter_log_events").paginate(logGroupName="disk", logStreamNames=[stream])
        assert sum(len(page["events"]) for page in pages) >= count


def test_a_full_disk_refuses_and_loses_nothing(disk: Path) -> None:
    """Puts fail with an error that says why; reads, deletes and the platform go on; a stop and a start are clean."""
    ledger = Ledger()
    ballast = disk / "ballast"
    ballast.write_bytes(os.urandom(2 * MIB))
    platform = platforms.start(disk / "data", OPTIONS)
    try:
        platform.client("s3").create_bucket(Bucket="disk")
        platform.client("logs").create_log_group(logGroupName="disk")
        platform.client("logs").create_log_stream(logGroupName="disk", logStreamName="disk")
        lines = fill(platform.client, ledger)
        check(platform.client, ledger, lines)
    finally:
        status = platforms.stop(platform)
    assert status == 0
    ballast.unlink()
    again = platforms.start(disk / "data", OPTIONS)
    try:
        check(again.client, ledger, lines)
        for key in [key for key in ledger.allowed["object"] if key.startswith(str(2 * MIB))]:
            again.client("s3").delete_object(Bucket="disk", Key=key)
            ledger.done("object", key, None)
        assert refused(lambda: again.client("s3").put_object(Bucket="disk", Key="last", Body=b"x" * MIB)) == ""
    finally:
        platforms.stop(again)


def test_a_start_on_a_full_disk_says_so(disk: Path) -> None:
    """One line and what to do, no traceback."""
    (disk / "ballast").write_bytes(os.urandom(DISK_MIB * MIB - 4096))
    command = [sys.executable, "-m", "undercast", "start", "--port", "0", "--data", str(disk / "data"), *OPTIONS]
    started = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert started.returncode == 1
    assert "No space left" in started.stderr
    assert "--data" in started.stderr
    assert "Traceback" not in started.stderr
