"""rest-xml: HTTP bindings, documents as XML. Of the services here only S3 speaks it; its oddities are in `wire.s3`.

AWS: Smithy, "AWS restXml protocol"; S3 API Reference, "Error responses".
"""

from collections.abc import Callable, Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.wire import s3
from undercast.wire.draft import Draft, Failure
from undercast.wire.model import Shape
from undercast.wire.protocols.xml import Write, XmlCompiler, malformed, namespace_of, parse_document, text_of

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_HEADERS = [("Content-Type", "application/xml")]


class XmlBodies:
    """XML as the body format of one service. `namespace` is on every root element."""

    content_type = "application/xml"

    def __init__(self, xml: XmlCompiler, namespace: str | None) -> None:
        self._xml = xml
        self._namespace = f' xmlns="{namespace}"' if namespace else ""

    def reader(self, shape: Shape) -> Callable[[bytes], dict[str, Any]]:
        """See `BodyFormat`."""
        read = self._xml.reader(shape)

        def document(data: bytes) -> dict[str, Any]:
            try:
                found: dict[str, Any] = read(parse_document(data))
            except (ValueError, RecursionError):
                raise malformed() from None
            return found

        return document

    def writer(self, shape: Shape, root: str) -> Callable[[Mapping[str, Any]], bytes]:
        """See `BodyFormat`."""
        content = self._bare(shape) if root in s3.BARE_TEXT else self._xml.content(shape)
        opening = f"{_DECLARATION}<{root}{namespace_of(shape) or self._namespace}>"
        closing = f"</{root}>"

        def document(value: Mapping[str, Any]) -> bytes:
            out = [opening]
            content(value, out)
            out.append(closing)
            return "".join(out).encode("utf-8", "replace")

        return document

    def _bare(self, shape: Shape) -> Write:
        """The only member's text, without an element of its own."""
        ((name, member),) = shape.members.items()
        text = self._xml.scalar(member)

        def content(value: Mapping[str, Any], out: list[str]) -> None:
            if value.get(name) is not None:
                out.append(text(value[name]))

        return content

    def invalid(self, place: str, name: str, text: str) -> ServiceError:
        """See `BodyFormat`."""
        return s3.invalid_value(place, name, text[:1024])


def encode_failure(failure: Failure) -> Draft:
    """S3's error document. Members that the model lacks (Key, BucketName, Resource) go out by their names."""
    error = failure.error
    out = [f"{_DECLARATION}<Error><Code>{text_of(failure.code)}</Code><Message>{text_of(error.message)}</Message>"]
    for name, value in error.members.items():
        if value is not None and not isinstance(value, dict | list):
            text = ("true" if value else "false") if isinstance(value, bool) else str(value)
            out.append(f"<{name}>{text_of(text)}</{name}>")
    out.append(f"<RequestId>{text_of(failure.request_id)}</RequestId>")
    out.append(f"<HostId>{s3.extended_request_id(failure.request_id)}</HostId></Error>")
    return Draft(status=failure.status, headers=list(_HEADERS), body="".join(out).encode("utf-8", "replace"))
