"""What rest-json and rest-xml share: members in the path, the query string, headers, the status and the payload.

Each member's place is compiled once into a closure; the body format is given by the two protocols.
AWS: Smithy, "HTTP bindings".
"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http_dates import read_http_date
from undercast.core.record import record
from undercast.wire import s3
from undercast.wire.call import Call
from undercast.wire.draft import Draft, Encode, Parse
from undercast.wire.model import OperationModel, Shape
from undercast.wire.protocols.stream import CONTENT_TYPE, messages_of
from undercast.wire.protocols.xml import text_reader
from undercast.wire.values import blob_text, float_text, read_blob, timestamp_writer

Document = Callable[[Mapping[str, Any]], bytes]
NO_BODY = frozenset({204, 205, 304})


class BodyFormat(Protocol):
    """JSON or XML, for the part of a message that is a document."""

    content_type: str

    def reader(self, shape: Shape) -> Callable[[bytes], dict[str, Any]]:
        """A closure from a body to a structure's members."""
        ...

    def writer(self, shape: Shape, root: str) -> Document:
        """A closure from a structure's members to a body. `root` names the outermost element, where there is one."""
        ...

    def invalid(self, place: str, name: str, text: str) -> ServiceError:
        """The error for text in a header, query string or path that is no value of its type."""
        ...


@record
class _Place:
    """One member outside the body."""

    member: str
    wire_name: str
    read: Callable[[str], Any]
    kind: str


@record
class _Places:
    """All members outside the body, by place."""

    labels: tuple[_Place, ...]
    query: tuple[_Place, ...]
    headers: Mapping[str, _Place]
    """By the header's name: a request has fewer headers than an operation of S3 has members."""
    prefixes: tuple[_Place, ...]


def compile_operation(operation: OperationModel, fmt: BodyFormat, root: str) -> tuple[Parse, Encode]:
    """The operation's closures. `root` names the output's outermost element."""
    return _compile_parse(operation, fmt), _compile_encode(operation, fmt, root)


def _compile_parse(operation: OperationModel, fmt: BodyFormat) -> Parse:
    shape = operation.input
    places = _Places(
        labels=_places(shape, "uri"),
        query=_places(shape, "querystring"),
        headers={place.wire_name: place for place in _places(shape, "header")},
        prefixes=_places(shape, "headers"),
    )
    read_body = _body_reader(shape, fmt)
    read_query = _query_reader(places.query, frozenset(name for name, _ in operation.route.literals), fmt)

    def parse(call: Call, body: bytes | BodyStream) -> dict[str, Any]:
        found: dict[str, Any] = {}
        labels = call.labels
        for place in places.labels:
            found[place.member] = _read(fmt, "path", place, labels[place.wire_name])
        if call.query and places.query:
            read_query(call.query, found)
        if places.headers or places.prefixes:
            _read_headers(places, call, fmt, found)
        read_body(body, found)
        return found

    return parse


def _places(shape: Shape, location: str) -> tuple[_Place, ...]:
    return tuple(
        _Place(
            member=name,
            wire_name=(member.wire_name or name).lower() if location[:6] == "header" else member.wire_name or name,
            read=_place_reader(member),
            kind="map of lists" if member.type == "map" and member.value.type == "list" else member.type,
        )
        for name, member in shape.members.items()
        if member["location"] == location
    )


def _place_reader(shape: Shape) -> Callable[[str], Any]:
    """`_text_reader`, but for S3's dates: no other service has headers of these names."""
    name = (shape.wire_name or "").lower()
    if name in s3.CONDITIONAL_DATES:
        return _date_if_one
    return str if name in s3.FREE_DATES else _text_reader(shape)


def _date_if_one(text: str) -> datetime | None:
    try:
        return read_http_date(text.strip())
    except ValueError:
        return None


def _text_reader(shape: Shape) -> Callable[[str], Any]:
    if shape["jsonvalue"]:
        return lambda text: json.loads(read_blob(text))
    if shape.type == "list":
        convert = text_reader(shape.member)
        if shape["location"] != "header":
            return convert
        return lambda text: [convert(part.strip().strip('"')) for part in text.split(",") if part.strip()]
    if shape.type == "map":
        return str
    convert = text_reader(shape)
    return convert if shape.type in ("string", "blob") else lambda text: convert(text.strip())


def _read(fmt: BodyFormat, where: str, place: _Place, text: str) -> Any:
    try:
        return place.read(text)
    except ValueError:
        raise fmt.invalid(where, place.wire_name, text) from None


def _query_reader(
    places: tuple[_Place, ...], literals: frozenset[str], fmt: BodyFormat
) -> Callable[[Any, dict[str, Any]], None]:
    by_name = {place.wire_name: place for place in places if not place.kind.startswith("map")}
    rest = next((place for place in places if place.kind.startswith("map")), None)

    def read(query: tuple[tuple[str, str], ...], found: dict[str, Any]) -> None:
        for name, text in query:
            place = by_name.get(name)
            if place is None:
                if rest is not None and name not in literals:
                    _add_to_map(found.setdefault(rest.member, {}), name, text, many=rest.kind == "map of lists")
            elif place.kind == "list":
                found.setdefault(place.member, []).append(_read(fmt, "query string", place, text))
            elif place.member not in found and (text or place.kind == "string"):
                found[place.member] = _read(fmt, "query string", place, text)

    return read


def _add_to_map(found: dict[str, Any], name: str, text: str, *, many: bool) -> None:
    if many:
        found.setdefault(name, []).append(text)
    else:
        found.setdefault(name, text)


def _read_headers(places: _Places, call: Call, fmt: BodyFormat, found: dict[str, Any]) -> None:
    headers = call.request.headers
    if call.signature is not None and call.signature.kind == "presigned" and call.service == s3.SERVICE:
        headers = s3.hoisted_headers(headers, call.query)
    for name, text in headers.items():
        place = places.headers.get(name)
        if place is not None and (text or place.kind == "string"):
            value = _read(fmt, "header", place, _unicode(text))
            if value is not None:
                found[place.member] = value
    for place in places.prefixes:
        cut = len(place.wire_name)
        matching = {name[cut:]: _unicode(text) for name, text in headers.items() if name.startswith(place.wire_name)}
        if matching:
            found[place.member] = matching


def _unicode(text: str) -> str:
    """Header text: HTTP hands it on as Latin-1, AWS's SDKs mean UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _body_reader(shape: Shape, fmt: BodyFormat) -> Callable[[bytes | BodyStream, dict[str, Any]], None]:
    payload = shape["payload"]
    if payload is not None:
        return _payload_reader(payload, shape.members[payload], fmt)
    inside = tuple(name for name, member in shape.members.items() if member["location"] is None)
    if not inside:
        return _ignore
    read = fmt.reader(shape.restricted(inside))

    def members(body: bytes | BodyStream, found: dict[str, Any]) -> None:
        if body:
            found.update(read(_whole(body)))

    return members


def _payload_reader(name: str, shape: Shape, fmt: BodyFormat) -> Callable[[bytes | BodyStream, dict[str, Any]], None]:
    if shape.type == "structure":
        read = fmt.reader(shape)
    elif shape.type == "string":
        read = _utf8
    else:
        read = _same

    def payload(body: bytes | BodyStream, found: dict[str, Any]) -> None:
        if isinstance(body, BodyStream):
            found[name] = body
        elif body:
            found[name] = read(body)

    return payload


def _ignore(body: bytes | BodyStream, found: dict[str, Any]) -> None:
    return


def _whole(body: bytes | BodyStream) -> bytes:
    if not isinstance(body, bytes):
        raise TypeError("only a streaming payload is given as a stream")
    return body


def _utf8(body: bytes) -> Any:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ServiceError("SerializationException", "The request body is not valid UTF-8.") from None


def _same(body: bytes) -> Any:
    return body


def _compile_encode(operation: OperationModel, fmt: BodyFormat, root: str) -> Encode:
    shape = operation.output
    status = operation.route.status
    status_member = next((name for name, member in shape.members.items() if member["location"] == "statusCode"), None)
    write_headers = _header_writer(shape)
    write_body = _body_writer(operation, fmt, root)
    head_only = operation.route.method == "HEAD"

    def encode(output: Mapping[str, Any], request_id: str) -> Draft:
        draft = Draft(status=status)
        if status_member is not None and output.get(status_member) is not None:
            draft.status = output[status_member]
        write_headers(output, draft)
        if not head_only and draft.status not in NO_BODY:
            write_body(output, draft)
        return draft

    return encode


def _header_writer(shape: Shape) -> Callable[[Mapping[str, Any], Draft], None]:
    single = {}
    prefixed = []
    length_member = None
    for name, member in shape.members.items():
        if member["location"] == "header":
            if (member.wire_name or name).lower() == "content-length":
                length_member = name
            else:
                text = _header_text(member)
                wire_name = member.wire_name or name
                single[name] = wire_name, _as_sent(text) if wire_name.lower() in s3.FREE_DATES else text
        elif member["location"] == "headers":
            prefixed.append((name, member.wire_name or ""))

    def write(output: Mapping[str, Any], draft: Draft) -> None:
        for name, value in output.items():
            found = single.get(name)
            if found is not None and value is not None:
                draft.headers.append((found[0], found[1](value)))
        if length_member is not None:
            draft.length = output.get(length_member)
        for name, prefix in prefixed:
            for key, value in (output.get(name) or {}).items():
                draft.headers.append((prefix + key, value))

    return write


def _as_sent(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: value if isinstance(value, str) else write(value)


def _header_text(shape: Shape) -> Callable[[Any], str]:
    kind = shape.type
    if shape["jsonvalue"]:
        return lambda value: b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()
    if kind == "timestamp":
        return timestamp_writer(shape["timestampFormat"] or "rfc822")
    if kind == "boolean":
        return lambda value: "true" if value else "false"
    if kind == "list":
        item = _header_text(shape.member)
        return lambda value: ",".join(item(one) for one in value)
    if kind == "blob":
        return blob_text
    return float_text if kind in ("float", "double") else str


def _body_writer(operation: OperationModel, fmt: BodyFormat, root: str) -> Callable[[Mapping[str, Any], Draft], None]:
    shape = operation.output
    payload = shape["payload"]
    if payload is not None:
        return _payload_writer(payload, shape.members[payload], fmt)
    inside = tuple(name for name, member in shape.members.items() if member["location"] is None)
    if not inside:
        return _write_nothing
    write = fmt.writer(shape.restricted(inside), root)
    content_type = fmt.content_type

    def members(output: Mapping[str, Any], draft: Draft) -> None:
        draft.headers.append(("Content-Type", content_type))
        draft.body = write(output)

    return members


def _write_nothing(output: Mapping[str, Any], draft: Draft) -> None:
    return


def _payload_writer(name: str, shape: Shape, fmt: BodyFormat) -> Callable[[Mapping[str, Any], Draft], None]:
    if shape["eventstream"]:
        return _event_writer(name, shape, fmt)
    if shape.type != "structure":
        default_type = "application/octet-stream" if shape.type == "blob" else "text/plain"
        return lambda output, draft: _write_raw(output.get(name), draft, default_type)
    write = fmt.writer(shape, shape.wire_name or shape.name)

    def document(output: Mapping[str, Any], draft: Draft) -> None:
        value = output.get(name)
        if value is not None:
            draft.headers.append(("Content-Type", fmt.content_type))
            draft.body = write(value)

    return document


def _event_writer(name: str, shape: Shape, fmt: BodyFormat) -> Callable[[Mapping[str, Any], Draft], None]:
    messages = messages_of(shape, lambda inner: fmt.writer(inner, inner.wire_name or inner.name), fmt.content_type)

    def events(output: Mapping[str, Any], draft: Draft) -> None:
        draft.headers.append(("Content-Type", CONTENT_TYPE))
        draft.body = messages(output.get(name), b"")

    return events


def _write_raw(value: Any, draft: Draft, default_type: str) -> None:
    if value is None:
        return
    for header, _ in draft.headers:
        if header.lower() == "content-type":
            break
    else:
        draft.headers.append(("Content-Type", default_type))
    if isinstance(value, str):
        draft.body = value.encode()
    elif isinstance(value, bytes | bytearray):
        draft.body = bytes(value)
    elif isinstance(value, BodyStream) and value.buffered is not None:
        draft.body = value.buffered
    else:
        if isinstance(value, BodyStream) and draft.length is None:
            draft.length = value.length
        draft.body = _iterator(value)


def _iterator(value: BodyStream | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return value.__aiter__()
