"""Items of DynamoDB as kept text: DynamoDB JSON with binaries in base64.

The form that the wire has, so that most items are not walked on their way in or out. Shared by DynamoDB and Streams.
AWS: DynamoDB API Reference, AttributeValue.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

Value = Mapping[str, Any]
Item = dict[str, Value]


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value)} is no attribute value")


dumped: Callable[[Any], str] = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, check_circular=False, default=_base64
).encode
"""An item, or any part of one, as the text that is kept."""


def loaded(text: str) -> Item:
    """An item from its text."""
    return with_binaries(json.loads(text), text)


def with_binaries(item: Item, text: str) -> Item:
    """An item that was parsed from a text, with its base64 decoded."""
    if '"B":' in text or '"BS":' in text:  # or an attribute of this name: the walk looks closer
        return {name: _with_bytes(value) for name, value in item.items()}
    return item


def _with_bytes(value: Value) -> Value:
    ((kind, inner),) = value.items()
    if kind == "B":
        return {"B": base64.b64decode(inner)}
    if kind == "BS":
        return {"BS": [base64.b64decode(one) for one in inner]}
    if kind == "M":
        return {"M": {name: _with_bytes(one) for name, one in inner.items()}}
    return {"L": [_with_bytes(one) for one in inner]} if kind == "L" else value
