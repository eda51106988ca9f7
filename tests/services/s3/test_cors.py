"""Browsers' cross-origin requests to buckets. AWS: S3 User Guide, "Using cross-origin resource sharing (CORS)"."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.platform import RunningPlatform
from tests.services.s3.browser import Answer, multipart, send, submit

PAGE = "https://app.example"
RULE: dict[str, Any] = {
    "AllowedOrigins": [PAGE, "https://*.test"],
    "AllowedMethods": ["PUT", "POST", "GET"],
    "AllowedHeaders": ["content-*", "x-amz-meta-name"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 60,
}
NOT_ALLOWED = "CORSResponse: This CORS request is not allowed."


@pytest.fixture
def shared(s3: Any, bucket: str) -> str:
    """A bucket with one rule."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULE]})
    return bucket


def ask(platform: RunningPlatform, path: str, method: str = "PUT", origin: str = PAGE, headers: str = "") -> Answer:
    """A preflight."""
    sent = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return send(platform.url, "OPTIONS", path, {name: value for name, value in sent.items() if value})


def refusal(answer: Answer) -> tuple[int, str, str]:
    """Status, code and message."""
    code, message = (re.search(f"<{tag}>(.*?)</{tag}>", answer.body) for tag in ("Code", "Message"))
    assert code is not None and message is not None
    assert "access-control-allow-origin" not in answer.headers
    return answer.status, code[1], message[1]


def test_a_preflight_that_a_rule_allows(platform: RunningPlatform, shared: str) -> None:
    """200 without a body; the origin itself, the asked headers in lower case."""
    answer = ask(platform, f"/{shared}/a/b?x-id=PutObject", headers="Content-Type, X-Amz-Meta-Name")
    assert (answer.status, answer.body) == (200, "")
    found = {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}
    assert found == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "PUT, POST, GET",
        "access-control-allow-headers": "content-type, x-amz-meta-name",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "ETag",
        "access-control-max-age": "60",
    }
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
    assert answer.headers["x-amz-request-id"]
    host = f"{shared}.localhost:{urlsplit(platform.url).port}"
    sent = {"Host": host, "Origin": "https://www.test", "Access-Control-Request-Method": "POST"}
    virtual = send(platform.url, "OPTIONS", "/", sent)
    assert (virtual.status, virtual.headers["access-control-allow-origin"]) == (200, "https://www.test")


@pytest.mark.parametrize(
    "question",
    [{"origin": "https://evil.example"}, {"method": "DELETE"}, {"headers": "content-type, authorization"}],
)
def test_a_preflight_that_no_rule_allows(platform: RunningPlatform, shared: str, question: dict[str, str]) -> None:
    """403: origin, method and every header have to be allowed by one rule."""
    answer = ask(platform, f"/{shared}/a", **question)
    status, code, message = refusal(answer)
    assert (status, code) == (403, "AccessForbidden")
    assert message.startswith(NOT_ALLOWED)
    assert "<ResourceType>OBJECT</ResourceType>" in answer.body


def test_a_preflight_without_configuration(platform: RunningPlatform, bucket: str) -> None:
    """The text that S3's troubleshooting page shows."""
    answer = ask(platform, f"/{bucket}")
    assert refusal(answer) == (403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
    assert "<Method>PUT</Method><ResourceType>BUCKET</ResourceType>" in answer.body
    assert refusal(ask(platform, "/no-such-bucket-here/a"))[:2] == (404, "NoSuchBucket")


def test_a_preflight_that_asks_nothing(platform: RunningPlatform, shared: str) -> None:
    """400 for an OPTIONS that is no preflight."""
    missing = (400, "BadRequest", "Insufficient information. Origin request header needed.")
    assert refusal(ask(platform, f"/{shared}/a", origin="")) == missing
    asked = refusal(ask(platform, f"/{shared}/a", method=""))
    assert asked == (400, "BadRequest", "Invalid Access-Control-Request-Method: null")


def test_answers_to_pages_carry_the_headers(platform: RunningPlatform, s3: Any, shared: str) -> None:
    """Presigned put and get, and errors too; a page of another origin gets its answer without them."""
    put = urlsplit(s3.generate_presigned_url("put_object", {"Bucket": shared, "Key": "k"}))
    target = f"{put.path}?{put.query}"
    answer = send(platform.url, "PUT", target, {"Origin": PAGE}, b"x")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert answer.headers["access-control-expose-headers"] == "ETag"
    refused = send(platform.url, "GET", f"/{shared}/k", {"Origin": PAGE})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (403, PAGE)
    stranger = send(platform.url, "PUT", target, {"Origin": "https://evil.example"}, b"x")
    assert (stranger.status, "access-control-allow-origin" in stranger.headers) == (403, False)


def test_an_upload_form_of_a_page(platform: RunningPlatform, s3: Any, shared: str) -> None:
    """fetch() with FormData: the answer to the form is readable, that of a broken one as well."""
    post = s3.generate_presigned_post(shared, "k")
    body, content_type = multipart(post["fields"], b"x")
    sent = {"Origin": PAGE, "Content-Type": content_type}
    answer = send(platform.url, "POST", f"/{shared}", sent, body)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, PAGE)
    broken = send(platform.url, "POST", f"/{shared}", sent, b"broken")
    assert (broken.status, broken.headers["access-control-allow-origin"]) == (400, PAGE)
    assert "access-control-allow-origin" not in submit(post, b"x").headers


def test_other_services_do_not_answer_pages(platform: RunningPlatform) -> None:
    """No service but S3 has rules for them, so a page cannot drive the control plane."""
    answer = ask(platform, "/2015-03-31/functions/f/invocations", method="POST")
    assert answer.status == 404
    assert "access-control-allow-origin" not in answer.headers
