"""Buckets as boto3 and Terraform see them: creation, absence, configurations, regions, deletion, listings."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform


def _error(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_the_life_of_a_bucket(s3: Any, account: str) -> None:
    """Create, head, list, locate, delete with BucketNotEmpty in between (S1-31)."""
    name = f"life-{account}"
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    head = s3.head_bucket(Bucket=name)
    assert head["BucketRegion"] == "us-east-1"
    assert [entry["Name"] for entry in s3.list_buckets()["Buckets"]] == [name]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.put_object(Bucket=name, Key="a", Body=b"")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=name)
    assert _error(error) == ("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
    assert dict(error.value.response["Error"])["BucketName"] == name
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket=name)
    assert _error(error)[0] == "404"
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket=name)


def test_regions(platform: RunningPlatform, account: str) -> None:
    """LocationConstraint, its read-back, and boto3 that follows the redirect to the bucket's region."""
    west = platform.client("s3", account=account, region="us-west-2")
    east = platform.client("s3", account=account)
    name = f"west-{account}"
    with pytest.raises(ClientError) as error:
        west.create_bucket(Bucket=name)
    assert _error(error)[0] == "IllegalLocationConstraintException"
    west.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    assert east.get_bucket_location(Bucket=name)["LocationConstraint"] == "us-west-2"
    with pytest.raises(ClientError) as error:
        west.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    assert _error(error)[0] == "BucketAlreadyOwnedByYou"
    west.put_object(Bucket=name, Key="a", Body=b"x")
    assert east.get_object(Bucket=name, Key="a")["Body"].read() == b"x"


def test_a_name_belongs_to_one_account(platform: RunningPlatform, s3: Any, bucket: str) -> None:
    """BucketAlreadyExists for another account, and 403 for its use."""
    stranger = platform.client("s3", account="999999999999")
    with pytest.raises(ClientError) as error:
        stranger.create_bucket(Bucket=bucket)
    assert _error(error)[0] == "BucketAlreadyExists"
    with pytest.raises(ClientError) as error:
        stranger.head_bucket(Bucket=bucket)
    assert _error(error)[0] == "403"
    with pytest.raises(ClientError) as error:
        stranger.put_object(Bucket=bucket, Key="a", Body=b"")
    assert (_error(error)[0], _error(error)[2]) == ("AccessDenied", 403)


ABSENT = [
    ("get_bucket_policy", "NoSuchBucketPolicy"),
    ("get_bucket_cors", "NoSuchCORSConfiguration"),
    ("get_bucket_website", "NoSuchWebsiteConfiguration"),
    ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
    ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
    ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ("get_bucket_tagging", "NoSuchTagSet"),
]


@pytest.mark.parametrize(("call", "code"), ABSENT)
def test_what_terraform_reads_and_finds_absent(s3: Any, bucket: str, call: str, code: str) -> None:
    """systems.md 2.1: 404 with exactly these codes."""
    with pytest.raises(ClientError) as error:
        getattr(s3, call)(Bucket=bucket)
    assert (_error(error)[0], _error(error)[2]) == (code, 404)


def test_what_terraform_reads_and_finds_empty(s3: Any, bucket: str) -> None:
    """Versioning, logging, acceleration and notification are empty; the payer is the owner."""
    for call, member in (
        ("get_bucket_versioning", "Status"),
        ("get_bucket_logging", "LoggingEnabled"),
        ("get_bucket_accelerate_configuration", "Status"),
        ("get_bucket_notification_configuration", "LambdaFunctionConfigurations"),
    ):
        assert member not in getattr(s3, call)(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    acl = s3.get_bucket_acl(Bucket=bucket)
    assert acl["Grants"] == [
        {"Grantee": {"ID": acl["Owner"]["ID"], "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
    ]


def test_a_key_of_kms_beside_aes256_is_refused(s3: Any, bucket: str) -> None:
    """AWS's answer; the configuration stays what it was."""
    default = {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "abc"}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    told = caught.value.response["Error"]
    text = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
    assert (told["Code"], told["Message"]) == ("InvalidArgument", text)
    assert told.get("ArgumentName") == "ApplyServerSideEncryptionByDefault"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_configurations_are_read_back(s3: Any, bucket: str) -> None:
    """What was put comes back through the wire."""
    rule: dict[str, Any] = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 5}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]
    tags = [{"Key": "k", "Value": "v"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert (block["BlockPublicAcls"], block["BlockPublicPolicy"]) == (True, False)
    for delete in ("cors", "website", "lifecycle", "tagging"):
        assert getattr(s3, f"delete_bucket_{delete}")(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_the_requester_pays(platform: RunningPlatform, s3: Any, bucket: str) -> None:
    """Another account's request needs x-amz-request-payer and is answered with x-amz-request-charged."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    stranger = platform.client("s3", account="999999999999")
    with pytest.raises(ClientError) as error:
        stranger.get_object(Bucket=bucket, Key="a")
    assert (_error(error)[0], _error(error)[2]) == ("AccessDenied", 403)
    got = stranger.get_object(Bucket=bucket, Key="a", RequestPayer="requester")
    assert got["RequestCharged"] == "requester"
    assert got["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-charged"] == "requester"


def test_listings_page_through_everything(s3: Any, bucket: str) -> None:
    """boto3's paginators see each key and prefix once, in both versions of ListObjects."""
    keys = [f"{folder}/{number} ü" for folder in "abc" for number in range(5)] + ["top"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
        assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys
        pages = s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1})
        found = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ())]
        assert found == ["a/", "b/", "c/"]
    objects = [{"Key": key} for key in keys]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]) == len(keys)


def test_a_public_bucket_policy_lets_strangers_read(platform: RunningPlatform, s3: Any, bucket: str) -> None:
    """Only after the public access block is gone; an unsigned GET then works, an unsigned PUT does not."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with pytest.raises(ClientError, match="BlockPublicPolicy"):
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    url = f"{platform.url}/{bucket}/a"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=30)
    assert refused.value.code == 403
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == b"x"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b"y", method="PUT"), timeout=30)
    assert refused.value.code == 403


def test_strangers_are_told_that_a_bucket_does_not_exist(platform: RunningPlatform, bucket: str) -> None:
    """S3 error responses: NoSuchBucket is 404 for unsigned requests too; of a bucket that exists they learn nothing."""

    def answered(path: str, method: str = "GET") -> tuple[int, str]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(platform.url + path, method=method), timeout=30)
        found = re.search("<Code>(.*)</Code>", refused.value.read().decode())
        return refused.value.code, found[1] if found else ""

    missing = f"no-{bucket}"
    for rest in ("", "/a", "?versioning", "?location"):
        assert answered(f"/{missing}{rest}") == (404, "NoSuchBucket")
        assert answered(f"/{bucket}{rest}") == (403, "AccessDenied")
    assert (answered(f"/{missing}", "HEAD"), answered(f"/{bucket}", "HEAD")) == ((404, ""), (403, ""))
    assert answered(f"/{missing}", "PUT") == (403, "AccessDenied")
    assert answered("/") == (403, "AccessDenied")


def test_notifications_need_the_functions_permission(s3: Any, bucket: str, account: str) -> None:
    """S1-24: a function that does not exist, or does not let S3 in, is refused."""
    entry = {
        "LambdaFunctionArn": f"arn:aws:lambda:us-east-1:{account}:function:none",
        "Events": ["s3:ObjectCreated:*"],
    }
    with pytest.raises(ClientError) as error:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [entry]}
        )
    assert _error(error)[:2] == (
        "InvalidArgument",
        "Unable to validate the following destination configurations",
    )
