"""XML as the query and rest-xml protocols use it: elements by shape, flattened lists and maps, attributes, namespaces.

Writing appends strings to a list; reading walks what expat parsed. Each shape is compiled once.
AWS: Smithy, "XML bindings".
"""

import time
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from undercast.core.errors import ServiceError
from undercast.wire.draft import LARGE_BYTES
from undercast.wire.model import Shape
from undercast.wire.protocols.once import once
from undercast.wire.values import (
    blob_text,
    float_text,
    read_blob,
    read_boolean,
    read_float,
    read_integer,
    read_timestamp,
    timestamp_writer,
)

Write = Callable[[Any, list[str]], None]
Read = Callable[[ElementTree.Element], Any]
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_CONTROLS = {chr(code): f"&#{code};" for code in range(32)} | {"\x7f": "&#127;", "\x85": "&#133;"}
_REFERENCES = str.maketrans(_MARKUP | _CONTROLS)


def text_of(value: str) -> str:
    """Text as XML content. Control characters go out as references, as S3 sends them.

    The standard library's `escape` comes with its HTTP client, which takes 15 ms to load.
    """
    if not value.isprintable():
        return value.translate(_REFERENCES)
    for character, reference in _MARKUP.items():
        value = value.replace(character, reference)
    return value


class XmlCompiler:
    """Compiles the shapes of one service. `timestamp_format` is how it writes timestamps unless a shape says else."""

    def __init__(self, timestamp_format: str) -> None:
        self._timestamp_format = timestamp_format
        self._writers: dict[str, Write] = {}
        self._readers: dict[str, Read] = {}

    def element(self, shape: Shape, tag: str) -> Write:
        """A closure that writes a value as elements of that name."""
        if shape.type == "list":
            return self._list_element(shape, tag)
        if shape.type == "map":
            return self._map_element(shape, tag)
        if shape.type == "structure":
            return self._structure_element(shape, tag)
        write = self.scalar(shape)
        opening, closing = f"<{tag}>", f"</{tag}>"
        return lambda value, out: out.extend((opening, write(value), closing))

    def content(self, shape: Shape) -> Write:
        """A closure that writes the members of a structure, without an element around them."""
        return once(self._writers, shape, self._content)

    def scalar(self, shape: Shape) -> Callable[[Any], str]:
        """A closure from a scalar to XML text."""
        kind = shape.type
        if kind == "boolean":
            return lambda value: "true" if value else "false"
        if kind == "timestamp":
            return timestamp_writer(shape["timestampFormat"] or self._timestamp_format)
        if kind == "blob":
            return blob_text
        if kind in ("float", "double"):
            return float_text
        return str if kind in ("integer", "long") else text_of

    def reader(self, shape: Shape) -> Read:
        """A closure from an element to a value. Raises ValueError for text that is no such value."""
        return once(self._readers, shape, self._read)

    def _content(self, shape: Shape) -> Write:
        members = {
            name: self.element(member, element_name(name, member))
            for name, member in shape.members.items()
            if not member["xmlAttribute"]
        }

        def content(value: Mapping[str, Any], out: list[str]) -> None:
            for name, write in members.items():
                item = value.get(name)
                if item is not None:
                    write(item, out)

        return content

    def _structure_element(self, shape: Shape, tag: str) -> Write:
        content = self.content(shape)
        opening = tag + namespace_of(shape)
        attributes = [
            (name, member.query_name or name, self.scalar(member))
            for name, member in shape.members.items()
            if member["xmlAttribute"]
        ]

        def structure(value: Mapping[str, Any], out: list[str]) -> None:
            out.append(f"<{opening}")
            for name, attribute, text in attributes:
                if value.get(name) is not None:
                    out.append(f' {attribute}="{text(value[name])}"')
            out.append(">")
            content(value, out)
            out.append(f"</{tag}>")

        return structure

    def _list_element(self, shape: Shape, tag: str) -> Write:
        if shape["flattened"]:
            item = self._item(shape.member, tag)

            def flat(value: Any, out: list[str]) -> None:
                for one in value:
                    item(one, out)

            return flat
        item = self._item(shape.member, shape.member.query_name or "member")

        def nested(value: Any, out: list[str]) -> None:
            out.append(f"<{tag}>")
            for one in value:
                item(one, out)
            out.append(f"</{tag}>")

        return nested

    def _item(self, shape: Shape, tag: str) -> Write:
        """The element of one item; deferred, because a list can be reached again from what it holds."""
        if shape.type != "list":
            return self.element(shape, tag)
        compiled: list[Write] = []

        def item(value: Any, out: list[str]) -> None:
            if not compiled:
                compiled.append(self.element(shape, tag))
            compiled[0](value, out)

        return item

    def _map_element(self, shape: Shape, tag: str) -> Write:
        key = self.element(shape.key, shape.key.query_name or "key")
        item = self.element(shape.value, shape.value.query_name or "value")
        entry = tag if shape["flattened"] else "entry"
        before, after = ("", "") if shape["flattened"] else (f"<{tag}>", f"</{tag}>")

        def mapping(value: Mapping[str, Any], out: list[str]) -> None:
            out.append(before)
            for name, one in value.items():
                if one is not None:
                    out.append(f"<{entry}>")
                    key(name, out)
                    item(one, out)
                    out.append(f"</{entry}>")
            out.append(after)

        return mapping

    def _read(self, shape: Shape) -> Read:
        kind = shape.type
        if kind == "structure":
            return self._read_structure(shape)
        if kind == "list":
            item = self.reader(shape.member)
            return lambda node: [item(child) for child in node]
        if kind == "map":
            return self._read_map(shape)
        if kind == "blob":
            return lambda node: read_blob("".join((node.text or "").split()))
        convert = text_reader(shape)
        if kind == "string":
            return lambda node: convert(node.text or "")
        return lambda node: convert((node.text or "").strip())

    def _read_structure(self, shape: Shape) -> Read:
        members = {
            element_name(name, member): (name, self.reader(member.member if flat else member), flat)
            for name, member in shape.members.items()
            if not member["xmlAttribute"]
            for flat in (_is_flat(member),)
        }
        attributes = {
            (member.query_name or name).rpartition(":")[2]: name
            for name, member in shape.members.items()
            if member["xmlAttribute"]
        }

        def structure(node: ElementTree.Element) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for child in node:
                member = members.get(child.tag.rpartition("}")[2])
                if member is None:
                    continue
                name, read, flat = member
                if flat:
                    found.setdefault(name, []).append(read(child))
                else:
                    found[name] = read(child)
            for attribute, text in node.attrib.items():
                name_of = attributes.get(attribute.rpartition("}")[2])
                if name_of is not None:
                    found[name_of] = text
            return found

        return structure

    def _read_map(self, shape: Shape) -> Read:
        key_name, value_name = shape.key.query_name or "key", shape.value.query_name or "value"
        read = self.reader(shape.value)

        def mapping(node: ElementTree.Element) -> dict[str, Any]:
            found = {}
            for entry in node:
                parts = {child.tag.rpartition("}")[2]: child for child in entry}
                if key_name not in parts or value_name not in parts:
                    raise ValueError("a map entry needs a key and a value")
                found[parts[key_name].text or ""] = read(parts[value_name])
            return found

        return mapping


def _is_flat(shape: Shape) -> bool:
    return shape.type == "list" and bool(shape["flattened"])


def element_name(name: str, shape: Shape) -> str:
    """The element of a member: a flattened list's items carry the name that the list gives them."""
    if _is_flat(shape) and shape.member.query_name:
        return shape.member.query_name
    return shape.query_name or name


def namespace_of(shape: Shape) -> str:
    """The xmlns attribute of a shape with its leading space, or nothing."""
    namespace = shape["xmlNamespace"]
    if not namespace:
        return ""
    uri = namespace["uri"] if isinstance(namespace, dict) else namespace
    prefix = namespace.get("prefix") if isinstance(namespace, dict) else None
    return f' xmlns{":" + prefix if prefix else ""}="{uri}"'


def text_reader(shape: Shape) -> Callable[[str], Any]:
    """A closure from text to a scalar. Raises ValueError."""
    kind = shape.type
    if kind in ("integer", "long"):
        return lambda text: read_integer(text, kind)
    if kind in ("float", "double"):
        return read_float
    if kind == "boolean":
        return read_boolean
    if kind == "timestamp":
        return read_timestamp
    return read_blob if kind == "blob" else str


def parse_document(data: bytes) -> ElementTree.Element:
    """The root element. Raises MalformedXML; document type definitions are refused, entities with them.

    So is UTF-16, whose tags have a NUL each and which expat finds by the first bytes, whatever is declared: a
    definition in it is no ASCII. Every other encoding that expat reads has ASCII's bytes. SDKs write UTF-8.
    """
    if b"\0" in data or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise malformed()
    try:
        if len(data) <= LARGE_BYTES:
            return ElementTree.fromstring(data)
        parser = ElementTree.XMLParser()
        for at in range(0, len(data), LARGE_BYTES):
            parser.feed(data[at : at + LARGE_BYTES])
            time.sleep(0)  # in a thread: the parser holds the interpreter's lock
        root: ElementTree.Element = parser.close()
        return root
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        raise malformed() from None


def malformed() -> ServiceError:
    """S3's answer to a body that it cannot read."""
    return ServiceError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
