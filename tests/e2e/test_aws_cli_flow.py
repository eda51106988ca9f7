"""The main job driven by the AWS CLI alone, as its user types it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.functions import RUNTIME, package
from tests.platform import RunningPlatform

COPY = """
import os, boto3
from urllib.parse import unquote_plus

s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=os.environ["DST_BUCKET"], Key=key, Body=body.decode().upper().encode())
        print("copied", key)
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def test_an_object_goes_through_a_function_into_a_second_bucket(
    platform: RunningPlatform, account: str, tmp_path: Path
) -> None:
    """mb, create-role, create-function, add-permission, put-bucket-notification-configuration, cp, logs tail."""
    source, target = f"in-{account}", f"out-{account}"

    def aws(*arguments: str) -> str:
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": platform.url,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        }
        command = [str(Path(sys.executable).parent / "aws"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    (tmp_path / "trust.json").write_text(json.dumps(TRUST))
    (tmp_path / "f.zip").write_bytes(package(COPY))
    (tmp_path / "a b.txt").write_text("grüße")
    aws("s3", "mb", f"s3://{source}")
    aws("s3", "mb", f"s3://{target}")
    role = json.loads(
        aws(
            "iam",
            "create-role",
            "--role-name",
            "copier",
            "--assume-role-policy-document",
            f"file://{tmp_path}/trust.json",
        )
    )["Role"]["Arn"]
    for managed in ("AmazonS3FullAccess", "service-role/AWSLambdaBasicExecutionRole"):
        policy = f"arn:aws:iam::aws:policy/{managed}"
        aws("iam", "attach-role-policy", "--role-name", "copier", "--policy-arn", policy)
    function = json.loads(
        aws(
            "lambda", "create-function", "--function-name", "copier", "--runtime", RUNTIME, "--handler", "app.handler",
            "--role", role, "--zip-file", f"fileb://{tmp_path}/f.zip", "--timeout", "20",
            "--environment", f"Variables={{DST_BUCKET={target}}}",
        )
    )["FunctionArn"]  # fmt: skip
    aws("lambda", "wait", "function-active-v2", "--function-name", "copier")
    aws(
        "lambda", "add-permission", "--function-name", "copier", "--statement-id", "s3",
        "--action", "lambda:InvokeFunction", "--principal", "s3.amazonaws.com",
        "--source-arn", f"arn:aws:s3:::{source}",
    )  # fmt: skip
    configuration = {
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}]
    }
    aws(
        "s3api", "put-bucket-notification-configuration", "--bucket", source,
        "--notification-configuration", json.dumps(configuration),
    )  # fmt: skip
    aws("s3", "cp", str(tmp_path / "a b.txt"), f"s3://{source}/x/a b.txt")
    listed = ""
    for _ in range(60):
        listed = aws("s3api", "list-objects-v2", "--bucket", target)
        if "a b.txt" in listed:
            break
        time.sleep(0.1)
    assert "x/a b.txt" in listed
    aws("s3", "cp", f"s3://{target}/x/a b.txt", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "GRÜSSE"
    # The CLI of version 1 has no `logs tail`; what that does is this call.
    found = aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/copier", "--filter-pattern", "copied")
    assert "copied x/a b.txt" in found
