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


def test_a_second_has_its_bytes(clock: FakeClock) -> None:
    """1 MB written, 2 MB read; 10 MB may be read at once, and the calls of the next five seconds are refused then."""
    throttle = Throttle(clock, enabled=True)
    half = 512 * 1024
    assert [throttle.writes(SHARD, size) for size in (half, half, 1)] == [True, True, False]
    clock.advance(0.5)
    assert [throttle.writes(SHARD, size) for size in (half + 1, half, 1)] == [False, True, False]
    clock.advance(1)
    assert [throttle.writes(SHARD, size) for size in (4 * half, 1)] == [True, False]  # a large record needs all of it
    assert throttle.reads(SHARD)
    throttle.has_read(SHARD, 10 * 1024 * 1024)
    assert not throttle.reads(SHARD)
    clock.advance(3.9)
    assert not throttle.reads(SHARD)
    clock.advance(0.2)
    assert throttle.reads(SHARD)
    assert throttle.reads(SHARD + 1)


def test_what_was_counted_is_forgotten(clock: FakeClock) -> None:
    """A reset deletes the streams: one that is made again has its whole second."""
    throttle = Throttle(clock, enabled=True)
    assert sum(throttle.reads(SHARD) for _ in range(6)) == 5
    throttle.forget()
    assert throttle.reads(SHARD)
