"""The records that an import reads as items, or as errors.

Pure.
AWS: DynamoDB Developer Guide, "Amazon S3 import formats for DynamoDB".
"""

import base64
import binascii
import csv
from collections.abc import Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.record import record
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.keys import Key, check_index_keys, key_in
from undercast.services.dynamodb.models import Table
from undercast.services.dynamodb.values import MAX_DEPTH, MAX_ITEM_BYTES, TYPES, checked_item
from undercast.services.item_text import Item, with_binaries

_JSON_TYPES: Mapping[str, type[Any]] = {"M": dict, "BOOL": bool, "NULL": bool, "S": str, "N": str, "B": str}
"""Those that are no lists."""


@record(kw_only=False)
class Ready:
    """An item that the table can hold."""

    key: Key
    item: Item
    size: int


def json_item(text: str) -> Item:
    """The item of a line `{"Item": {...}}`. Raises ValidationException."""
    try:
        found = json_values.parse(text)
    except ValueError:
        raise invalid("Unexpected token") from None
    if not isinstance(found, dict) or not isinstance(found.get("Item"), dict):
        raise invalid("Expected 'Item' top level container")
    item: Item = found["Item"]
    try:
        for value in item.values():
            _check_value(value, 0)
        return with_binaries(item, '"B":')  # whatever white space the text has
    except (binascii.Error, ValueError):
        raise invalid("A binary value is not base64") from None


def _check_value(value: Any, depth: int) -> None:
    """Raises ValidationException for what is no attribute value."""
    if not isinstance(value, dict) or len(value) != 1:
        raise invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
    kind: str = next(iter(value))
    inner: Any = value[kind]
    if kind not in TYPES:
        raise invalid(f"Unsupported datatype: {kind}")
    if depth > MAX_DEPTH:
        raise invalid("Nesting Levels have exceeded supported limits")
    if not isinstance(inner, _JSON_TYPES.get(kind, list)):
        raise invalid(f"Unexpected value of datatype {kind}")
    if kind in ("M", "L"):
        for one in inner.values() if kind == "M" else inner:
            _check_value(one, depth + 1)
    elif kind in ("SS", "NS", "BS") and not all(isinstance(one, str) for one in inner):
        raise invalid(f"Unexpected value of datatype {kind}")


def csv_row(text: str, delimiter: str) -> list[str]:
    """The fields of a record. Raises ValidationException."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise invalid(f"The record is not CSV: {error}") from None


def csv_item(header: list[str], row: list[str], types: Mapping[str, str]) -> Item:
    """Every field is a string, but for keys of the table and its indexes. Raises ValidationException."""
    if len(row) != len(header):
        raise invalid(f"The record has {len(row)} fields, the header {len(header)}")
    return {name: _typed(name, field, types.get(name, "S")) for name, field in zip(header, row, strict=True)}


def _typed(name: str, field: str, kind: str) -> Mapping[str, Any]:
    if kind != "B":
        return {kind: field}
    try:
        return {"B": base64.b64decode(field, validate=True)}
    except binascii.Error:
        raise invalid(f"The value of {name} is not base64") from None


def ready(table: Table, item: Item) -> Ready:
    """The item as the table keeps it. Raises ValidationException."""
    try:
        found, size = checked_item(item)
    except UnicodeEncodeError:
        raise invalid("A string is not UTF-8 text") from None
    if size > MAX_ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    check_index_keys(table, found)
    return Ready(key_in(table, found), found, size)
