"""From an operation's result or error to a response in the protocol that the client spoke.

Pure. A result is what botocore's client would give; None members are left out. HEAD responses have no body.
AWS: Smithy's AWS protocol specifications; "Common errors" and request id headers of each service.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from zlib import crc32

from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.wire import form, s3
from undercast.wire.call import AWS_CBOR, Call, Protocol
from undercast.wire.codec import codec, encode_failure
from undercast.wire.draft import Draft, Failure
from undercast.wire.hosts import DEFAULT_HOSTS, host_target
from undercast.wire.model import ServiceModel, catalogue
from undercast.wire.protocols.rest import NO_BODY

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_JSON = "application/x-amz-json-"
_FORM = "application/x-www-form-urlencoded"
_CHECKED = "dynamodb"
"""Its clients verify x-amz-crc32 (DynamoDB Developer Guide, "DynamoDB low-level API", "Response format"); that of Go
warns at every answer without it."""


def encode_output(
    call: Call,
    output: Mapping[str, Any],
    request_id: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> HttpResponse:
    """The response to a call that succeeded. `status` and `headers` override what the model says."""
    draft = codec(call.service, call.operation, call.protocol).encode(output, request_id)
    if status is not None:
        draft.status = status
    if call.form is not None:
        form.answer(draft, call, call.form)
    if call.protocol == "json" and draft.headers[0][1].startswith(_JSON):
        draft.headers[0] = ("Content-Type", _json_type(call.request, draft.headers[0][1]))
    return _finished(draft, call.request, call.service, request_id, headers)


def encode_empty(call: Call, request_id: str, headers: Mapping[str, str]) -> HttpResponse:
    """A success that says nothing but its headers, for what is no operation."""
    return _finished(Draft(), call.request, call.service, request_id, headers)


def encode_error(call: Call | None, request: HttpRequest, error: ServiceError, request_id: str) -> HttpResponse:
    """The response to a call that failed, or to a request that could not be understood (`call` is None)."""
    service_name, protocol = (call.service, call.protocol) if call else _guess(request)
    service = catalogue().service(service_name) if service_name else None
    failure = _failure(error, service, request_id, protocol)
    default_type = f"{_JSON}{service.metadata.get('jsonVersion', '1.0') if service else '1.0'}"
    draft = encode_failure(failure, protocol, _json_type(request, default_type))
    draft.headers.extend(_header_members(failure))
    return _finished(draft, request, service_name, request_id, error.headers)


def _header_members(failure: Failure) -> Iterator[tuple[str, str]]:
    """Members of an exception that travel in headers (Retry-After)."""
    if failure.shape is not None and failure.error.members:
        for name, member in failure.shape.members.items():
            if member["location"] == "header" and failure.error.members.get(name) is not None:
                yield member.wire_name or name, str(failure.error.members[name])


def _failure(error: ServiceError, service: ServiceModel | None, request_id: str, protocol: Protocol) -> Failure:
    shape = service.exception(error.code) if service else None
    traits: Mapping[str, Any] = (shape["error"] or {}) if shape else {}
    status = error.status
    if status == 400 and (protocol != "json" or service is None or not service.query_compatible):
        # 400 is what an error has that was raised without a status; the model knows better where it says more.
        status = traits.get("httpStatusCode", status)
    return Failure(
        service=service,
        shape=shape,
        name=shape.name if shape else error.code,
        code=traits.get("code", shape.name if shape else error.code),
        status=status,
        error=error,
        request_id=request_id,
    )


def _finished(
    draft: Draft, request: HttpRequest, service: str, request_id: str, extra: Mapping[str, str]
) -> HttpResponse:
    headers = draft.headers
    if extra:
        replaced = [name.lower() for name in extra]
        headers = [pair for pair in headers if pair[0].lower() not in replaced]
        headers.extend(extra.items())
    if service == s3.SERVICE:
        headers.append(("x-amz-request-id", request_id))
        headers.append(("x-amz-id-2", s3.extended_request_id(request_id)))
    else:
        headers.append(("x-amzn-RequestId", request_id))
    if service == _CHECKED and isinstance(draft.body, bytes):
        headers.append(("x-amz-crc32", str(crc32(draft.body))))
    body, length = draft.body, draft.length
    if request.method == "HEAD":
        body, length = b"", length if length is not None else len(body) if isinstance(body, bytes) else None
    elif draft.status in NO_BODY:
        body, length = b"", None
    return HttpResponse(status=draft.status, headers=tuple(headers), body=body, length=length)


def _json_type(request: HttpRequest, default: str) -> str:
    """AWS answers in the JSON version that was asked in."""
    asked = request.headers.get("content-type", "")
    return asked if asked in ("application/x-amz-json-1.0", "application/x-amz-json-1.1") else default


def _guess(request: HttpRequest) -> tuple[str, Protocol]:
    """Service and protocol of a request that `decode` refused, so that its client can still read the error."""
    headers = request.headers
    target = headers.get("x-amz-target")
    if target is not None:
        name = next(iter(catalogue().by_target.get(target.rpartition(".")[0], ())), "")
        return name, "aws-cbor" if headers.get("content-type", "").startswith(AWS_CBOR) else "json"
    if "smithy-protocol" in headers:
        return "", "smithy-rpc-v2-cbor"
    name = _claimed_service(request)
    if headers.get("content-type", "").startswith(_FORM) or "Action=" in request.query:
        return (name if name and catalogue().entries[name].speaks_query else ""), "query"
    protocols = _protocols(name)
    if "rest-xml" in protocols or not name:
        return name or s3.SERVICE, "rest-xml"
    first = protocols[0] if protocols else "rest-json"
    return name, first if first in ("json", "query", "rest-json", "smithy-rpc-v2-cbor") else "rest-json"  # type: ignore[return-value]


def _protocols(name: str) -> tuple[str, ...]:
    return catalogue().entries[name].protocols if name else ()


def _claimed_service(request: HttpRequest) -> str:
    """The service in the credential scope or the host name, unverified; "" for none."""
    text = request.headers.get("authorization", "") or request.query.replace("%2F", "/").replace("%2f", "/")
    parts = text.partition("/aws4_request")[0].rsplit("/", 1) if "/aws4_request" in text else []
    names = catalogue()
    candidates = names.by_signing_name.get(parts[-1], ()) if parts else ()
    if not candidates:
        endpoint = host_target(request.headers.get("host", ""), DEFAULT_HOSTS).endpoint
        candidates = names.by_endpoint.get(endpoint, ()) if endpoint else ()
    return min(candidates, key=lambda name: (name != parts[-1] if parts else False, name)) if candidates else ""
