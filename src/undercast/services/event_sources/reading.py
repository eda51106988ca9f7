"""Who reads an event source: what it needs of the platform, as whom it reads, and with which settings.

AWS: Lambda Developer Guide, "How Lambda processes records from stream and queue-based event sources"; EventBridge User
Guide, "Amazon EventBridge Pipes sources".
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.events.arrivals import Arrivals
from undercast.events.outbox import Outbox
from undercast.services.event_sources.progress import Table
from undercast.store.database import Database


class Ground(Protocol):
    """The parts of the platform that reading needs; a service's instance has them."""

    @property
    def database(self) -> Database: ...
    @property
    def arrivals(self) -> Arrivals: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def clock(self) -> PlatformClock: ...


class Reader(Protocol):
    """Who consumes what is read."""

    async def context(self) -> RequestContext:
        """For calls to the source. Raises Unavailable while nobody could process what is read."""
        ...

    def left_out(self, kind: str, number: int, ids: Sequence[str]) -> None:
        """The filters want none of so many messages or records; the ids of the first `FILTERED_NAMED` of them."""
        ...


class Watch(Protocol):
    """Who counts what is read; the numbers of messages or records."""

    def polled(self, events: int) -> None:
        """Read from the source; 0 when a wait has ended without any."""
        ...

    def filtered_out(self, events: int) -> None:
        """The filters want none of these."""
        ...


@record
class Reading:
    """One stream, read by one consumer. `settings` have the names of Lambda's event source mappings."""

    source_arn: str
    settings: Mapping[str, Any]
    consumer: Reader
    progress: Table


async def moment_or(event: asyncio.Event, clock: PlatformClock, moment: float) -> None:
    """Wait for a moment, or for what ends the wait before."""
    loop = asyncio.get_running_loop()
    waits = {loop.create_task(clock.wait_until(moment)), loop.create_task(event.wait())}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
