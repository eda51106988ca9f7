"""Live tail sessions: the events of groups as they are taken in, an update every second.

A session sees at most 500 events a second; of more it shows some and says so (`sampled`). It ends after three hours.
What is heard is put aside, and matched when the update is made: beside the event loop where it is much.
AWS: CloudWatch Logs API Reference, StartLiveTail, LiveTailSessionUpdate.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from undercast.core.clock import Clock
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.logs.followers import Event, Followers, GroupName, Heard, StreamName
from undercast.services.logs.models import group_arn
from undercast.services.logs.pattern import Matcher

UPDATE_S = 1.0
MAX_EVENTS = 500
LONGEST_S = 3 * 3600.0
_MAX_KEPT = 16 * 1024 * 1024
"""Characters of messages that are kept of one second; what comes beyond is not looked at, and the update is sampled."""
_INLINE = 65_536
"""Characters that are matched on the event loop."""


@record
class Wanted:
    """What a session shows."""

    groups: Sequence[GroupName]
    matches: Matcher
    stream_matches: Callable[[str], bool]


class LiveTail:
    """One session: a follower of its groups as long as somebody reads `events`."""

    def __init__(self, wanted: Wanted, followers: Followers, host_clock: Clock) -> None:
        self._wanted = wanted
        self._followers = followers
        self._clock = host_clock
        self._heard: list[Heard] = []
        self._size = 0
        self._left_out = False
        self._ended = asyncio.Event()

    def hear(self, heard: Heard) -> None:
        """See Follower."""
        if not self._wanted.stream_matches(heard.stream.stream):
            return
        size = sum(len(event[4]) for event in heard.events)
        if self._size + size > _MAX_KEPT:
            self._left_out = True
            return
        self._heard.append(heard)
        self._size += size

    def end(self) -> None:
        """The platform stops."""
        self._ended.set()

    async def events(self, start: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The response stream; `start` is what the session was asked for."""
        for group in self._wanted.groups:
            self._followers.add(group, self)
        until = self._clock.now() + LONGEST_S
        try:
            yield {"sessionStart": dict(start)}
            while not await self._over():
                if self._clock.now() >= until:
                    raise ServiceError("SessionTimeoutException", "The session has exceeded the maximum duration.")
                yield {"sessionUpdate": await self._update()}
        finally:
            for group in self._wanted.groups:
                self._followers.remove(group, self)

    async def _over(self) -> bool:
        """Wait for the next update; whether there is none."""
        try:
            await asyncio.wait_for(self._ended.wait(), UPDATE_S)
        except TimeoutError:
            return False
        return True

    async def _update(self) -> dict[str, Any]:
        heard, self._heard = self._heard, []
        size, self._size = self._size, 0
        left_out, self._left_out = self._left_out, False
        matches = self._wanted.matches
        kept = await asyncio.to_thread(_matching, heard, matches) if size > _INLINE else _matching(heard, matches)
        left_out = left_out or len(kept) > MAX_EVENTS
        step = max(1.0, len(kept) / MAX_EVENTS)
        shown = [kept[int(place * step)] for place in range(min(len(kept), MAX_EVENTS))]
        return {"sessionMetadata": {"sampled": left_out}, "sessionResults": [_result(*one) for one in shown]}


class LiveTails:
    """The sessions that are open."""

    def __init__(self) -> None:
        self._open: set[LiveTail] = set()

    async def run(self, tail: LiveTail, start: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The events of a session, which is known meanwhile."""
        self._open.add(tail)
        events = tail.events(start)
        try:
            async for event in events:
                yield event
        finally:
            self._open.discard(tail)
            await events.aclose()

    def end(self) -> None:
        """End every session: the platform stops."""
        for tail in tuple(self._open):
            tail.end()


def _matching(heard: Sequence[Heard], matches: Matcher) -> list[tuple[StreamName, Event]]:
    return [(one.stream, event) for one in heard for event in one.events if matches(event[4])]


def _result(stream: StreamName, event: Event) -> dict[str, Any]:
    return {
        "logStreamName": stream.stream,
        "logGroupIdentifier": group_arn(stream.scope, stream.group),
        "message": event[4],
        "timestamp": event[2],
        "ingestionTime": event[3],
    }
