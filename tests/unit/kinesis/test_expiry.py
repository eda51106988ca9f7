"""What a stream keeps no longer: removed with time, and never where a reading begins.

AWS: Kinesis Developer Guide, "Change the data retention period", "Data routing, data persistence, and shard state
after a reshard"; API Reference, GetShardIterator: "If the time stamp is older than the current trim horizon, the
iterator returned is for the oldest untrimmed data record (TRIM_HORIZON)."
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from undercast.core.arn import AccountId, Region, Scope
from undercast.services.kinesis import store
from undercast.services.kinesis.housekeeping import _AT_ONCE, Housekeeping
from undercast.services.kinesis.models import HASH_KEYS, PROVISIONED, StreamName
from undercast.services.kinesis.places import Start, place
from undercast.services.kinesis.records import New, append
from undercast.services.kinesis.resharding import begin
from undercast.services.kinesis.schema import SCHEMA
from undercast.services.kinesis.shard_changes import Range
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

OF = StreamName(Scope(AccountId("111111111111"), Region("us-east-1")), "s")
DAY_S = 24 * 3600.0
"""What a new stream keeps."""


class Ground:
    """A stream that begins with two shards, 0 and 1."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self._housekeeping = Housekeeping(database, self.clock)

    async def make(self) -> None:
        """The stream and its shards."""

        def write(tx: Tx) -> None:
            given = {"mode": PROVISIONED, "max_record_kib": 1024, "distribution": "", "tags": {}}
            stream, half = store.add(tx, OF, given, self.clock.now()), HASH_KEYS // 2
            begin(tx, stream, (Range(0, half - 1), Range(half, HASH_KEYS - 1)), self.clock.now())

        await self.database.write(write)

    async def put(self, shard: int, count: int) -> int:
        """So many records, now; the place of the first."""

        def write(tx: Tx) -> int:
            stream = store.existing(tx, OF)
            row = store.shard(tx, stream, f"shardId-{shard:012d}")
            return append(tx, stream, [(row, New(b"x", "k", 0))] * count, self.clock.now())[0].place

        return await self.database.write(write)

    async def close(self, shard: int) -> None:
        """Close a shard, now."""

        def write(tx: Tx) -> None:
            stream = store.existing(tx, OF)
            changes = store.shard_changes(tx, stream.id)
            changes.close(shard)
            store.change_shards(tx, stream.id, changes, self.clock.now())

        await self.database.write(write)

    async def left(self) -> list[tuple[int, int]]:
        """The shards with how many records each has, behind a round."""
        await self._housekeeping.round()
        rows = self.database.read_now(
            lambda tx: tx.all(
                "SELECT number, (SELECT COUNT(*) FROM kinesis_record WHERE shard_id = kinesis_shard.id) AS records"
                " FROM kinesis_shard ORDER BY number"
            )
        )
        return [(row["number"], row["records"]) for row in rows]


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    database = Database.open(tmp_path / "state.db")
    migrate(database, "kinesis", SCHEMA)
    ground = Ground(database)
    await ground.make()
    yield ground
    await database.close()


async def test_a_round_removes_all_that_has_expired(ground: Ground) -> None:
    """Of each shard, however much it is; what is younger stays."""
    for shard in (0, 1):
        await ground.put(shard, 2 * _AT_ONCE + 1)
    ground.clock.advance(1.0)
    await ground.put(0, 2)
    ground.clock.advance(DAY_S - 0.5)
    assert await ground.left() == [(0, 2), (1, 0)]


async def test_a_closed_shard_goes_with_its_last_record(ground: Ground) -> None:
    """Once the retention is over since its closing; one that is open stays, though it is empty."""
    await ground.put(1, 1)
    await ground.close(0)
    ground.clock.advance(DAY_S)
    await ground.close(1)
    assert await ground.left() == [(0, 0), (1, 1)]
    ground.clock.advance(1.0)
    assert await ground.left() == [(1, 0)]
    ground.clock.advance(DAY_S)
    assert await ground.left() == []


async def test_an_open_shard_stays_though_it_is_empty(ground: Ground) -> None:
    """And one with records is not removed with its stream's others."""
    ground.clock.advance(10 * DAY_S)
    assert await ground.left() == [(0, 0), (1, 0)]


async def test_a_moment_before_the_retention_is_its_beginning(ground: Ground) -> None:
    """Whether or not the old records were removed yet: AT_TIMESTAMP begins with the oldest that is kept."""
    began = datetime.fromtimestamp(ground.clock.now(), UTC)
    await ground.put(0, 3)
    ground.clock.advance(60.0)
    kept = await ground.put(0, 1)

    def at(tx: Tx) -> int:
        stream = store.existing(tx, OF)
        shard = store.shard(tx, stream, "shardId-000000000000")
        return place(tx, stream, shard, Start("AT_TIMESTAMP", None, began), ground.clock.now())

    assert ground.database.read_now(at) == kept - 3
    ground.clock.advance(DAY_S - 30.0)
    assert ground.database.read_now(at) == kept
