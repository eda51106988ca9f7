"""Tables and their indexes, as the operations see them.

Pure. A table is made from its row, and from nothing else.
AWS: DynamoDB API Reference, TableDescription.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.dynamodb.errors import invalid
from undercast.store.database import Row

_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_KEPT = 4096
"""Names that requests had last, which each of them asks for several times."""


class TableName(NamedTuple):
    """Which table a request means."""

    scope: Scope
    name: str

    @property
    def arn(self) -> str:
        """The table's."""
        return _arn(self)


@lru_cache(maxsize=_KEPT)
def _arn(of: TableName) -> str:
    return str(Arn.of(of.scope, "dynamodb", f"table/{of.name}"))


@lru_cache(maxsize=_KEPT)
def named(scope: Scope, text: str) -> TableName:
    """From a TableName parameter: a name, or an ARN. Raises ValidationException."""
    if text.startswith("arn:"):
        return named_by_arn(text)
    if not _NAME.fullmatch(text):
        if not 3 <= len(text) <= 255:
            raise invalid("TableName must be at least 3 characters long and at most 255 characters long")
        raise invalid(
            f"1 validation error detected: Value '{text}' at 'tableName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )
    return TableName(scope, text)


def named_by_arn(text: str) -> TableName:
    """From a table's ARN, or that of its index or stream. Raises ValidationException."""
    try:
        arn = Arn.parse(text)
    except ServiceError:
        raise _bad_arn(text) from None
    kind, _, rest = arn.resource.partition("/")
    if kind != "table" or arn.service != "dynamodb" or not rest:
        raise _bad_arn(text)
    return TableName(Scope(AccountId(arn.account_id), Region(arn.region)), rest.split("/")[0])


def _bad_arn(text: str) -> ServiceError:
    return invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {text}")


class KeySchema(NamedTuple):
    """The names of the partition key and of the sort key, "" for none."""

    hash: str
    range: str

    @property
    def names(self) -> tuple[str, ...]:
        """One or two."""
        return (self.hash, self.range) if self.range else (self.hash,)

    def described(self) -> list[dict[str, str]]:
        """As AWS shows it."""
        kinds = ("HASH", "RANGE")
        return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(self.names, kinds, strict=False)]


def key_schema(elements: list[Mapping[str, str]]) -> KeySchema:
    """Of a definition that was checked."""
    return KeySchema(elements[0]["AttributeName"], elements[1]["AttributeName"] if len(elements) > 1 else "")


@record
class Index:
    """A secondary index."""

    id: int
    name: str
    is_global: bool
    key: KeySchema
    projection: str
    """ALL, KEYS_ONLY or INCLUDE."""
    attributes: frozenset[str]
    """What its entries hold, unless it is ALL."""


@record
class Destination:
    """A stream of Kinesis that gets a table's changes."""

    stream_arn: str
    is_active: bool
    precision: str
    """MILLISECOND or MICROSECOND."""

    @property
    def units_per_s(self) -> int:
        """Of the times in its records."""
        return 1_000_000 if self.precision == "MICROSECOND" else 1000

    def kept(self) -> dict[str, Any]:
        """As the table's definition has it."""
        return {"StreamArn": self.stream_arn, "Active": self.is_active, "Precision": self.precision}


def _destinations(definition: Mapping[str, Any]) -> tuple[Destination, ...]:
    return tuple(
        Destination(stream_arn=one["StreamArn"], is_active=one["Active"], precision=one["Precision"])
        for one in definition.get("KinesisDestinations") or ()
    )


@record
class Table:
    """A table. `definition` is what CreateTable and UpdateTable said, completed."""

    id: int
    table_id: str
    of: TableName
    arn: str
    created_at: float
    key: KeySchema
    types: Mapping[str, str]
    """Of the key attributes of table and indexes."""
    indexes: tuple[Index, ...]
    definition: Mapping[str, Any]
    tags: Mapping[str, str]
    ttl_attribute: str
    ttl_changed_at: float
    stream: str
    """StreamViewType of the stream that is open, else ""."""
    recovery_days: int
    """How far back the table can be restored, 0 where point-in-time recovery is off."""
    recovery_since: float
    """When it was switched on; without meaning where it is off."""
    destinations: tuple[Destination, ...] = ()
    policy: Mapping[str, Any] | None = None
    """Its own policy, parsed."""

    @property
    def is_on_demand(self) -> bool:
        """BillingMode PAY_PER_REQUEST."""
        return bool(self.definition["BillingMode"] == "PAY_PER_REQUEST")

    @property
    def is_importing(self) -> bool:
        """Whether ImportTable has not filled it yet: its status is CREATING."""
        return "ImportArn" in self.definition

    @property
    def has_local_indexes(self) -> bool:
        """Whether there are item collections."""
        return any(not index.is_global for index in self.indexes)

    def index(self, name: str) -> Index:
        """By its name. Raises ValidationException."""
        for index in self.indexes:
            if index.name == name:
                return index
        raise invalid(f"The table does not have the specified index: {name}")


def table_of(row: Row, index_ids: Mapping[str, int]) -> Table:
    """From its row and the ids of its indexes."""
    definition = json.loads(row["definition"])
    of = TableName(Scope(AccountId(row["account_id"]), Region(row["region"])), row["name"])
    key = key_schema(definition["KeySchema"])
    specification = definition.get("StreamSpecification") or {}
    return Table(
        id=row["id"],
        table_id=row["table_id"],
        of=of,
        arn=of.arn,
        created_at=row["created_at"],
        key=key,
        types={one["AttributeName"]: one["AttributeType"] for one in definition["AttributeDefinitions"]},
        indexes=tuple(_indexes(definition, key, index_ids)),
        definition=definition,
        tags=json.loads(row["tags"]),
        ttl_attribute=row["ttl_attribute"],
        ttl_changed_at=row["ttl_changed_at"],
        stream=specification.get("StreamViewType", "") if specification.get("StreamEnabled") else "",
        recovery_days=row["recovery_days"],
        recovery_since=row["recovery_since"],
        destinations=_destinations(definition),
        policy=json.loads(definition["ResourcePolicy"]["Policy"]) if "ResourcePolicy" in definition else None,
    )


def _indexes(definition: Mapping[str, Any], table_key: KeySchema, ids: Mapping[str, int]) -> Iterator[Index]:
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for one in definition.get(member) or ():
            key = key_schema(one["KeySchema"])
            projection = one["Projection"]
            named = projection.get("NonKeyAttributes") or ()
            yield Index(
                id=ids[one["IndexName"]],
                name=one["IndexName"],
                is_global=member == "GlobalSecondaryIndexes",
                key=key,
                projection=projection["ProjectionType"],
                attributes=frozenset({*table_key.names, *key.names, *named}),
            )
