"""The bell of a source: nothing that arrives between a look and a wait is missed."""

import asyncio

from undercast.events.arrivals import Arrivals

SOURCE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/l"


async def test_a_ring_before_the_wait_is_kept() -> None:
    """A poller clears the bell, looks, and then waits."""
    arrivals = Arrivals()
    with arrivals.listen(SOURCE) as bell:
        bell.clear()
        arrivals.ring(SOURCE)
        await asyncio.wait_for(bell.wait(), 1)


async def test_every_listener_of_the_source_hears_it_and_no_other() -> None:
    """Two pollers of one stream, one of another."""
    arrivals = Arrivals()
    with arrivals.listen(SOURCE) as one, arrivals.listen(SOURCE) as two, arrivals.listen("other") as other:
        arrivals.ring(SOURCE)
        assert (one.is_set(), two.is_set(), other.is_set()) == (True, True, False)


async def test_who_has_left_is_forgotten() -> None:
    """Nothing is kept for sources without listeners."""
    arrivals = Arrivals()
    with arrivals.listen(SOURCE):
        pass
    arrivals.ring(SOURCE)
    assert vars(arrivals) == {"_bells": {}}
