"""Output event streams: each event of an async iterator becomes one message of AWS's binary framing.

A ServiceError raised by the iterator ends the stream with an exception message; the head has been sent by then.
AWS: Smithy, "Amazon Event Stream specification"; S3 API Reference, "Appendix: SelectObjectContent Response".
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from undercast.core.closing import Closing
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.wire.draft import Draft, Encode
from undercast.wire.event_stream import encode_message
from undercast.wire.model import OperationModel, Shape

WriterOf = Callable[[Shape], Callable[[Mapping[str, Any]], bytes]]
CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PAYLOAD_TYPES = {"blob": "application/octet-stream", "string": "text/plain"}


@record
class _Event:
    """How one kind of event is written."""

    headers: tuple[str, ...]
    payload: str | None
    content_type: str
    write: Callable[[Mapping[str, Any]], bytes]


def event_stream_draft(operation: OperationModel, writer_of: WriterOf, content_type: str) -> Encode:
    """An encoder for an RPC operation that answers with events: the other members travel in `initial-response`."""
    name = operation.event_stream_output or ""
    messages = messages_of(operation.output.members[name], writer_of, content_type)
    others = tuple(member for member in operation.output.members if member != name)
    write_initial = writer_of(operation.output.restricted(others))

    def encode(output: Mapping[str, Any], request_id: str) -> Draft:
        first = {key: value for key, value in output.items() if key != name}
        initial = _message("initial-response", content_type, {}, write_initial(first))
        return Draft(headers=[("Content-Type", CONTENT_TYPE)], body=messages(output.get(name), initial))

    return encode


def messages_of(
    stream: Shape, writer_of: WriterOf, content_type: str
) -> Callable[[AsyncIterator[Mapping[str, Any]] | None, bytes], AsyncIterator[bytes]]:
    """A closure from an iterator of {"EventName": {...}} to encoded messages behind an initial one."""
    kinds = {name: _event(shape, writer_of, content_type) for name, shape in stream.members.items()}

    async def messages(events: AsyncIterator[Mapping[str, Any]] | None, initial: bytes) -> AsyncIterator[bytes]:
        if initial:
            yield initial
        if events is None:
            return
        try:
            async for event in events:
                ((name, value),) = event.items()
                yield _encoded(name, kinds[name], value)
        except ServiceError as error:
            yield _exception(error, kinds, stream)

    return lambda events, initial: Closing(messages(events, initial), events)


def _event(shape: Shape, writer_of: WriterOf, content_type: str) -> _Event:
    headers = tuple(name for name, member in shape.members.items() if member["eventheader"])
    payload = next((name for name, member in shape.members.items() if member["eventpayload"]), None)
    if payload is not None:
        member = shape.members[payload]
        if member.type in _PAYLOAD_TYPES:
            return _Event(headers=headers, payload=payload, content_type=_PAYLOAD_TYPES[member.type], write=_raw)
        return _Event(headers=headers, payload=payload, content_type=content_type, write=writer_of(member))
    body = tuple(name for name in shape.members if name not in headers)
    write = writer_of(shape.restricted(body)) if body else _nothing
    return _Event(headers=headers, payload=None, content_type=content_type if body else "", write=write)


def _encoded(name: str, kind: _Event, value: Mapping[str, Any]) -> bytes:
    extra = {header: value[header] for header in kind.headers if value.get(header) is not None}
    inner = value if kind.payload is None else value.get(kind.payload)
    return _message(name, kind.content_type, extra, kind.write(inner) if inner is not None else b"")


def _exception(error: ServiceError, kinds: Mapping[str, _Event], stream: Shape) -> bytes:
    """A modelled exception by its member's name, any other as an error message."""
    name = next((member for member, shape in stream.members.items() if error.code in (member, shape.name)), None)
    if name is None:
        head = {":message-type": "error", ":error-code": error.code, ":error-message": error.message}
        return encode_message(head, b"")
    members = stream.members[name].members
    text = next((member for member in members if member.lower() == "message"), None)
    body = {**error.members, text: error.message} if text else dict(error.members)
    kind = kinds[name]
    head = {":message-type": "exception", ":exception-type": name, ":content-type": kind.content_type}
    return encode_message(head, kind.write(body))


def _message(name: str, content_type: str, extra: Mapping[str, Any], payload: bytes) -> bytes:
    headers: dict[str, Any] = {":message-type": "event", ":event-type": name}
    if content_type:
        headers[":content-type"] = content_type
    return encode_message({**headers, **extra}, payload)


def _raw(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _nothing(value: Mapping[str, Any]) -> bytes:
    return b""
