"""Every exception that an operation lists arrives at a botocore client as that exception, members and all.

Generated from the models, in every protocol of every service here.
"""

from typing import Any

import pytest
from botocore.model import OperationModel

from tests.conformance.botocore_side import SPOKEN, exceptions_of, model_of, request_of, result_of
from tests.conformance.values import Values
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.decode import decode, parse
from undercast.wire.encode import encode_error
from undercast.wire.model import catalogue

REQUEST_ID = "9a0f3c1e-0000-4000-8000-1d2e3f4a5b6c"
MESSAGE = "It's <no> good: é漢😀"
GENERIC = frozenset({"message", "code", "type", "requestid", "hostid"})


def own_members(shape: Any) -> dict[str, Any]:
    """Values for what the exception has besides its text, where its protocol can say it."""
    filled = Values(edge="low").of(shape)
    return {name: value for name, value in filled.items() if name.lower() not in GENERIC}


def ours(service: str, shape: str) -> str:
    """The query protocols' code of an exception, where botocore has dropped it (SQS)."""
    return str((catalogue().service(service).shapes[shape].get("error") or {}).get("code", shape))


async def assert_error_arrives(operation: OperationModel, protocol: str, shape: Any) -> None:
    """One exception of one operation."""
    service = str(operation.service_model.service_name)
    members = own_members(shape)
    params = Values(edge="low").of(operation.input_shape) if operation.input_shape else {}
    request = request_of(operation, protocol, params)
    call, _ = await parse(decode(request), request.body)
    error = ServiceError(shape.name, MESSAGE, 400, members=members)
    response = encode_error(call, request, error, REQUEST_ID)
    if request.method == "HEAD":
        assert response.body == b""
        return
    found = await result_of(operation, protocol, response)
    exceptions = exceptions_of(service, protocol)
    expected = exceptions.from_code(shape.error_code)
    where = (service, operation.name, protocol, shape.name)
    # A service that moved on from query names both the shape and the code that older clients know.
    codes = {found["Error"]["Code"], found["Error"].get("QueryErrorCode", shape.error_code)}
    assert expected in [exceptions.from_code(code) for code in codes], where
    assert codes <= {shape.name, shape.error_code, ours(service, shape.name)}, where
    assert found["Error"]["Message"] == MESSAGE, where
    if protocol not in ("query", "rest-xml") or all(isinstance(value, str | bool | int) for value in members.values()):
        assert members == {name: found.get(name) for name in members}, where


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
async def test_every_modelled_exception_arrives_as_itself(service: str, protocol: str) -> None:
    """SDKs choose the exception class by the code, so `except client.exceptions.X` has to work."""
    model = model_of(service, protocol)
    count = 0
    seen = set()
    for name in model.operation_names:
        operation = model.operation_model(name)
        for shape in operation.error_shapes:
            await assert_error_arrives(operation, protocol, shape)
            seen.add(shape.name)
            count += 1
    first = model.operation_model(next(iter(model.operation_names)))
    for shape in model.error_shapes:
        if shape.name not in seen:
            await assert_error_arrives(first, protocol, shape)
            seen.add(shape.name)
            count += 1
    print(f"{service} {protocol}: {count} errors of {len(seen)} exceptions")
    assert {shape.name for shape in model.error_shapes} == seen


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
async def test_an_error_that_no_model_has_keeps_its_code(service: str, protocol: str) -> None:
    """AWS's common errors (AccessDenied, ThrottlingException) are in no operation's list."""
    model = model_of(service, protocol)
    operation = next(
        found
        for found in map(model.operation_model, model.operation_names)
        if found.http["method"] != "HEAD" and "CommonErrorOfAws" not in [shape.name for shape in found.error_shapes]
    )
    params = Values(edge="low").of(operation.input_shape) if operation.input_shape else {}
    request = request_of(operation, protocol, params)
    call, _ = await parse(decode(request), request.body)
    response = encode_error(call, request, ServiceError("CommonErrorOfAws", MESSAGE, 403), REQUEST_ID)
    found = await result_of(operation, protocol, response)
    assert (found["Error"]["Code"], found["Error"]["Message"]) == ("CommonErrorOfAws", MESSAGE)
    assert response.status == 403


def refused(method: str, target: str, **headers: str) -> HttpRequest:
    """A request that `decode` cannot understand."""
    return HttpRequest(
        method=method,
        target=target,
        headers={"host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}},
        body=BodyStream.of(b""),
    )


@pytest.mark.parametrize(
    ("request_", "start", "content_type"),
    [
        (refused("POST", "/", x_amz_target="Nobody.Knows"), b'{"__type":"X",', "application/x-amz-json-1.0"),
        (
            refused("POST", "/", x_amz_target="Logs_20140328.Nothing", content_type="application/x-amz-json-1.1"),
            b'{"__type":"X",',
            "application/x-amz-json-1.1",
        ),
        (
            refused("POST", "/", content_type="application/x-www-form-urlencoded; charset=utf-8"),
            b"<ErrorResponse><Error><Type>Sender</Type><Code>X</Code>",
            "text/xml",
        ),
        (
            refused("POST", "/service/A/operation/B", smithy_protocol="rpc-v2-cbor"),
            b"\xa2f__typeaX",
            "application/cbor",
        ),
        (refused("DELETE", "/?uploads"), b"<?xml version", "application/xml"),
        (
            refused("GET", "/nowhere", authorization="AWS4-HMAC-SHA256 Credential=A/1/r/lambda/aws4_request"),
            b'{"message"',
            "application/json",
        ),
    ],
)
def test_a_request_that_is_not_understood_is_answered_in_its_own_protocol(
    request_: HttpRequest, start: bytes, content_type: str
) -> None:
    """The client parses errors by the protocol that it speaks."""
    response = encode_error(None, request_, ServiceError("X", "m"), REQUEST_ID)
    assert isinstance(response.body, bytes)
    assert response.body.startswith(start)
    assert content_type == dict(response.headers)["Content-Type"]
