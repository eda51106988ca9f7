"""The cases: every operation of a service with its modelled input and output, and every exception once.

AWS: the service models of botocore.
"""

from collections.abc import Iterator
from typing import Any

from botocore.model import OperationModel

from tests.conformance.botocore_side import model_of
from tests.conformance.sdks.conversation import Case
from tests.conformance.test_errors import own_members
from tests.conformance.values import Edge, Values
from undercast.core.errors import ServiceError
from undercast.wire.model import catalogue

MESSAGE = "It's <no> good: é漢😀"
SAFE_INTEGER = (1 << 53) - 1
"""JavaScript's numbers are doubles."""
LEFT_OUT = frozenset(
    {
        # Clients compute these, or insist on TLS for them.
        "SSECustomerKey", "SSECustomerKeyMD5", "CopySourceSSECustomerKey", "CopySourceSSECustomerKeyMD5", "ContentMD5",
        "ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256", "ChecksumSHA512",
        "ChecksumMD5", "ChecksumXXHASH64", "ChecksumXXHASH3", "ChecksumXXHASH128", "ChecksumAlgorithm", "ChecksumType",
        "ContentLength",
        # Clients make host names of these.
        "EndpointId", "StreamId",
        # Clients have them in another form: text for numbers, times or parsed times.
        "Expires", "ResponseExpires", "PartNumberMarker", "NextPartNumberMarker", "ObjectParts",
        # Clients add to these.
        "accepts", "ContentEncoding",
        # Clients undo it.
        "EncodingType",
    }
)  # fmt: skip
INSTEAD = {
    "Bucket": "bucket-1",
    "AccountId": "123456789012",
    "CopySource": "bucket-1/key",
    "TenantId": "t",
    "StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/s",
    "ConsumerARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/s/consumer/c:1",
}
"""What clients check before they send."""


def cases_of(service: str) -> list[Case]:
    """Every operation at both edges, and every exception."""
    model = model_of(service, catalogue().entries[service].protocols[0])
    operations = [model.operation_model(name) for name in model.operation_names]
    found = [success(one, edge) for one in operations if not one.has_event_stream_input for edge in edges()]
    return [*found, *errors(model, operations)]


def edges() -> tuple[Edge, ...]:
    """Minima and maxima."""
    return ("low", "high")


def success(operation: OperationModel, edge: Edge) -> Case:
    """A call that succeeds."""
    shape: Any = operation.output_shape
    output = Values(edge=edge).of(shape) if shape else {}
    events = shape.event_stream_name if operation.has_event_stream_output else None
    if events:
        members = shape.members[events].members
        output[events] = [
            {kind: event} for kind, event in output[events].items() if not members[kind].metadata.get("exception")
        ]
    return Case(
        service=service_of(operation),
        operation=operation.name,
        input=input_of(operation, edge),
        output={name: value for name, value in safe(output).items() if name not in LEFT_OUT},
        events=events,
    )


def errors(model: Any, operations: list[OperationModel]) -> Iterator[Case]:
    """Each exception on the first operation that lists it and whose response has a body."""
    seen = set()
    for operation in operations:
        if operation.http["method"] == "HEAD" or operation.has_event_stream_input:
            continue
        for shape in operation.error_shapes:
            if shape.name not in seen:
                seen.add(shape.name)
                status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
                error = ServiceError(shape.name, MESSAGE, status, members=waits(safe(own_members(shape))))
                yield Case(
                    service=service_of(operation),
                    operation=operation.name,
                    input=input_of(operation, "low"),
                    error=error,
                )


def input_of(operation: OperationModel, edge: Edge) -> dict[str, Any]:
    """Every member that a client sends as it was given."""
    if operation.input_shape is None:
        return {}
    filled = Values(edge=edge, timestamp_default="whole").of(operation.input_shape)
    return {name: INSTEAD.get(name, value) for name, value in safe(filled).items() if name not in LEFT_OUT}


def safe(value: Any) -> Any:
    """The value with its integers in the range that every language has."""
    if isinstance(value, dict):
        return {name: safe(item) for name, item in value.items()}
    if isinstance(value, list):
        return [safe(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-SAFE_INTEGER, min(SAFE_INTEGER, value))
    return value


def waits(members: dict[str, Any]) -> dict[str, Any]:
    """The members of an exception with a Retry-After that is a time to wait: Java's SDK waits for it."""
    asked = members.get("retryAfterSeconds")
    return {**members, "retryAfterSeconds": 1} if isinstance(asked, int) else members


def service_of(operation: OperationModel) -> str:
    """botocore's name."""
    return str(operation.service_model.service_name)
