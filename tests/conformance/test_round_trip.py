"""Every operation of every service here, in every protocol of its: what botocore sends we read, what we send it reads.

Generated from the models: all members, recursion to depth 3, unicode, minima and maxima, every union member.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from email.utils import format_datetime
from typing import Any, get_args

import pytest
from botocore.model import OperationModel

from tests.conformance.botocore_side import SPOKEN, Raw, model_of, request_of, result_of
from tests.conformance.values import Edge, Values, reachable, rotations
from undercast.core.body import BodyStream
from undercast.wire.decode import decode, parse
from undercast.wire.encode import encode_output

REQUEST_ID = "9a0f3c1e-0000-4000-8000-1d2e3f4a5b6c"


def variants(shape: Any, **options: Any) -> Iterator[Values]:
    """Values at both edges, and one more for each further union member."""
    for edge in get_args(Edge):
        for rotation in range(max(2, rotations(shape)) if edge == "low" else 1):
            yield Values(edge=edge, rotation=rotation, **options)


SUPERSEDED = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
"""S3's deprecated operations: the same requests as their successors, so they arrive as those and are read as those."""


async def plain(value: Any) -> Any:
    """Streams as what they hold."""
    if isinstance(value, BodyStream):
        return await value.read()
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, dict):
        return {name: await plain(item) for name, item in value.items()}
    return value


async def assert_request_arrives(operation: OperationModel, protocol: str, values: Values) -> None:
    """One request there."""
    shape = operation.input_shape
    params = values.of(shape) if shape else {}
    request = request_of(operation, protocol, params)
    call = decode(request)
    call, found = await parse(call, request.body)
    where = (model_name(operation), SUPERSEDED.get(operation.name, operation.name), protocol)
    assert where == (call.service, call.operation, call.protocol)
    if operation.name in SUPERSEDED:
        return
    sent = without_empty(params) if protocol == "query" else params
    assert as_sent(sent, operation) == await plain(found), where


FREE_DATES = ("Expires", "response-expires")
"""Of S3's headers and query: it keeps them as they were sent, a date or not."""


def as_sent(params: dict[str, Any], operation: OperationModel) -> dict[str, Any]:
    """The parameters with such dates as botocore writes them."""
    if model_name(operation) != "s3" or operation.input_shape is None:
        return params
    members = operation.input_shape.members
    free = {name for name in params if members[name].serialization.get("name") in FREE_DATES}
    return {name: format_datetime(value, usegmt=True) if name in free else value for name, value in params.items()}


def without_empty(value: Any) -> Any:
    """What the query protocol can say: it has no way to send a structure without members."""
    if not isinstance(value, dict):
        return value
    small = {name: without_empty(item) for name, item in value.items()}
    return {name: item for name, item in small.items() if item != {}}


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
async def test_every_request_of_botocore_is_parsed_as_it_was_meant(service: str, protocol: str) -> None:
    """AWS's SDKs are made from the same models; what they send has to arrive whole."""
    model = model_of(service, protocol)
    members: set[tuple[str, str]] = set()
    done = set()
    for name in model.operation_names:
        operation = model.operation_model(name)
        covered: set[tuple[str, str]] = set()
        for values in variants(operation.input_shape, timestamp_default="whole"):
            await assert_request_arrives(operation, protocol, values)
            covered |= values.covered
        assert reachable(operation.input_shape) == covered, name
        members |= covered
        done.add(name)
    print(f"{service} {protocol}: {len(done)} operations, {len(members)} input members")
    assert set(model.operation_names) == done


async def events(items: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """An output event stream, as an operation gives it."""
    for item in items:
        yield item


def is_exception(shape: Any, kind: str) -> bool:
    """Whether a member of an event stream is an error that ends it."""
    return bool(shape.members[shape.event_stream_name].members[kind].metadata.get("exception"))


def model_name(operation: OperationModel) -> str:
    """botocore's name of the operation's service."""
    return str(operation.service_model.service_name)


async def assert_response_arrives(operation: OperationModel, protocol: str, values: Values) -> None:
    """One response there."""
    shape = operation.output_shape
    output = values.of(shape) if shape else {}
    given = dict(output)
    streamed = shape.event_stream_name if shape and operation.has_event_stream_output else None
    if streamed:
        output[streamed] = [{kind: event} for kind, event in output[streamed].items() if not is_exception(shape, kind)]
        given[streamed] = events(output[streamed])
    params = Values(edge="high").of(operation.input_shape) if operation.input_shape else {}
    call = replace(
        decode(request_of(operation, protocol, params)), service=model_name(operation), operation=operation.name
    )
    response = encode_output(call, given, REQUEST_ID)
    found = await result_of(operation, protocol, response)
    metadata = found.pop("ResponseMetadata", None)
    if streamed:
        found[streamed] = list(found[streamed])
    if operation.name == "GetBucketNotification":
        # Its shapes have a scalar and a flattened list on one element, Event: no response can say both.
        for configuration in (*output.values(), *found.values()):
            configuration.pop("Event", None)
            configuration.pop("Events", None)
    assert output == await plain(found), (operation.service_model.service_name, operation.name, protocol)
    if metadata is not None:
        assert REQUEST_ID in (metadata.get("RequestId"), *metadata["HTTPHeaders"].values())


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
async def test_every_response_of_ours_is_read_by_botocore_as_it_was_meant(service: str, protocol: str) -> None:
    """What an operation returns is what the caller's SDK returns."""
    model = model_of(service, protocol)
    members: set[tuple[str, str]] = set()
    done = set()
    for name in model.operation_names:
        operation = model.operation_model(name)
        covered: set[tuple[str, str]] = set()
        for values in variants(operation.output_shape, fraction=True):
            await assert_response_arrives(operation, protocol, values)
            covered |= values.covered
        assert reachable(operation.output_shape) == covered, name
        members |= covered
        done.add(name)
    print(f"{service} {protocol}: {len(done)} operations, {len(members)} output members")
    assert set(model.operation_names) == done
