"""A function URL's request as the event that a function gets, and a function's answer as the response.

Pure. AWS: Lambda Developer Guide, "Invoking Lambda function URLs" (request and response payloads, format 2.0).
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from undercast.core import json_text, json_values
from undercast.core.http import HttpRequest, HttpResponse
from undercast.core.identity import Principal
from undercast.core.record import record

_TEXT = re.compile(r"text/.*|application/(?:json|javascript|xml|[\w.+-]*\+(?:json|xml))", re.IGNORECASE)
_JSON = "application/json"
_STATUS_CODE = re.compile(r"statusCode|\\u")
"""The name of the member, or an escape that may be a part of it."""
_BASE64_WINDOW = 262_144
"""Characters that are decoded at once, a multiple of four: a millisecond's work."""
PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
"""Content-Type of a response stream that begins with a prelude."""
NULS = b"\0" * 8
"""Between the prelude and the body of a response stream (`awslambda.HttpResponseStream`)."""
MAX_PRELUDE_BYTES = 65_536
"""Lambda does not say how long a prelude may be. This bound is ours, four times what API Gateway reads of the format
("Set up a Lambda proxy integration with payload response streaming": the delimiter is within the first 16 KB)."""
_CONNECTION_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"})


@record
class Visitor:
    """What the event says besides the request."""

    url_id: str
    host: str
    request_id: str
    now: float
    """Platform-clock seconds."""
    source_ip: str
    trace_header: str
    principal: Principal | None = None
    """Of AuthType AWS_IAM."""
    access_key_id: str = ""


def event(request: HttpRequest, body: bytes, visitor: Visitor) -> bytes:
    """Payload format version 2.0. What would be null is left out."""
    headers, cookies = _headers(request, visitor)
    binary = bool(body) and not _TEXT.fullmatch(headers.get("content-type", "").partition(";")[0].strip())
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(request, visitor),
        "isBase64Encoded": binary,
    }
    if cookies:
        found["cookies"] = cookies
    if request.query:
        found["queryStringParameters"] = _query(request.query)
    if body:
        found["body"] = base64.b64encode(body).decode() if binary else body.decode(errors="replace")
    return json.dumps(found, separators=(",", ":")).encode()


def _headers(request: HttpRequest, visitor: Visitor) -> tuple[dict[str, str], list[str]]:
    headers = {name: value for name, value in request.headers.items() if name not in _CONNECTION_HEADERS}
    if "content-length" in request.headers:
        headers["content-length"] = request.headers["content-length"]
    cookies = [one.strip() for one in headers.pop("cookie", "").split(";") if one.strip()]
    port = request.headers.get("host", "").rpartition(":")[2]
    headers["x-forwarded-for"] = visitor.source_ip
    headers["x-forwarded-proto"] = "https" if request.secure else "http"
    headers["x-forwarded-port"] = port if port.isdigit() else "443" if request.secure else "80"
    headers["x-amzn-trace-id"] = visitor.trace_header
    return headers, cookies


def _query(query: str) -> dict[str, str]:
    """Repeated names are joined with commas."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _context(request: HttpRequest, visitor: Visitor) -> dict[str, Any]:
    principal = visitor.principal
    at = datetime.fromtimestamp(visitor.now, UTC)
    context: dict[str, Any] = {
        "accountId": principal.account_id if principal is not None else "anonymous",
        "apiId": visitor.url_id,
        "domainName": visitor.host,
        "domainPrefix": visitor.url_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": visitor.source_ip,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": visitor.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(visitor.now * 1000),
    }
    if principal is not None:
        context["authorizer"] = {
            "iam": {
                "accessKey": visitor.access_key_id,
                "accountId": principal.account_id,
                "callerId": principal.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": principal.arn,
                "userId": principal.user_id,
            }
        }
    return context


async def response(payload: bytes) -> HttpResponse | None:
    """What a buffered answer says; None where it is malformed. A large one is looked at in windows.

    An object with statusCode is the response; of anything else the response is inferred: 200, application/json, and the
    value itself, a string without its quotes.
    """
    try:
        text = payload.decode()
        if text:
            await json_text.check(text)
        # Without the name there is no such member, and what need not be built is not (6 MB would hold the loop 90 ms).
        value = json_values.parse(text) if _STATUS_CODE.search(text) or text.lstrip()[:1] == '"' else None
        if not isinstance(value, dict) or "statusCode" not in value:
            body = value.encode() if isinstance(value, str) else payload
            return HttpResponse(status=200, headers=(("content-type", _JSON),), body=body)
        return _structured(value, await _body(value))
    except (ValueError, RecursionError):  # no JSON, nested too deeply, half of a surrogate pair, no base64
        return None


async def _body(value: Mapping[str, Any]) -> bytes:
    """Raises ValueError."""
    given = value.get("body")
    if given is None:
        return b""
    if not isinstance(given, str):
        return json.dumps(given, separators=(",", ":")).encode()
    if not value.get("isBase64Encoded"):
        return given.encode()
    pieces = []
    for start in range(0, len(given), _BASE64_WINDOW):
        pieces.append(base64.b64decode(given[start : start + _BASE64_WINDOW], validate=True))
        if len(given) > _BASE64_WINDOW:
            await asyncio.sleep(0)  # not to wait, but to let others run
    return b"".join(pieces)


async def beginning(pieces: AsyncIterator[bytes]) -> bytes | None:
    """What a response stream with a prelude begins with, up to the zero bytes at least; None where none come in time.

    Each byte is looked at once, however small the pieces are.
    """
    head, end = bytearray(), MAX_PRELUDE_BYTES + len(NULS)
    async for piece in pieces:
        unseen = max(0, len(head) - len(NULS) + 1)
        head += piece
        if head.find(NULS, unseen, end) >= 0:
            return bytes(head)
        if len(head) >= end:
            return None
    return None


def streamed_response(payload: bytes) -> HttpResponse | None:
    """What a response stream says: a prelude of status and headers, eight zero bytes and the body, or a body alone."""
    prelude, nuls, body = payload.partition(NULS)
    if nuls and prelude.startswith(b"{"):
        try:
            return _structured({"statusCode": 200, **json_values.parse(prelude)}, body)
        except (ValueError, RecursionError):
            return None
    return HttpResponse(status=200, headers=(("content-type", "application/octet-stream"),), body=payload)


def _structured(value: Mapping[str, Any], body: bytes) -> HttpResponse | None:
    """None, or ValueError, where a member is malformed."""
    status = value["statusCode"]
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    headers = value.get("headers") or {}
    cookies = value.get("cookies") or []
    # A status below 200 is none of a response (RFC 9110, 15.2): the client would wait for another one.
    if type(status) is not int or not 200 <= status <= 599 or not isinstance(headers, dict):
        return None
    if not isinstance(cookies, list) or not all(isinstance(cookie, str) for cookie in cookies):
        return None
    pairs = [(str(name).lower(), _header_value(text)) for name, text in headers.items()]
    pairs = [(name, text) for name, text in pairs if name not in _CONNECTION_HEADERS]
    pairs += [("set-cookie", _header_value(cookie)) for cookie in cookies]
    if not any(name == "content-type" for name, _ in pairs):
        pairs.append(("content-type", _JSON))
    if any(not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name) for name, _ in pairs):
        return None
    return HttpResponse(status=status, headers=tuple(pairs), body=body)


def _header_value(value: object) -> str:
    """A line break would begin a header of its own. Raises ValueError for half of a surrogate pair."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text.encode()
    return re.sub(r"[\r\n\0]+", " ", text)
