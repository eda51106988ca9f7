"""A hostile function that signs with keys it made up, to leave its execution role behind (ADR 0007)."""

import json

from tests.e2e.functions import create_function
from tests.machine import lacking
from tests.platform import RunningPlatform
from tests.services.s3.browser import send

HOSTILE = """
import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

def attempt(client, call, **params):
    try:
        getattr(client, call)(**params)
        return "allowed"
    except ClientError as error:
        return error.response["Error"]["Code"]

def handler(event, context):
    found = {}
    for key in ("test", event["account"], "AKIAIOSFODNN7EXAMPLE"):
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="secret")
        found[key] = [
            attempt(session.client("s3"), "list_buckets"),
            attempt(session.client("s3", config=Config(signature_version="s3")), "list_buckets"),
            attempt(session.client("iam"), "list_users"),
            attempt(session.client("lambda"), "list_functions"),
        ]
    anonymous = boto3.client("s3", config=Config(signature_version=UNSIGNED))
    found["public"] = anonymous.get_object(Bucket=event["bucket"], Key="k")["Body"].read().decode()
    return found
"""


def test_a_made_up_key_is_worth_nothing_in_a_sandbox(platform: RunningPlatform, account: str) -> None:
    """AWS's error for a key that does not exist, by either signature version; what is public stays readable."""
    if platform.driver != "namespace":
        lacking("the process driver has no listeners of its own in a sandbox")
    s3, bucket = platform.client("s3", account=account), f"public-{account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"everybody's")
    s3.delete_public_access_block(Bucket=bucket)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]}))
    create_function(platform, account, "hostile", HOSTILE, Timeout=60, MemorySize=512)
    payload = json.dumps({"account": account, "bucket": bucket})
    result = platform.client("lambda", account=account).invoke(FunctionName="hostile", Payload=payload)
    found = json.load(result["Payload"])
    assert found.pop("public") == "everybody's"
    refused = ["InvalidAccessKeyId", "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"]
    assert found == dict.fromkeys(("test", account, "AKIAIOSFODNN7EXAMPLE"), refused)
    assert send(platform.url, "GET", f"/{bucket}/k").body == "everybody's"
