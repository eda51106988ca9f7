"""Seed S1, "S3 -> Lambda -> S3" in Go: each row with an unmodified aws-sdk-go v1 program in a real sandbox.

The table of rows is docs/requirements.md.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.functions import create_function, package
from tests.e2e.rows.pipeline import FUNCTION, Pipeline
from tests.e2e.test_aws_cli_flow import Cli
from tests.platform import RunningPlatform
from tests.services.s3.browser import submit

FOO = json.dumps({"orders": [{"id": number, "name": "Grün & Söhne"} for number in range(3)]}).encode().ljust(239)
MIB = 1 << 20


def new_account() -> str:
    """Twelve digits of a test's own."""
    return f"{random.randrange(10**11, 10**12)}"


def said(messages: list[str]) -> list[str]:
    """The program's own lines without Go's date and time."""
    lines = (re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "", line) for line in messages)
    return [line for line in lines if not re.match(r"(INIT_START|START|END|REPORT)\b", line)]


@pytest.fixture(scope="module")
def pipeline(platform: RunningPlatform, s1_zip: bytes) -> Pipeline:
    """S1 deployed once for these tests."""
    made = Pipeline(platform=platform, account=new_account())
    made.deploy(s1_zip)
    return made


@pytest.fixture
def fresh(platform: RunningPlatform) -> Pipeline:
    """An account in which nothing is deployed."""
    return Pipeline(platform=platform, account=new_account())


@pytest.fixture
def roomy(pipeline: Pipeline) -> Iterator[Pipeline]:
    """The same with time for large objects: 128 MB is 7 % of a processor."""
    pipeline.client("lambda").update_function_configuration(FunctionName=FUNCTION, Timeout=60, MemorySize=1769)
    pipeline.ready()
    yield pipeline
    pipeline.client("lambda").update_function_configuration(FunctionName=FUNCTION, Timeout=3, MemorySize=128)
    pipeline.ready()


def test_an_uploaded_file_arrives_in_the_second_bucket(pipeline: Pipeline, tmp_path: Path) -> None:
    """S1-01, S1-04, S1-07, S1-10, S1-30: `aws s3 cp foo.json`; the copy is the same, its key without the slash."""
    (tmp_path / "foo.json").write_bytes(FOO)
    aws = Cli(pipeline.platform, pipeline.account, tmp_path, region=pipeline.region)
    aws(f"s3 cp foo.json s3://{pipeline.producer}/")
    pipeline.platform.drain()
    assert " tmp/foo.json\n" in aws(f"s3 ls s3://{pipeline.consumer} --recursive")
    aws(f"s3 cp s3://{pipeline.consumer}/tmp/foo.json back.json")
    assert (tmp_path / "back.json").read_bytes() == FOO


def test_the_log_tells_the_steps_in_order(pipeline: Pipeline) -> None:
    """S1-02, S1-03: events.S3Event with one record; the program's lines, as it wrote them."""
    assert said(pipeline.put("steps.json", FOO)) == [
        "About to loop over records",
        "Creating file locally steps.json",
        f"Downloading from {pipeline.producer}",
        "have 1 filenames /tmp/steps.json",
        "Uploads",
        "Uploads complete",
    ]


def test_twelve_megabytes_go_by_ranges_and_parts(roomy: Pipeline) -> None:
    """S1-05, S1-06: s3manager downloads ranges of 5 MiB and uploads parts; three parts make an ETag that ends in -3."""
    body = random.Random(1).randbytes(12 * 1000 * 1000)
    lines = said(roomy.put("large.bin", body))
    assert lines[-1] == "Uploads complete"
    head = roomy.client("s3").head_object(Bucket=roomy.consumer, Key="tmp/large.bin")
    assert (head["ContentLength"], head["ETag"][-3:]) == (len(body), '-3"')
    parts = [hashlib.md5(body[at : at + 5 * MIB]).digest() for at in range(0, len(body), 5 * MIB)]
    assert head["ETag"] == f'"{hashlib.md5(b"".join(parts)).hexdigest()}-3"'
    assert hashlib.sha256(roomy.copied("tmp/large.bin")).digest() == hashlib.sha256(body).digest()


def test_ranges_are_answered_as_s3manager_asks(pipeline: Pipeline) -> None:
    """S1-05: 206 with Content-Range; an empty object has no range: 416, which s3manager takes for its end."""
    s3 = pipeline.client("s3")
    body = bytes(range(256)) * 40960
    s3.put_object(Bucket=pipeline.consumer, Key="ranged", Body=body)
    got = s3.get_object(Bucket=pipeline.consumer, Key="ranged", Range="bytes=0-5242879")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes 0-5242879/{len(body)}"
    assert got["Body"].read() == body[: 5 * MIB]
    s3.put_object(Bucket=pipeline.consumer, Key="empty", Body=b"")
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=pipeline.consumer, Key="empty", Range="bytes=0-5242879")
    response = refused.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == ("InvalidRange", 416)
    lines = said(pipeline.put("nothing.json", b""))
    assert lines[-1] == "Uploads complete"
    assert pipeline.copied("tmp/nothing.json") == b""


def test_a_leading_slash_that_is_sent_stays(pipeline: Pipeline) -> None:
    """S1-07: aws-sdk-go v1 cleans its own paths; S3 keeps what it gets."""
    s3 = pipeline.client("s3")
    for key in ("/tmp/literal", "//twice", "a//b", "a/../b"):
        s3.put_object(Bucket=pipeline.consumer, Key=key, Body=key.encode())
    assert {"/tmp/literal", "//twice", "a//b", "a/../b"} <= set(pipeline.stored())
    assert pipeline.copied("/tmp/literal") == b"/tmp/literal"


def test_a_key_with_a_folder_is_logged_and_not_retried(pipeline: Pipeline) -> None:
    """S1-08: os.Create fails, the program only logs it: an invocation that succeeded."""
    lines = pipeline.put("a/b.json", FOO)
    assert said(lines) == [
        "About to loop over records",
        "Creating file locally a/b.json",
        "Error creating file open /tmp/a/b.json: no such file or directory",
        "ERROR unable to store files locally with error open /tmp/a/b.json: no such file or directory",
    ]
    assert "Status: error" not in "".join(lines)
    before = len(pipeline.log())
    pipeline.platform.advance(600)
    pipeline.platform.drain()
    assert pipeline.log()[before:] == []


def test_a_handler_without_a_result_answers_null(pipeline: Pipeline) -> None:
    """S1-09: func(ctx, events.S3Event), invoked directly with two records (S1-03)."""
    s3 = pipeline.client("s3")
    for key in ("one", "two"):
        s3.put_object(Bucket=pipeline.consumer, Key=key, Body=key.encode())
    records = [{"s3": {"bucket": {"name": pipeline.consumer}, "object": {"key": key}}} for key in ("one", "two")]
    answer = pipeline.client("lambda").invoke(FunctionName=FUNCTION, Payload=json.dumps({"Records": records}))
    assert answer["Payload"].read() == b"null"
    assert (answer["StatusCode"], answer.get("FunctionError")) == (200, None)
    assert [pipeline.copied(f"tmp/{key}") for key in ("one", "two")] == [b"one", b"two"]


def test_the_function_is_what_terraform_created(pipeline: Pipeline) -> None:
    """S1-11, S1-25: runtime go1.x, the defaults of memory and time, the environment; what Terraform reads."""
    functions = pipeline.client("lambda")
    found = functions.get_function_configuration(FunctionName=FUNCTION)
    assert (found["Runtime"], found["Handler"]) == ("go1.x", "s3_lambda")
    assert (found["MemorySize"], found["Timeout"], found["EphemeralStorage"]) == (128, 3, {"Size": 512})
    assert found["Environment"]["Variables"] == {"DST_BUCKET": pipeline.consumer, "REGION": "us-west-2"}
    assert (found["FunctionArn"], found["Version"]) == (pipeline.arn, "$LATEST")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", found["LastModified"])
    assert functions.get_function(FunctionName=FUNCTION)["Code"]["RepositoryType"] == "S3"
    versions = functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
    assert [entry["Version"] for entry in versions] == ["$LATEST"]
    assert "CodeSigningConfigArn" not in functions.get_function_code_signing_config(FunctionName=FUNCTION)
    assert functions.list_tags(Resource=pipeline.arn)["Tags"] == {}


def test_the_role_is_enforced(fresh: Pipeline, s1_zip: bytes) -> None:
    """S1-18, S1-21: without s3:PutObject the program logs `Upload error AccessDenied`."""
    fresh.deploy(s1_zip)
    assert said(fresh.put("allowed.json", FOO))[-1] == "Uploads complete"
    iam = fresh.client("iam")
    iam.create_policy_version(
        PolicyArn=fresh.policy_arn, PolicyDocument=fresh.statement("s3:GetObject", "logs:*"), SetAsDefault=True
    )
    lines = said(fresh.put("refused.json", FOO))
    (refused,) = (line for line in lines if line.startswith("Upload error"))
    assert refused.startswith("Upload error AccessDenied: ")
    assert "s3:PutObject" in refused
    assert "Uploads complete" not in lines
    assert fresh.stored() == ["tmp/allowed.json"]
    iam.create_policy_version(
        PolicyArn=fresh.policy_arn, PolicyDocument=fresh.statement("s3:PutObject", "logs:*"), SetAsDefault=True
    )
    assert any(line.startswith("Error downloading file AccessDenied: ") for line in said(fresh.put("unread.json", FOO)))


def test_the_log_group_appears_with_the_first_run(fresh: Pipeline, s1_zip: bytes) -> None:
    """S1-26: /aws/lambda/example_lambda_name, one stream for the environment."""
    fresh.deploy(s1_zip)
    logs = fresh.client("logs")
    assert logs.describe_log_groups()["logGroups"] == []
    fresh.put("foo.json", FOO)
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == [
        "/aws/lambda/example_lambda_name"
    ]
    streams = logs.describe_log_streams(logGroupName="/aws/lambda/example_lambda_name")["logStreams"]
    assert len(streams) == 1
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", streams[0]["logStreamName"])


def test_a_notification_needs_the_permission_which_get_policy_shows(fresh: Pipeline, s1_zip: bytes) -> None:
    """S1-23, S1-24: the order that main.tf's depends_on asks for."""
    fresh.create_buckets()
    fresh.create_function({"ZipFile": s1_zip}, fresh.create_role())
    with pytest.raises(ClientError) as refused:
        fresh.notify()
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"
    assert refused.value.response["Error"]["Message"] == ("Unable to validate the following destination configurations")
    assert "LambdaFunctionConfigurations" not in fresh.client("s3").get_bucket_notification_configuration(
        Bucket=fresh.producer
    )
    fresh.permit()
    policy = json.loads(fresh.client("lambda").get_policy(FunctionName=FUNCTION)["Policy"])
    assert policy["Statement"] == [
        {
            "Sid": "AllowExecutionFromS3Bucket",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": fresh.arn,
            "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:s3:::{fresh.producer}"}},
        }
    ]
    fresh.notify()
    kept = fresh.client("s3").get_bucket_notification_configuration(Bucket=fresh.producer)
    assert kept["LambdaFunctionConfigurations"][0]["Events"] == ["s3:ObjectCreated:*"]
    fresh.client("lambda").remove_permission(FunctionName=FUNCTION, StatementId="AllowExecutionFromS3Bucket")
    assert fresh.put("late.json", FOO) == []
    assert fresh.stored() == []


def test_the_code_may_come_from_a_bucket(fresh: Pipeline, s1_zip: bytes) -> None:
    """S1-34: "uploaded to an S3 before being deployed"."""
    fresh.create_buckets()
    fresh.client("s3").put_object(Bucket=fresh.consumer, Key="lambda.zip", Body=s1_zip)
    fresh.create_function({"S3Bucket": fresh.consumer, "S3Key": "lambda.zip"}, fresh.create_role())
    fresh.permit()
    fresh.notify()
    fresh.put("foo.json", FOO)
    assert fresh.copied("tmp/foo.json") == FOO


def test_a_package_without_the_handler_says_so(fresh: Pipeline) -> None:
    """Q5: Terraform's race may upload a zip without the binary; the invocation tells it in AWS's words."""
    fresh.create_function({"ZipFile": package("")}, fresh.create_role())
    answer = fresh.client("lambda").invoke(FunctionName=FUNCTION)
    error = json.load(answer["Payload"])
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorMessage"] == "fork/exec /var/task/s3_lambda: no such file or directory"


RECORDER = """
import json

def handler(event, context):
    print("EVENT " + json.dumps(event))
"""
RELAY = """
import os, boto3
from urllib.parse import unquote_plus

s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        key = unquote_plus(record["s3"]["object"]["key"])
        body = s3.get_object(Bucket=record["s3"]["bucket"]["name"], Key=key)["Body"].read()
        s3.put_object(Bucket=os.environ["NEXT"], Key=key, Body=body.upper())
        print("principal", record["userIdentity"]["principalId"])
"""


def add_stage(pipeline: Pipeline, bucket: str, name: str, source: str, **settings: Any) -> Pipeline:
    """A Python function behind a bucket."""
    stage = Pipeline(platform=pipeline.platform, account=pipeline.account, region=pipeline.region, function=name)
    create_function(pipeline.platform, pipeline.account, name, source, region=pipeline.region, Timeout=20, **settings)
    stage.client("lambda").add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    stage.notify(bucket, stage.arn)
    return stage


def test_stages_follow_one_another(fresh: Pipeline, s1_zip: bytes) -> None:
    """S1-35: bucket 1 -> Go -> bucket 2 -> Python -> bucket 3 -> Python; the second event is the first role's doing."""
    fresh.deploy(s1_zip)
    third = f"{fresh.account}-business"
    location = {"LocationConstraint": fresh.region}
    fresh.client("s3").create_bucket(Bucket=third, CreateBucketConfiguration=location)
    second = add_stage(fresh, fresh.consumer, "uniform", RELAY, Environment={"Variables": {"NEXT": third}})
    last = add_stage(fresh, third, "business", RECORDER)
    fresh.put("foo.json", b"request")
    assert fresh.client("s3").get_object(Bucket=third, Key="tmp/foo.json")["Body"].read() == b"REQUEST"
    role = fresh.client("iam").get_role(RoleName="lambda_role")["Role"]["RoleId"]
    assert f"principal AWS:{role}:{FUNCTION}" in second.log()
    events = recorded(last)
    assert [event["s3"]["bucket"]["name"] for event in events] == [third]


def recorded(stage: Pipeline) -> list[dict[str, Any]]:
    """The records that the recorder was given."""
    lines = [line for line in stage.log() if line.startswith("EVENT ")]
    return [record for line in lines for record in json.loads(line.removeprefix("EVENT "))["Records"]]


def test_every_way_to_write_raises_its_event(fresh: Pipeline, tmp_path: Path) -> None:
    """S1-01, S1-36: put, multipart upload, `aws s3 cp` from bucket to bucket, and a browser's form."""
    fresh.create_buckets()
    recorder = add_stage(fresh, fresh.producer, "recorder", RECORDER)
    s3 = fresh.client("s3")
    aws = Cli(fresh.platform, fresh.account, tmp_path, region=fresh.region)
    (tmp_path / "large").write_bytes(bytes(9 * MIB))
    s3.put_object(Bucket=fresh.consumer, Key="x", Body=b"x")
    aws(f"s3 cp large s3://{fresh.producer}/multipart")
    aws(f"s3 cp s3://{fresh.consumer}/x s3://{fresh.producer}/copy")
    s3.put_object(Bucket=fresh.producer, Key="put", Body=b"x")
    form = s3.generate_presigned_post(fresh.producer, "post")
    assert submit(form, b"x").status == 204
    fresh.platform.drain()
    assert {(record["eventName"], record["s3"]["object"]["key"]) for record in recorded(recorder)} == {
        ("ObjectCreated:CompleteMultipartUpload", "multipart"),
        ("ObjectCreated:Copy", "copy"),
        ("ObjectCreated:Post", "post"),
        ("ObjectCreated:Put", "put"),
    }


ABSENT = {
    "get_bucket_policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "get_bucket_cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "get_bucket_website": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
    "get_bucket_lifecycle_configuration": (
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "get_bucket_replication": (
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "get_object_lock_configuration": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "get_bucket_tagging": ("NoSuchTagSet", "The TagSet does not exist"),
}


@pytest.mark.parametrize("call", ABSENT)
def test_what_a_new_bucket_does_not_have(pipeline: Pipeline, call: str) -> None:
    """Section 2.1: Terraform reads each of them and takes exactly these 404s for "not configured"."""
    with pytest.raises(ClientError) as absent:
        getattr(pipeline.client("s3"), call)(Bucket=pipeline.consumer)
    response = absent.value.response
    assert (response["Error"]["Code"], response["Error"]["Message"]) == ABSENT[call]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
