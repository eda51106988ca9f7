"""Objects under keys of KMS: what answers say, who may write and read, and what becomes of them with their key.

AWS: S3 User Guide, "Using server-side encryption with AWS KMS keys (SSE-KMS)".
"""

import base64
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

PART = b"x" * (5 * 1024 * 1024)
As = Callable[..., Any]


@pytest.fixture
def kms(platform: RunningPlatform, account: str) -> Any:
    """KMS of the test's account."""
    return platform.client("kms", account=account)


@pytest.fixture
def key(kms: Any) -> str:
    """The ARN of a new key."""
    arn: str = kms.create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture
def as_user(platform: RunningPlatform, account: str) -> As:
    """S3 as a user who may all of S3 and what the statements say."""

    def make(*statements: dict[str, Any]) -> Any:
        iam = platform.client("iam", account=account)
        iam.create_user(UserName="u")
        allowed = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, *statements]
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
        made = iam.create_access_key(UserName="u")["AccessKey"]
        return platform.client("s3", account=made["AccessKeyId"], secret=made["SecretAccessKey"])

    return make


def told(call: Any, **params: Any) -> tuple[str, str]:
    """(code, message) of the error that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error.get("Message", "")


def test_an_object_says_under_which_key_it_is(kms: Any, s3: Any, bucket: str, key: str) -> None:
    """The key's ARN, whichever name the writer used; the ETag is no MD5 ("Object", ETag)."""
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/mine"}
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"abc", **under)
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], "BucketKeyEnabled" in put) == ("aws:kms", key, False)
    got, head = s3.get_object(Bucket=bucket, Key="a"), s3.head_object(Bucket=bucket, Key="a")
    assert got["Body"].read() == b"abc"
    for answer in (got, head):
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"], answer["ETag"]) == ("aws:kms", key, put["ETag"])
    assert put["ETag"] != f'"{hashlib.md5(b"abc").hexdigest()}"'
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == put["ETag"]
    double = s3.put_object(Bucket=bucket, Key="a", Body=b"", ServerSideEncryption="aws:kms:dsse", BucketKeyEnabled=True)
    assert (double["ServerSideEncryption"], "BucketKeyEnabled" in double) == ("aws:kms:dsse", False)


def test_the_buckets_default_holds_where_the_request_says_nothing(kms: Any, s3: Any, bucket: str, key: str) -> None:
    """ "ServerSideEncryptionByDefault": without a key it is the one that AWS manages, as it is for a bare aws:kms."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"] == [rule]
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", key, True)
    assert "BucketKeyEnabled" not in s3.put_object(Bucket=bucket, Key="b", Body=b"b", BucketKeyEnabled=False)
    plain = s3.put_object(Bucket=bucket, Key="c", Body=b"c", ServerSideEncryption="AES256")
    assert (plain["ServerSideEncryption"], "SSEKMSKeyId" in plain) == ("AES256", False)
    assert plain["ETag"] == f'"{hashlib.md5(b"c").hexdigest()}"'
    managed = s3.put_object(Bucket=bucket, Key="d", Body=b"d", ServerSideEncryption="aws:kms")["SSEKMSKeyId"]
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"] == managed


def test_a_key_that_cannot_be_used_takes_its_objects_along(kms: Any, s3: Any, bucket: str, key: str) -> None:
    """S3 puts "KMS." before KMS's codes. HeadObject, "ChecksumMode": only the checksum needs the key."""
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(Bucket=bucket, Key="a", Body=b"a", **under)
    kms.disable_key(KeyId=key)
    assert told(s3.get_object, Bucket=bucket, Key="a") == ("KMS.DisabledException", f"{key} is disabled.")
    assert told(s3.put_object, Bucket=bucket, Key="b", Body=b"", **under)[0] == "KMS.DisabledException"
    source = {"Bucket": bucket, "Key": "c", "CopySource": f"{bucket}/a"}
    assert told(s3.copy_object, **source)[0] == "KMS.DisabledException"
    assert s3.head_object(Bucket=bucket, Key="a")["ContentLength"] == 1
    with pytest.raises(ClientError, match="400"):
        s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert told(s3.get_object, Bucket=bucket, Key="a")[0] == "KMS.KMSInvalidStateException"
    missing = {**under, "SSEKMSKeyId": "aws/s3"}
    answer = ("KMS.NotFoundException", "Invalid keyId aws/s3")  # aws/aws-cli issue 4507
    assert told(s3.put_object, Bucket=bucket, Key="b", Body=b"", **missing) == answer
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a"]


def test_who_may_not_use_the_key_can_neither_write_nor_read(s3: Any, bucket: str, key: str, as_user: As) -> None:
    """PutObject needs kms:GenerateDataKey, GetObject kms:Decrypt; only the metadata need neither."""
    user = as_user({"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key})
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    user.put_object(Bucket=bucket, Key="a", Body=b"a", **under)
    code, message = told(user.get_object, Bucket=bucket, Key="a")
    assert code == "AccessDenied" and "kms:Decrypt" in message and key in message
    assert user.head_object(Bucket=bucket, Key="a")["SSEKMSKeyId"] == key
    upload = {"Bucket": bucket, "Key": "b"}
    upload["UploadId"] = user.create_multipart_upload(**upload, **under)["UploadId"]
    assert told(user.upload_part, **upload, PartNumber=1, Body=b"")[0] == "AccessDenied"
    assert told(user.list_parts, **upload)[0] == "AccessDenied"
    assert s3.list_parts(**upload)["Bucket"] == bucket
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"


def test_the_encryption_context_is_the_object_or_the_bucket(bucket: str, key: str, as_user: As) -> None:
    """User Guide, "Encryption context": aws:s3:arn beside what the writer adds; the bucket's with a bucket key."""
    arn = f"arn:aws:s3:::{bucket}"
    matching = {"kms:EncryptionContext:aws:s3:arn": [f"{arn}/in/*", arn], "kms:EncryptionContext:team": "red"}
    condition = {"StringLike": matching}
    user = as_user({"Effect": "Allow", "Action": "kms:*", "Resource": key, "Condition": condition})
    sent = base64.b64encode(json.dumps({"team": "red"}).encode()).decode()
    under = {"Bucket": bucket, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "Body": b"a"}
    put = user.put_object(**under, Key="in/a", SSEKMSEncryptionContext=sent)
    assert put["SSEKMSEncryptionContext"] == sent
    assert user.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"a"
    assert told(user.put_object, **under, Key="in/a")[0] == "AccessDenied"
    assert told(user.put_object, **under, Key="out", SSEKMSEncryptionContext=sent)[0] == "AccessDenied"
    user.put_object(**under, Key="out", SSEKMSEncryptionContext=sent, BucketKeyEnabled=True)
    assert user.get_object(Bucket=bucket, Key="out")["BucketKeyEnabled"] is True


def test_an_upload_in_parts_keeps_its_key(kms: Any, s3: Any, bucket: str, key: str) -> None:
    """Each part and the completion need the key; copied parts that of their source, too."""
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    upload = {"Bucket": bucket, "Key": "a"}
    made = s3.create_multipart_upload(**upload, **under, BucketKeyEnabled=True)
    upload["UploadId"] = made["UploadId"]
    first = s3.upload_part(**upload, PartNumber=1, Body=PART)
    for answer in (made, first):
        assert (answer["SSEKMSKeyId"], answer["BucketKeyEnabled"]) == (key, True)
    assert first["ETag"] != f'"{hashlib.md5(PART).hexdigest()}"'
    s3.put_object(Bucket=bucket, Key="tail", Body=b"tail", **under)
    last = s3.upload_part_copy(**upload, PartNumber=2, CopySource=f"{bucket}/tail")["CopyPartResult"]
    other = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="other", Body=b"a", **{**under, "SSEKMSKeyId": other})
    kms.disable_key(KeyId=other)
    copied = {**upload, "PartNumber": 3, "CopySource": f"{bucket}/other"}
    assert told(s3.upload_part_copy, **copied) == ("KMS.DisabledException", f"{other} is disabled.")
    kms.disable_key(KeyId=key)
    parts = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in ((1, first), (2, last))]
    assert told(s3.upload_part, **upload, PartNumber=3, Body=b"")[0] == "KMS.DisabledException"
    listed = {"MultipartUpload": {"Parts": parts}}
    assert told(s3.complete_multipart_upload, **upload, **listed)[0] == "KMS.DisabledException"
    kms.enable_key(KeyId=key)
    done = s3.complete_multipart_upload(**upload, **listed)
    assert done["SSEKMSKeyId"] == key and done["ETag"].endswith('-2"')
    assert s3.get_object(Bucket=bucket, Key="a", Range="bytes=-4")["Body"].read() == b"tail"


def test_a_copy_is_encrypted_as_its_request_or_bucket_says(s3: Any, bucket: str, key: str) -> None:
    """CopyObject: nothing of the source's encryption is copied. A copy that is not under a key has the MD5 again."""
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    source = s3.put_object(Bucket=bucket, Key="a", Body=b"abc", **under)
    plain = s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    assert (plain["ServerSideEncryption"], "SSEKMSKeyId" in plain) == ("AES256", False)
    assert plain["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"abc").hexdigest()}"'
    for name in ("a", "b"):
        copied = s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/{name}", **under)
        assert copied["SSEKMSKeyId"] == key
        assert copied["CopyObjectResult"]["ETag"] not in (plain["CopyObjectResult"]["ETag"], source["ETag"])
    assert s3.head_object(Bucket=bucket, Key="c")["SSEKMSKeyId"] == key
    assert "SSEKMSKeyId" not in s3.head_object(Bucket=bucket, Key="b")


def test_what_cannot_be_asked(platform: RunningPlatform, s3: Any, bucket: str, key: str) -> None:
    """A key without the algorithm, a context that is none, and a reader without a signature."""
    put = {"Bucket": bucket, "Key": "a", "Body": b"a"}
    text = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
    assert told(s3.put_object, **put, SSEKMSKeyId=key) == ("InvalidArgument", text)
    assert told(s3.put_object, **put, SSEKMSKeyId=key, ServerSideEncryption="AES256") == ("InvalidArgument", text)
    for context in ("?", "e30", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"a": 1}').decode()):
        wrong = {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": context}
        assert told(s3.put_object, **put, **wrong)[0] == "InvalidArgument"
    s3.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_object(**put, ServerSideEncryption="aws:kms")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{platform.url}/{bucket}/a", timeout=30)
    assert refused.value.code == 400
    assert b"require AWS Signature Version 4." in refused.value.read()


def test_a_bucket_policy_can_ask_for_a_key(s3: Any, bucket: str, key: str, as_user: As) -> None:
    """User Guide, "Requiring SSE-KMS": s3:x-amz-server-side-encryption-aws-kms-key-id."""
    condition = {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key}}
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": condition,
    }  # fmt: skip
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    user = as_user({"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    put = {"Bucket": bucket, "Key": "a", "Body": b"a"}
    assert told(user.put_object, **put)[0] == "AccessDenied"
    assert told(user.put_object, **put, ServerSideEncryption="aws:kms")[0] == "AccessDenied"
    user.put_object(**put, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)


@pytest.mark.parametrize("asks", [{"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "AES256"}, {}])
@pytest.mark.parametrize("condition", [
    {"Null": {"s3:x-amz-server-side-encryption": "true"}},
    {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
])  # fmt: skip
def test_a_bucket_policy_can_refuse_what_does_not_ask_for_encryption(
    s3: Any, bucket: str, as_user: As, condition: dict[str, Any], asks: dict[str, str]
) -> None:
    """User Guide, "Requiring SSE-KMS" and "Requiring server-side encryption": the header counts, not the default."""
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": condition,
    }  # fmt: skip
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    user = as_user()
    put = {"Bucket": bucket, "Key": "a", "Body": b"a", **asks}
    allowed = asks.get("ServerSideEncryption") == "aws:kms" or ("Null" in condition and asks)
    if allowed:
        user.put_object(**put)
        user.create_multipart_upload(Bucket=bucket, Key="b", **asks)
    else:
        assert told(user.put_object, **put)[0] == "AccessDenied"
        assert told(user.create_multipart_upload, Bucket=bucket, Key="b", **asks)[0] == "AccessDenied"


def test_signature_version_two_is_not_for_objects_under_a_key(
    platform: RunningPlatform, account: str, s3: Any, bucket: str, key: str
) -> None:
    """User Guide, "Using server-side encryption with AWS KMS keys": version 4 alone, in headers and in URLs."""
    text = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(Bucket=bucket, Key="a", Body=b"a", **under)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"plain")
    old = platform.client("s3", account=account, signature_version="s3")
    assert told(old.get_object, Bucket=bucket, Key="a") == ("InvalidArgument", text)
    assert told(old.put_object, Bucket=bucket, Key="b", Body=b"", **under) == ("InvalidArgument", text)
    assert old.get_object(Bucket=bucket, Key="plain")["Body"].read() == b"plain"

    def fetch(client: Any, name: str) -> bytes:
        url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": name})
        with urllib.request.urlopen(url, timeout=30) as answer:
            body: bytes = answer.read()
        return body

    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(old, "a")
    assert (refused.value.code, text.encode() in refused.value.read()) == (400, True)
    assert fetch(old, "plain") == b"plain"
    assert fetch(platform.client("s3", account=account, signature_version="s3v4"), "a") == b"a"
