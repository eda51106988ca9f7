"""`POST /_undercast/reset`: what test suites call between two tests."""

import os
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError

from tests.e2e.functions import create_function
from tests.platform import running
from tests.services.lambda_.queues import until

ACCOUNT = "000000000000"
ECHO = """
import time
def handler(event, context):
    if event == "sleep":
        time.sleep(1)
    print("ran")
    return event
"""


def test_a_reset_leaves_an_empty_platform_that_works() -> None:
    """Buckets, objects, functions, roles, logs and queued events are gone; the same names can be made again."""
    with running() as platform:
        s3, functions, iam = platform.client("s3"), platform.client("lambda"), platform.client("iam")
        logs = platform.client("logs")
        for _ in range(2):
            s3.create_bucket(Bucket="reset-bucket")
            s3.put_object(Bucket="reset-bucket", Key="k", Body=os.urandom(100_000))
            iam.create_user(UserName="u")
            create_function(platform, ACCOUNT, "f", ECHO)
            assert functions.invoke(FunctionName="f", Payload=b"1")["Payload"].read() == b"1"
            functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"2")
            functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'"sleep"')
            time.sleep(0.2)
            platform.ask("/_undercast/reset", {})
            assert s3.list_buckets()["Buckets"] == []
            assert functions.list_functions()["Functions"] == []
            assert iam.list_users()["Users"] == []
            time.sleep(1)  # for the one that slept, had it been left
            assert logs.describe_log_groups()["logGroups"] == []
            with pytest.raises(ClientError) as caught:
                functions.invoke(FunctionName="f")
            assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
            assert list((platform.data / "blobs").glob("??/*")) == []
            until(lambda: {path.name for path in (platform.data / "code").iterdir()} <= {".work"})
            assert platform.ask("/_undercast/status")["deliveries"]["waiting"] == 0


def test_the_command_asks_before_it_empties_the_platform() -> None:
    """A script says --yes; without it nobody loses anything by a slip."""
    with running() as platform:
        s3 = platform.client("s3")
        s3.create_bucket(Bucket="reset-bucket")
        command = [sys.executable, "-m", "undercast", "reset", "--data", str(platform.data)]
        refused = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert (refused.returncode, "undercast reset --yes" in refused.stderr) == (1, True)
        assert len(s3.list_buckets()["Buckets"]) == 1
        done = subprocess.run([*command, "--yes"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{platform.url} is empty\n"
        assert s3.list_buckets()["Buckets"] == []
