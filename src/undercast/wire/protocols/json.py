"""AWS JSON 1.0 and 1.1: the operation in X-Amz-Target, everything else in one JSON document.

The response has the version that the request had. Output that holds no blobs, timestamps or renamed members is dumped
without a walk.
AWS: Smithy, "AWS JSON 1.0 protocol", "AWS JSON 1.1 protocol", "awsQueryCompatible trait".
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from undercast.core import json_text
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.wire.call import Call
from undercast.wire.draft import LARGE_BYTES, Draft, Encode, Failure, Parse
from undercast.wire.model import OperationModel, ServiceModel, Shape
from undercast.wire.protocols.stream import event_stream_draft
from undercast.wire.protocols.tree import Leaves, TreeCompiler, Walk, wrong_type
from undercast.wire.values import (
    blob_text,
    float_text,
    from_epoch,
    read_blob,
    read_float,
    read_timestamp,
    timestamp_writer,
    to_epoch,
)


def _read_blob(value: Any) -> bytes:
    if type(value) is not str:
        raise wrong_type(value, "a Blob")
    try:
        return read_blob(value)
    except ValueError:
        raise ServiceError("SerializationException", "The blob is not valid base64.") from None


def _read_timestamp(value: Any) -> datetime:
    try:
        if type(value) is str:
            return read_timestamp(value)
        if type(value) in (int, float):
            return from_epoch(value)
    except ValueError:
        raise ServiceError("SerializationException", f"{value} can not be converted to milliseconds") from None
    raise wrong_type(value, "milliseconds since epoch")


def _read_float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise ServiceError("SerializationException", "Numeric value out of range of Double") from None
    if value in ("NaN", "Infinity", "-Infinity"):
        return read_float(value)
    raise wrong_type(value, "a Double")


def _write_timestamp(shape: Shape) -> Walk:
    chosen = shape["timestampFormat"]
    return to_epoch if chosen in (None, "unixTimestamp") else timestamp_writer(chosen)


_LEAVES = Leaves(
    read_blob=_read_blob,
    read_timestamp=_read_timestamp,
    read_float=_read_float,
    write_blob=blob_text,
    write_timestamp=_write_timestamp,
    write_float=None,
)


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODE = json.JSONDecoder(parse_constant=_reject_constant).decode
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False).encode


def load(data: bytes) -> Any:
    """A JSON document. Raises SerializationException for anything else, lone surrogates included."""
    try:
        if len(data) > LARGE_BYTES:
            return json_text.load(data.decode(), _check_text, _let_others_run)
        text = data.decode()
        value = _DECODE(text)
        json_text.check_depth(text)
        if b"\\u" in data:
            _check_text(value)
        return value
    except (ValueError, RecursionError):
        raise ServiceError("SerializationException", "The request body is not a valid JSON document.") from None


def _check_text(value: Any) -> None:
    """Raises UnicodeEncodeError, a ValueError, for a lone surrogate."""
    _ENCODE(value).encode()


def _let_others_run() -> None:
    time.sleep(0)  # not to wait, but to give the interpreter's lock away


def dump(value: Any) -> bytes:
    """JSON as UTF-8, without nulls. NaN and the infinities become AWS's strings for them."""
    try:
        text = _ENCODE(value)
    except ValueError:
        text = _ENCODE(_plain(value))
    if "null" in text:
        text = _ENCODE(_plain(value))
    return text.encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return float_text(value) if isinstance(value, float) and not math.isfinite(value) else value


def document_reader(shape: Shape, trees: TreeCompiler) -> Callable[[bytes], dict[str, Any]]:
    """A closure from a JSON body to a structure's members. An empty body is an empty structure."""
    reader = trees.reader(shape)

    def read(data: bytes) -> dict[str, Any]:
        if not data:
            return {}
        try:
            found: dict[str, Any] = reader(load(data))
        except RecursionError:
            raise ServiceError("SerializationException", "The request body is nested too deeply.") from None
        return found

    return read


def document_writer(shape: Shape, trees: TreeCompiler) -> Callable[[Mapping[str, Any]], bytes]:
    """A closure from a structure's members to a JSON body."""
    writer = trees.writer(shape)
    return dump if writer is None else lambda output: dump(writer(output))


def trees() -> TreeCompiler:
    """A compiler for the JSON protocols; one a service."""
    return TreeCompiler(_LEAVES)


def _read_text(value: Any) -> bytes:
    if type(value) is not str:
        raise wrong_type(value, "a Blob")
    return value.encode()


def plain_trees() -> TreeCompiler:
    """A compiler for documents of people's own hands: members by their own names, blobs as text."""
    return TreeCompiler(replace(_LEAVES, read_blob=_read_text), plain=True)


def compile_operation(operation: OperationModel, compiler: TreeCompiler) -> tuple[Parse, Encode]:
    """The operation's closures."""
    read = document_reader(operation.input, compiler)
    content_type = f"application/x-amz-json-{operation.service.metadata.get('jsonVersion', '1.0')}"

    def parse(call: Call, body: bytes | BodyStream) -> dict[str, Any]:
        if not isinstance(body, bytes):
            raise TypeError("json has no streamed input")
        return read(body)

    if operation.event_stream_output:
        return parse, event_stream_draft(operation, lambda shape: document_writer(shape, compiler), content_type)
    write = document_writer(operation.output, compiler)

    def encode(output: Mapping[str, Any], request_id: str) -> Draft:
        return Draft(headers=[("Content-Type", content_type)], body=write(output))

    return parse, encode


def encode_failure(failure: Failure, content_type: str, compiler: TreeCompiler) -> Draft:
    """An exception as a JSON document with `__type`."""
    body = {"__type": failure.name, **failure_members(failure, compiler)}
    headers = [("Content-Type", content_type)]
    if failure.service is not None:
        headers += query_error_header(failure, failure.service)
    return Draft(status=failure.status, headers=headers, body=dump(body))


def query_error_header(failure: Failure, service: ServiceModel) -> list[tuple[str, str]]:
    """The code that clients of the older query protocol know: `code;Sender` or `code;Receiver`."""
    if not service.query_compatible:
        return []
    side = "Sender" if failure.error.fault == "client" else "Receiver"
    return [("x-amzn-query-error", f"{failure.code};{side}")]


def failure_members(failure: Failure, compiler: TreeCompiler) -> dict[str, Any]:
    """The exception's body members, its text under the name that the model gives it ("message" or "Message")."""
    error, shape = failure.error, failure.shape
    if shape is None:
        return {"message": error.message, **error.members}
    members = shape.members
    name = next((name for name in members if name.lower() == "message"), None)
    output = {key: value for key, value in error.members.items() if key in members}
    if name is not None:
        output.setdefault(name, error.message)
    if "Type" in members and members["Type"].type == "string":
        output.setdefault("Type", "User" if error.fault == "client" else "Service")
    in_body = tuple(name for name, member in members.items() if member["location"] is None)
    writer = compiler.writer(shape.restricted(in_body))
    written = {name: output[name] for name in output if name in in_body} if writer is None else writer(output)
    return written if name is not None else {"message": error.message, **written}
