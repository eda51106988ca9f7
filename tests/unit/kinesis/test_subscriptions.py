"""What is kept of subscriptions to shards, and for how long.

AWS: Kinesis API Reference, SubscribeToShard.
"""

import pytest

from tests.fakes import FakeClock
from undercast.core.errors import ServiceError
from undercast.events.arrivals import Arrivals
from undercast.services.kinesis.records import Page
from undercast.services.kinesis.subscriptions import SESSION_S, UNDISTURBED_S, Held, Shard, Subscriptions

CONSUMER = "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1"


@pytest.fixture
def clock() -> FakeClock:
    """It stands still."""
    return FakeClock()


@pytest.fixture
def subscriptions(clock: FakeClock) -> Subscriptions:
    """None yet."""
    return Subscriptions(clock, Arrivals())


def nothing_new(place: int) -> Page:
    """A shard without records."""
    return Page(records=[], following=place, behind_ms=0, size=0, children=[])


async def begun_and_closed(subscriptions: Subscriptions, held: Held) -> None:
    """As by a client that goes behind the first event."""
    events = subscriptions.events(held, Shard(1, "arn", 0), 0, nothing_new)
    await anext(events)
    await events.aclose()


async def test_what_ended_at_once_is_forgotten(clock: FakeClock, subscriptions: Subscriptions) -> None:
    """Of a subscription that ends, five seconds are kept, in which the shard is refused; then nothing."""
    for shard in range(100):
        await begun_and_closed(subscriptions, subscriptions.begin(CONSUMER, shard))
    assert len(subscriptions._held) == 0
    with pytest.raises(ServiceError, match="wait 5 seconds"):
        subscriptions.begin(CONSUMER, 7)
    clock.advance(UNDISTURBED_S)
    subscriptions.begin(CONSUMER, 7)
    assert len(subscriptions._begun) == len(subscriptions._held) == 1


async def test_a_newer_one_takes_over(clock: FakeClock, subscriptions: Subscriptions) -> None:
    """The older one has ended; its end does not end the newer one."""
    older = subscriptions.begin(CONSUMER, 1)
    clock.advance(UNDISTURBED_S)
    newer = subscriptions.begin(CONSUMER, 1)
    with pytest.raises(ServiceError, match="taken over"):
        await anext(subscriptions.events(older, Shard(1, "arn", 0), 0, nothing_new))
    assert (older.ended, newer.ended) == (True, False)
    assert list(subscriptions._held.values()) == [newer]


def test_what_nobody_ever_read_is_forgotten_when_it_is_over(clock: FakeClock, subscriptions: Subscriptions) -> None:
    """A client may be gone before its first event."""
    subscriptions.begin(CONSUMER, 1)
    clock.advance(SESSION_S)
    newer = subscriptions.begin(CONSUMER, 2)
    assert list(subscriptions._held.values()) == [newer]
