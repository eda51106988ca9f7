"""What puts keep of a stream: never older than the last commit, and nothing of one that was rolled back.

The rows are AWS-independent; the operations are Kinesis's: API Reference, PutRecord, SplitShard, MergeShards.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.state import halted_before_commit, open_state
from tests.unit.auth.requests import context
from tests.unit.policy.callers import ALICE
from undercast.core.clock import HostClock, PlatformClock
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.ids import SystemIds
from undercast.core.metrics import Metrics
from undercast.events.arrivals import Arrivals
from undercast.services.kept import Kept
from undercast.services.kinesis import store
from undercast.services.kinesis.instance import Kinesis
from undercast.services.kinesis.measures import Measures
from undercast.services.kinesis.models import HASH_KEYS, StreamName, shard_name
from undercast.services.kinesis.resharding import split
from undercast.services.kinesis.schema import SCHEMA
from undercast.services.kinesis.service import MANIFEST
from undercast.services.kinesis.throttle import Throttle
from undercast.store.database import Tx


class Ground:
    """Kinesis with a stream `s` of one shard."""

    def __init__(self, kinesis: Kinesis) -> None:
        self.kinesis = kinesis
        self.ctx: RequestContext = replace(context(ALICE), ids=kinesis.ids)
        self.of = StreamName(self.ctx.scope, "s")

    async def call(self, operation: str, **params: Any) -> Any:
        """An operation on the stream."""
        return await MANIFEST.operations[operation](self.kinesis, self.ctx, {"StreamName": "s", **params})

    async def put(self) -> str:
        """One record of the lowest hash key; its shard."""
        answer = await self.call("PutRecord", Data=b"x", PartitionKey="k", ExplicitHashKey="0")
        return str(answer["ShardId"])


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    host, clock, unused = HostClock(), FakeClock(), None
    ids = SystemIds(host)
    async with open_state(tmp_path, PlatformClock(host), schemas={"kinesis": SCHEMA}) as state:
        made: Any = Kinesis
        kinesis = made(
            database=state.database,
            arrivals=Arrivals(),
            causality=state.causality,
            streams=Kept(state.database, store.opened),
            policies=Kept(state.database, store.policy),
            subscriptions=unused,
            housekeeping=unused,
            throttle=Throttle(clock, enabled=False),
            measures=Measures(Metrics(), clock),
            clock=clock,
            ids=ids,
        )
        ground = Ground(kinesis)
        await ground.call("CreateStream", ShardCount=1)
        yield ground


async def test_a_put_reads_no_row_of_its_stream_twice(ground: Ground) -> None:
    """Nor its shards: the second put runs two statements for rows, one for the number and one for the record."""
    await ground.put()
    seen: list[str] = []
    ground.kinesis.database._inline.set_trace_callback(seen.append)
    await ground.put()
    ground.kinesis.database._inline.set_trace_callback(None)
    assert [one.split()[0] for one in seen if "kinesis" in one] == ["UPDATE", "INSERT"]


async def test_records_go_where_splits_and_merges_say(ground: Ground) -> None:
    """As soon as the request is answered."""
    assert await ground.put() == shard_name(0)
    await ground.call("SplitShard", ShardToSplit=shard_name(0), NewStartingHashKey=str(HASH_KEYS // 2))
    assert await ground.put() == shard_name(1)
    await ground.call("MergeShards", ShardToMerge=shard_name(1), AdjacentShardToMerge=shard_name(2))
    assert await ground.put() == shard_name(3)
    await ground.call("UpdateShardCount", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    assert await ground.put() == shard_name(4)


async def test_a_stream_that_is_gone_takes_nothing_and_one_of_its_name_is_another(ground: Ground) -> None:
    """ResourceNotFoundException between the two."""
    await ground.put()
    await ground.call("DeleteStream")
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        await ground.put()
    await ground.call("CreateStream", ShardCount=2)
    number = (await ground.call("PutRecord", Data=b"x", PartitionKey="k"))["SequenceNumber"]
    found = ground.kinesis.database.read_now(lambda tx: store.existing(tx, ground.of))
    assert int(number[2:16]) == found.id


async def test_a_split_that_is_rolled_back_leaves_its_shard(ground: Ground) -> None:
    """A put within that transaction saw the children; those behind it see the shard that is still open."""
    await ground.put()

    def split_in_vain(tx: Tx) -> None:
        stream = store.existing(tx, ground.of)
        split(tx, stream, store.shard(tx, stream, shard_name(0)), HASH_KEYS // 2, 1.0)
        seen = ground.kinesis.streams.within(tx, ground.of)
        assert seen is not None
        assert [row["number"] for row in seen.shards] == [1, 2]
        raise KeyError

    with pytest.raises(KeyError):
        await ground.kinesis.change(ground.of, split_in_vain)
    assert await ground.put() == shard_name(0)


async def test_what_is_looked_up_while_a_long_change_runs_is_not_kept(ground: Ground) -> None:
    """Until it commits the old stream is seen, and not behind it."""
    ground.kinesis.streams.forget()
    change = ground.call("UpdateShardCount", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    async with halted_before_commit(ground.kinesis.database, change):
        before = ground.kinesis.streams.find(ground.of)
        assert before is not None
        assert len(before.shards) == 1
    after = ground.kinesis.streams.find(ground.of)
    assert after is not None
    assert len(after.shards) == 2


async def test_an_ordering_of_a_number_that_was_not_given_yet_is_refused(ground: Ground) -> None:
    """Though the row that is kept has an older `newest` than the stream."""
    first = (await ground.call("PutRecord", Data=b"x", PartitionKey="k"))["SequenceNumber"]
    second = (await ground.call("PutRecord", Data=b"x", PartitionKey="k"))["SequenceNumber"]
    await ground.call("PutRecord", Data=b"x", PartitionKey="k", SequenceNumberForOrdering=second)
    later = first[:16] + f"{int(first[16:46]) + 1000:030d}" + first[46:]
    with pytest.raises(ServiceError, match="did not come from stream"):
        await ground.call("PutRecord", Data=b"x", PartitionKey="k", SequenceNumberForOrdering=later)
