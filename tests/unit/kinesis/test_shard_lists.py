"""Lists of shards: each filter over stored rows, page by page, and what a page costs.

AWS: Kinesis API Reference, ListShards, ShardFilter, DescribeStream.
"""

import time

import pytest

from tests.unit.kinesis.test_resharding import NOW, OF, Ground, ground
from undercast.core.service import Params
from undercast.services.kinesis import resharding, shard_lists, store
from undercast.services.kinesis.shard_lists import Part
from undercast.store.database import Tx

__all__ = ["ground"]
HOUR_S = 3600.0


def listed(world: Ground, chosen: Params, now: float, size: int) -> list[int]:
    """Numbers of all shards of a filter, read page by page."""
    found: list[int] = []

    def look(tx: Tx) -> list[int]:
        after = f"shardId-{found[-1]}" if found else None
        return [row["number"] for row in shard_lists.page(tx, store.existing(tx, OF), chosen, Part(after, size), now)]

    while more := world.database.read_now(look):
        found += more
    return found


async def scale(world: Ground, count: int, now: float) -> None:
    await world.database.write(lambda tx: resharding.scale(tx, store.existing(tx, OF), count, now))


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_each_filter_page_by_page(ground: Ground, size: int) -> None:
    """Shard 0 until hour 1, then 1 and 2, of which each is split at hour 2: 3 and 4 follow 1, 5 and 6 follow 2."""
    await scale(ground, 2, HOUR_S)
    await scale(ground, 4, 2 * HOUR_S)
    for now, chosen, expected in (
        (3, {}, [0, 1, 2, 3, 4, 5, 6]),
        (3, {"Type": "FROM_TRIM_HORIZON"}, [0, 1, 2, 3, 4, 5, 6]),
        (3, {"Type": "AT_TRIM_HORIZON"}, [0]),
        (3, {"Type": "AT_LATEST"}, [3, 4, 5, 6]),
        (3, {"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000002"}, [3, 4, 5, 6]),
        (3, {"Type": "AT_TIMESTAMP", "Timestamp": 1.5 * HOUR_S}, [1, 2]),
        (3, {"Type": "FROM_TIMESTAMP", "Timestamp": 1.5 * HOUR_S}, [1, 2, 3, 4, 5, 6]),
        (25.5, {}, [1, 2, 3, 4, 5, 6]),
        (25.5, {"Type": "AT_TRIM_HORIZON"}, [1, 2]),
        (30, {"Type": "FROM_TRIM_HORIZON"}, [3, 4, 5, 6]),
    ):
        assert listed(ground, chosen, NOW + now * HOUR_S, size) == expected


async def test_a_page_costs_what_it_shows(ground: Ground) -> None:
    """Every shard of the stream was read for each page, on the event loop."""

    def cost() -> float:
        began = time.thread_time()
        for _ in range(50):
            found = ground.database.read_now(
                lambda tx: shard_lists.page(tx, store.existing(tx, OF), {}, Part(None, 11), NOW)
            )
            assert len(found) == 11
        return time.thread_time() - began

    await scale(ground, 50, NOW)
    few = cost()
    await scale(ground, 5000, NOW)
    assert cost() < 5 * max(few, 0.002)
