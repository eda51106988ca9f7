"""A browser's form as the put that it means. AWS: S3 API Reference, "POST Object"."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.call import Call
from undercast.wire.decode import decode, parse
from undercast.wire.encode import encode_output
from undercast.wire.form import opened
from undercast.wire.signature import verify
from undercast.wire.verified import verified_body

NOW = 1_447_000_000.0
POLICY = (
    "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2"
    "NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMt"
    "cmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29t"
    "L3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4"
    "LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0s"
    "DQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZP"
    "RE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1B"
    "Qy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
)
"""The sample policy of "Example: Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)"."""
SAMPLE = {
    "key": "user/user1/${filename}",
    "acl": "public-read",
    "success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
    "Content-Type": "image/jpeg",
    "x-amz-meta-uuid": "14365123651274",
    "x-amz-server-side-encryption": "AES256",
    "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Date": "20151229T000000Z",
    "x-amz-meta-tag": "",
    "Policy": POLICY,
    "X-Amz-Signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
}


def encoded(fields: dict[str, str], file: bytes = b"file") -> bytes:
    """A form with the file last."""
    parts = [
        f'--bb\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    head = '--bb\r\nContent-Disposition: form-data; name="file"; filename="f.jpg"\r\nContent-Type: image/gif\r\n\r\n'
    return "".join([*parts, head]).encode() + file + b"\r\n--bb--\r\n"


def request(body: bytes, target: str = "/", host: str = "sigv4examplebucket.s3.amazonaws.com") -> HttpRequest:
    """The form as it arrives, in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    headers = {"host": host, "content-type": "multipart/form-data; boundary=bb", "x-amz-acl": "private", "te": "x"}
    return HttpRequest(method="POST", target=target, headers=headers, body=BodyStream(pieces(), len(body)))


async def test_the_sample_of_the_documentation() -> None:
    """Its signature is verified, its fields are a put's parameters, and the answer goes where it asks."""
    call = await opened(decode(request(encoded(SAMPLE))), NOW)
    assert (call.operation, call.region, call.anonymous) == ("PutObject", "us-east-1", False)
    key = verify(call, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NOW)
    _, params = await parse(call, verified_body(call, key))
    assert await params.pop("Body").read() == b"file"
    assert params == {
        "Bucket": "sigv4examplebucket",
        "Key": "user/user1/f.jpg",
        "ACL": "public-read",
        "ContentType": "image/jpeg",
        "Metadata": {"uuid": "14365123651274", "tag": ""},
        "ServerSideEncryption": "AES256",
    }
    answer = encode_output(call, {"ETag": '"e"'}, "id")
    assert answer.status == 303
    assert dict(answer.headers)["Location"] == (
        "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"
        "?bucket=sigv4examplebucket&key=user%2Fuser1%2Ff.jpg&etag=%22e%22"
    )


async def test_another_secret_does_not_verify() -> None:
    """SignatureDoesNotMatch shows the policy as what was signed."""
    call = await opened(decode(request(encoded(SAMPLE))), NOW)
    with pytest.raises(ServiceError) as caught:
        verify(call, "another", NOW)
    assert (caught.value.code, caught.value.members["StringToSign"]) == ("SignatureDoesNotMatch", POLICY)


async def test_the_policy_binds_before_anybody_is_asked() -> None:
    """Also the forms whose key we do not hold."""
    for fields, now in ((SAMPLE, 1_451_500_000.0), ({**SAMPLE, "key": "user/user2/x"}, NOW)):
        with pytest.raises(ServiceError) as caught:
            await opened(decode(request(encoded(fields))), now)
        assert (caught.value.code, caught.value.status) == ("AccessDenied", 403)


async def test_an_anonymous_form_and_its_content() -> None:
    """Checksums are fields like any other; headers of the form itself are nobody's."""
    fields = {"key": "k", "x-amz-checksum-crc32": "AAAAAA==", "policy": "anything", "x-amz-trailer": "y"}
    call = await opened(decode(request(encoded(fields), "/bucket/", "localhost:4566")), NOW)
    assert call.anonymous
    assert set(call.request.headers) == {"host", "x-amz-checksum-crc32"}
    _, params = await parse(call, verified_body(call, None))
    with pytest.raises(ServiceError) as caught:
        await params["Body"].read()
    assert caught.value.code == "BadDigest"


@pytest.mark.parametrize(
    ("lacks", "named"),
    [
        (("X-Amz-Algorithm", "X-Amz-Credential"), "X-Amz-Algorithm"),
        (("X-Amz-Signature",), "X-Amz-Signature"),
        (("X-Amz-Date", "Policy"), "X-Amz-Date"),
        (("Policy",), "policy"),
    ],
)
async def test_what_a_signed_form_lacks_is_named(lacks: tuple[str, ...], named: str) -> None:
    """InvalidArgument, in S3's spelling and order."""
    fields = {name: value for name, value in SAMPLE.items() if name not in lacks}
    with pytest.raises(ServiceError, match=f"InvalidArgument: Bucket POST must contain a field named '{named}'"):
        await opened(decode(request(encoded(fields))), NOW)


def test_a_bucket_takes_nothing_but_forms() -> None:
    """412 for a POST of another type; S3's table has a code that it does not answer with."""
    posted = replace(
        request(b"{}"), headers={"host": "localhost", "content-type": "application/json"}, target="/bucket"
    )
    with pytest.raises(ServiceError, match="PreconditionFailed") as caught:
        decode(posted)
    assert (caught.value.status, caught.value.members) == (
        412,
        {"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"},
    )


def test_only_a_bucket_takes_forms() -> None:
    """405 for a form that names none."""
    with pytest.raises(ServiceError) as caught:
        decode(request(b"", "/", "localhost"))
    assert caught.value.code == "MethodNotAllowed"


async def test_other_calls_stay_what_they_are() -> None:
    """`opened` is asked about every call."""
    plain = decode(HttpRequest(method="GET", target="/b/k", headers={"host": "localhost"}, body=BodyStream.of(b"")))
    assert await opened(plain, NOW) is plain
    asked = {"host": "localhost", "content-type": "application/x-www-form-urlencoded"}
    query = decode(HttpRequest(method="POST", target="/", headers=asked, body=BodyStream.of(b"Action=X")))
    assert await opened(query, NOW) is query


async def outcome(body: bytes) -> Call | ServiceError:
    """What becomes of a form, its file read to the end."""
    try:
        call = await opened(decode(request(body, "/bucket", "localhost")), NOW)
        _, params = await parse(call, verified_body(call, None))
        await params["Body"].read()
    except ServiceError as error:
        return error
    return call


SOURCE = encoded(
    {
        **SAMPLE,
        "Policy": base64.b64encode(
            json.dumps(
                {
                    "expiration": "2100-01-01T00:00:00Z",
                    "conditions": [["content-length-range", 0, 9]]
                    + [["starts-with", f"${name}", ""] for name in ("bucket", *SAMPLE)],
                }
            ).encode()
        ).decode(),
        "tagging": "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
    }
)


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(
    flips=st.lists(st.tuples(st.integers(0, len(SOURCE) - 1), st.integers(0, 255)), max_size=6),
    cut=st.one_of(st.none(), st.integers(0, len(SOURCE))),
)
async def test_a_damaged_form_is_a_form_or_an_error_of_the_client(
    flips: list[tuple[int, int]], cut: int | None
) -> None:
    """Never another exception, whatever is sent."""
    body = bytearray(SOURCE)
    for position, value in flips:
        body[position] = value
    found = await outcome(bytes(body[:cut]))
    if isinstance(found, ServiceError):
        assert 400 <= found.status < 500
    else:
        assert found.operation == "PutObject"
