"""Buckets that fill with time: what they let through, and whatever the clock does."""

import pytest

from tests.fakes import FakeClock
from undercast.core import rates
from undercast.core.rates import Buckets


def test_a_bucket_fills_with_time_up_to_what_it_holds() -> None:
    """A new one is full; what is owed is filled up first."""
    clock = FakeClock()
    buckets: Buckets[str] = Buckets(clock)
    buckets.find("a", 2.0, 10.0).left -= 13.0
    clock.tick(1.0)
    assert buckets.find("a", 2.0, 10.0).left == -1.0
    clock.tick(60.0)
    assert buckets.find("a", 2.0, 10.0).left == 10.0
    assert buckets.find("b", 1.0, 1.0).left == 1.0


def test_a_clock_that_is_set_back_takes_nothing() -> None:
    """Nor is the time that it repeats counted twice."""
    clock = FakeClock()
    buckets: Buckets[str] = Buckets(clock)
    buckets.find("a", 2.0, 10.0).left -= 6.0
    clock.host.tick(-3600.0)
    assert buckets.find("a", 2.0, 10.0).left == 4.0
    clock.tick(1.0)
    assert buckets.find("a", 2.0, 10.0).left == 6.0


def test_the_rate_is_that_of_the_moment() -> None:
    """A table's throughput may be changed."""
    clock = FakeClock()
    buckets: Buckets[str] = Buckets(clock)
    buckets.find("a", 1.0, 300.0).left -= 300.0
    clock.tick(2.0)
    assert buckets.find("a", 10.0, 3000.0).left == 20.0


def test_names_without_end_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many all begin full again."""
    monkeypatch.setattr(rates, "_MOST_KEPT", 3)
    buckets: Buckets[int] = Buckets(FakeClock())
    for number in range(4):
        buckets.find(number, 1.0, 5.0).left -= 1.0
    assert [buckets.find(number, 1.0, 5.0).left for number in (3, 0)] == [4.0, 5.0]
