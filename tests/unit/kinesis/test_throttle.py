"""What a shard takes and gives in a second.

AWS: Kinesis Developer Guide, "Quotas and limits".
"""

import pytest

from tests.fakes import FakeClock
from undercast.services.kinesis.throttle import Throttle

SHARD = 1


@pytest.fixture
def clock() -> FakeClock:
    """It stands still."""
    return FakeClock()


def test_a_second_has_its_records_and_calls(clock: FakeClock) -> None:
    """1,000 tiny records and 5 calls, of each shard; a fifth of a second is worth one call more."""
    throttle = Throttle(clock, enabled=True)
    assert sum(throttle.writes(SHARD, 1) for _ in range(1001)) == 1000
    assert sum(throttle.reads(SHARD) for _ in range(6)) == 5
    assert throttle.writes(SHARD + 1, 1) and throttle.reads(SHARD + 1)
    clock.advance(0.25)
    assert [throttle.reads(SHARD) for _ in range(2)] == [True, False]
    assert sum(throttle.writes(SHARD, 1) for _ in range(1001)) == 250
    clock.advance(3600)
    assert sum(throttle.writes(SHARD, 1) for _ in range(1001)) == 1000
    assert sum(throttle.reads(SHARD) for _ in range(6)) == 5


def test_without_the_option_nothing_is_counted(clock: FakeClock) -> None:
    """`--throttle-streams` is off by default."""
    throttle = Throttle(clock, enabled=False)
    assert all(throttle.writes(SHARD, 1) and throttle.reads(SHARD) for _ in range(1001))
