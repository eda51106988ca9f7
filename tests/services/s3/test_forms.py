"""Browser uploads: the forms of generate_presigned_post, by both signature versions, and anonymous ones."""

import contextlib
import io
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from botocore.exceptions import ClientError

from tests.memory import Peak
from tests.platform import RunningPlatform
from tests.services.s3.browser import Answer, multipart, send, submit

MIB = 1024 * 1024


@pytest.fixture(params=["s3", "s3v4"])
def presigner(platform: RunningPlatform, request: pytest.FixtureRequest) -> Any:
    """A client of a user whose secret the platform holds, so that signatures are verified; both versions."""
    iam = platform.client("iam")
    name = f"uploader-{request.param}"
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=name)
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield platform.client(
        "s3", account=key["AccessKeyId"], secret=key["SecretAccessKey"], signature_version=request.param
    )
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])


@pytest.fixture
def target(platform: RunningPlatform, account: str) -> str:
    """A bucket of the default account."""
    name = f"forms-{account}"
    platform.client("s3").create_bucket(Bucket=name)
    return name


def error(answer: Answer) -> tuple[int, str, str]:
    """Status, code and message."""
    code, message = (re.search(f"<{tag}>(.*?)</{tag}>", answer.body, re.DOTALL) for tag in ("Code", "Message"))
    assert code is not None and message is not None, answer
    return answer.status, code[1], message[1].replace("&quot;", '"')


def test_a_presigned_form_uploads(presigner: Any, target: str) -> None:
    """204 with ETag and Location; the object has the form's headers, metadata and tags, not the file part's type."""
    fields = {
        "Content-Type": "text/x-test",
        "x-amz-meta-name": "v  w",
        "Cache-Control": "no-store",
        "tagging": "<Tagging><TagSet><Tag><Key>k + é</Key><Value>v=1</Value></Tag></TagSet></Tagging>",
    }
    conditions = [{name: value} for name, value in fields.items()]
    post = presigner.generate_presigned_post(target, "up/${filename}", Fields=fields, Conditions=conditions)
    answer = submit(post, b"hello\r\n--there", filename="a b.txt")
    assert (answer.status, answer.body) == (204, "")
    assert answer.headers["location"].endswith(f"/{target}/up%2Fa%20b.txt")
    got = presigner.get_object(Bucket=target, Key="up/a b.txt")
    assert (got["Body"].read(), got["ETag"]) == (b"hello\r\n--there", answer.headers["etag"])
    assert (got["ContentType"], got["CacheControl"], got["TagCount"]) == ("text/x-test", "no-store", 1)
    assert got["Metadata"] == {"name": "v  w"}
    tags = presigner.get_object_tagging(Bucket=target, Key="up/a b.txt")["TagSet"]
    assert tags == [{"Key": "k + é", "Value": "v=1"}]


@pytest.mark.parametrize("wanted", ["200", "201", "204", "999"])
def test_success_action_status(presigner: Any, target: str, wanted: str) -> None:
    """201 answers with a document; what is none of the three is 204."""
    fields = {"success_action_status": wanted}
    post = presigner.generate_presigned_post(target, "a&b", Fields=fields, Conditions=[fields])
    answer = submit(post, b"x")
    assert answer.status == {"200": 200, "201": 201}.get(wanted, 204)
    if wanted == "201":
        assert answer.headers["content-type"] == "application/xml"
        document = ElementTree.fromstring(answer.body)
        assert document.tag == "PostResponse"
        assert {element.tag: element.text for element in document} == {
            "Location": answer.headers["location"],
            "Bucket": target,
            "Key": "a&b",
            "ETag": answer.headers["etag"],
        }


def test_success_action_redirect(presigner: Any, target: str) -> None:
    """303 to the page, which learns bucket, key and ETag; what is no URL is as if it were not there."""
    fields = {"success_action_redirect": "http://page.example/done?x=1"}
    post = presigner.generate_presigned_post(target, "k", Fields=fields, Conditions=[fields])
    answer = submit(post, b"x")
    etag = answer.headers["etag"].strip('"')
    assert answer.status == 303
    assert answer.headers["location"] == f"{fields['success_action_redirect']}&bucket={target}&key=k&etag=%22{etag}%22"
    fields = {"success_action_redirect": "done"}
    post = presigner.generate_presigned_post(target, "k", Fields=fields, Conditions=[fields])
    assert submit(post, b"x").status == 204


@pytest.mark.parametrize(("presigner", "status"), [("s3", 400), ("s3v4", 204)], indirect=["presigner"])
def test_only_version_four_puts_a_file_under_a_key(presigner: Any, target: str, status: int) -> None:
    """User Guide, "Using server-side encryption with AWS KMS keys": version 4 alone, and nothing is stored else."""
    fields = {"x-amz-server-side-encryption": "aws:kms"}
    post = presigner.generate_presigned_post(target, "k", Fields=fields, Conditions=[fields])
    answer = submit(post, b"x")
    assert answer.status == status
    if status == 400:
        text = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
        assert error(answer) == (400, "InvalidArgument", text)
        assert presigner.list_objects_v2(Bucket=target)["KeyCount"] == 0
    else:
        assert presigner.head_object(Bucket=target, Key="k")["ServerSideEncryption"] == "aws:kms"


def test_what_the_policy_forbids(presigner: Any, target: str) -> None:
    """The conditions, the fields that they leave out, and the end of the policy."""
    post = presigner.generate_presigned_post(target, "k")
    denied = "Invalid according to Policy: "
    assert error(submit(post, b"", key="other")) == (
        403,
        "AccessDenied",
        f'{denied}Policy Condition failed: ["eq", "$key", "k"]',
    )
    assert error(submit(post, b"", acl="public-read")) == (403, "AccessDenied", f"{denied}Extra input fields: acl")
    late = presigner.generate_presigned_post(target, "k", ExpiresIn=-5)
    assert error(submit(late, b"")) == (403, "AccessDenied", f"{denied}Policy expired.")
    with pytest.raises(ClientError):
        presigner.head_object(Bucket=target, Key="k")


@pytest.mark.parametrize(("size", "code"), [(4, "EntityTooSmall"), (11, "EntityTooLarge"), (3 * MIB, "EntityTooLarge")])
def test_content_length_range(presigner: Any, target: str, size: int, code: str) -> None:
    """Nothing is stored of a file that is too small or too large."""
    post = presigner.generate_presigned_post(target, "k", Conditions=[["content-length-range", 5, 10]])
    assert error(submit(post, b"x" * size))[:2] == (400, code)
    assert presigner.list_objects_v2(Bucket=target)["KeyCount"] == 0
    assert submit(post, b"x" * 10).status == 204


def test_a_form_signed_with_another_secret_is_refused(presigner: Any, target: str) -> None:
    """SignatureDoesNotMatch; the policy is what is signed."""
    post = presigner.generate_presigned_post(target, "k")
    name = "signature" if "signature" in post["fields"] else "x-amz-signature"
    status, code, _ = error(submit(post, b"", **{name: "0" * len(post["fields"][name])}))
    assert (status, code) == (403, "SignatureDoesNotMatch")


def test_forms_that_lack_a_field(presigner: Any, target: str) -> None:
    """InvalidArgument names the field; without a file, and with no form at all."""
    post = presigner.generate_presigned_post(target, "k")
    for left_out in post["fields"]:
        fields = {name: value for name, value in post["fields"].items() if name != left_out}
        status, code, message = error(submit({**post, "fields": fields}, b""))
        assert (status, code) == (400, "InvalidArgument")
        assert message.lower().startswith(f"bucket post must contain a field named '{left_out.lower()}'.")
    path = urlsplit(post["url"]).path
    body, content_type = multipart(post["fields"], b"")
    no_file = body.replace(b'name="file"', b'name="data"')
    answer = send(post["url"], "POST", path, {"Content-Type": content_type}, no_file)
    assert error(answer) == (400, "InvalidArgument", "POST requires exactly one file upload per request.")
    answer = send(post["url"], "POST", path, {"Content-Type": content_type}, b"no form")
    assert error(answer)[:2] == (400, "MalformedPOSTRequest")


def test_an_anonymous_form_where_the_bucket_policy_allows(
    platform: RunningPlatform, s3: Any, bucket: str, account: str
) -> None:
    """A form without a policy is an anonymous put."""
    body, content_type = multipart({"key": "in/${filename}"}, b"hi")
    headers = {"Content-Type": content_type}
    assert error(send(platform.url, "POST", f"/{bucket}", headers, body)) == (403, "AccessDenied", "Access Denied")
    s3.delete_public_access_block(Bucket=bucket)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/in/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    port = urlsplit(platform.url).port
    virtual = send(platform.url, "POST", "/", {**headers, "Host": f"{bucket}.localhost:{port}"}, body)
    assert (virtual.status, virtual.headers["location"]) == (204, f"http://{bucket}.localhost:{port}/in%2Ff.txt")
    assert s3.get_object(Bucket=bucket, Key="in/f.txt")["Body"].read() == b"hi"


def test_refused_fields_name_themselves(presigner: Any, target: str) -> None:
    """What a put refuses, a form refuses (I9)."""
    fields = {"x-amz-object-lock-mode": "GOVERNANCE"}
    post = presigner.generate_presigned_post(target, "k", Fields=fields, Conditions=[fields])
    status, code, message = error(submit(post, b""))
    assert (status, code) == (501, "NotImplemented")
    assert "ObjectLockMode" in message


def test_fields_that_no_header_can_hold_are_refused(presigner: Any, target: str) -> None:
    """A line break must not come back as a header of its own; a page to go to with one is none."""
    fields = {"x-amz-meta-a": "x\r\nevil: 1"}
    post = presigner.generate_presigned_post(target, "k", Fields=fields, Conditions=[fields])
    assert error(submit(post, b""))[:2] == (400, "InvalidArgument")
    fields = {"success_action_redirect": "http://page.example/\r\nevil: 1"}
    post = presigner.generate_presigned_post(target, "a\nb", Fields=fields, Conditions=[fields])
    answer = submit(post, b"")
    assert (answer.status, answer.headers["location"].endswith("/a%0Ab")) == (204, True)
    url = presigner.generate_presigned_url(
        "get_object", {"Bucket": target, "Key": "a\nb", "ResponseContentType": "a\r\nevil: 1"}
    )
    parts = urlsplit(url)
    assert error(send(url, "GET", f"{parts.path}?{parts.query}"))[:2] == (400, "InvalidArgument")


class Large(io.RawIOBase):
    """A form with a file of many megabytes that is never whole in memory."""

    def __init__(self, head: bytes, size: int, tail: bytes) -> None:
        self._parts: Iterator[bytes] = iter((head, *(b"\0" * MIB for _ in range(size // MIB)), tail))

    def read(self, size: int = -1) -> bytes:
        """The next part, whatever was asked."""
        return next(self._parts, b"")


def test_a_large_file_streams(platform: RunningPlatform, s3: Any, bucket: str) -> None:
    """100 MiB pass through in flat memory."""
    post = platform.client("s3", account=bucket.removeprefix("bkt-")).generate_presigned_post(bucket, "large")
    size = 100 * MIB
    body, content_type = multipart(post["fields"], b"\0")
    head, _, tail = body.partition(b"\0")
    headers = {"Content-Type": content_type, "Content-Length": str(len(head) + size + len(tail))}
    peak = Peak(platform.process.pid)
    answer = send(platform.url, "POST", f"/{bucket}", headers, Large(head, size, tail))
    assert answer.status == 204
    assert peak.grown_kib() < 24 * 1024
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == size
