"""Unmodified code: AWS's SDKs in functions without an endpoint setting, and what functions reach by its real name.

The function's environment has AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS's own switch, so that SDKs which know
AWS_ENDPOINT_URL go by AWS's host names as the older ones do. The runtimes are those that tools/setup_sdks.sh installs.
"""

import http.server
import io
import json
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests import platform as platforms
from tests.conformance.sdks.programs import installed
from tests.e2e.golang import build, zipped
from tests.e2e.rows.functions import Deployed, deploy_binary
from tests.machine import lacking, program
from tests.platform import RunningPlatform

HERE = Path(__file__).parent
MODULES = "node-runtimes/node_modules"
IGNORES = {"Variables": {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}}
SERVICES = (
    "apigateway apigatewayv2 cloudformation cloudwatch cloudwatchlogs codedeploy dynamodb elasticloadbalancingv2 "
    "eventbridge iam kinesis lambda secretsmanager sfn sns sqs ssm"
)


class Neighbour(http.server.BaseHTTPRequestHandler):
    """A program on the host's loopback."""

    def do_GET(self) -> None:
        """Say who is there."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the host's own service")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def neighbour() -> Iterator[int]:
    """Its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Neighbour)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def equipped(neighbour: int) -> Iterator[RunningPlatform]:
    """A platform of a user who has installed runtimes."""
    installed("home/.ready")
    home = {"HOME": str(installed("home"))}
    running = platforms.start(options=["--forward-ports", str(neighbour)], environment=home)
    try:
        if running.driver != "namespace":
            lacking("only the namespace driver answers for AWS's host names")
        yield running
    finally:
        platforms.stop(running)


def package(files: dict[str, bytes | str | Path]) -> bytes:
    """A deployment package."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            if isinstance(content, Path):
                archive.write(content, name)
            else:
                archive.writestr(name, content)
    return packed.getvalue()


JAVASCRIPT_2 = """
const AWS = require("aws-sdk");
exports.handler = async ({ bucket }) => {
  const identity = (await new AWS.STS().getCallerIdentity().promise()).Arn;
  const s3 = new AWS.S3();
  await s3.putObject({ Bucket: bucket, Key: "a key/ü", Body: "written" }).promise();
  const read = (await s3.getObject({ Bucket: bucket, Key: "a key/ü" }).promise()).Body.toString();
  return { identity, read };
};
"""
JAVASCRIPT_3 = """
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
export const handler = async ({ bucket }) => {
  const identity = (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn;
  const s3 = new S3Client({});
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "a key/ü", Body: "written" }));
  const read = await (await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "a key/ü" }))).Body.transformToString();
  return { identity, read };
};
"""
PYTHON = """# -*- coding: utf-8 -*-
import boto3

def handler(event, context):
    identity = boto3.client("sts").get_caller_identity()["Arn"]
    s3 = boto3.client("s3")
    s3.put_object(Bucket=event["bucket"], Key=u"a key/ü", Body=b"written")
    read = s3.get_object(Bucket=event["bucket"], Key=u"a key/ü")["Body"].read().decode()
    return {"identity": identity, "read": read}
"""
PROGRAMS: dict[str, tuple[str, str, dict[str, bytes | str | Path]]] = {
    "JavaScript 2": ("nodejs12.x", "index.handler", {"index.js": JAVASCRIPT_2}),
    "JavaScript 3": ("nodejs22.x", "index.handler", {"index.mjs": JAVASCRIPT_3}),
    "boto3 of 2021 on Python 2.7": ("python2.7", "app.handler", {"app.py": PYTHON}),
    "boto3 of 2025 on Python 3.8": ("python3.8", "app.handler", {"app.py": PYTHON}),
    "boto3": ("python3.11", "app.handler", {"app.py": PYTHON}),
}


@pytest.mark.parametrize("sdk", PROGRAMS)
def test_sdks_reach_s3_and_sts_by_awss_names(equipped: RunningPlatform, account: str, sdk: str) -> None:
    """X3: names, port 443 and authority are the platform's; the caller is the function's role."""
    runtime, handler, files = PROGRAMS[sdk]
    reaches(equipped, account, runtime, handler, package(files))


@pytest.mark.slow
def test_awss_sdk_for_java_reaches_s3_and_sts(equipped: RunningPlatform, account: str, tmp_path: Path) -> None:
    """X3: Java looks at no PEM file; the runtime gives it a trust store."""
    jars = installed("java/jars")
    javac = program("javac")
    command = [javac, "--release", "11", "-cp", f"{jars}/*", "-d", str(tmp_path), str(HERE / "java_sdk/App.java")]
    subprocess.run(command, check=True)
    files: dict[str, bytes | str | Path] = {"App.class": tmp_path / "App.class"}
    others = tuple(f"{name}-2" for name in SERVICES.split())
    files |= {f"lib/{jar.name}": jar for jar in jars.glob("*.jar") if not jar.name.startswith(others)}
    reaches(equipped, account, "java17", "App::handle", package(files), MemorySize=512)


def reaches(platform: RunningPlatform, account: str, runtime: str, handler: str, code: bytes, **settings: Any) -> None:
    """Deploy and run; what the function wrote is there, and what it read is what it wrote."""
    name = f"f-{runtime.replace('.', '-')}"
    bucket = f"unmodified-{name}-{account}"
    platform.client("s3", account=account).create_bucket(Bucket=bucket)
    function = deploy_binary(
        platform, account, name, code, handler, Runtime=runtime, Timeout=30, Environment=IGNORES, **settings
    )
    answer = function.run({"bucket": bucket})
    assert answer.error is None, (answer.value, answer.log)
    assert answer.value == {"identity": f"arn:aws:sts::{account}:assumed-role/unknown/{name}", "read": "written"}
    written = platform.client("s3", account=account).get_object(Bucket=bucket, Key="a key/ü")
    assert written["Body"].read() == b"written"


@pytest.mark.parametrize("version", ["1.25.37", "1.42.12"])
def test_awss_sdk_for_go_1_reaches_sts(equipped: RunningPlatform, account: str, tmp_path: Path, version: str) -> None:
    """X3, X1: S4's and S1's SDKs with S4's aws-lambda-go 1.13.2 and S1's 1.27.0, during INIT too."""
    modfile = "go.mod" if version == "1.42.12" else "old.mod"
    binary = build(HERE / "s1_go", tmp_path / "identity", "./identity", modfile=modfile)
    function = deploy_binary(equipped, account, "who", zipped(binary, "identity"), "identity", Timeout=10)
    answer = function.run({}).value
    arn = f"arn:aws:sts::{account}:assumed-role/unknown/who"
    assert (answer["AtInit"], answer["Now"], answer["Endpoint"]) == (arn, arn, "https://sts.amazonaws.com")


CUSTOM_RESOURCE = """
const response = require("cfn-response");
exports.handler = (event, context) => response.send(event, context, response.SUCCESS, { Answer: "42" }, "physical");
"""


INLINE = """
import json, urllib3
def handler(event, context):  # as AWS's cfnresponse.send does
    body = json.dumps({
        "Status": "SUCCESS", "Reason": context.log_stream_name, "PhysicalResourceId": "physical",
        "StackId": event["StackId"], "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": False, "Data": {"Answer": "42"},
    })
    headers = {"content-type": "", "content-length": str(len(body))}
    return urllib3.PoolManager().request("PUT", event["ResponseURL"], headers=headers, body=body).status
"""


def response_url(platform: RunningPlatform, account: str, bucket: str) -> str:
    """Where CloudFormation would have the answer: a presigned URL of S3 by its name."""
    platform.client("s3", account=account).create_bucket(Bucket=bucket)
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="signer")
    iam.attach_user_policy(UserName="signer", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    key = iam.create_access_key(UserName="signer")["AccessKey"]  # in a sandbox only keys of the platform open anything
    signer: Any = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="https://s3.us-east-1.amazonaws.com",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        config=Config(s3={"addressing_style": "virtual"}, signature_version="s3v4"),
    )
    params = {"Bucket": bucket, "Key": "answer", "ContentType": ""}
    return str(signer.generate_presigned_url("put_object", Params=params))


@pytest.mark.parametrize("language", ["node", "python"])
def test_cfn_response_puts_to_port_443(equipped: RunningPlatform, account: str, language: str) -> None:
    """X7: npm's cfn-response speaks HTTPS to port 443 of the ResponseURL's host, whatever else the URL says.

    AWS's Python module does the same with the urllib3 that its runtime brings.
    """
    bucket = f"responses-{account}"
    url = response_url(equipped, account, bucket)
    files: dict[str, bytes | str | Path] = {"index.py": INLINE}
    if language == "node":
        module = installed(f"{MODULES}/cfn-response")
        paths = [path for path in module.rglob("*") if path.is_file()]
        files = {"index.js": CUSTOM_RESOURCE}
        files |= {f"node_modules/cfn-response/{path.relative_to(module)}": path for path in paths}
    runtime = {"node": "nodejs22.x", "python": "python3.11"}[language]
    function = deploy_binary(equipped, account, "custom", package(files), "index.handler", Runtime=runtime, Timeout=20)
    event = {"ResponseURL": url, "StackId": "stack", "RequestId": "request", "LogicalResourceId": "logical"}
    run = function.run(event)
    assert run.error is None, (run.value, run.log)
    stored = equipped.client("s3", account=account).get_object(Bucket=bucket, Key="answer")
    answer = json.load(stored["Body"])
    assert (answer["Status"], answer["PhysicalResourceId"], answer["Data"]) == ("SUCCESS", "physical", {"Answer": "42"})


def test_a_service_of_the_host_is_reached_by_name(equipped: RunningPlatform, account: str, neighbour: int) -> None:
    """host.undercast.internal is the machine's own loopback, on the forwarded ports."""
    source = (
        "import urllib.request\n"
        "def handler(event, context):\n"
        f"    return urllib.request.urlopen('http://host.undercast.internal:{neighbour}/').read().decode()\n"
    )
    function: Deployed = deploy_binary(
        equipped, account, "visitor", package({"app.py": source}), "app.handler", Runtime="python3.11", Timeout=10
    )
    assert function.run({}).value == "the host's own service"
