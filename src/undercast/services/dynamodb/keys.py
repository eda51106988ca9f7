"""The keys of items: checked against the table's schema, and as bytes that compare in DynamoDB's order.

Pure. A partition key's bytes begin with a hash of it, which is the order of a Scan and what its segments divide.
AWS: DynamoDB Developer Guide, "Core components of Amazon DynamoDB", "Partitions and data distribution"; "Quotas".
"""

from collections.abc import Iterable, Mapping
from hashlib import md5
from typing import NamedTuple

from undercast.core.errors import ServiceError
from undercast.services.dynamodb import numbers
from undercast.services.dynamodb.errors import invalid, invalid_value, wrong_key
from undercast.services.dynamodb.expressions.syntax import Path
from undercast.services.dynamodb.models import Index, KeySchema, Table
from undercast.services.dynamodb.values import check_names, checked, kind_of, text_size
from undercast.services.item_text import Item, Value

MAX_HASH_BYTES, MAX_RANGE_BYTES = 2048, 1024
HASH_PREFIX = 4


class Key(NamedTuple):
    """Where an item is; `range` is empty where there is no sort key."""

    hash: bytes
    range: bytes

    @property
    def joined(self) -> bytes:
        """Both in one, for the entries of indexes."""
        return len(self.hash).to_bytes(2, "big") + self.hash + self.range


def encoded(value: Value) -> bytes:
    """A key value's bytes: they compare as the values do."""
    ((kind, inner),) = value.items()
    if kind == "S":
        return bytes(inner.encode())
    return numbers.key(inner) if kind == "N" else bytes(inner)


def partition(value: Value) -> bytes:
    """A partition key's bytes."""
    plain = encoded(value)
    return md5(plain, usedforsecurity=False).digest()[:HASH_PREFIX] + plain


def key_in(table: Table, item: Mapping[str, Value]) -> Key:
    """The key of an item that is to be stored. Raises ValidationException."""
    for name in table.key.names:
        value = item.get(name)
        if value is None:
            raise invalid_value(f"Missing the key {name} in the item")
        if kind_of(value) != (expected := table.types[name]):
            raise invalid_value(f"Type mismatch for key {name} expected: {expected} actual: {kind_of(value)}")
        check_key_value(name, value)
    return _sized(table.key, item)


def key_of(table: Table, given: Mapping[str, Value]) -> tuple[Key, Item]:
    """A request's Key: (its bytes, its canonical form). Raises ValidationException."""
    schema = table.key
    check_names(given)
    if len(given) != len(schema.names):
        raise wrong_key()
    found: Item = {}
    for name in schema.names:
        value = given.get(name)
        if value is None:
            raise wrong_key()
        found[name], _ = checked(value)
        if kind_of(found[name]) != table.types[name]:
            raise wrong_key()
        check_key_value(name, found[name])
    return _sized(schema, found), found


def check_scalars(table: Table, paths: Iterable[Path]) -> None:
    """Raises ValidationException for a path that goes into a key attribute, of the table or of an index."""
    for path in paths:
        name = str(path.parts[0])
        if len(path.parts) > 1 and name in table.types:
            what = "Key" if name in table.key.names else "IndexKey"
            raise invalid(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                f"{what}: {name}"
            )


def check_key_value(name: str, value: Value) -> None:
    """Raises ValidationException for an empty one."""
    ((kind, inner),) = value.items()
    if not inner:
        what = "string" if kind == "S" else "binary"
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {what} value. Key: {name}"
        )


def _sized(schema: KeySchema, item: Mapping[str, Value]) -> Key:
    hash_value = item[schema.hash]
    if _size(hash_value) > MAX_HASH_BYTES:
        raise invalid_value(f"Size of hashkey has exceeded the maximum size limit of{MAX_HASH_BYTES} bytes")
    if not schema.range:
        return Key(partition(hash_value), b"")
    range_value = item[schema.range]
    if _size(range_value) > MAX_RANGE_BYTES:
        raise invalid_value(f"Aggregated size of all range keys has exceeded the size limit of {MAX_RANGE_BYTES} bytes")
    return Key(partition(hash_value), encoded(range_value))


def _size(value: Value) -> int:
    ((kind, inner),) = value.items()
    return text_size(inner) if kind == "S" else len(inner)


def index_key(index: Index, item: Mapping[str, Value]) -> Key | None:
    """The item's place in an index; None where it lacks a key attribute."""
    schema = index.key
    hash_value = item.get(schema.hash)
    if hash_value is None:
        return None
    if not schema.range:
        return Key(partition(hash_value), b"")
    range_value = item.get(schema.range)
    return None if range_value is None else Key(partition(hash_value), encoded(range_value))


def check_index_keys(table: Table, item: Mapping[str, Value]) -> None:
    """Raises ValidationException for an item whose attributes cannot be an index's key."""
    for index in table.indexes:
        for name in index.key.names:
            value = item.get(name)
            if value is None or name in table.key.names:
                continue
            kind, expected = kind_of(value), table.types[name]
            if kind != expected:
                raise invalid_value(
                    f"Type mismatch for Index Key {name} Expected: {expected} Actual: {kind} IndexName: {index.name}"
                )
            if not value[kind]:
                raise _empty_index_key(index, name, kind)
            limit = MAX_HASH_BYTES if name == index.key.hash else MAX_RANGE_BYTES
            if _size(value) > limit:
                what = "hashkey" if name == index.key.hash else "rangekey"
                raise invalid_value(f"Size of {what} has exceeded the maximum size limit of {limit} bytes")


def _empty_index_key(index: Index, name: str, kind: str) -> ServiceError:
    what = "string" if kind == "S" else "binary"
    return invalid(
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
        f"The AttributeValue for a key attribute cannot contain an empty {what} value. IndexName: {index.name}, "
        f"IndexKey: {name}"
    )


def after_prefix(prefix: bytes) -> bytes | None:
    """The least bytes above all that begin so; None where nothing is above."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,)) if trimmed else None
