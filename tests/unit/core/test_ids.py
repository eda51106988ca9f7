"""Identifiers that nobody can guess, and that lie together in an index."""

import uuid

from tests.fakes import FakeHostClock
from undercast.core.ids import SystemIds


def test_uuids_are_of_version_4_and_none_comes_twice() -> None:
    """AWS's request ids look like version 4 of RFC 9562."""
    ids = SystemIds(FakeHostClock())
    made = [ids.uuid() for _ in range(5000)]
    assert len(set(made)) == 5000
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant, len(one)) for one in made} == {(4, uuid.RFC_4122, 36)}


def test_later_uuids_come_behind_earlier_ones() -> None:
    """They begin with the host's time: rows of one moment touch few pages of an index over them."""
    clock = FakeHostClock()
    ids = SystemIds(clock)
    earlier = [ids.uuid() for _ in range(1000)]
    clock.tick(1.0)
    later = [ids.uuid() for _ in range(1000)][-500:]  # the first ones were drawn before
    assert max(earlier) < min(later)


def test_all_but_the_first_eight_digits_are_random() -> None:
    """Who knows the time, and one id, knows nothing of the next."""
    ids = SystemIds(FakeHostClock())
    made = [ids.uuid() for _ in range(256)]
    assert len({one[:8] for one in made}) == 1
    for place in (*range(9, 13), *range(15, 18), *range(20, 23), *range(24, 36)):
        assert len({one[place] for one in made}) > 8
