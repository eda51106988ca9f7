"""The front door, asked the way browsers, other tools and strangers ask it."""

import http.client
import json
import ssl
import urllib.parse
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform


def ask(
    platform: RunningPlatform, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, bytes]:
    address = urllib.parse.urlsplit(platform.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.request(method, path, body=body or None, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_health_names_the_services(platform: RunningPlatform) -> None:
    """Tools of LocalStack wait for /_localstack/health and read its services map."""
    for path in ("/_undercast/health", "/_localstack/health"):
        status, body = ask(platform, "GET", path)
        assert status == 200
        assert {"s3", "lambda", "iam", "sts", "logs"} <= set(json.loads(body)["services"])


def test_https_on_the_same_port(platform: RunningPlatform) -> None:
    """The certificate is signed by the local CA in the data folder."""
    address = urllib.parse.urlsplit(platform.url)
    trust = ssl.create_default_context(cafile=str(platform.data / "ca" / "ca.pem"))
    connection = http.client.HTTPSConnection("localhost", address.port, timeout=20, context=trust)
    connection.request("GET", "/_undercast/health")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_foreign_host_name_is_refused(platform: RunningPlatform) -> None:
    """DNS rebinding: the page's own name arrives as Host."""
    for path in ("/", "/_undercast/health", "/2015-03-31/functions/"):
        status, _ = ask(platform, "GET", path, {"Host": "evil.example"})
        assert status == 403


def test_an_unsigned_control_plane_request_is_refused(platform: RunningPlatform) -> None:
    """A browser can send this to loopback; AWS answers 403 MissingAuthenticationToken."""
    status, body = ask(platform, "POST", "/2015-03-31/functions/f/invocations", {"Content-Type": "text/plain"}, b"{}")
    assert status == 403
    assert b"Missing Authentication Token" in body or b"MissingAuthenticationToken" in body
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, body = ask(platform, "POST", "/", form, b"Action=CreateUser&UserName=x&Version=2010-05-08")
    assert status == 403
    assert b"MissingAuthenticationToken" in body


def made_up(service: str) -> str:
    """The query string that signs nothing: what a page can write into any address."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return urllib.parse.urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"x/{now[:8]}/us-east-1/{service}/aws4_request",
            "X-Amz-Date": now,
            "X-Amz-Expires": "3600",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": "0" * 64,
        }
    )


PAGE = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
FORM = {**PAGE, "Content-Type": "application/x-www-form-urlencoded"}
IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
CREATE_USER = "Action=CreateUser&UserName=evil&Version=2010-05-08"


@pytest.mark.parametrize(
    ("method", "path", "service", "headers", "body"),
    [
        ("POST", "/2015-03-31/functions?", "lambda", PAGE, b"{}"),
        ("POST", "/2015-03-31/functions/f/invocations?", "lambda", PAGE, b"{}"),
        ("POST", "/2015-03-31/functions/f/invocations?", "lambda", {"Content-Type": "text/plain"}, b"{}"),
        ("POST", "/?", "iam", FORM, CREATE_USER.encode()),
        ("POST", f"/?{CREATE_USER}&", "iam", FORM, b""),
        ("GET", f"/?{CREATE_USER}&", "iam", IMAGE, b""),
        ("GET", f"/?{CREATE_USER}&", "iam", {}, b""),
        ("PUT", "/evil-bucket?", "s3", PAGE, b""),
        ("PUT", "/evil-bucket?", "s3", {"Sec-Fetch-Site": "same-site"}, b""),
        ("PUT", "/evil-bucket?", "s3", {"Origin": "null"}, b""),
        ("GET", "/?Action=GetCallerIdentity&Version=2011-06-15&", "sts", IMAGE, b""),
    ],
)
def test_a_web_page_is_not_the_administrator(
    platform: RunningPlatform, method: str, path: str, service: str, headers: dict[str, str], body: bytes
) -> None:
    """A page cannot sign, but it can write a made-up signature into an address: 403, and nothing happened."""
    status, answer = ask(platform, method, path + made_up(service), headers, body)
    assert status == 403, answer
    assert not [user for user in platform.client("iam").list_users()["Users"] if user["UserName"] == "evil"]


def test_a_header_signature_of_a_made_up_key_does_not_help_a_page(platform: RunningPlatform) -> None:
    """A browser asks first, and gets no leave; a request that comes all the same is refused by its Origin."""
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    preflight, _ = ask(platform, "OPTIONS", "/2015-03-31/functions/f/invocations", asked)
    scope = "20260101/us-east-1/lambda/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential=x/{scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    sent = {**PAGE, "Authorization": signed, "X-Amz-Date": "20260101T000000Z"}
    status, _ = ask(platform, "GET", "/2015-03-31/functions/", sent)
    assert (preflight >= 400, status) == (True, 403)


def test_links_to_objects_and_local_pages_still_work(platform: RunningPlatform) -> None:
    """A presigned read by a click from anywhere; an upload from the user's own page; an EKS token."""
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="linked")
    local = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    assert ask(platform, "PUT", "/linked/k?" + made_up("s3"), local, b"text")[0] == 200
    assert ask(platform, "PUT", "/linked/k2?" + made_up("s3"), body=b"text")[0] == 200
    click = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(platform, "GET", "/linked/k?" + made_up("s3"), click) == (200, b"text")
    token = "/?Action=GetCallerIdentity&Version=2011-06-15&" + made_up("sts")
    assert ask(platform, "GET", token)[0] == 200


def test_own_endpoints_refuse_browsers_and_changes_without_the_token(platform: RunningPlatform) -> None:
    """Everything but health refuses an Origin; a change needs the token of the data folder."""
    assert ask(platform, "GET", "/_undercast/status", {"Origin": "http://evil.example"})[0] == 403
    assert ask(platform, "GET", "/_undercast/health", {"Origin": "http://evil.example"})[0] == 200
    assert ask(platform, "POST", "/_undercast/clock", body=b'{"advance_s": 1}')[0] == 403
    assert ask(platform, "POST", "/_undercast/clock", {"X-Undercast-Token": "guess"}, b'{"advance_s": 1}')[0] == 403
    token = (platform.data / "token").read_text()
    assert ask(platform, "POST", "/_undercast/clock", {"X-Undercast-Token": token}, b'{"advance_s": 0}')[0] == 200
    assert ask(platform, "POST", "/_undercast/clock", {"X-Undercast-Token": token}, b'{"advance_s": -1}')[0] == 400


def test_an_operation_that_is_missing_names_itself(platform: RunningPlatform) -> None:
    """Never an empty success: 501 with service and operation."""
    with pytest.raises(ClientError) as caught:
        platform.client("sns").get_data_protection_policy(ResourceArn="arn:aws:sns:us-east-1:000000000000:t")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "sns:GetDataProtectionPolicy" in caught.value.response["Error"]["Message"]


def test_a_service_that_is_missing_names_itself(platform: RunningPlatform) -> None:
    """The same for a service that we do not have."""
    with pytest.raises(ClientError) as caught:
        platform.client("glue").get_databases()
    assert "glue:GetDatabases" in caught.value.response["Error"]["Message"]


def test_the_token_file_is_private(platform: RunningPlatform) -> None:
    """Only its owner may read what authorises changes, and the CA's key."""
    assert (platform.data / "token").stat().st_mode & 0o077 == 0
    assert platform.data.stat().st_mode & 0o077 == 0


def test_every_key_of_a_virtual_host_is_its_buckets(platform: RunningPlatform, account: str) -> None:
    """S3 User Guide, "Naming Amazon S3 objects": any key, also one that begins as our own endpoints do."""
    bucket = f"keys-{account}"
    platform.client("s3", account=account).create_bucket(Bucket=bucket)
    for path in ("/_undercast/health", "/_undercast/status", "/_localstack/init"):
        for host in (f"{bucket}.s3.us-east-1.amazonaws.com", f"{bucket}.localhost"):
            status, body = ask(platform, "GET", path, {"Host": host})
            assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True), (host, path, body)
        assert ask(platform, "GET", path)[0] == 200
