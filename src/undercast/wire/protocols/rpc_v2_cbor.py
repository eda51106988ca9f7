"""Documents as CBOR, in two dialects: RPC v2 CBOR, and the older one that Java's SDKs speak to Kinesis.

RPC v2 names the operation in the path and counts timestamps in seconds; the older dialect is AWS JSON 1.1 with another
encoding: X-Amz-Target, and timestamps in milliseconds.
AWS: Smithy, "Smithy RPC v2 CBOR protocol"; aws-sdk-java, "SdkStructuredCborFactory", "SdkCborGenerator".
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.wire import cbor
from undercast.wire.call import Call
from undercast.wire.draft import Draft, Encode, Failure, Parse
from undercast.wire.model import OperationModel, Shape
from undercast.wire.protocols.json import failure_members, query_error_header
from undercast.wire.protocols.stream import event_stream_draft
from undercast.wire.protocols.tree import Leaves, TreeCompiler, Walk, wrong_type
from undercast.wire.values import from_epoch, to_epoch


@record
class Dialect:
    """What tells the two apart."""

    content_type: str
    headers: tuple[tuple[str, str], ...]
    timestamp_unit_s: float


RPC_V2 = Dialect(
    content_type="application/cbor",
    headers=(("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")),
    timestamp_unit_s=1.0,
)
AWS_CBOR = Dialect(
    content_type="application/x-amz-cbor-1.1",
    headers=(("Content-Type", "application/x-amz-cbor-1.1"),),
    timestamp_unit_s=0.001,
)


def _read_blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise wrong_type(value, "a Blob")
    return value


def _read_timestamp(value: Any) -> datetime:
    if type(value) is datetime:
        return value
    if type(value) in (int, float):
        try:
            return from_epoch(value)
        except ValueError:
            raise ServiceError("SerializationException", "A timestamp is out of range.") from None
    raise wrong_type(value, "a Timestamp")


def _read_float(value: Any) -> float:
    if type(value) not in (int, float):
        raise wrong_type(value, "a Double")
    return float(value)


def _write_timestamp(shape: Shape) -> Walk:
    return lambda value: value if isinstance(value, datetime) else from_epoch(value)


def _write_float(value: Any) -> float:
    return value if isinstance(value, float) else float(value)


def _write_milliseconds(shape: Shape) -> Walk:
    return lambda value: cbor.Tagged(round(to_epoch(value) * 1000))


def trees(dialect: Dialect) -> TreeCompiler:
    """A compiler for CBOR; one a service and dialect."""
    return TreeCompiler(
        Leaves(
            read_blob=_read_blob,
            read_timestamp=_read_timestamp,
            read_float=_read_float,
            write_blob=None,
            write_timestamp=_write_timestamp if dialect is RPC_V2 else _write_milliseconds,
            write_float=_write_float,
        )
    )


def document_writer(shape: Shape, compiler: TreeCompiler) -> Callable[[Mapping[str, Any]], bytes]:
    """A closure from a structure's members to CBOR."""
    writer = compiler.writer(shape)
    return cbor.dumps if writer is None else lambda output: cbor.dumps(writer(output))


def compile_operation(operation: OperationModel, compiler: TreeCompiler, dialect: Dialect) -> tuple[Parse, Encode]:
    """The operation's closures."""
    read = compiler.reader(operation.input)

    def parse(call: Call, body: bytes | BodyStream) -> dict[str, Any]:
        if not isinstance(body, bytes):
            raise TypeError("cbor has no streamed input")
        if not body:
            return {}
        try:
            found: dict[str, Any] = read(cbor.loads(body, timestamp_unit_s=dialect.timestamp_unit_s))
        except (ValueError, OverflowError, RecursionError):
            raise ServiceError("SerializationException", "The request body is not valid CBOR.") from None
        return found

    if operation.event_stream_output:
        return parse, event_stream_draft(
            operation, lambda shape: document_writer(shape, compiler), dialect.content_type
        )
    write = document_writer(operation.output, compiler)

    def encode(output: Mapping[str, Any], request_id: str) -> Draft:
        return Draft(headers=list(dialect.headers), body=write(output))

    return parse, encode


def encode_failure(failure: Failure, compiler: TreeCompiler, dialect: Dialect) -> Draft:
    """An exception as a CBOR document with `__type`."""
    body = {"__type": failure.name, **failure_members(failure, compiler)}
    headers = list(dialect.headers)
    if failure.service is not None:
        headers += query_error_header(failure, failure.service)
    return Draft(status=failure.status, headers=headers, body=cbor.dumps(body))
