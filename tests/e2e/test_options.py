"""Options of `undercast start` that change what the platform does, each on a platform started with it."""

import json
import urllib.parse

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.e2e.functions import RUNTIME, create_function, package
from tests.platform import RunningPlatform, running

ACCOUNT = "000000000000"
ECHO = "def handler(event, context):\n    return event\n"
PUT = "import boto3\ndef handler(event, context):\n    boto3.client('s3').put_object(Bucket='off-bucket', Key='k')\n"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def invoke(platform: RunningPlatform, name: str) -> str | None:
    """The FunctionError of one run."""
    error: str | None = platform.client("lambda").invoke(FunctionName=name, Payload=b"{}").get("FunctionError")
    return error


def test_iam_strict_refuses_a_role_that_it_does_not_know() -> None:
    """By default such a role passes with a warning."""
    with running(options=["--iam", "strict"]) as platform, pytest.raises(ClientError) as caught:
        platform.client("lambda").create_function(
            FunctionName="f",
            Runtime=RUNTIME,
            Role=f"arn:aws:iam::{ACCOUNT}:role/unknown",
            Handler="app.handler",
            Code={"ZipFile": package(ECHO)},
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


@pytest.mark.parametrize(("mode", "error"), [("enforce", "Unhandled"), ("off", None)])
def test_iam_off_asks_no_policy(mode: str, error: str | None) -> None:
    """A known role without permissions writes to S3 only where IAM is off."""
    with running(options=["--iam", mode]) as platform:
        role = platform.client("iam").create_role(RoleName="none", AssumeRolePolicyDocument=json.dumps(TRUST))
        platform.client("s3").create_bucket(Bucket="off-bucket")
        create_function(platform, ACCOUNT, "put", PUT, Role=role["Role"]["Arn"], Timeout=20)
        assert invoke(platform, "put") == error


def test_max_environments_bounds_them() -> None:
    """Two functions take turns in one environment's room."""
    with running(options=["--max-environments", "1"]) as platform:
        for name in ("one", "two"):
            create_function(platform, ACCOUNT, name, ECHO)
        for name in ("one", "two", "one"):
            assert invoke(platform, name) is None
            assert platform.ask("/_undercast/status")["sandboxes"]["environments"] == 1


def test_beyond_loopback_only_issued_keys_are_accepted() -> None:
    """Bound to every address, a made-up key is nobody's."""
    with running(options=["--host", "0.0.0.0"]) as platform:
        port = urllib.parse.urlsplit(platform.url).port
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="made-up",
            aws_secret_access_key="x",
        )
        with pytest.raises(ClientError) as caught:
            client.list_buckets()
    assert caught.value.response["Error"]["Code"] == "InvalidAccessKeyId"
