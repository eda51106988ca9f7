"""GetRecords on a real store: what a call costs its shard, and what CloudWatch hears of a refusal.

AWS: Kinesis Developer Guide, "Quotas and limits", "Monitor the Amazon Kinesis Data Streams service with Amazon
CloudWatch".
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.unit.auth.requests import context
from tests.unit.policy.callers import ALICE
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.errors import ServiceError
from undercast.core.metrics import Metrics
from undercast.services import shard_iterators
from undercast.services.kinesis import store
from undercast.services.kinesis.instance import Kinesis
from undercast.services.kinesis.measures import Measures
from undercast.services.kinesis.models import HASH_KEYS, PROVISIONED, StreamName
from undercast.services.kinesis.operations.records import _INLINE, get_records
from undercast.services.kinesis.records import New, append
from undercast.services.kinesis.resharding import begin
from undercast.services.kinesis.schema import SCHEMA
from undercast.services.kinesis.shard_changes import Range
from undercast.services.kinesis.throttle import READ_CALLS, Throttle
from undercast.services.shard_iterators import Iterator
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

OF = StreamName(Scope(AccountId("111111111111"), Region("us-east-1")), "s")
RECORDS = _INLINE.records + 1
"""More than are read in one piece."""


@dataclass
class Ground:
    """Kinesis with one stream of one shard, held to its limits; the clock stands still."""

    kinesis: Kinesis
    metrics: Metrics
    iterator: str

    async def read(self) -> int:
        """How many records GetRecords gives from the beginning of the shard."""
        answer = await get_records(self.kinesis, context(ALICE), {"ShardIterator": self.iterator})
        assert isinstance(answer, dict)
        return len(answer["Records"])


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    clock, metrics, database = FakeClock(), Metrics(), Database.open(tmp_path / "state.db")
    migrate(database, "kinesis", SCHEMA)

    def fill(tx: Tx) -> int:
        given = {"mode": PROVISIONED, "max_record_kib": 1024, "distribution": "", "tags": {}}
        stream = store.add(tx, OF, given, clock.now())
        store.change(tx, stream, metrics='["ReadProvisionedThroughputExceeded"]')
        begin(tx, stream, [Range(0, HASH_KEYS - 1)], clock.now())
        (shard,) = store.open_shards(tx, stream.id)
        append(tx, stream, [(shard, New(b"x", "k", 0))] * RECORDS, clock.now())
        return int(shard["id"])

    shard_id = await database.write(fill)
    unused: Any = None
    kinesis = Kinesis(
        database=database,
        arrivals=unused,
        causality=unused,
        streams=unused,
        policies=unused,
        subscriptions=unused,
        housekeeping=unused,
        throttle=Throttle(clock, enabled=True),
        measures=Measures(metrics, clock),
        clock=clock,
        ids=unused,
    )
    iterator = Iterator(OF.arn, shard_id, 0, clock.now())
    yield Ground(kinesis, metrics, shard_iterators.written(iterator))
    await database.close()


async def test_a_read_in_two_pieces_is_one_call(ground: Ground) -> None:
    """Five calls a second, however long each is; the one above them is refused, and counted of stream and shard."""
    for _ in range(int(READ_CALLS)):
        assert await ground.read() == RECORDS
    with pytest.raises(ServiceError, match="Rate exceeded for shard shardId-000000000000 in stream s"):
        await ground.read()
    exceeded = {
        point.series.dimensions: tally.total
        for point, tally in ground.metrics.take().items()
        if point.series.name == "ReadProvisionedThroughputExceeded"
    }
    of_stream = ("StreamName", "s")
    assert exceeded == {(of_stream,): 1.0, (("ShardId", "shardId-000000000000"), of_stream): 1.0}
