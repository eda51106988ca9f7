"""Takes the events of groups with subscription filters to their destinations, as deliveries of the outbox.

What is heard within half a second goes together: one message for each filter and stream. PutLogEvents answers when its
deliveries are committed; of a function's lines a SIGKILL may lose what waits, as it may of the log itself.
AWS: CloudWatch Logs User Guide, "Real-time processing of log data with subscriptions".
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import md5
from typing import NamedTuple

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import Clock
from undercast.core.context import EXTERNAL, Cause
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.events.delivery import Delivery
from undercast.events.outbox import Outbox
from undercast.services.logs import filter_store
from undercast.services.logs.destination import KIND as STREAMS
from undercast.services.logs.destination import Destination
from undercast.services.logs.followers import Event, Followers, GroupName, Heard, StreamName
from undercast.services.logs.loops import Loops
from undercast.services.logs.pattern import Matcher, compile_pattern, named_fields
from undercast.services.logs.subscription import BY_STREAM, SubscriptionFilter, function_event, packed, portions
from undercast.store.database import Tx

log = logging.getLogger(__name__)

WINDOW_S = 0.5
WATCHED_BYTES = 4 * 1024 * 1024
MAX_WAITING_BYTES = 16 * 1024 * 1024
_INLINE_BYTES = 65_536
"""More than this is matched and packed in a thread: the loop has other work."""
_INLINE_DELIVERIES = 16
_MAX_KNOWN_CAUSES = 4096


@record
class LiveFilter:
    """A filter whose pattern is compiled."""

    filter: SubscriptionFilter
    matches: Matcher
    fields: Callable[[str], Mapping[str, str]] | None


class Message(NamedTuple):
    """One packed message, and because of what it was written."""

    filter: SubscriptionFilter
    stream: StreamName
    packed: bytes
    cause: Cause


class Place(NamedTuple):
    """Where a message goes, and in which form."""

    kind: str
    target_arn: str
    payload: bytes
    attributes: Mapping[str, str]


class Subscriptions:
    """A follower of every group with subscription filters."""

    def __init__(self, outbox: Outbox, followers: Followers, clock: Clock, ids: Ids) -> None:
        self._outbox = outbox
        self._followers = followers
        self._clock = clock
        self._ids = ids
        self._loops = Loops()
        self._filters: dict[GroupName, tuple[LiveFilter, ...]] = {}
        self._causes: dict[StreamName | GroupName, Cause] = {}
        self._waiting: list[Heard] = []
        self._waiting_bytes = 0
        self._heard = 0
        self._settled = 0
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Know the filters that are stored."""
        by_group: dict[GroupName, list[SubscriptionFilter]] = {}
        for one in await self._outbox.database.read(filter_store.all_subscriptions):
            by_group.setdefault(one.group_name, []).append(one)
        for group, filters in by_group.items():
            self.learn(group, filters)

    def learn(self, group: GroupName, filters: Iterable[SubscriptionFilter]) -> None:
        """These are the group's filters from now on."""
        live = tuple(
            LiveFilter(filter=one, matches=compile_pattern(one.pattern), fields=named_fields(one.pattern))
            for one in filters
        )
        if live:
            self._filters[group] = live
            self._followers.add(group, self)
        else:
            self._filters.pop(group, None)
            self._followers.remove(group, self)

    def hear(self, heard: Heard) -> None:
        """See Follower. Above the limit events are left out, and the platform's log says how many."""
        size = sum(len(event[4]) for event in heard.events)
        if self._waiting_bytes + size > MAX_WAITING_BYTES:
            self._dropped += len(heard.events)
            return
        self._waiting_bytes += size
        self._waiting.append(heard)
        self._heard += 1
        if self._timer is None and self._sending is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW_S, self._begin)

    async def room(self) -> None:
        """Return once little waits: for writers that can wait, whose events must not be left out."""
        while self._waiting_bytes > WATCHED_BYTES:
            await self.settled()

    async def settled(self) -> None:
        """Return when the deliveries of everything heard before are committed. Raises when they could not be."""
        goal = self._heard
        while self._settled < goal:
            self._begin()
            assert self._sending is not None
            await asyncio.shield(self._sending)

    async def stop(self) -> None:
        """Commit what waits."""
        try:
            await self.settled()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def clear(self) -> None:
        """A reset: there are no filters any more."""
        for group in tuple(self._filters):
            self.learn(group, ())
        self._settled += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._causes.clear()
        self._loops.clear()

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sending is not None or not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        size, self._waiting_bytes = self._waiting_bytes, 0
        self._sending = asyncio.create_task(self._send(waiting, size))
        self._sending.add_done_callback(_tell)

    async def _send(self, waiting: list[Heard], size: int) -> None:
        try:
            work = [(stream, events, cause) for stream, events, cause in self._by_stream(waiting)]
            filters = {stream: self._filters.get(GroupName(*stream[:2]), ()) for stream, _, _ in work}
            if size > _INLINE_BYTES:
                messages = await asyncio.to_thread(_messages, work, filters)
            else:
                messages = _messages(work, filters)
            deliveries = [made for message in messages if (made := self._delivery(message)) is not None]
            if deliveries:
                await self._commit(deliveries)
        finally:
            self._sending = None
            self._settled += len(waiting)
            if self._waiting and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(WINDOW_S, self._begin)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                log.warning("%d log events did not go to subscriptions: they came too fast", dropped)

    async def _commit(self, deliveries: list[Delivery]) -> None:
        def write(tx: Tx) -> None:
            for one in deliveries:
                self._outbox.add(tx, one)

        await self._outbox.database.write(write, long=len(deliveries) > _INLINE_DELIVERIES)

    def _by_stream(self, waiting: list[Heard]) -> Iterable[tuple[StreamName, list[Event], Cause]]:
        found: dict[StreamName, list[Event]] = {}
        causes: dict[StreamName, Cause] = {}
        for stream, events, cause in waiting:
            causes[stream] = self._known_cause(stream, cause)
            found.setdefault(stream, []).extend(events)
        return [(stream, events, causes[stream]) for stream, events in found.items()]

    def _known_cause(self, stream: StreamName, cause: Cause) -> Cause:
        """The invocation whose lines these are; for lines of an INIT or of idle times, that before them.

        The last lines of a run often come when it is over. Taken for nobody's, they would begin a loop anew each time.
        """
        group = GroupName(*stream[:2])
        if cause.kind == "post-response":
            cause = Cause(kind="invocation", id=cause.id, environment_id=cause.environment_id)
        if cause.kind not in ("init", "background"):
            if len(self._causes) > _MAX_KNOWN_CAUSES:
                self._causes.clear()
            self._causes[stream] = self._causes[group] = cause
            return cause
        return self._causes.get(stream) or self._causes.get(group) or EXTERNAL

    def destination(self, arn: str) -> Destination | None:
        """The logical destination that an ARN names."""
        _, _, _, region, account_id, _, name = [*arn.split(":", 6), "", ""][:7]
        scope = Scope(AccountId(account_id), Region(region))
        return self._outbox.database.read_now(lambda tx: filter_store.destination(tx, scope, name))

    def _delivery(self, message: Message) -> Delivery | None:
        one = message.filter
        delivery_id = self._ids.uuid()
        if not self._loops.admits(delivery_id, one.destination_arn, message.cause.id):
            log.warning("lines of %s do not go to %s any more: they led to themselves", one.group, one.destination_arn)
            return None
        place = self._place(message)
        if place is None:
            log.warning("lines of %s go nowhere: %s is gone", one.group, one.destination_arn)
            return None
        arn = Arn.parse(place.target_arn)
        return Delivery(
            id=delivery_id,
            kind=place.kind,
            target_arn=place.target_arn,
            payload=place.payload,
            scope=Scope(AccountId(arn.account_id), Region(arn.region)),
            created_at=self._clock.now(),
            cause=message.cause,
            source_arn=one.source_arn,
            attributes={"source_account": str(one.scope.account_id), **place.attributes},
        )

    def _place(self, message: Message) -> Place | None:
        one = message.filter
        arn, role_arn = one.destination_arn, one.role_arn
        vendor = arn.split(":")[2]
        if vendor == "lambda":
            return Place("lambda", arn, function_event(message.packed), {})
        if vendor == "logs":
            destination = self.destination(arn)
            if destination is None:
                return None
            arn, role_arn = destination.target_arn, destination.role_arn
        by_stream = one.distribution == BY_STREAM
        key = md5(message.stream.stream.encode(), usedforsecurity=False).hexdigest() if by_stream else self._ids.uuid()
        return Place(STREAMS, arn, message.packed, {"role_arn": role_arn, "partition_key": key})


def _messages(
    work: Sequence[tuple[StreamName, list[Event], Cause]], filters: Mapping[StreamName, tuple[LiveFilter, ...]]
) -> list[Message]:
    return [
        Message(
            filter=live.filter,
            stream=stream,
            packed=packed(str(stream.scope.account_id), stream, live.filter.name, portion, live.fields),
            cause=cause,
        )
        for stream, events, cause in work
        for live in filters[stream]
        for portion in portions([event for event in events if live.matches(event[4])])
    ]


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("subscriptions: a batch of log events was lost: %s", error)
