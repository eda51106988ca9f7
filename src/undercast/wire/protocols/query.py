"""The query protocol: Action, Version and flattened parameters in, XML out.

Parameters are first made a tree by their dots, then read by shape, so depth is bounded by the model.
AWS: Smithy, "AWS query protocol".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.wire.call import Call
from undercast.wire.draft import Draft, Encode, Failure, Parse
from undercast.wire.model import OperationModel, Shape
from undercast.wire.protocols.once import once
from undercast.wire.protocols.xml import XmlCompiler, element_name, text_of, text_reader

Node = dict[str, Any]
"""Children by name; the node's own value is under "" (no name is empty)."""
Read = Callable[[Node], Any]

MAX_DEPTH = 64
MAX_INDEX_DIGITS = 7
_HEADERS = [("Content-Type", "text/xml")]


class QueryCompiler:
    """Compiles the input shapes of one service."""

    def __init__(self) -> None:
        self._readers: dict[str, Read] = {}

    def reader(self, shape: Shape) -> Read:
        """A closure from a node to a value."""
        return once(self._readers, shape, self._read)

    def _read(self, shape: Shape) -> Read:
        if shape.type == "structure":
            return self._read_structure(shape)
        if shape.type == "list":
            return self._read_list(shape)
        if shape.type == "map":
            return self._read_map(shape)
        convert = text_reader(shape)

        def scalar(node: Node) -> Any:
            text = node.get("")
            if text is None:
                raise _malformed("Start of structure or map found where not expected")
            try:
                return convert(text)
            except ValueError:
                raise _malformed(f"Unable to parse value {text[:64]} as {shape.type}") from None

        return scalar

    def _read_structure(self, shape: Shape) -> Read:
        members = {element_name(name, member): (name, self.reader(member)) for name, member in shape.members.items()}

        def structure(node: Node) -> dict[str, Any]:
            found = {}
            for key, child in node.items():
                member = members.get(key)
                if member is not None:
                    found[member[0]] = member[1](child)
            return found

        return structure

    def _read_list(self, shape: Shape) -> Read:
        read = self.reader(shape.member)
        inner = None if shape["flattened"] else shape.member.query_name or "member"

        def items(node: Node) -> list[Any]:
            if inner is not None and inner in node:
                node = node[inner]
            return [read(child) for _, child in _indexed(node)]

        return items

    def _read_map(self, shape: Shape) -> Read:
        key_name, value_name = shape.key.query_name or "key", shape.value.query_name or "value"
        read = self.reader(shape.value)
        flat = bool(shape["flattened"])

        def mapping(node: Node) -> dict[str, Any]:
            found = {}
            for _, entry in _indexed(node if flat else node.get("entry", {})):
                key = entry.get(key_name, {}).get("")
                if key is None or value_name not in entry:
                    raise _malformed("A map entry needs a key and a value")
                found[key] = read(entry[value_name])
            return found

        return mapping


def _indexed(node: Node) -> list[tuple[int, Node]]:
    """The children in the order of their indexes; gaps are allowed, as on AWS."""
    found = []
    for key, child in node.items():
        if not key:
            if child:
                raise _malformed("Unexpected scalar where a list or map was expected")
            continue
        if not (key.isascii() and key.isdecimal() and len(key) <= MAX_INDEX_DIGITS):
            raise _malformed(f"Unexpected complex element or index: {key[:64]}")
        found.append((int(key), child))
    return sorted(found, key=lambda pair: pair[0])


def tree_of(pairs: Iterable[tuple[str, str]]) -> Node:
    """The parameters as a tree: "Tags.member.1.Key=a" becomes {"Tags": {"member": {"1": {"Key": {"": "a"}}}}}."""
    root: Node = {}
    for name, value in pairs:
        node = root
        parts = name.split(".")
        if len(parts) > MAX_DEPTH:
            raise _malformed("Too many levels in a parameter name")
        for part in parts:
            if part:
                node = node.setdefault(part, {})
        if node is not root:
            node[""] = value
    return root


def compile_operation(operation: OperationModel, inputs: QueryCompiler, xml: XmlCompiler) -> tuple[Parse, Encode]:
    """The operation's closures."""
    read = inputs.reader(operation.input)
    wrapper = (operation.raw.get("output") or {}).get("resultWrapper") or f"{operation.name}Result"
    has_result = bool(operation.output.members) or "resultWrapper" in (operation.raw.get("output") or {})
    content = xml.content(operation.output)
    namespace = operation.service.metadata.get("xmlNamespace") or default_namespace(operation)
    opening = f'<{operation.name}Response xmlns="{namespace}">'

    def parse(call: Call, body: bytes | BodyStream) -> dict[str, Any]:
        found: dict[str, Any] = read(tree_of(call.query))
        return found

    def encode(output: Mapping[str, Any], request_id: str) -> Draft:
        out = [opening]
        if has_result:
            out.append(f"<{wrapper}>")
            content(output, out)
            out.append(f"</{wrapper}>")
        out.append(f"<ResponseMetadata><RequestId>{text_of(request_id)}</RequestId></ResponseMetadata>")
        out.append(f"</{operation.name}Response>")
        return Draft(headers=list(_HEADERS), body="".join(out).encode("utf-8", "replace"))

    return parse, encode


def default_namespace(operation: OperationModel) -> str:
    """The namespace of a service whose model has dropped it: they are all made alike."""
    metadata = operation.service.metadata
    return f"http://{metadata['endpointPrefix']}.amazonaws.com/doc/{metadata['apiVersion']}/"


def encode_failure(failure: Failure, xml: XmlCompiler | None) -> Draft:
    """An exception as ErrorResponse. `xml` is None when no service is known."""
    error = failure.error
    if failure.service is not None and failure.service.metadata.get("protocol") == "ec2":
        return _ec2_failure(failure)
    side = "Sender" if error.fault == "client" else "Receiver"
    metadata: Mapping[str, Any] = failure.service.metadata if failure.service else {}
    namespace = metadata.get("xmlNamespace")
    out = [f'<ErrorResponse xmlns="{namespace}">' if namespace else "<ErrorResponse>"]
    out.append(f"<Error><Type>{side}</Type><Code>{text_of(failure.code)}</Code>")
    out.append(f"<Message>{text_of(error.message)}</Message>")
    if failure.shape is not None and xml is not None and error.members:
        others = tuple(name for name in failure.shape.members if name.lower() not in ("message", "code", "type"))
        xml.content(failure.shape.restricted(others))(error.members, out)
    out.append(f"</Error><RequestId>{text_of(failure.request_id)}</RequestId></ErrorResponse>")
    return Draft(status=failure.status, headers=list(_HEADERS), body="".join(out).encode("utf-8", "replace"))


def _ec2_failure(failure: Failure) -> Draft:
    """Amazon EC2 API Reference, "Error codes" (Common client errors)."""
    text = (
        f"<Response><Errors><Error><Code>{text_of(failure.code)}</Code><Message>{text_of(failure.error.message)}"
        f"</Message></Error></Errors><RequestID>{text_of(failure.request_id)}</RequestID></Response>"
    )
    return Draft(status=failure.status, headers=list(_HEADERS), body=text.encode("utf-8", "replace"))


def _malformed(message: str) -> ServiceError:
    return ServiceError("MalformedInput", message)
