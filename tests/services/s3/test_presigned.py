"""Presigned URLs and signed requests of Signature Version 2, and when presigned URLs end."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.services.s3.browser import Answer, send


@pytest.fixture
def keys(platform: RunningPlatform) -> Iterator[dict[str, str]]:
    """An access key whose secret the platform holds, so that signatures are verified."""
    iam = platform.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="presigner")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="presigner", PolicyName="all", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName="presigner")["AccessKey"]
    yield {"account": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    iam.delete_access_key(UserName="presigner", AccessKeyId=key["AccessKeyId"])


@pytest.fixture
def old(platform: RunningPlatform, keys: dict[str, str]) -> Any:
    """A client that signs with version 2."""
    return platform.client("s3", signature_version="s3", **keys)


@pytest.fixture
def target(platform: RunningPlatform, account: str) -> str:
    """A bucket of the default account in another region than the platform's default."""
    name = f"old-{account}"
    west = platform.client("s3", region="eu-west-1")
    west.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def use(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Send a presigned request."""
    parts = urlsplit(url)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(url, method, f"{parts.path}?{parts.query}", named, body)


def test_every_request_of_an_old_sdk_is_accepted(old: Any, target: str) -> None:
    """ "AWS key:signature" names no region: the bucket's own counts, so nothing is redirected."""
    old.put_object(Bucket=target, Key="a b/é", Body=b"x", Metadata={"n": "v  w"}, ContentType="a/b")
    assert old.get_object(Bucket=target, Key="a b/é", ResponseContentType="c/d")["ContentType"] == "c/d"
    assert [entry["Key"] for entry in old.list_objects_v2(Bucket=target)["Contents"]] == ["a b/é"]
    old.put_object_tagging(Bucket=target, Key="a b/é", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    upload = old.create_multipart_upload(Bucket=target, Key="m")["UploadId"]
    part = old.upload_part(Bucket=target, Key="m", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    old.complete_multipart_upload(Bucket=target, Key="m", UploadId=upload, MultipartUpload=parts)
    old.delete_objects(Bucket=target, Delete={"Objects": [{"Key": "m"}, {"Key": "a b/é"}]})
    assert target in [entry["Name"] for entry in old.list_buckets()["Buckets"]]


def test_presigned_urls_of_version_two(old: Any, target: str) -> None:
    """generate_presigned_url as boto3 makes it by default: put, get with overrides, head."""
    put = old.generate_presigned_url("put_object", {"Bucket": target, "Key": "a b", "Metadata": {"n": "v"}})
    assert "AWSAccessKeyId=" in put
    assert use(put, "PUT", b"body").status == 200
    get = old.generate_presigned_url(
        "get_object", {"Bucket": target, "Key": "a b", "ResponseContentDisposition": 'attachment; filename="x y"'}
    )
    answer = use(get)
    assert (answer.status, answer.body, answer.headers["x-amz-meta-n"]) == (200, "body", "v")
    assert answer.headers["content-disposition"] == 'attachment; filename="x y"'


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_metadata_that_no_header_can_hold_is_refused(platform: RunningPlatform, target: str, version: str) -> None:
    """Old SDKs move x-amz-* into the query string, where a line break can be."""
    signer = platform.client("s3", region="eu-west-1", signature_version=version)
    url = signer.generate_presigned_url("put_object", {"Bucket": target, "Key": "a"})
    answer = use(f"{url}&x-amz-meta-n=a%0D%0Aevil:%201", "PUT", b"")
    assert (answer.status, "<Code>InvalidArgument</Code>" in answer.body) == (400, True)


def test_a_url_that_was_changed_is_refused(old: Any, target: str) -> None:
    """Key, verb and overrides are signed."""
    url = old.generate_presigned_url("get_object", {"Bucket": target, "Key": "a"})
    for answer in (use(url.replace("/a?", "/b?")), use(url, "DELETE"), use(url + "&response-expires=1")):
        assert (answer.status, "<Code>SignatureDoesNotMatch</Code>" in answer.body) == (403, True)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("held", [True, False], ids=["a key issued here", "any other key"])
def test_a_url_ends(
    platform: RunningPlatform,
    keys: dict[str, str],
    target: str,
    version: str,
    held: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether the platform holds the secret or not."""
    signer = platform.client("s3", region="eu-west-1", signature_version=version, **(keys if held else {}))
    signer.put_object(Bucket=target, Key="a", Body=b"x")
    params = {"Bucket": target, "Key": "a"}
    assert use(signer.generate_presigned_url("get_object", params, ExpiresIn=60)).status == 200
    for signers in ("botocore.auth", "botocore.crt.auth"):
        clock = f"{signers}.get_current_datetime"
        monkeypatch.setattr(clock, lambda **_: datetime.now(UTC) - timedelta(minutes=2))
    answer = use(signer.generate_presigned_url("get_object", params, ExpiresIn=60 if version == "s3v4" else -60))
    assert answer.status == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.body


def test_a_session_signs_with_its_token(platform: RunningPlatform, target: str) -> None:
    """x-amz-security-token is part of what is signed; without it the key is worth nothing."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    iam = platform.client("iam")
    role = iam.create_role(RoleName=target, AssumeRolePolicyDocument=_policy(trust))["Role"]
    iam.put_role_policy(RoleName=target, PolicyName="read", PolicyDocument=_policy(allow))
    session = platform.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    platform.client("s3", region="eu-west-1").put_object(Bucket=target, Key="a", Body=b"x")
    command = [sys.executable, "-m", "awscli", "s3", "presign", f"s3://{target}/a", "--endpoint-url", platform.url]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    url = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env=environment
    ).stdout.strip()
    assert "AWSAccessKeyId=" in url
    answer = use(url)
    assert (answer.status, answer.body) == (200, "x")
    bare = "&".join(part for part in url.split("&") if not part.startswith("x-amz-security-token"))
    assert "<Code>InvalidToken</Code>" in use(bare).body
    with pytest.raises(ClientError):
        platform.client("s3", account=session["AccessKeyId"], secret=session["SecretAccessKey"]).get_object(
            Bucket=target, Key="a"
        )


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
