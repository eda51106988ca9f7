"""Who is subscribed to which shard, by its consumer: one at a time, for five minutes of the platform clock.

A newer subscription takes over from an older one, but not within its first five seconds. Records are sent as soon as
they are committed (`events/arrivals.py`); without any, an empty event every five seconds of host time says how far the
reading is.
AWS: Kinesis API Reference, SubscribeToShard; Developer Guide, "Develop enhanced fan-out consumers".
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from undercast.core.clock import PlatformClock
from undercast.events.arrivals import Arrivals
from undercast.services.kinesis.errors import in_use
from undercast.services.kinesis.models import shown_sequence
from undercast.services.kinesis.records import Page

SESSION_S = 300.0
UNDISTURBED_S = 5.0
HEARTBEAT_S = 5.0


class Shard(NamedTuple):
    """What is subscribed to."""

    stream_id: int
    stream_arn: str
    number: int


@dataclass(slots=True, eq=False)
class Held:
    """One subscription."""

    key: tuple[str, int]
    since: float
    ended: bool = False
    taken: bool = False
    """Whether it ended because somebody else has the shard now."""
    bell: asyncio.Event | None = None

    def end(self, *, taken: bool) -> None:
        """Let it go."""
        self.ended, self.taken = True, taken
        if self.bell is not None:
            self.bell.set()


class Subscriptions:
    """All of them, by consumer and shard."""

    def __init__(self, clock: PlatformClock, arrivals: Arrivals) -> None:
        self._clock = clock
        self._arrivals = arrivals
        self._held: dict[tuple[str, int], Held] = {}
        self._begun: dict[tuple[str, int], float] = {}
        """When, of the last call: for five seconds, also where it has ended. The oldest is first, as in `_held`."""

    def begin(self, consumer_arn: str, shard: int) -> Held:
        """Take the shard. Raises ResourceInUseException within five seconds of the last call."""
        key, now = (consumer_arn, shard), self._clock.now()
        self._sweep(now)
        if key in self._begun:
            raise in_use(
                f"Another active subscription exists for this consumer: {consumer_arn} and shard {shard}. Please "
                "wait 5 seconds before you subscribe again."
            )
        before = self._held.pop(key, None)
        if before is not None:
            before.end(taken=True)
        self._begun[key] = now
        held = self._held[key] = Held(key, now)
        return held

    def _sweep(self, now: float) -> None:
        """Forget calls that protect nothing any more, and subscriptions that nobody ever read and that are over."""
        while self._begun and now - self._begun[oldest := next(iter(self._begun))] >= UNDISTURBED_S:
            del self._begun[oldest]
        while self._held and now - self._held[oldest := next(iter(self._held))].since >= SESSION_S:
            del self._held[oldest]

    def end_all(self) -> None:
        """At shutdown, and when rows were deleted behind our back."""
        for held in tuple(self._held.values()):
            held.end(taken=False)
        self._held.clear()
        self._begun.clear()

    async def events(
        self, held: Held, shard: Shard, place: int, read: Callable[[int], Page]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """What is sent. `read` gives the records from a place on; it may raise what it likes."""
        ends_at = held.since + SESSION_S
        timer = asyncio.get_running_loop().create_task(self._clock.wait_until(ends_at))
        try:
            with self._arrivals.listen(shard.stream_arn) as bell:
                held.bell = bell
                timer.add_done_callback(lambda _: bell.set())
                while not held.ended and self._clock.now() < ends_at:
                    bell.clear()
                    page = read(place)
                    yield {"SubscribeToShardEvent": _event(shard, page)}
                    if page.following is None:
                        return
                    place = page.following
                    if not page.behind_ms:
                        await _rung(bell)
            if held.taken:
                raise in_use("Another subscription has taken over.")
        finally:
            timer.cancel()
            if self._held.get(held.key) is held:
                del self._held[held.key]


async def _rung(bell: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARTBEAT_S):
            await bell.wait()


def _event(shard: Shard, page: Page) -> dict[str, Any]:
    """Either says where to go on or, at the end of the shard, names its children.

    Though the model requires a ContinuationSequenceNumber: AWS's Kinesis Client Library takes an event that has both,
    or neither, for invalid, subscribes anew and never ends the shard (FanOutRecordsPublisher, isValidEvent).
    """
    event: dict[str, Any] = {"Records": page.records, "MillisBehindLatest": page.behind_ms}
    if page.following is None:
        return {**event, "ChildShards": page.children}
    last = page.records[-1]["SequenceNumber"] if page.records else None
    shown = last or shown_sequence(shard.stream_id, page.following - 1, shard.number)
    return {**event, "ContinuationSequenceNumber": shown}
