"""Answers requests to function URLs: who may, the CORS rules, the invoke, and errors as AWS gives them there.

A URL is public only where the function's policy lets everybody do both lambda:InvokeFunctionUrl and
lambda:InvokeFunction. AWS: Lambda Developer Guide, "Control access to Lambda function URLs", "Invoking Lambda function
URLs", "Cross-origin resource sharing (CORS)".
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from undercast.core.closing import Closing
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.http import HttpResponse
from undercast.core.service import Access, Visit
from undercast.sandbox.model import Invocation
from undercast.sandbox.response_stream import ResponseStream
from undercast.services.lambda_ import streaming, url_events, urls
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.execution import parent_of, run, version_to_run
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.operations.invoke import MAX_SYNC_BYTES
from undercast.services.lambda_.tracing import HEADER, trace_header
from undercast.services.lambda_.url_events import Visitor
from undercast.services.lambda_.urls import FunctionUrl

_JSON = (("content-type", "application/json"),)
_FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
"""As captured in the Lambda Developer Guide's issue 494, "Function URL with AuthType=NONE"."""


async def serve(functions: Lambda, visit: Visit) -> HttpResponse:
    """See `core.service.Manifest.site`."""
    url = functions.database.read_now(lambda tx: urls.find_by_host(tx, visit.host))
    if url is None:
        return _forbidden(functions.ids.uuid())
    began = functions.clock.host_s()
    answer = await _within_cors(functions, url, visit)
    functions.measures.url_answered(url.reference.arn, answer.status, (functions.clock.host_s() - began) * 1000)
    return answer


async def _within_cors(functions: Lambda, url: FunctionUrl, visit: Visit) -> HttpResponse:
    cors = url.configuration.get("Cors")
    origin = visit.request.headers.get("origin")
    if cors and origin is not None and _is_preflight(visit):
        return HttpResponse(status=200, headers=tuple(_preflight_headers(cors, origin)))
    answer = await _answer(functions, url, visit)
    if not cors:
        return answer
    shared = tuple(_shared_headers(cors, origin)) if origin is not None else ()
    kept = tuple(pair for pair in answer.headers if not pair[0].startswith("access-control-"))
    return replace(answer, headers=(*kept, *shared))


async def _answer(functions: Lambda, url: FunctionUrl, visit: Visit) -> HttpResponse:
    try:
        ctx = await _admitted(functions, url, visit)
        body = await visit.body(MAX_SYNC_BYTES)
        return await _invoke(functions, url, visit, ctx, body)
    except ServiceError as error:
        return _refused(error, visit.anonymous(url.scope).request_id)


async def _admitted(functions: Lambda, url: FunctionUrl, visit: Visit) -> RequestContext:
    """A context of a caller who may invoke the URL. Raises ServiceError."""
    arn = url.reference.arn
    auth_type = url.configuration["AuthType"]
    conditions = (
        ("lambda:InvokeFunctionUrl", {"lambda:FunctionUrlAuthType": auth_type}),
        ("lambda:InvokeFunction", {"lambda:InvokedViaFunctionUrl": "true"}),
    )
    if auth_type == "NONE":
        ctx = visit.anonymous(url.scope)
        for action, keys in conditions:
            if not await ctx.permits(ctx.principal, action, arn, keys):
                raise ServiceError("AccessDeniedException", _FORBIDDEN, 403)
        return ctx
    ctx = visit.identified(url.scope)
    policy = functions.catalog.policy(url.reference)
    accesses = tuple(
        Access(
            action=action,
            resource=arn,
            conditions=keys,
            resource_policy=policy,
            resource_account_id=url.scope.account_id,
        )
        for action, keys in conditions
    )
    await visit.authorize(ctx, accesses)
    return ctx


async def _invoke(functions: Lambda, url: FunctionUrl, visit: Visit, ctx: RequestContext, body: bytes) -> HttpResponse:
    resolved = await functions.catalog.resolve(url.scope, url.name, url.qualifier)
    function = version_to_run(functions, resolved)
    trace = trace_header(ctx.headers.get(HEADER, ""), ctx.ids, ctx.clock.now(), active=function.traces_actively)
    invocation = Invocation(
        request_id=ctx.request_id,
        function=function,
        payload=url_events.event(visit.request, body, _visitor(url, visit, ctx, trace)),
        invoked_arn=resolved.invoked_arn,
        cause=ctx.cause,
        trace_header=trace,
    )
    if url.configuration["InvokeMode"] == "RESPONSE_STREAM":
        answer = await _streamed(functions, resolved, replace(invocation, stream=ResponseStream()), ctx)
    else:
        result = await run(functions, resolved, invocation, parent_of(ctx.cause))
        answer = await url_events.response(result.payload) if result.function_error is None else None
    if answer is None:
        answer = HttpResponse(status=502, headers=_JSON, body=b"Internal Server Error")
    headers = (("x-amzn-requestid", ctx.request_id), ("x-amzn-trace-id", trace))
    return replace(answer, headers=(*answer.headers, *headers))


async def _streamed(
    functions: Lambda, resolved: Resolved, invocation: Invocation, ctx: RequestContext
) -> HttpResponse | None:
    """The answer as the function writes it; None where it fails before it says anything."""
    begun = await streaming.begin(functions, resolved, invocation, parent_of(ctx.cause))
    if not begun.stream.begun:
        result = await begun.result()
        return url_events.streamed_response(result.payload) if result.function_error is None else None
    if not begun.stream.content_type.startswith(url_events.PRELUDE_TYPE):
        content_type = begun.stream.content_type or "application/octet-stream"
        return HttpResponse(status=200, headers=(("content-type", content_type),), body=_rest(begun, b""))
    head = await url_events.beginning(begun.pieces)
    answer = url_events.streamed_response(head) if head is not None else None
    if answer is None:
        await begun.stream.aclose()
        return None
    assert isinstance(answer.body, bytes)
    return replace(answer, body=_rest(begun, answer.body))


def _rest(begun: streaming.Streaming, first: bytes) -> AsyncIterator[bytes]:
    return Closing(_body(begun, first), begun.stream)


async def _body(begun: streaming.Streaming, first: bytes) -> AsyncIterator[bytes]:
    """The body; a function that fails in the middle of it ends the connection, for its status is sent."""
    if first:
        yield first
    async for piece in begun.pieces:
        yield piece
    result = await begun.result()
    if result.function_error is not None:
        raise ServiceError("FunctionError", "the function failed behind the beginning of its answer", 502)


def _visitor(url: FunctionUrl, visit: Visit, ctx: RequestContext, trace: str) -> Visitor:
    identified = url.configuration["AuthType"] == "AWS_IAM"
    credential = visit.request.headers.get("authorization", "").partition("Credential=")[2]
    return Visitor(
        url_id=url.id,
        host=visit.host,
        request_id=ctx.request_id,
        now=ctx.clock.now(),
        source_ip=ctx.source_ip,
        trace_header=trace,
        principal=ctx.principal if identified else None,
        access_key_id=credential.partition("/")[0],
    )


def _forbidden(request_id: str) -> HttpResponse:
    """AWS's 403 names its error in a header, as the operations of the Lambda API do."""
    headers = (("x-amzn-requestid", request_id), ("x-amzn-errortype", "AccessDeniedException"))
    answer = _message(403, _FORBIDDEN)
    return replace(answer, headers=(*answer.headers, *headers))


def _refused(error: ServiceError, request_id: str) -> HttpResponse:
    if error.code == "TooManyRequestsException":
        body = {"Reason": error.members["Reason"], "Type": "User", "message": error.message}
        headers = (*_JSON, ("retry-after", str(error.members["retryAfterSeconds"])))
        return HttpResponse(status=429, headers=headers, body=json.dumps(body).encode())
    if error.code.startswith(("AccessDenied", "MissingAuthenticationToken")):
        return _forbidden(request_id)
    if error.status == 413 or error.code == "RequestEntityTooLarge":
        return _message(413, "Request Entity Too Large")
    if error.status >= 500:
        return _message(error.status, "Internal Server Error")
    return _message(error.status, error.message)


def _message(status: int, text: str) -> HttpResponse:
    body = json.dumps({"Message": text}, separators=(",", ":")).encode()
    return HttpResponse(status=status, headers=_JSON, body=body)


def _is_preflight(visit: Visit) -> bool:
    return visit.request.method == "OPTIONS" and "access-control-request-method" in visit.request.headers


def _allows(cors: Mapping[str, Any], origin: str) -> bool:
    allowed = cors.get("AllowOrigins") or ()
    return "*" in allowed or origin in allowed


def _shared_headers(cors: Mapping[str, Any], origin: str) -> Iterator[tuple[str, str]]:
    """Without a match a page gets none of them, and its browser keeps the answer from it."""
    if not _allows(cors, origin):
        return
    credentials = bool(cors.get("AllowCredentials"))
    yield "access-control-allow-origin", origin if credentials or "*" not in cors["AllowOrigins"] else "*"
    yield "vary", "Origin"
    if credentials:
        yield "access-control-allow-credentials", "true"
    if cors.get("ExposeHeaders"):
        yield "access-control-expose-headers", ",".join(cors["ExposeHeaders"])


def _preflight_headers(cors: Mapping[str, Any], origin: str) -> Iterator[tuple[str, str]]:
    if not _allows(cors, origin):
        return
    for pair in _shared_headers(cors, origin):
        if pair[0] != "access-control-expose-headers":
            yield pair
    if cors.get("AllowMethods"):
        yield "access-control-allow-methods", ",".join(cors["AllowMethods"])
    if cors.get("AllowHeaders"):
        yield "access-control-allow-headers", ",".join(cors["AllowHeaders"])
    if cors.get("MaxAge") is not None:
        yield "access-control-max-age", str(cors["MaxAge"])
