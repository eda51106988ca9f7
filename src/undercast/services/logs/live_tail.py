"""Live tail sessions: the events of groups as they are taken in, an update every second.

A session sees at most 500 events a second; of more it shows some and says so (`sampled`). It ends after three hours.
AWS: CloudWatch Logs API Reference, StartLiveTail, LiveTailSessionUpdate.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from undercast.core.clock import Clock
from undercast.core.errors import ServiceError
from undercast.services.logs.followers import Event, Followers, GroupName, Heard, StreamName
from undercast.services.logs.models import group_arn
from undercast.services.logs.pattern import Matcher

UPDATE_S = 1.0
MAX_EVENTS = 500
LONGEST_S = 3 * 3600.0
_MAX_KEPT = 10_000
"""What is kept of one second; the update is sampled anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
        self._kept: list[tuple[StreamName, Event]] = []
        self._left_out = False
        self._ended = asyncio.Event()

    def hear(self, heard: Heard) -> None:
        """See Follower."""
        if not self._wanted.stream_matches(heard.stream.stream):
            return
        for event in heard.events:
            if len(self._kept) >= _MAX_KEPT:
                self._left_out = True
                return
            if self._wanted.matches(event[4]):
                self._kept.append((heard.stream, event))

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
                yield {"sessionUpdate": self._update()}
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

    def _update(self) -> dict[str, Any]:
        kept, self._kept = self._kept, []
        left_out, self._left_out = self._left_out or len(kept) > MAX_EVENTS, False
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


def _result(stream: StreamName, event: Event) -> dict[str, Any]:
    return {
        "logStreamName": stream.stream,
        "logGroupIdentifier": group_arn(stream.scope, stream.group),
        "message": event[4],
        "timestamp": event[2],
        "ingestionTime": event[3],
    }
