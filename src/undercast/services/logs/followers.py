"""Who hears of a group's events as they are taken in: subscription filters, metric filters, live tails.

A group that nobody follows costs one look into a dict. Hearing never waits and never fails: followers put aside what
they hear and work on it in tasks of their own.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from undercast.core.arn import Scope
from undercast.core.context import Cause
from undercast.services.logs.models import Position

Event = tuple[int, int, int, int, str]
"""A row of logs_event: id, stream key, timestamp in ms, ingestion in ms, message."""


class GroupName(NamedTuple):
    """What identifies a group."""

    scope: Scope
    group: str


class StreamName(NamedTuple):
    """What identifies a stream. It begins as its group's name does."""

    scope: Scope
    group: str
    stream: str


class Heard(NamedTuple):
    """Events of one stream that were taken in together."""

    stream: StreamName
    events: Sequence[Event]
    cause: Cause
    """Of the writer: the invocation whose lines these are, or the call that put them."""


class Follower(Protocol):
    """Hears of every event of the groups that it follows."""

    def hear(self, heard: Heard) -> None:
        """Put aside. On the event loop, within the writer's step."""
        ...


class Followers:
    """The followers of each group. `by_group` holds groups with followers only."""

    def __init__(self) -> None:
        self.by_group: dict[tuple[Scope, str], tuple[Follower, ...]] = {}

    def add(self, group: GroupName, follower: Follower) -> None:
        """From now on; once, however often it is added."""
        there = self.by_group.get(group, ())
        if follower not in there:
            self.by_group[group] = (*there, follower)

    def remove(self, group: GroupName, follower: Follower) -> None:
        """No more."""
        left = tuple(one for one in self.by_group.get(group, ()) if one is not follower)
        if left:
            self.by_group[group] = left
        else:
            self.by_group.pop(group, None)


def event_id(event: Event) -> str:
    """As FilterLogEvents shows it."""
    return Position(event[2], event[0]).text()
