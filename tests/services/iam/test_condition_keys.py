"""Condition keys of services are filled in, or told as missing."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.services.iam.condition_keys import FILLED, TOLD, World

PAGES = Path(__file__).parents[3] / "docs" / "services"
DENIED = "denied"


def statements(*more: dict[str, Any]) -> str:
    """A policy that allows everything, and something more."""
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow, *more]})


def answered(call: Callable[..., Any], params: dict[str, Any]) -> str:
    """DENIED for a Deny, another error's code, "" for none. The answer to a HEAD has no text."""
    try:
        call(**params)
    except ClientError as error:
        found = error.response["Error"]
        return DENIED if "explicit deny" in found["Message"] or found["Code"] == "403" else str(found["Code"])
    return ""


@pytest.mark.parametrize("service", FILLED)
def test_requests_have_the_condition_keys_of_their_service(
    service: str, iam: Any, platform: RunningPlatform, account: str
) -> None:
    """A Deny on the key's value means the request; a Deny on another value does not."""
    world = World(account=account, admin=lambda name: platform.client(name, account=account))
    made = make_user(iam)
    missing: list[str] = []
    for row in FILLED[service]:
        client = platform.client(service, **made, **row.config)
        codes = [
            denied_on(iam, row.key, row.value.format(account=account, **bag) + other, client, (row.method, params))
            for other in ("-not", "")
            for params, bag in ((row.params(world), world.bag),)
        ]
        if codes[0] == DENIED or codes[1] != DENIED:
            missing.append(f"{row.key} at {row.method}: {codes}")
    assert missing == []


def make_user(iam: Any) -> dict[str, str]:
    """The keys of a user without permissions."""
    iam.create_user(UserName="keys")
    key = iam.create_access_key(UserName="keys")["AccessKey"]
    return {"account": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def denied_on(iam: Any, key: str, value: str, client: Any, request: tuple[str, dict[str, Any]]) -> str:
    """The request's outcome under a Deny on a value of the key."""
    condition = {"ForAnyValue:StringEquals": {key: value}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    iam.put_user_policy(UserName="keys", PolicyName="p", PolicyDocument=statements(deny))
    return answered(getattr(client, request[0]), request[1])


def test_a_presigned_url_has_its_kind_and_its_age(iam: Any, platform: RunningPlatform, account: str) -> None:
    """s3:authType REST-QUERY-STRING; s3:signatureAge in milliseconds, of a header's signature none.

    AWS: S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys".
    """
    bucket = f"age-{account}"
    platform.client("s3", account=account).create_bucket(Bucket=bucket)
    client = platform.client("s3", signature_version="s3v4", **make_user(iam))
    url = client.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket})
    statuses = []
    for operator, key, value in (
        ("StringEquals", "s3:authType", "REST-QUERY-STRING"),
        ("NumericLessThan", "s3:signatureAge", "600000"),
        ("NumericGreaterThan", "s3:signatureAge", "600000"),
        ("Null", "s3:x-amz-content-sha256", "false"),
    ):
        deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {operator: {key: value}}}
        iam.put_user_policy(UserName="keys", PolicyName="p", PolicyDocument=statements(deny))
        statuses.append(status(url))
    assert statuses == [403, 403, 200, 200]
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Null": {"s3:signatureAge": "false"}}}
    iam.put_user_policy(UserName="keys", PolicyName="p", PolicyDocument=statements(deny))
    assert answered(client.list_objects_v2, {"Bucket": bucket}) == ""


def test_a_key_that_a_service_uses_for_the_caller_is_used_through_it(
    iam: Any, platform: RunningPlatform, account: str
) -> None:
    """aws:ViaAWSService is true for KMS when S3 asks with the caller's rights, false when the caller does."""
    bucket = f"via-{account}"
    platform.client("s3", account=account).create_bucket(Bucket=bucket)
    key = platform.client("kms", account=account).create_key()["KeyMetadata"]["KeyId"]
    made = make_user(iam)
    deny = {
        "Effect": "Deny",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:ViaAWSService": "false"}},
    }
    iam.put_user_policy(UserName="keys", PolicyName="p", PolicyDocument=statements(deny))
    put = {"Bucket": bucket, "Key": "k", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    assert answered(platform.client("s3", **made).put_object, put) == ""
    assert answered(platform.client("kms", **made).describe_key, {"KeyId": key}) == DENIED


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_version_of_tls_is_a_condition_key(scheme: str, iam: Any, platform: RunningPlatform, account: str) -> None:
    """s3:TlsVersion, a number; without TLS there is none. AWS: announcement of 2020-12-21."""
    bucket = f"tls-{account}"
    platform.client("s3", account=account).create_bucket(Bucket=bucket)
    condition = {"NumericGreaterThanEquals": {"s3:TlsVersion": "1.2"}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    made = make_user(iam)
    iam.put_user_policy(UserName="keys", PolicyName="p", PolicyDocument=statements(deny))
    make: Any = boto3.client
    client = make(
        "s3",
        endpoint_url=platform.url.replace("http:", f"{scheme}:"),
        region_name="us-east-1",
        aws_access_key_id=made["account"],
        aws_secret_access_key=made["secret"],
        verify=False,
    )
    assert answered(client.list_objects_v2, {"Bucket": bucket}) == (DENIED if scheme == "https" else "")


def status(url: str) -> int:
    """Of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize("service", TOLD)
def test_condition_keys_that_no_request_has_are_told(service: str) -> None:
    """On the service's coverage page."""
    page = (PAGES / f"{service}.md").read_text(encoding="utf-8")
    assert [key for key in TOLD[service] if key not in page] == []
