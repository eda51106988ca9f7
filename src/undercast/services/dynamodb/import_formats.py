"""The objects that an import reads: decompressed, cut into records, each made an item or an error.

Pure but for the body that it reads. Records are lines; a quoted field of a CSV file may hold line ends.
AWS: DynamoDB Developer Guide, "Amazon S3 import formats for DynamoDB".
"""

import base64
import binascii
import csv
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.keys import Key, check_index_keys, key_in
from undercast.services.dynamodb.models import Table
from undercast.services.dynamodb.values import MAX_DEPTH, MAX_ITEM_BYTES, TYPES, checked_item
from undercast.services.item_text import Item, with_binaries

_GZIP_WINDOW = 31
_MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Far above what an item can be as JSON; a longer record is no item."""
_JSON_TYPES: Mapping[str, type[Any]] = {"M": dict, "BOOL": bool, "NULL": bool, "S": str, "N": str, "B": str}
"""Those that are no lists."""


class BrokenObject(ValueError):
    """An object that cannot be read to its end."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An item that the table can hold."""

    key: Key
    item: Item
    size: int


async def decompressed(chunks: AsyncIterator[bytes], compression: str) -> AsyncIterator[bytes]:
    """The object's content. `compression` is NONE or GZIP; of the latter, one member or several."""
    if compression != "GZIP":
        async for chunk in chunks:
            yield chunk
        return
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    begun = False
    async for chunk in chunks:
        left = chunk
        while left:
            if inflate.eof:
                inflate = zlib.decompressobj(_GZIP_WINDOW)
            begun = True
            try:
                data = inflate.decompress(left, _MAX_RECORD_BYTES)
            except zlib.error as error:
                raise BrokenObject(f"The object is not in GZIP format: {error}") from error
            yield data
            left = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if begun and not inflate.eof:
        raise BrokenObject("The object in GZIP format ends too early")


async def records(chunks: AsyncIterator[bytes], is_whole: Callable[[bytes], bool]) -> AsyncIterator[str]:
    """Line by line, without line ends; lines are joined until they are whole. Empty ones are left out."""
    pending, record = bytearray(), b""
    async for chunk in chunks:
        pending += chunk
        if len(pending) > 2 * _MAX_RECORD_BYTES or len(record) > _MAX_RECORD_BYTES:
            raise BrokenObject("A record of the object is too long for an item")
        if b"\n" not in chunk:
            continue
        *lines, rest = pending.split(b"\n")
        pending = bytearray(rest)
        for line in lines:
            record += bytes(line) if not record else b"\n" + bytes(line)
            if is_whole(record):
                if text := _text(record):
                    yield text
                record = b""
    last = record + (b"\n" if record and pending else b"") + bytes(pending)
    if text := _text(last):
        yield text


def _text(record: bytes) -> str:
    try:
        return record.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise BrokenObject("The object is not UTF-8 text") from error


def any_line(record: bytes) -> bool:
    """In DynamoDB JSON, each line is a record."""
    return True


def quotes_are_closed(record: bytes) -> bool:
    """In CSV, a line end between quotes belongs to a field."""
    return record.count(b'"') % 2 == 0


def json_item(text: str) -> Item:
    """The item of a line `{"Item": {...}}`. Raises ValidationException."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
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
