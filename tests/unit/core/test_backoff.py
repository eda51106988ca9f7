"""Waits that double."""

from hypothesis import given
from hypothesis import strategies as st

from undercast.core.backoff import Backoff


def test_each_wait_is_twice_the_one_before_up_to_the_longest() -> None:
    """AWS's asynchronous invokes: from 1 second to 5 minutes."""
    backoff = Backoff(longest_s=300.0)
    assert [backoff.wait_s(failures) for failures in range(11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert Backoff(first_s=0.5, longest_s=10.0).wait_s(3) == 4.0


@given(st.integers(0, 10**9), st.floats(0.001, 10.0), st.floats(10.0, 10**6))
def test_no_number_of_failures_is_too_large(failures: int, first_s: float, longest_s: float) -> None:
    """A platform that fails for years waits as long as it says."""
    backoff = Backoff(first_s=first_s, longest_s=longest_s)
    assert first_s <= backoff.wait_s(failures) <= backoff.wait_s(failures + 1) <= longest_s
