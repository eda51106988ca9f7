"""The main job driven by the AWS CLI alone, as its user types it."""

import json
import os
import shlex
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


class Cli:
    """The AWS CLI of this environment, pointed at the platform. Commands are written as they are typed."""

    def __init__(self, platform: RunningPlatform, account: str, folder: Path, *, region: str = "eu-west-1") -> None:
        self._environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": platform.url,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": str(folder / "no-config"),
        }
        self._folder = folder

    def __call__(self, command: str) -> str:
        """Run `aws COMMAND` in the folder; its standard output."""
        program = str(Path(sys.executable).parent / "aws")
        done = subprocess.run(
            [program, *shlex.split(command)],
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self._folder,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


def deploy(aws: Cli, source: str, target: str) -> None:
    """Buckets, role, function, permission, notification."""
    aws(f"s3 mb s3://{source}")
    aws(f"s3 mb s3://{target}")
    role = json.loads(aws("iam create-role --role-name copier --assume-role-policy-document file://trust.json"))
    for managed in ("AmazonS3FullAccess", "service-role/AWSLambdaBasicExecutionRole"):
        aws(f"iam attach-role-policy --role-name copier --policy-arn arn:aws:iam::aws:policy/{managed}")
    created = aws(
        f"lambda create-function --function-name copier --runtime {RUNTIME} --handler app.handler --timeout 20"
        f" --zip-file fileb://f.zip --role {role['Role']['Arn']} --environment Variables={{DST_BUCKET={target}}}"
    )
    aws("lambda wait function-active-v2 --function-name copier")
    aws(
        "lambda add-permission --function-name copier --statement-id s3 --action lambda:InvokeFunction"
        f" --principal s3.amazonaws.com --source-arn arn:aws:s3:::{source}"
    )
    notification = {"LambdaFunctionArn": json.loads(created)["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
    configuration = json.dumps({"LambdaFunctionConfigurations": [notification]})
    aws(
        f"s3api put-bucket-notification-configuration --bucket {source}"
        f" --notification-configuration {shlex.quote(configuration)}"
    )


def test_an_object_goes_through_a_function_into_a_second_bucket(
    platform: RunningPlatform, account: str, tmp_path: Path
) -> None:
    """Everything by the AWS CLI: deployment, upload, download, the function's log."""
    aws, source, target = Cli(platform, account, tmp_path), f"in-{account}", f"out-{account}"
    (tmp_path / "trust.json").write_text(json.dumps(TRUST))
    (tmp_path / "f.zip").write_bytes(package(COPY))
    (tmp_path / "a b.txt").write_text("grüße")
    deploy(aws, source, target)
    aws(f"s3 cp 'a b.txt' 's3://{source}/x/a b.txt'")
    listed = ""
    for _ in range(60):
        listed = aws(f"s3api list-objects-v2 --bucket {target}")
        if "a b.txt" in listed:
            break
        time.sleep(0.1)
    assert "x/a b.txt" in listed
    aws(f"s3 cp 's3://{target}/x/a b.txt' back")
    assert (tmp_path / "back").read_text() == "GRÜSSE"
    # The CLI of version 1 has no `logs tail`; what that does is this call.
    assert "copied x/a b.txt" in aws(
        "logs filter-log-events --log-group-name /aws/lambda/copier --filter-pattern copied"
    )
