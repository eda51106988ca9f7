"""Capacity units: what a request consumes, and how the answer shows it.

Pure. A write costs one unit per KB, a read one per 4 KB (half of it when it is eventually consistent), in a transaction
twice as much; a secondary index counts by itself.
AWS: DynamoDB Developer Guide, "DynamoDB read and write operations"; API Reference, ConsumedCapacity.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from undercast.services.dynamodb.models import Index, Table
from undercast.services.dynamodb.values import item_size
from undercast.services.item_text import Item

_WRITE_BYTES, _READ_BYTES = 1024, 4096


def write_units(size: int) -> float:
    """For an item of so many bytes."""
    return float(max(1, -(-size // _WRITE_BYTES)))


def read_units(size: int, *, consistent: bool) -> float:
    """For so many bytes that were read."""
    return max(1, -(-size // _READ_BYTES)) * (1.0 if consistent else 0.5)


@dataclass(slots=True)
class Units:
    """What was consumed of one table."""

    table: float = 0.0
    indexes: dict[str, float] = field(default_factory=dict)

    def add(self, other: "Units") -> None:
        """Sum up."""
        self.table += other.table
        for name, units in other.indexes.items():
            self.indexes[name] = self.indexes.get(name, 0.0) + units

    def doubled(self) -> "Units":
        """In a transaction."""
        return Units(self.table * 2, {name: units * 2 for name, units in self.indexes.items()})


def entry_size(index: Index, item: Mapping[str, Any]) -> int:
    """In bytes, of an item's entry in an index."""
    return item_size(projected(index, item))


def projected(index: Index, item: Mapping[str, Any]) -> Item:
    """What of an item an index holds."""
    if index.projection == "ALL":
        return dict(item)
    return {name: value for name, value in item.items() if name in index.attributes}


def index_units(index: Index, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> float:
    """For a write that changes an item's entry: one to delete and one to add where its key changes."""
    before = projected(index, old) if old is not None and has_key(index, old) else None
    after = projected(index, new) if new is not None and has_key(index, new) else None
    if before == after:
        return 0.0
    if before is None or after is None:
        return write_units(item_size(before or after or {}))
    if all(before[name] == after[name] for name in index.key.names):
        return write_units(max(item_size(before), item_size(after)))
    return write_units(item_size(before)) + write_units(item_size(after))


def has_key(index: Index, item: Mapping[str, Any]) -> bool:
    """Whether the item is in the index."""
    return all(name in item for name in index.key.names)


def shown(mode: str | None, table: Table, units: Units, kind: str = "") -> dict[str, Any] | None:
    """A ConsumedCapacity; None unless it was asked for. `kind` is "Read" or "Write" in transactions."""
    if mode not in ("TOTAL", "INDEXES"):
        return None
    total = units.table + sum(units.indexes.values())
    found: dict[str, Any] = {"TableName": table.of.name, "CapacityUnits": total}
    if kind:
        found[f"{kind}CapacityUnits"] = total
    if mode == "INDEXES":
        found["Table"] = _amount(units.table, kind)
        for member, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
            names = [index.name for index in table.indexes if index.is_global == is_global]
            if amounts := {name: _amount(units.indexes[name], kind) for name in names if units.indexes.get(name)}:
                found[member] = amounts
    return found


def _amount(units: float, kind: str) -> dict[str, float]:
    return {"CapacityUnits": units, **({f"{kind}CapacityUnits": units} if kind else {})}


def all_shown(mode: str | None, found: Iterable[tuple[Table, Units]], kind: str = "") -> dict[str, Any]:
    """The ConsumedCapacity member of an operation on several tables."""
    lists = [one for table, units in found if (one := shown(mode, table, units, kind)) is not None]
    return {"ConsumedCapacity": lists} if lists else {}
