"""From a request to a parsed call, in two steps: the head first (`decode`), the body after authentication (`parse`).

Pure: the body is read through `BodyStream` only, and blobs that AWS streams are handed on unread. Whatever is sent,
the answer is a Call or a ServiceError with a 4xx status.
AWS: Smithy's AWS protocol specifications; Signature Version 4, "credential scope".
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.core.record import record
from undercast.wire import s3
from undercast.wire.bodies import OPERATION_BYTES, UNSIGNED_BYTES, Bodies
from undercast.wire.call import AWS_CBOR, Call, Protocol
from undercast.wire.codec import codec, router
from undercast.wire.form import form_call
from undercast.wire.hosts import DEFAULT_HOSTS, HostRules, HostTarget, host_target
from undercast.wire.large import is_large, parse_large
from undercast.wire.model import OperationModel, catalogue
from undercast.wire.signature import Signature, parse_signature

__all__ = ["Call", "Reading", "decode", "parse", "parse_now"]

_FORM = "application/x-www-form-urlencoded"
_DATED_REST = ("lambda",)
"""Services that an unsigned request on a plain host may mean, by the date in its path; else it is S3's."""


async def _any(service: str, operation: str) -> int:
    return OPERATION_BYTES


@record
class Reading:
    """What `parse` has to know of the platform."""

    bodies: Bodies
    sender: str | None = None
    """Who shares what guests may have others hold, see `Bodies.claim`."""
    allowed: Callable[[str, str], Awaitable[int]] = _any
    """(service, operation) -> the most bytes that its body may have. May raise, before the body is looked at."""


def decode(request: HttpRequest, hosts: HostRules = DEFAULT_HOSTS) -> Call:
    """Understand the head. Raises ServiceError when it asks for nothing that AWS has."""
    headers = request.headers
    signature = parse_signature(request)
    host = host_target(headers.get("host", ""), hosts)
    region = (signature.region if signature else None) or host.region
    target = headers.get("x-amz-target")
    if target is not None:
        return _json_call(request, signature, region, target)
    if "smithy-protocol" in headers or request.target.startswith("/service/"):
        call = _cbor_call(request, signature, region)
        if call is not None:
            return call
    path, _, raw_query = request.target.partition("?")
    query = query_pairs(raw_query) if raw_query else ()
    if _is_query(request, signature, host, query):
        return _query_call(request, signature, host, query)
    return _rest_call(request, signature, host, (path, query))


def parse_now(call: Call, body: BodyStream) -> tuple[Call, dict[str, Any]] | None:
    """`parse` where nothing has to be waited for: a streamed blob, a small body that is in memory. Else None."""
    if not call.operation:
        return None
    compiled = codec(call.service, call.operation, call.protocol)
    if compiled.streams_input:
        return call, compiled.parse(call, body)
    data = body.buffered
    if data is None or is_large(data) or "content-encoding" in call.request.headers:
        return None
    return call, compiled.parse(call, data)


async def parse(call: Call, body: BodyStream, reading: Reading | None = None) -> tuple[Call, dict[str, Any]]:
    """Read the body and give the parameters as botocore's client takes them, validated.

    The call comes back completed: a query request names its operation in the body. Blobs are bytes, streaming blobs are
    the `body` itself, timestamps are datetime in UTC. Raises ServiceError in AWS's words.
    """
    if (parsed := parse_now(call, body)) is not None:
        return parsed
    reading = reading or Reading(bodies=Bodies())
    limit = await reading.allowed(call.service, call.operation) if call.operation else OPERATION_BYTES
    if call.signature is None:
        limit = min(limit, UNSIGNED_BYTES)
    with reading.bodies.claim(reading.sender) as claim:
        data = await body.read(limit, claim.grow)
        if call.request.headers.get("content-encoding") == "gzip" and _may_be_compressed(call):
            data = _inflate(data, limit)
            claim.grow(len(data))
        if not is_large(data):
            if not call.operation:
                call, data = await _completed(call, _form_pairs(data), reading), b""
            return call, codec(call.service, call.operation, call.protocol).parse(call, data)
        async with reading.bodies.turn(reading.sender):
            if not call.operation:
                pairs = await asyncio.to_thread(_form_pairs, data)
                call, data = await _completed(call, pairs, reading), b""
            return call, await parse_large(codec(call.service, call.operation, call.protocol), call, data)


def query_pairs(query: str) -> tuple[tuple[str, str], ...]:
    """The decoded query string in order. Raises MalformedQueryString when it is not UTF-8."""
    if not query:
        return ()
    pairs = []
    try:
        for part in query.split("&"):
            name, _, value = part.partition("=")
            if name or value:
                pairs.append((unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")))
    except UnicodeDecodeError:
        raise ServiceError("MalformedQueryString", "The query string contains a syntax error.", 400) from None
    return tuple(pairs)


def _json_call(request: HttpRequest, signature: Signature | None, region: str | None, target: str) -> Call:
    prefix, _, name = target.rpartition(".")
    operation = _targeted(prefix, name)
    if operation is None or request.method != "POST":
        raise _unknown_operation(f"The target {target} is not known.")
    return Call(
        request=request,
        service=operation.service.name,
        operation=operation.name,
        protocol="aws-cbor" if request.headers.get("content-type", "").startswith(AWS_CBOR) else "json",
        region=region,
        signature=signature,
    )


def _cbor_call(request: HttpRequest, signature: Signature | None, region: str | None) -> Call | None:
    parts = request.path.split("/")
    at = len(parts) - 4
    if at < 0 or parts[at] != "service" or parts[at + 2] != "operation":
        return None
    if request.headers.get("smithy-protocol") != "rpc-v2-cbor":
        return None
    operation = _targeted(parts[at + 1], parts[at + 3])
    if operation is None or request.method != "POST":
        raise _unknown_operation(f"The operation {request.path} is not known.")
    return Call(
        request=request,
        service=operation.service.name,
        operation=operation.name,
        protocol="smithy-rpc-v2-cbor",
        region=region,
        signature=signature,
    )


def _is_query(
    request: HttpRequest, signature: Signature | None, host: HostTarget, query: tuple[tuple[str, str], ...]
) -> bool:
    """Whether the request is a query one. A form's content type alone does not say so: curl sends it with anything."""
    method = request.method
    if method != "POST" and method != "GET":
        return False
    named = bool(query) and any(name == "Action" for name, _ in query)
    if not named and (method != "POST" or not request.headers.get("content-type", "").startswith(_FORM)):
        return False
    if signature is not None or host.endpoint is not None:
        return any(catalogue().entries[name].speaks_query for name in _claimed(signature, host))
    return named or (request.path == "/" and host.bucket is None)


def _claimed(signature: Signature | None, host: HostTarget) -> tuple[str, ...]:
    """The services that the credential scope, else the host name, may mean."""
    names = catalogue()
    hint = signature.service if signature else host.endpoint
    return (names.by_signing_name.get(hint) or names.by_endpoint.get(hint, ())) if hint else ()


def _query_call(
    request: HttpRequest, signature: Signature | None, host: HostTarget, query: tuple[tuple[str, str], ...]
) -> Call:
    spoken = [name for name in _claimed(signature, host) if catalogue().entries[name].speaks_query]
    call = Call(
        request=request,
        service=spoken[0] if len(spoken) == 1 else "",
        operation="",
        protocol="query",
        region=(signature.region if signature else None) or host.region,
        signature=signature,
        query=query,
    )
    named = dict(query)
    return _named(call, named) if "Action" in named else call


def _form_pairs(data: bytes) -> tuple[tuple[str, str], ...]:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise ServiceError("MalformedQueryString", "The request body is not form-encoded.") from None
    return query_pairs(text)


async def _completed(call: Call, pairs: tuple[tuple[str, str], ...], reading: Reading) -> Call:
    """A query call whose parameters came in the body. Raises what is wrong before they are looked at."""
    named = _named(replace(call, query=call.query + pairs), dict(pairs))
    await reading.allowed(named.service, named.operation)
    return named


def _named(call: Call, parameters: dict[str, str]) -> Call:
    action = parameters.get("Action")
    if not action:
        raise ServiceError("MissingAction", "The request is missing an action or a required parameter.")
    version = parameters.get("Version", "")
    for service in _query_services(call, version):
        if action in catalogue().service(service).operations:
            return replace(call, service=service, operation=action)
    shown = version or "NO_VERSION_SPECIFIED"
    raise ServiceError("InvalidAction", f"Could not find operation {action} for version {shown}")


def _query_services(call: Call, version: str) -> tuple[str, ...]:
    if call.service:
        return (call.service,)
    names = catalogue()
    by_version = names.by_query_version.get(version, ())
    if call.signature:
        signed = names.by_signing_name.get(call.signature.service, ())
        return tuple(name for name in signed if name in by_version) or tuple(
            name for name in signed if names.entries[name].speaks_query
        )
    return by_version


def _rest_call(
    request: HttpRequest, signature: Signature | None, host: HostTarget, target: tuple[str, tuple[tuple[str, str], ...]]
) -> Call:
    """`target` is the path as it was sent and the decoded query string."""
    path, query = target
    if path[:1] != "/":
        path = _absolute(path)
    for service in _rest_services(request, signature, host, path):
        bucket = host.bucket if service == s3.SERVICE and not s3.has_host_label(signature) else None
        found = router(service).find(request.method, s3.addressed_path(path, bucket), query, request.headers)
        if found is not None:
            operation, labels = found
            if query and service == s3.SERVICE:
                s3.check_query(operation.name, query)
            return Call(
                request=request,
                service=service,
                operation=s3.meant(operation.name, signature) if service == s3.SERVICE else operation.name,
                protocol=_rest_protocol(service),
                region=(signature.region if signature else None) or host.region,
                signature=signature,
                labels=labels,
                query=query,
            )
    if _means_s3(signature, host):
        form = form_call(request, s3.addressed_path(path, host.bucket))
        if form is not None:
            return form
        raise ServiceError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    raise _unknown_operation("Unable to determine service/operation name to be authorized", 404)


def _rest_services(request: HttpRequest, signature: Signature | None, host: HostTarget, path: str) -> tuple[str, ...]:
    if signature is not None:
        if signature.service in s3.SIGNING_NAMES:
            return ("s3control",) if s3.is_control(request) else (s3.SERVICE,)
        found = _rest_named(signature.service)
        if found is None:
            raise _unknown_operation(f"The service {signature.service} is not known.")
        return found
    if host.endpoint is not None and host.endpoint != s3.SERVICE:
        return _rest_named(host.endpoint) or ()
    if host.endpoint is None and host.bucket is None and _is_dated(path):
        return (*_DATED_REST, s3.SERVICE)
    return (s3.SERVICE,)


@lru_cache(maxsize=1024)
def _rest_named(name: str) -> tuple[str, ...] | None:
    """Services of a signing name or endpoint that speak a REST protocol, the one of that name first; None: unknown."""
    names = catalogue()
    services = names.by_signing_name.get(name) or names.by_endpoint.get(name)
    if services is None:
        return None
    rest = [service for service in services if _rest_of(names.entries[service].protocols)]
    return tuple(rest)


def _rest_of(protocols: tuple[str, ...]) -> str | None:
    return next((protocol for protocol in protocols if protocol.startswith("rest-")), None)


@lru_cache(maxsize=1024)
def _rest_protocol(service: str) -> Protocol:
    return "rest-xml" if "rest-xml" in catalogue().entries[service].protocols else "rest-json"


def _means_s3(signature: Signature | None, host: HostTarget) -> bool:
    return signature.service in s3.SIGNING_NAMES if signature else host.endpoint in (None, s3.SERVICE)


def _is_dated(path: str) -> bool:
    """Whether the path begins like "/2015-03-31/"."""
    return len(path) > 12 and path[5] == path[8] == "-" and path[11] == "/" and path[1:5].isdecimal()


def _absolute(path: str) -> str:
    """The path of a request target in absolute form (RFC 9112 3.2.2)."""
    scheme, found, rest = path.partition("://")
    if not found or not scheme:
        raise ServiceError("InvalidURI", "Couldn't parse the specified URI.")
    return "/" + rest.partition("/")[2]


def _targeted(prefix: str, name: str) -> OperationModel | None:
    """The operation of a target's prefix, which two services share in one case (Timestream)."""
    names = catalogue()
    for service in names.by_target.get(prefix, ()):
        if (operation := names.service(service).operations.get(name)) is not None:
            return operation
    return None


def _may_be_compressed(call: Call) -> bool:
    """Whether SDKs compress requests of this operation; elsewhere the header describes the payload itself."""
    if not call.operation:
        return True
    return "requestcompression" in catalogue().service(call.service).operations[call.operation].raw


def _inflate(data: bytes, limit_bytes: int) -> bytes:
    """A body that the SDK compressed. Stops at the size that an uncompressed body may have."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(data, limit_bytes)
    except zlib.error:
        raise ServiceError("SerializationException", "The request body is not valid gzip.") from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise ServiceError("SerializationException", "The gzip body is truncated or too large.")
    return plain


def _unknown_operation(message: str, status: int = 400) -> ServiceError:
    return ServiceError("UnknownOperationException", message, status)
