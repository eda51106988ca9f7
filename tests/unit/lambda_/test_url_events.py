"""Events and responses of function URLs, without a platform."""

import asyncio
import base64
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from undercast.core.body import BodyStream
from undercast.core.http import HttpRequest
from undercast.services.lambda_.addresses import ADDRESSES
from undercast.services.lambda_.url_events import (
    MAX_PRELUDE_BYTES,
    Visitor,
    beginning,
    event,
    response,
    streamed_response,
)
from undercast.services.lambda_.urls import address

NULS = b"\0" * 8


def made(headers: dict[str, str], body: bytes = b"", target: str = "/") -> dict[str, Any]:
    """The event of a request."""
    request = HttpRequest(method="POST", target=target, headers=headers, body=BodyStream.of(body))
    visitor = Visitor(
        url_id="abc",
        host="abc.lambda-url.us-east-1.on.aws",
        request_id="r",
        now=1_700_000_000.5,
        source_ip="10.0.0.1",
        trace_header="Root=1",
    )
    return dict(json.loads(event(request, body, visitor)))


@pytest.mark.parametrize(
    ("content_type", "binary"),
    [
        ("text/html; charset=utf-8", False),
        ("application/json", False),
        ("application/vnd.api+json", False),
        ("image/svg+xml", True),
        ("application/x-www-form-urlencoded", True),
        ("image/png", True),
        ("", True),
    ],
)
def test_text_is_sent_as_it_is_and_the_rest_in_base64(content_type: str, binary: bool) -> None:
    """isBase64Encoded says which; forms are binary, as with HTTP APIs."""
    found = made({"content-type": content_type}, b"a=b")
    assert (found["isBase64Encoded"], found["body"]) == (binary, "YT1i" if binary else "a=b")


def test_request_without_a_body_has_none() -> None:
    """Nulls are left out; the time is that of the platform."""
    found = made({"host": "abc.lambda-url.us-east-1.on.aws", "connection": "close"})
    assert not {"body", "cookies", "queryStringParameters", "pathParameters", "stageVariables"} & set(found)
    assert "connection" not in found["headers"]
    context = found["requestContext"]
    assert (context["time"], context["timeEpoch"]) == ("14/Nov/2023:22:13:20 +0000", 1_700_000_000_500)
    assert (context["stage"], context["http"]["sourceIp"]) == ("$default", "10.0.0.1")


@pytest.mark.parametrize(
    "payload",
    [
        b"not json",
        b'{"statusCode": 99}',
        b'{"statusCode": 100}',
        b'{"statusCode": 101}',
        b'{"statusCode": 200, "cookies": "a=1"}',
        b'{"statusCode": 200, "cookies": {"a": "1"}}',
        b'{"statusCode": 200, "cookies": 1}',
        b'{"statusCode": 200, "cookies": [1]}',
        b'{"statusCode": 200, "body": "\\ud800"}',
        b'{"statusCode": 200, "headers": {"x": "\\ud800"}}',
        b'{"statusCode": 200, "headers": {"\\ud800": "x"}}',
        b'"\\ud800"',
        b'{"statusCode": 200, "body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 100_000 + b"]" * 100_000,
        b"\xff",
        b'{"statusCode": 600}',
        b'{"statusCode": true}',
        b'{"statusCode": 200, "headers": ["a"]}',
        b'{"statusCode": 200, "headers": {"a b": "c"}}',
        b'{"statusCode": 200, "body": "%%%", "isBase64Encoded": true}',
    ],
)
async def test_malformed_answers_are_none(payload: bytes) -> None:
    """They become 502 Internal Server Error."""
    assert await response(payload) is None


async def test_header_cannot_begin_another_one() -> None:
    """Line breaks of a function's header values are spaces; headers of the connection are the platform's own."""
    payload = b'{"statusCode": "302", "headers": {"Location": "/\\r\\nSet-Cookie: a=1", "Content-Length": "7"}}'
    answer = await response(payload)
    assert answer is not None
    assert (answer.status, dict(answer.headers)["location"]) == (302, "/ Set-Cookie: a=1")
    assert "content-length" not in dict(answer.headers)


async def test_empty_answer_is_no_body() -> None:
    """A body that is missing or null is empty; null alone is inferred as JSON."""
    for payload in (b'{"statusCode": 204}', b'{"statusCode": 204, "body": null}'):
        answer = await response(payload)
        assert answer is not None
        assert (answer.status, answer.body) == (204, b"")
    inferred = await response(b"null")
    assert inferred is not None
    assert (inferred.status, inferred.body) == (200, b"null")


def test_response_stream_has_a_prelude_or_is_the_body() -> None:
    """awslambda.HttpResponseStream: JSON, eight zero bytes, then the body."""
    prelude = b'{"statusCode": 418, "headers": {"X-Tea": "pot"}, "cookies": ["a=1"]}'
    answer = streamed_response(prelude + NULS + b"\x00body")
    assert answer is not None
    assert (answer.status, answer.body) == (418, b"\x00body")
    assert answer.headers[:2] == (("x-tea", "pot"), ("set-cookie", "a=1"))
    plain = streamed_response(b"bytes")
    assert plain is not None
    assert (plain.status, plain.body, plain.headers) == (200, b"bytes", (("content-type", "application/octet-stream"),))
    for broken in (b"{broken", b'{"headers": {"x": "\\ud800"}}', b'{"cookies": "a=1"}', b'{"statusCode": 101}'):
        assert streamed_response(broken + NULS) is None


async def test_the_end_of_a_prelude_is_found_wherever_pieces_part() -> None:
    """Also within the zero bytes. What is over before them, or longer than the bound, has no prelude."""
    begun = b'{"statusCode": 200}' + NULS + b"body"
    for size in range(1, len(begun) + 1):
        rest = pieces(begun, size)
        head = await beginning(rest)
        assert head is not None
        assert begun.index(NULS) + len(NULS) <= len(head)
        assert head + b"".join([piece async for piece in rest]) == begun
    longest = b" " * MAX_PRELUDE_BYTES
    assert await beginning(pieces(longest + NULS, 1000)) == longest + NULS
    for malformed in (b"{}", longest + b" " + NULS, b"\0" * 7):
        for size in (1000, len(malformed)):
            assert await beginning(pieces(malformed, size)) is None


async def test_a_prelude_costs_as_much_as_it_is_long() -> None:
    """However small its pieces are; and no more of it is read than the bound needs."""

    async def cost(length: int) -> float:
        taken = []
        for _ in range(3):
            begin = time.thread_time()
            await beginning(pieces(b" " * length, 4))
            taken.append(time.thread_time() - begin)
        return min(taken)

    assert await cost(MAX_PRELUDE_BYTES) < 8 * await cost(MAX_PRELUDE_BYTES // 4) + 0.001
    rest = pieces(b" " * 6_000_000, 2000)
    assert await beginning(rest) is None
    assert sum([len(piece) async for piece in rest]) > 6_000_000 - MAX_PRELUDE_BYTES - 4000


async def pieces(text: bytes, size: int) -> AsyncIterator[bytes]:
    """Of a text, each of so many bytes."""
    for at in range(0, len(text), size):
        yield text[at : at + size]


async def test_large_answers_are_read_in_windows() -> None:
    """6 MB is the largest answer: others have their turn while it is looked at."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    body = os.urandom(4_000_000)
    encoded = json.dumps({"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(body).decode()})
    whole = json.dumps([{"a": 1}] * 500_000).encode()
    answers = [await response(payload) for payload in (encoded.encode(), whole)]
    counting.cancel()
    assert [answer.body for answer in answers if answer is not None] == [body, whole]
    assert turns > 200


def test_address_leads_where_the_caller_is() -> None:
    """AWS's form under an AWS name, this machine's otherwise."""
    assert address("abc", "us-east-1", "https://lambda.us-east-1.amazonaws.com") == (
        "https://abc.lambda-url.us-east-1.on.aws/"
    )
    local = address("abc", "us-east-1", "http://localhost:4566")
    assert local == "http://abc.lambda-url.us-east-1.localhost:4566/"


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("abc.lambda-url.us-east-1.on.aws", True),
        ("abc.lambda-url.eu-west-1.localhost", True),
        ("abc.lambda-url.eu-west-1.localhost.localstack.cloud", True),
        ("lambda.us-east-1.amazonaws.com", False),
        ("x.abc.lambda-url.us-east-1.on.aws", False),
        ("abc.lambda-url.us-east-1.on.aws.evil.example", False),
        ("localhost", False),
    ],
)
def test_host_names_of_urls(name: str, owned: bool) -> None:
    """Exactly <id>.lambda-url.<region> under AWS's suffix or a local one."""
    assert ADDRESSES.owns(name) == owned
