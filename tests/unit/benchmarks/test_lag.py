"""A stall counts for as long as it lasts."""

import pytest

from benchmarks.lag import waits


def test_a_short_answer_is_one_sample() -> None:
    assert waits(10.0, 10.0015) == [pytest.approx(1.5)]


def test_a_stall_stands_for_all_that_would_have_been_asked_meanwhile() -> None:
    """Every 2 ms for 97 ms: 49 samples, from 97 ms down to 1."""
    found = waits(10.0, 10.097)
    assert len(found) == 49
    assert [found[0], found[-1]] == pytest.approx([97.0, 1.0])
