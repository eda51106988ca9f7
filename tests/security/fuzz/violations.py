"""From an operation's model, requests that each break one constraint: required, length, range, pattern, enum.

What the wire cannot say (an empty path segment, an empty list in a form) is left out. AWS: the constraints of the
service models, which each operation's API reference repeats.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel

from tests.conformance.values import Values
from undercast.wire.patterns import matcher

LONGEST = 300_000
NAMES = {"Bucket": "violated", "FunctionName": "violated", "Key": "violated", "CopySource": "violated/source"}
"""Texts in whose place the models' samples would be found wrong, or missing, before anything else is."""
MASKS = {
    "PutBucketAcl": ("AccessControlPolicy", ("Owner",)),
    "PutObjectAcl": ("AccessControlPolicy", ("Owner",)),
    "CreateBucket": ("CreateBucketConfiguration", ("Location", "Bucket")),
    "DeleteObjects": ("Delete", ("Objects.LastModifiedTime", "Objects.Size", "Objects.ETag", "Objects.VersionId")),
    "PutBucketVersioning": ("VersioningConfiguration", ("MFADelete",)),
    "PutBucketWebsite": ("WebsiteConfiguration", ("RedirectAllRequestsTo",)),
}
"""Operation -> a member, and what of its sample is refused or excludes the rest: it would be what is answered to."""
_HEAD = ("uri", "header", "headers", "querystring")
_STRANGE = ("!", " a b", "é漢", "x" * 3000, "{}", "a//", "-", "0", "A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Parameters that break one constraint."""

    path: str
    constraint: str
    params: dict[str, Any]


def violations(operation: OperationModel, protocol: str) -> Iterator[Violation]:
    """Every violation of an operation's input that a request can carry."""
    shape: Any = operation.input_shape
    if shape is None:
        return
    full = Values(edge="low", timestamp_default="whole").of(shape)
    full |= {name: value for name, value in NAMES.items() if isinstance(full.get(name), str)}
    if operation.name in MASKS:
        _unmask(full, *MASKS[operation.name])
    base = {name: full[name] for name in shape.required_members if name in full}
    for name, member in shape.members.items():
        where = member.serialization.get("location", "")
        if member.serialization.get("streaming") or member.serialization.get("eventstream"):
            continue
        if name in shape.required_members and where != "uri":
            without = {other: value for other, value in base.items() if other != name}
            yield Violation(path=name, constraint="required", params=without)
        if name not in full:
            continue
        for path, constraint, value in _spoilt(member, full[name], name, _Way(protocol=protocol, where=where)):
            yield Violation(path=path, constraint=constraint, params={**base, name: value})


def _unmask(full: dict[str, Any], member: str, masks: tuple[str, ...]) -> None:
    for mask in masks:
        name, _, inner = mask.partition(".")
        found = full[member]
        for one in found[name] if inner else [found]:
            one.pop(inner or name, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How a value travels."""

    protocol: str
    where: str

    @property
    def in_head(self) -> bool:
        return self.where in _HEAD


Spoilt = Iterator[tuple[str, str, Any]]


def _spoilt(shape: Any, value: Any, path: str, way: _Way) -> Spoilt:
    """(path, constraint, the value with one thing wrong)."""
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path, way)
    elif kind == "list":
        yield from _list(shape, value, path, way)
    elif kind == "map":
        for key, item in value.items():
            for inner, constraint, wrong in _spoilt(shape.value, item, f"{path}.value", way):
                yield inner, constraint, {**value, key: wrong}
            for inner, constraint, wrong in _spoilt(shape.key, key, f"{path}.key", way):
                yield inner, constraint, {wrong: item}
            break
    elif kind in ("integer", "long", "float", "double"):
        yield from _number(shape, path)
    elif kind == "string":
        yield from _text(shape, path, way)


def _structure(shape: Any, value: dict[str, Any], path: str, way: _Way) -> Spoilt:
    for name in shape.required_members:
        if name in value and (len(value) > 1 or way.protocol != "query"):
            without = {other: copy.deepcopy(item) for other, item in value.items() if other != name}
            yield f"{path}.{name}", "required", without
    for name, item in value.items():
        for inner, constraint, wrong in _spoilt(shape.members[name], item, f"{path}.{name}", way):
            yield inner, constraint, {**value, name: wrong}


def _list(shape: Any, value: list[Any], path: str, way: _Way) -> Spoilt:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if low and way.protocol not in ("query", "rest-xml") and not way.in_head:
        yield path, "at least", []
    if high is not None and high < 2000 and value:
        yield path, "at most", [*value, *([value[0]] * (high + 1 - len(value)))]
    if value:
        for inner, constraint, wrong in _spoilt(shape.member, value[0], f"{path}.1", way):
            yield inner, constraint, [wrong, *value[1:]]


def _number(shape: Any, path: str) -> Spoilt:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None:
        yield path, "minimum", low - 1
    if high is not None:
        yield path, "maximum", high + 1


def _text(shape: Any, path: str, way: _Way) -> Spoilt:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    longest = 4000 if way.in_head else LONGEST
    if high is not None and high < longest:
        yield path, "at most", "a" * (high + 1)
    if low and not way.in_head:
        yield path, "at least", "a" * (low - 1)
    if shape.enum:
        yield path, "enum", "not-one-of-them"
    accepts = matcher(shape.metadata["pattern"]) if shape.metadata.get("pattern") else None
    if accepts is not None:
        fitting = (
            text for text in _STRANGE if not way.in_head or (text.isascii() and len(text) < 1000 and "/" not in text)
        )
        wrong = next((text for text in fitting if low <= len(text) <= (high or LONGEST) and not accepts(text)), None)
        if wrong is not None:
            yield path, "pattern", wrong
