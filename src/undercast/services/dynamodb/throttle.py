"""Provisioned throughput, where tables are held to it (`--throttle-tables`): a bucket of five minutes of units.

A request is let through while its bucket is not empty, and then takes what it consumed, as AWS's burst capacity does.
In memory, on the platform clock. Tables on demand are not limited.
AWS: DynamoDB Developer Guide, "Burst and adaptive capacity".
"""

from typing import Literal

from undercast.core.clock import PlatformClock
from undercast.core.errors import ServiceError
from undercast.core.rates import Bucket, Buckets
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.measures import Measures
from undercast.services.dynamodb.models import Index, Table

Kind = Literal["Read", "Write"]
BURST_S = 300.0


class Throttle:
    """The buckets of all tables and global secondary indexes."""

    def __init__(self, clock: PlatformClock, measures: Measures, *, enabled: bool) -> None:
        self._enabled = enabled
        self._measures = measures
        self._buckets: Buckets[tuple[int, str, Kind]] = Buckets(clock)
        """By the table's id and the index's name, in units."""

    def allows(self, table: Table, kind: Kind, index: Index | None = None) -> bool:
        """Whether no bucket that the request needs is empty."""
        if not self._enabled or table.is_on_demand:
            return True
        needed = [""] if index is None or not index.is_global else [index.name]
        if kind == "Write":
            needed += [one.name for one in table.indexes if one.is_global]
        return all(self._bucket(table, name, kind).left > 0 for name in needed)

    def check(self, table: Table, kind: Kind, index: Index | None = None) -> None:
        """Raises ProvisionedThroughputExceededException."""
        if not self.allows(table, kind, index):
            raise exceeded()

    def charge(self, table: Table, kind: Kind, units: Units) -> None:
        """What a request consumed, which CloudWatch is told as well; a local index's units are its table's."""
        self._measures.consumed(table, kind, units)
        if not self._enabled or table.is_on_demand:
            return
        found = {"": units.table}
        names = {index.name for index in table.indexes if index.is_global}
        for name, more in units.indexes.items():
            at = name if name in names else ""
            found[at] = found.get(at, 0.0) + more
        for name, taken in found.items():
            if taken:
                self._bucket(table, name, kind).left -= taken

    def _bucket(self, table: Table, name: str, kind: Kind) -> Bucket:
        rate = _rate(table, name, kind)
        return self._buckets.find((table.id, name, kind), rate, rate * BURST_S)


def _rate(table: Table, name: str, kind: Kind) -> float:
    """Units a second."""
    given = table.definition
    for index in table.definition.get("GlobalSecondaryIndexes") or ():
        if index["IndexName"] == name:
            given = index
    return float(given["ProvisionedThroughput"][f"{kind}CapacityUnits"])


def exceeded() -> ServiceError:
    """A table's throughput is used up."""
    return ServiceError(
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
        "provisioning level with the UpdateTable API.",
    )
