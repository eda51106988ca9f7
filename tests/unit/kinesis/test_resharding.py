"""UpdateShardCount: which shards there are behind it, and how few statements it takes, for all other writers wait.

AWS: Kinesis API Reference, UpdateShardCount (up to 10,000 shards); Developer Guide, "Reshard a stream".
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.kinesis import resharding, store
from undercast.services.kinesis.models import HASH_KEYS, PROVISIONED, StreamName, starts_of
from undercast.services.kinesis.schema import SCHEMA
from undercast.store.database import Database, Row, Tx
from undercast.store.migrations import migrate

OF = StreamName(Scope(AccountId("000000000000"), Region("us-east-1")), "s")
NOW = 1.0


class Ground:
    """A stream that is scaled."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def scale(self, count: int) -> list[str]:
        """The statements that it takes."""

        def write(tx: Tx) -> None:
            resharding.scale(tx, store.existing(tx, OF), count, NOW)

        seen: list[str] = []
        self.database._inline.set_trace_callback(seen.append)
        await self.database.write(write)
        self.database._inline.set_trace_callback(None)
        return seen

    def rows(self) -> list[Row]:
        """All shards, by number."""
        return self.database.read_now(lambda tx: tx.all("SELECT * FROM kinesis_shard ORDER BY number"))


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """One shard of all hash keys."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "kinesis", SCHEMA)

    def fill(tx: Tx) -> None:
        given = {"mode": PROVISIONED, "max_record_kib": 1024, "distribution": "", "tags": {}}
        store.add(tx, OF, given, NOW)
        tx.execute(
            "INSERT INTO kinesis_shard (stream_id, number, low, high, created_at, first) VALUES (1, 0, ?, ?, ?, 0)",
            (f"{0:039d}", f"{HASH_KEYS - 1:039d}", NOW),
        )

    await database.write(fill)
    yield Ground(database)
    await database.close()


async def test_more_shards_are_read_once_and_written_together(ground: Ground) -> None:
    """All open shards were read again for each border and each merge, with the writers' lock held."""
    await ground.scale(200)
    few = await ground.scale(201)
    assert len([one for one in few if one.startswith("SELECT")]) == 3
    assert len(few) < 200 + 20  # an UPDATE for each shard that is closed
    await ground.scale(400)
    more = await ground.scale(401)
    assert len([one for one in more if one.startswith("SELECT")]) == 3
    assert len(more) < 400 + 20


@pytest.mark.parametrize("counts", [(2, 3, 4, 2), (5, 7, 13, 8, 8), (64, 100, 50, 51)])
async def test_open_shards_are_of_equal_size_and_follow_their_parents(ground: Ground, counts: tuple[int, ...]) -> None:
    """No place is taken twice, a parent ends before its child begins, and their hash keys are the same together."""
    for count in counts:
        await ground.scale(count)
        rows = ground.rows()
        starts = starts_of(count)
        ends = [*(start - 1 for start in starts[1:]), HASH_KEYS - 1]
        found = sorted((int(row["low"]), int(row["high"])) for row in rows if row["closed_at"] is None)
        assert found == list(zip(starts, ends, strict=True))
        assert [row["number"] for row in rows] == list(range(len(rows)))
        places = [row["first"] for row in rows] + [row["last"] for row in rows if row["closed_at"] is not None]
        assert sorted(places) == list(range(len(places)))
        assert ground.database.read_now(lambda tx: store.newest(tx, 1)) == len(places) - 1
        for row in rows[1:]:
            parents = [rows[row[name]] for name in ("parent", "adjacent") if row[name] is not None]
            assert parents
            assert all(parent["last"] < row["first"] for parent in parents)
            assert min(int(parent["low"]) for parent in parents) <= int(row["low"])
            assert max(int(parent["high"]) for parent in parents) >= int(row["high"])


async def test_a_count_that_is_there_changes_nothing(ground: Ground) -> None:
    """What is right already stays."""
    await ground.scale(6)
    before = [tuple(row) for row in ground.rows()]
    await ground.scale(6)
    assert [tuple(row) for row in ground.rows()] == before
