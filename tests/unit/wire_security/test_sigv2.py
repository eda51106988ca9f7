"""Signature Version 2 of S3: botocore's two signers of it, AWS's own examples, and what is refused."""

import time
from calendar import timegm
from typing import Any

import pytest

from tests.unit.wire_security.signing import ACCESS_KEY, SECRET, SignedRequest, sign
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.signature import check_claims, parse_signature, verify

EXAMPLE_KEY = "AKIAIOSFODNN7EXAMPLE"
EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def example(method: str, target: str, signature: str, date: str, **headers: str) -> SignedRequest:
    """One of the documentation's requests."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HttpRequest(
        method=method,
        target=target,
        headers={"date": date, "authorization": f"AWS {EXAMPLE_KEY}:{signature}", **named},
        body=BodyStream.of(b""),
    )
    return SignedRequest(request=request, service="s3")


def at(date: str) -> float:
    """Seconds of an RFC 1123 date in PDT or UTC."""
    return timegm(time.strptime(date[:25], "%a, %d %b %Y %H:%M:%S"))


EXAMPLES = [
    (
        "GET",
        "/photos/puppy.jpg",
        "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
        "Tue, 27 Mar 2007 19:36:42 +0000",
        {"host": "awsexamplebucket1.s3.us-west-1.amazonaws.com"},
    ),
    (
        "PUT",
        "/photos/puppy.jpg",
        "iqRzw+ileNPu1fhspnRs8nOjjIA=",
        "Tue, 27 Mar 2007 21:15:45 +0000",
        {"host": "awsexamplebucket1.s3.us-west-1.amazonaws.com", "content_type": "image/jpeg"},
    ),
    (
        "GET",
        "/?prefix=photos&max-keys=50&marker=puppy",
        "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
        "Tue, 27 Mar 2007 19:42:41 +0000",
        {"host": "awsexamplebucket1.s3.us-west-1.amazonaws.com"},
    ),
    (
        "GET",
        "/?acl",
        "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
        "Tue, 27 Mar 2007 19:44:46 +0000",
        {"host": "awsexamplebucket1.s3.us-west-1.amazonaws.com"},
    ),
]


@pytest.mark.parametrize(("method", "target", "signature", "date", "headers"), EXAMPLES)
def test_the_examples_of_the_documentation(
    method: str, target: str, signature: str, date: str, headers: dict[str, str]
) -> None:
    """ "Signing and authenticating REST requests (Signature Version 2)", "Authentication examples"."""
    key = verify(example(method, target, signature, date, **headers), EXAMPLE_SECRET, at(date))
    assert (key.signature.version, key.signature.region, key.signature.service) == (2, "", "s3")


def presigned(expires: int = 60, **changes: Any) -> SignedRequest:
    """A URL of botocore's default signer."""
    arguments: dict[str, Any] = {"method": "GET", "url": "http://localhost:4566/b/a%20b?versionId=null", **changes}
    return sign("HmacV1QueryAuth", service="s3", expires=expires, protocol="rest-xml", **arguments)


def by_header(**changes: Any) -> SignedRequest:
    """A request of an old SDK."""
    arguments: dict[str, Any] = {"method": "PUT", "url": "http://localhost:4566/b/k", **changes}
    return sign("HmacV1Auth", service="s3", protocol="rest-xml", **arguments)


REQUESTS = {
    "a URL": {},
    "a URL with overrides": {"url": "http://localhost:4566/b/k?response-content-disposition=a%3B%20b&uploads"},
    "a URL with headers moved into it": {
        "method": "PUT",
        "headers": {"x-amz-meta-n": "v  w", "Content-Type": "text/plain", "x-amz-acl": "private"},
    },
    "a URL of a session": {"token": "to/ken+="},
}


@pytest.mark.parametrize("changes", REQUESTS.values(), ids=REQUESTS.keys())
def test_what_botocore_presigns_is_accepted(changes: dict[str, Any]) -> None:
    """`aws s3 presign` of CLI v1 and generate_presigned_url by default."""
    call = presigned(**changes)
    bare = call.with_request(headers={"host": call.request.headers["host"]})
    claims = verify(bare, SECRET, time.time()).signature
    assert (claims.kind, claims.access_key_id, claims.session_token) == ("presigned", ACCESS_KEY, changes.get("token"))


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"x-amz-meta-b": "2", "x-amz-meta-a": "1", "Content-Type": "a/b", "Content-MD5": "x"}},
        {"url": "http://localhost:4566/b?tagging&partNumber=3", "token": "session"},
        {"method": "GET", "url": "http://localhost:4566/"},
    ],
)
def test_what_botocore_signs_in_a_header_is_accepted(changes: dict[str, Any]) -> None:
    """The Authorization header of SDKs before 2014."""
    assert verify(by_header(**changes), SECRET, time.time()).signature.kind == "header"


def test_a_virtual_host_is_part_of_the_resource() -> None:
    """The bucket is signed wherever it stands."""
    call = by_header(url="http://localhost:4566/bucket/k")
    moved = {**call.request.headers, "host": "bucket.localhost:4566"}
    verify(call.with_request(target="/k", headers=moved), SECRET, time.time())
    with pytest.raises(ServiceError) as caught:
        verify(call.with_request(headers=moved), SECRET, time.time())
    assert caught.value.members["StringToSign"].endswith("\n/bucket/bucket/k")


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"method": "DELETE"}, {}),
        ({"target": "/b/other"}, {}),
        ({}, {"x-amz-acl": "public-read"}),
        ({}, {"content-type": "text/html"}),
    ],
)
def test_what_was_changed_is_refused(changes: dict[str, Any], headers: dict[str, str]) -> None:
    """SignatureDoesNotMatch shows what S3 signed, so that it can be compared."""
    call = by_header()
    call = call.with_request(**changes, headers={**call.request.headers, **headers})
    with pytest.raises(ServiceError) as caught:
        verify(call, SECRET, time.time())
    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 403)
    assert caught.value.members["StringToSign"].startswith(call.request.method)
    assert "CanonicalRequest" not in caught.value.members


def test_a_url_ends_when_it_says() -> None:
    """Expires is a moment, not a length of time. It binds whether we hold the secret or not."""
    call = presigned(expires=60)
    verify(call, SECRET, time.time() + 55)
    for check in (lambda now: verify(call, SECRET, now), lambda now: check_claims(_claims(call), call.protocol, now)):
        with pytest.raises(ServiceError) as caught:
            check(time.time() + 62)
        assert (caught.value.code, caught.value.message) == ("AccessDenied", "Request has expired")
        assert set(caught.value.members) == {"Expires", "ServerTime"}


def test_a_request_is_fresh_for_a_quarter_of_an_hour() -> None:
    """RequestTimeTooSkewed."""
    verify(by_header(), SECRET, time.time() + 890)
    with pytest.raises(ServiceError) as caught:
        verify(by_header(), SECRET, time.time() + 910)
    assert caught.value.code == "RequestTimeTooSkewed"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            "AWSAccessKeyId=a&Signature=b",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        ),
        ("AWSAccessKeyId=a&Signature=b&Expires=soon", "Invalid date (should be seconds since epoch): soon"),
    ],
)
def test_a_url_that_cannot_be_is_refused(query: str, text: str) -> None:
    """S3's words."""
    call = SignedRequest(
        request=HttpRequest(method="GET", target=f"/b/k?{query}", headers={}, body=BodyStream.of(b"")), service="s3"
    )
    with pytest.raises(ServiceError) as caught:
        verify(call, SECRET, time.time())
    assert (caught.value.code, caught.value.message, caught.value.status) == ("AccessDenied", text, 403)


def test_other_services_know_version_four_only() -> None:
    """A header of version 2 on a JSON service."""
    headers = {"authorization": "AWS key:signature", "x-amz-target": "DynamoDB_20120810.ListTables"}
    request = HttpRequest(method="POST", target="/", headers=headers, body=BodyStream.of(b""))
    with pytest.raises(ServiceError) as caught:
        parse_signature(request)
    assert caught.value.message.startswith("The authorization mechanism you have provided is not supported.")


def _claims(call: SignedRequest) -> Any:
    assert call.signature is not None
    return call.signature
