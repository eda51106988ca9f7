"""Takes log events in, from functions and from PutLogEvents, into the journal's batch.

Nothing waits here and memory is bounded: above a backlog of 32 MiB events are dropped, counted, and the stream says so.
Short appends have a reserve above that: START, END and REPORT of one function outlast another's flood.
A function that floods its log is slowed at its pipe long before (`sandbox.logs`), so only many floods together drop.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from undercast.core.arn import Scope
from undercast.core.clock import PlatformClock
from undercast.core.context import EXTERNAL, Cause
from undercast.core.ids import Ids
from undercast.services.logs import store
from undercast.services.logs.embedded import EmbeddedMetrics
from undercast.services.logs.followers import Event, Followers, Heard, StreamName
from undercast.services.logs.models import EVENT_OVERHEAD_BYTES, Group, Stream
from undercast.store.journal import Journal

log = logging.getLogger(__name__)

WATCHED_BYTES = 4 * 1024 * 1024
"""From here on the backlog is measured by waiting for the journal."""
MAX_BACKLOG_BYTES = 32 * 1024 * 1024
SHORT_BYTES = 2048
RESERVE_BYTES = 2 * 1024 * 1024
"""What appends of at most SHORT_BYTES may add to the largest backlog."""
_MAX_KNOWN = 20_000
_SAVE_EVERY = 512


def _from_outside(environment_id: str) -> Cause:
    return EXTERNAL


class Intake:
    """The only writer of events. `cause_of` says what an execution environment is busy with."""

    def __init__(
        self,
        journal: Journal,
        clock: PlatformClock,
        ids: Ids,
        embedded: EmbeddedMetrics | None = None,
        cause_of: Callable[[str], Cause] = _from_outside,
    ) -> None:
        self.followers = Followers()
        self._cause_of = cause_of
        self._next_id = journal.database.read_now(store.next_event_id)
        self._journal = journal
        self._embedded = embedded
        self._clock = clock
        self._ids = ids
        self._keys: dict[StreamName, int] = {}
        """The one that was written to last is the last one."""
        self._has_dropped = False
        self._unsaved: dict[tuple[Scope, str], int] = {}
        self._appends = 0
        self._backlog = 0
        self._drained: asyncio.Task[None] | None = None
        self._dropped: dict[StreamName, int] = {}

    def known(self, name: StreamName) -> int | None:
        """The key of a stream that was written to before."""
        key = self._keys.pop(name, None)
        if key is not None:
            self._keys[name] = key  # the last one to be dropped
        return key

    def learn(self, name: StreamName, key: int) -> None:
        """A stream that exists in the journal, or will. Who has not been written to for longest is dropped."""
        self._keys.pop(name, None)
        if len(self._keys) >= _MAX_KNOWN:
            self._keys.pop(next(iter(self._keys)))
            self._has_dropped = True
        self._keys[name] = key

    def create(self, name: StreamName) -> int:
        """Make a stream that is not known, and its group if that is missing. Returns the key."""
        if self._has_dropped and (key := self._journal.database.read_row(partial(store.stream_key, name=name))):
            self.learn(name, key)  # another key would be that of no stream
            return key
        now_ms = int(self._clock.now() * 1000)
        group = Group(scope=name.scope, name=name.group, created_ms=now_ms)
        stream = self.new_stream(name, now_ms)
        self._journal.append(store.ADD_GROUP, store.group_row(group))
        self._journal.append(store.ADD_STREAM, store.stream_row(stream))
        self.learn(name, stream.key)
        return stream.key

    def new_stream(self, name: StreamName, now_ms: int) -> Stream:
        """A stream with a key of its own."""
        key = int(self._ids.hex(15), 16)
        return Stream(scope=name.scope, group=name.group, name=name.stream, key=key, created_ms=now_ms)

    def forget(self, keys: Iterable[int]) -> None:
        """Streams were deleted: the next event makes them anew. For the commit that has deleted them: before it, an
        event would go under a key that no stream gets, and behind it, under one that no stream has any more."""
        gone = frozenset(keys)
        for name in [name for name, key in self._keys.items() if key in gone]:
            del self._keys[name]

    def forget_size(self, scope: Scope, group: str) -> None:
        """The group was deleted."""
        self._unsaved.pop((scope, group), None)

    def append(self, name: StreamName, key: int, events: Sequence[tuple[int, str]], cause: Cause | None = None) -> None:
        """Write (timestamp in ms, message) pairs soon. Never blocks. Without a cause they are a function's own lines.

        Events have their ids from here on, not from the file: who follows the group has to know them now.
        """
        size = len(events) * EVENT_OVERHEAD_BYTES
        now_ms = int(self._clock.now() * 1000)
        rows: list[Event] = []
        for number, (timestamp_ms, message) in enumerate(events, self._next_id):
            size += len(message) if message.isascii() else len(message.encode())
            rows.append((number, key, timestamp_ms, now_ms, message))
        if self._backlog + size > MAX_BACKLOG_BYTES + (RESERVE_BYTES if size <= SHORT_BYTES else 0):
            self._dropped[name] = self._dropped.get(name, 0) + len(rows)
            return
        self._next_id += len(rows)
        self._journal.extend(store.ADD_EVENT, rows)
        if self._embedded is not None:
            ahead_ms = 1000 * self._clock.offset_s if cause is None else 0.0  # functions have the machine's time
            self._embedded.hear(name.scope, events, now_ms, ahead_ms)
        self._count(name, size)
        if self.followers.by_group and (followers := self.followers.by_group.get(name[:2])):
            # The name of a function's stream ends with the id of its environment.
            heard = Heard(name, rows, cause or self._cause_of(name.stream.rpartition("]")[2]))
            for follower in followers:
                follower.hear(heard)

    def save_sizes(self) -> None:
        """Write how many bytes the groups have grown by; before they are read, and now and then."""
        unsaved, self._unsaved = self._unsaved, {}
        for (scope, group), size in unsaved.items():
            self._journal.append(store.COUNT_BYTES, (size, *store.scope_of(scope), group))

    async def room(self) -> None:
        """Return once the backlog is small: for writers that can wait."""
        while self._backlog > WATCHED_BYTES and self._drained is not None:
            await asyncio.wait([self._drained])

    async def stop(self) -> None:
        """Hand the journal what is counted; it flushes when it closes."""
        if self._drained is not None:
            await asyncio.wait([self._drained])
        self.save_sizes()

    def clear(self) -> None:
        """Rows were deleted behind our back (reset)."""
        self._keys.clear()
        self._unsaved.clear()

    def _count(self, name: StreamName, size: int) -> None:
        where = name[:2]
        self._unsaved[where] = self._unsaved.get(where, 0) + size
        self._backlog += size
        self._appends += 1
        if self._appends % _SAVE_EVERY == 0:
            self.save_sizes()
        if self._backlog > WATCHED_BYTES and self._drained is None:
            self._drained = asyncio.get_running_loop().create_task(self._drain())
            self._drained.add_done_callback(self._on_drained)

    async def _drain(self) -> None:
        counted = self._backlog
        await self._journal.flush()
        self._backlog -= counted

    def _on_drained(self, task: asyncio.Task[None]) -> None:
        self._drained = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the log could not be written: %r", error)
            self._backlog = 0
        dropped, self._dropped = self._dropped, {}
        for name, count in dropped.items():
            text = f"[undercast] {count} log events were dropped: they came faster than they could be stored\n"
            self.append(name, self._keys.get(name) or self.create(name), [(int(self._clock.now() * 1000), text)])
