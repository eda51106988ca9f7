"""Signature Version 4 against botocore's signers: what they sign is accepted, and nothing else is."""

import hmac
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.wire_security.signing import ACCESS_KEY, REGION, SECRET, SignedRequest, sign
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.signature import Signature, SigningKeys, check_claims, parse_signature, verify
from undercast.wire.sigv4 import DerivedKey, derive_key

CASES: dict[str, dict[str, Any]] = {
    "json": {
        "signer": "SigV4Auth",
        "service": "dynamodb",
        "data": b'{"TableName": "t"}',
        "headers": {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"},
    },
    "query": {
        "signer": "SigV4Auth",
        "service": "sts",
        "data": b"Action=GetCallerIdentity&Version=2011-06-15",
        "protocol": "query",
        "token": "a/session+token==",
    },
    "rest with an encoded ARN in the path": {
        "signer": "SigV4Auth",
        "service": "lambda",
        "url": "https://lambda.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Af/invocations?Qualifier=%24LATEST",
        "data": b"{}",
        "protocol": "rest-json",
    },
    "path with dot segments and doubled slashes": {
        "signer": "SigV4Auth",
        "service": "execute-api",
        "method": "GET",
        "url": "https://x.execute-api.amazonaws.com/a//b/./c/../d/?z=1&a=2&a=1&empty=&bare",
        "protocol": "rest-json",
    },
    "header values with runs of spaces": {
        "signer": "SigV4Auth",
        "service": "iam",
        "headers": {"X-Amz-Meta": "  a   b  c "},
        "protocol": "query",
    },
    "s3": {
        "signer": "S3SigV4Auth",
        "service": "s3",
        "method": "PUT",
        "url": "https://b.s3.amazonaws.com/a//b/../c/%C3%BC%20%2B.txt?tagging=&versionId=x%2Fy",
        "data": b"hello",
        "headers": {"x-amz-acl": "private", "Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="},
        "protocol": "rest-xml",
    },
    "s3 presigned": {
        "signer": "S3SigV4QueryAuth",
        "service": "s3",
        "method": "GET",
        "url": "https://b.s3.amazonaws.com/a%20b?response-content-type=text%2Fplain",
        "token": "tok/en+=",
        "protocol": "rest-xml",
        "expires": 3600,
    },
    "sts presigned, as EKS uses it": {
        "signer": "SigV4QueryAuth",
        "service": "sts",
        "method": "GET",
        "url": "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "headers": {"x-k8s-aws-id": "cluster"},
        "protocol": "query",
        "expires": 60,
    },
}


@pytest.fixture(params=list(CASES))
def signed(request: pytest.FixtureRequest) -> SignedRequest:
    return sign(**CASES[request.param])


def rejected(call: SignedRequest, now: float | None = None) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        verify(call, SECRET, time.time() if now is None else now)
    return caught.value


def test_what_botocore_signs_is_accepted(signed: SignedRequest) -> None:
    """IAM User Guide, "Create a signed AWS API request"."""
    key = verify(signed, SECRET, time.time())
    assert key.pending_head is None
    assert key.signature.access_key_id == ACCESS_KEY
    assert key.signature.region == REGION


def test_another_secret_is_refused(signed: SignedRequest) -> None:
    """SignatureDoesNotMatch (S3, query) or InvalidSignatureException (JSON)."""
    with pytest.raises(ServiceError) as caught:
        verify(signed, SECRET + "x", time.time())
    expected = "SignatureDoesNotMatch" if signed.protocol in ("query", "rest-xml") else "InvalidSignatureException"
    assert caught.value.code == expected
    assert caught.value.message.startswith("The request signature we calculated does not match the signature")


def test_a_changed_method_is_refused(signed: SignedRequest) -> None:
    """The method is the first line of the canonical request."""
    assert "ignature" in rejected(signed.with_request(method="DELETE")).code


def test_a_changed_path_is_refused(signed: SignedRequest) -> None:
    """The path is the second line."""
    path, _, query = signed.request.target.partition("?")
    assert "ignature" in rejected(signed.with_request(target=f"{path}x?{query}")).code


def test_a_further_query_parameter_is_refused(signed: SignedRequest) -> None:
    """The query is the third line."""
    separator = "&" if signed.request.query else "?"
    assert "ignature" in rejected(signed.with_request(target=f"{signed.request.target}{separator}x=1")).code


def test_every_signed_header_is_covered(signed: SignedRequest) -> None:
    """A changed value of any header in SignedHeaders breaks the signature."""
    claims = signed.signature
    assert claims is not None
    for name in claims.signed_headers:
        if name == "x-amz-date":
            continue
        changed = signed.with_headers(**{name: signed.request.headers.get(name, "") + "x"})
        assert "ignature" in rejected(changed).code, name


def test_the_order_of_query_parameters_does_not_matter() -> None:
    """Parameters are sorted by name, then value, before signing."""
    call = sign(**CASES["path with dot segments and doubled slashes"])
    path, _, query = call.request.target.partition("?")
    reordered = "&".join(reversed(query.split("&")))
    verify(call.with_request(target=f"{path}?{reordered}"), SECRET, time.time())


def test_a_changed_body_is_refused_when_it_is_in_memory() -> None:
    """Without x-amz-content-sha256 the payload's hash is computed by the receiver."""
    call = sign(**CASES["json"])
    assert rejected(call.with_request(body=BodyStream.of(b"{}"))).code == "InvalidSignatureException"


def test_a_body_that_is_still_coming_leaves_the_check_to_its_end() -> None:
    """CreateFunction with a 50 MB zip carries no payload hash in its head."""
    call = sign(**CASES["json"]).with_request(body=BodyStream(None, 100))
    assert verify(call, SECRET, time.time()).pending_head is not None


def test_s3_shows_what_it_signed() -> None:
    """S3's SignatureDoesNotMatch carries StringToSign and CanonicalRequest."""
    error = rejected(sign(**CASES["s3"]).with_request(method="GET"))
    assert error.status == 403
    assert error.members["AWSAccessKeyId"] == ACCESS_KEY
    assert error.members["CanonicalRequest"].startswith("GET\n/a//b/../c/%C3%BC%20%2B.txt\ntagging=&versionId=x%2Fy\n")
    assert error.members["StringToSign"].startswith("AWS4-HMAC-SHA256\n")


def test_s3_refuses_unsigned_amz_headers() -> None:
    """An x-amz-* header added behind the signer's back is refused: "There were headers present ... not signed"."""
    error = rejected(sign(**CASES["s3 presigned"]).with_headers(x_amz_acl="public-read"))
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.members["HeadersNotSigned"] == "x-amz-acl"


def test_s3_needs_the_payload_hash_in_the_head() -> None:
    """S3 API: x-amz-content-sha256 is required on signed requests."""
    call = sign(**{**CASES["json"], "service": "s3"})
    assert rejected(call).message == "Missing required header for this request: x-amz-content-sha256"


@pytest.mark.parametrize("seconds", [-901, 901])
def test_a_clock_more_than_15_minutes_off_is_refused_by_s3(seconds: int) -> None:
    """RequestTimeTooSkewed, with the server's time for SDKs that correct their clock."""
    error = rejected(sign(**CASES["s3"]), int(time.time()) + seconds)
    assert (error.code, error.status) == ("RequestTimeTooSkewed", 403)
    assert error.message == "The difference between the request time and the current time is too large."
    assert error.members["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize(("seconds", "text"), [(901, "Signature expired: "), (-905, "Signature not yet current: ")])
def test_a_clock_more_than_15_minutes_off_is_refused_by_others(seconds: int, text: str) -> None:
    """IAM User Guide, "Troubleshoot signed requests"."""
    error = rejected(sign(**CASES["query"]), int(time.time()) + seconds)
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    assert error.message.startswith(text)
    assert "15 min.)" in error.message


def test_skew_within_15_minutes_is_accepted(signed: SignedRequest) -> None:
    """AWS allows 15 minutes; a presigned URL its own lifetime."""
    verify(signed, SECRET, time.time() + 50)


def test_fifteen_minutes_are_the_limit() -> None:
    """One minute inside is accepted on both sides, one outside is not."""
    call = sign(**CASES["json"])
    for skew in (-14 * 60, 14 * 60):
        verify(call, SECRET, time.time() + skew)
    for skew in (-16 * 60, 16 * 60):
        error = rejected(call, time.time() + skew)
        assert (error.code, error.status) == ("InvalidSignatureException", 400)  # of the JSON protocols


def test_a_presigned_url_ends() -> None:
    """AccessDenied "Request has expired", with the moment."""
    call = sign(**CASES["s3 presigned"])
    verify(call, SECRET, time.time() + 3590)
    error = rejected(call, time.time() + 3602)
    assert (error.code, error.message, error.status) == ("AccessDenied", "Request has expired", 403)
    assert error.members["X-Amz-Expires"] == "3600"


@pytest.mark.parametrize(
    ("expires", "message"),
    [
        ("604801", "X-Amz-Expires must be less than a week (in seconds)"),
        ("-1", "X-Amz-Expires must be non-negative"),
        ("1h", "X-Amz-Expires should be a number"),
        ("9" * 5000, "X-Amz-Expires must be less than a week (in seconds)"),
        ("\u0663", "X-Amz-Expires should be a number"),
    ],
)
def test_presigned_urls_live_at_most_a_week(expires: str, message: str) -> None:
    """S3 API: X-Amz-Expires is 1 to 604800."""
    call = sign(**CASES["s3 presigned"])
    error = rejected(
        call.with_request(target=call.request.target.replace("X-Amz-Expires=3600", f"X-Amz-Expires={expires}"))
    )
    assert error.code == "AuthorizationQueryParametersError"
    assert error.message.startswith(message)


def test_the_scope_must_be_of_the_day() -> None:
    """IAM User Guide: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"."""
    call = sign(**CASES["query"])
    claims = call.signature
    assert claims is not None
    header = call.request.headers["authorization"].replace(claims.date, "20120101")
    error = rejected(call.with_headers(authorization=header))
    assert error.message.startswith(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
    )


def test_the_derived_key_is_reused() -> None:
    """Deriving a key costs four HMACs; it serves a secret for a day, a region and a service."""
    keys = SigningKeys(capacity=1)
    for case in ("s3", "query", "s3"):
        verify(sign(**CASES[case]), SECRET, time.time(), keys)
    call = sign(**CASES["s3"])
    claims = call.signature
    assert claims is not None
    assert keys.derive(SECRET, claims) is keys.derive(SECRET, claims)
    assert keys.derive(SECRET + "x", claims) != keys.derive(SECRET, claims)


@pytest.mark.parametrize("text", ["", "AWS4-HMAC-SHA256\n20260102T030405Z\n", "\xe9" * 1000])
def test_a_derived_key_signs_as_hmac_does(text: str) -> None:
    """RFC 2104: two hashed blocks kept ahead change nothing."""
    claims = sign(**CASES["s3"]).signature
    assert claims is not None
    key = derive_key(SECRET, claims)
    assert DerivedKey(SECRET, claims).sign(text) == hmac.digest(key, text.encode("latin-1"), "sha256").hex()


# Claims.


def unsigned(**headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method="GET", target="/", headers=named, body=BodyStream.of(b""))


SCOPE = "AKID/20260101/us-east-1/sts/aws4_request"


def test_a_request_without_a_signature_has_no_claims() -> None:
    """Whether it is allowed is the gateway's decision; Bearer and Basic belong to function URLs and API front doors."""
    assert parse_signature(unsigned()) is None
    assert parse_signature(unsigned(authorization="Bearer x")) is None
    assert parse_signature(replace(unsigned(), target="/?X-Amz-Meta=1&a=b")) is None


def test_the_claims_are_the_parts_of_the_header() -> None:
    """IAM User Guide, "Elements of an AWS API request signature"; separators may or may not have a space."""
    header = f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders=host;x-amz-date, Signature=abc"
    assert parse_signature(unsigned(authorization=header, x_amz_date="20260101T000000Z")) == Signature(
        kind="header",
        access_key_id="AKID",
        date="20260101",
        region="us-east-1",
        service="sts",
        signed_headers=("host", "x-amz-date"),
        signature="abc",
        amz_date="20260101T000000Z",
    )


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256", "IncompleteSignature"),
        ("AWS4-HMAC-SHA256 Credential=AKID/sts, SignedHeaders=host, Signature=x", "IncompleteSignature"),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", "NotImplemented"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(header: str, code: str) -> None:
    """Common errors: IncompleteSignature."""
    with pytest.raises(ServiceError) as caught:
        parse_signature(unsigned(authorization=header, x_amz_date="20260101T000000Z"))
    assert caught.value.code == code


def test_a_signature_without_a_date_is_refused() -> None:
    """ "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."."""
    header = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=x"
    with pytest.raises(ServiceError) as caught:
        parse_signature(unsigned(authorization=header))
    assert (
        caught.value.message == "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    )


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=x",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=x",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=x&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-SignedHeaders=host",
    ],
)
def test_an_incomplete_presigned_url_is_refused(query: str) -> None:
    """S3: AuthorizationQueryParametersError."""
    with pytest.raises(ServiceError) as caught:
        parse_signature(replace(unsigned(), target=f"/b/k?{query}"))
    assert caught.value.code == "AuthorizationQueryParametersError"


def by_header(scope: str, like: str) -> tuple[HttpRequest, str]:
    """A request with this credential scope behind its key, and its protocol; `like` is "s3", "json" or "query"."""
    header = f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders=host, Signature=x"
    headers = {"authorization": header, "x_amz_date": "20260101T000000Z"}
    if like == "s3":
        return unsigned(**headers, x_amz_content_sha256="UNSIGNED-PAYLOAD"), "rest-xml"
    return unsigned(**headers), like


def presigned_by(scope: str) -> tuple[HttpRequest, str]:
    """The same in a URL of S3's."""
    credential = f"AKID/{scope}".replace("/", "%2F")
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date=20260101T000000Z"
    return replace(unsigned(), target=f"/b/k?{query}&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=x"), "s3"


S3_HEADER = "AuthorizationHeaderMalformed", "The authorization header is malformed; "
S3_URL = "AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter; "
NO_DAY = 'incorrect date format "{}". This date in the credential must be in the format "yyyyMMdd".'
OTHER_DAY = 'Invalid credential date "{}". This date is not the same as X-Amz-Date: "20260101".'
MISMATCH = (
    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
    "'{}' != '20260101', from '20260101T000000Z'."
)
TERMINATOR = "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        (by_header("20251231/r/s3/aws4_request", "s3"), S3_HEADER[0], S3_HEADER[1] + OTHER_DAY.format("20251231")),
        (by_header("2026/r/s3/aws4_request", "s3"), S3_HEADER[0], S3_HEADER[1] + NO_DAY.format("2026")),
        (by_header("20261301/r/s3/aws4_request", "s3"), S3_HEADER[0], S3_HEADER[1] + NO_DAY.format("20261301")),
        (
            by_header("20260101/r/s3/aws5_request", "s3"),
            S3_HEADER[0],
            S3_HEADER[1] + 'incorrect terminal "aws5_request". This endpoint uses "aws4_request".',
        ),
        (presigned_by("20251231/r/s3/aws4_request"), S3_URL[0], OTHER_DAY.format("20251231")),
        (presigned_by("today/r/s3/aws4_request"), S3_URL[0], S3_URL[1] + NO_DAY.format("today")),
        (
            by_header("20251231/r/dynamodb/aws4_request", "json"),
            "InvalidSignatureException",
            MISMATCH.format("20251231"),
        ),
        (by_header("b/r/sts/aws4_request", "query"), "SignatureDoesNotMatch", MISMATCH.format("b")),
        (
            by_header("b/r/dynamodb/aws5_request", "json"),
            "InvalidSignatureException",
            f"{TERMINATOR} {MISMATCH.format('b')}",
        ),
    ],
)
def test_a_scope_that_is_not_the_requests_is_refused(asked: tuple[HttpRequest, str], code: str, text: str) -> None:
    """Whoever signed it: AWS looks at the scope before it looks for the key."""
    request, protocol = asked
    claims = parse_signature(request)
    assert claims is not None
    for check in (
        lambda: check_claims(claims, protocol, 1_767_225_600.0),
        lambda: verify(SignedRequest(request=request, service="", protocol=protocol), SECRET, 1_767_225_600.0),
    ):
        with pytest.raises(ServiceError) as caught:
            check()
        assert (caught.value.code, caught.value.message) == (code, text)


def test_a_scope_is_that_of_the_date_in_any_of_its_forms() -> None:
    """RFC 9110, "HTTP-date": a request without X-Amz-Date has its Date."""
    for date in ("Thu, 01 Jan 2026 00:00:00 GMT", "Thursday, 01-Jan-26 00:00:00 GMT", "Thu Jan  1 00:00:00 2026"):
        header = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=x"
        claims = parse_signature(unsigned(authorization=header, date=date))
        assert claims is not None
        check_claims(claims, "query", 0.0)
        with pytest.raises(ServiceError, match="'20260102' != '20260101'"):
            check_claims(replace(claims, date="20260102"), "query", 0.0)


def test_a_url_of_the_future_is_not_yet_valid() -> None:
    """minio issue 2638 shows S3's answer."""
    request, _ = presigned_by("20260101/r/s3/aws4_request")
    claims = parse_signature(request)
    assert claims is not None
    with pytest.raises(ServiceError, match="AccessDenied: Request is not yet valid") as caught:
        check_claims(claims, "rest-xml", 1_767_225_600.0 - 3600)
    assert caught.value.members == {
        "X-Amz-Date": "1767225600000",
        "Expires": "2026-01-01T00:01:00Z",
        "ServerTime": "2025-12-31T23:00:00Z",
    }


@pytest.mark.parametrize("case", ["s3", "s3 presigned"])
def test_s3_signatures_cover_the_host(case: str) -> None:
    """S3 API: the host header must be signed; else a signature for one bucket's name were good for another's."""
    call = sign(**CASES[case])
    header = call.request.headers.get("authorization", "")
    unsigned = header.replace("SignedHeaders=content-md5;host;", "SignedHeaders=content-md5;")
    target = call.request.target.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=content-md5")
    assert (unsigned, target) != (header, call.request.target)
    if header:
        call = call.with_headers(authorization=unsigned)
    error = rejected(call.with_request(target=target))
    assert (error.code, error.members["HeadersNotSigned"]) == ("AccessDenied", "host")


def test_a_signed_url_of_the_future_is_not_yet_valid() -> None:
    """Also of a key that is known: more than 15 minutes before its date."""
    call = sign(**CASES["s3 presigned"])
    verify(call, SECRET, time.time() - 14 * 60)
    error = rejected(call, time.time() - 16 * 60)
    assert (error.code, error.message) == ("AccessDenied", "Request is not yet valid")
