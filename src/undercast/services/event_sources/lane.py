"""One lane of a shard: reads it in order and makes batches of what falls to it.

One batch at a time, so that the order of a key is kept. What the filters leave out is passed over; how far is kept
with the next batch, now and then where none comes, and when the reading ends. Of what comes without end some pages are
read at a time: others want to read, too, and windows end.
AWS: Lambda Developer Guide, "Polling and batching streams", "Batching behavior", "Control which events Lambda sends to
your function".
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.events.causality import FILTERED_NAMED
from undercast.events.patterns import Pattern
from undercast.services.event_sources.kinds import Kind
from undercast.services.event_sources.progress import Lane, Progress
from undercast.services.event_sources.reading import Watch
from undercast.services.event_sources.records import Page, Record, filter_view
from undercast.services.event_sources.tumbling import MAX_STATE_BYTES, Window, is_too_large, window_of

AT_ONCE = 1000
MOST_PAGES = 32
"""In one turn."""
MOST_PASSED_OVER = 1000
LONGEST_PASSED_OVER_S = 10.0
"""So many records are passed over, or for so long, before how far is kept: what a kill costs, besides one turn."""
MAX_EVENT_BYTES = 6_291_456
"""Of the records of one batch together, with what is around them."""
ITERATOR_S = 240.0
"""An iterator lives 5 minutes at Kinesis, as a subscription does, and 15 at DynamoDB: it is asked for anew before."""
THROTTLED = "ProvisionedThroughputExceededException"
_FRAME_BYTES = 1024
"""What an event has around its records, without a state."""


@record
class Rules:
    """A consumer's settings, as far as the reading is concerned."""

    batch_size: int
    window_s: int
    tumbling_s: int
    patterns: Sequence[Pattern]
    factor: int
    is_done: Callable[[str, Record], bool]
    """Whether a record of a shard was done under another factor."""
    watch: Watch | None = None
    left_out: Callable[[int, Sequence[str]], None] | None = None
    """Hears how many records the filters left out, and the ids of the first of them."""

    @property
    def most_bytes(self) -> int:
        """Of the records of one event."""
        return MAX_EVENT_BYTES - _FRAME_BYTES - (MAX_STATE_BYTES if self.tumbling_s else 0)

    def concern(self, lane: Lane, record: Record) -> bool:
        """Whether it is the lane's to do. All lanes of a shard read it whole."""
        if self.factor > 1 and record.lane(self.factor) != lane.number:
            return False
        return not self.is_done(lane.shard_id, record)

    def wants(self, record: Record) -> bool:
        """Whether the filters let it through to the consumer."""
        if not self.patterns:
            return True
        view = filter_view(record.event)
        return any(pattern.matches(view) for pattern in self.patterns)


@record
class Batch:
    """Records for the consumer. `end` is where the reading goes on when all is done."""

    reader: "LaneReader"
    records: Sequence[Record]
    end: Progress
    window: Window | None = None


class _Kept(NamedTuple):
    """An iterator that a page has given."""

    iterator: str
    sequence: str
    """Of the last record before it; "" for none."""
    asked_at: float
    """When the one was asked for that led to it."""


@dataclass(slots=True)
class _Turn:
    """With what one turn reads, and what it counts."""

    kind: Kind
    ctx: RequestContext
    rules: Rules
    now: float
    polled: int = 0
    filtered_out: int = 0
    first_left_out: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class LaneReader:
    """See the module."""

    lane: Lane
    progress: Progress
    """What is done."""
    busy: bool = False
    """Whether a batch of it is being processed."""
    cursor: Progress = field(init=False)
    """What is read."""
    gathered: list[Record] = field(default_factory=list)
    size: int = 0
    ends_at: float | None = None
    """When the batching window of what is gathered is over."""
    full: bool = False
    at_end: bool = False
    more: bool = False
    """Whether the last turn ended before all was read."""
    again_at: float = 0.0
    """Not to be read before: the shard's throughput was used up."""
    skipped: int = 0
    """Records passed over since the last commit."""
    skips_since: float | None = None
    kept: _Kept | None = None
    counted_to: int = -1
    """The last sequence number that `Rules.watch` was told of: what is read again is counted once."""

    def __post_init__(self) -> None:
        self.cursor = self.progress

    @property
    def passed_over(self) -> Progress | None:
        """Where the reading stands, when it has moved on without a batch."""
        if self.busy or self.gathered or self.cursor == self.progress:
            return None
        return self.cursor

    def worth_keeping(self, now: float) -> Progress | None:
        """The same, when it is far or long enough ahead of what is kept."""
        passed_over = self.passed_over
        if passed_over is None:
            return None
        if self.skips_since is None:
            self.skips_since = now
        if self.skipped < MOST_PASSED_OVER and now - self.skips_since < LONGEST_PASSED_OVER_S:
            return None
        self.skipped, self.skips_since = 0, None
        return passed_over

    def wakes_at(self, rules: Rules) -> float | None:
        """When there is something to do though nothing arrives."""
        if self.busy:
            return None
        if self.more:
            return 0.0
        closes = self.progress.window + rules.tumbling_s if rules.tumbling_s and self.progress.window else None
        return min((at for at in (self.ends_at, closes, self.again_at or None) if at is not None), default=None)

    async def read(self, kind: Kind, ctx: RequestContext, rules: Rules, now: float) -> Batch | None:
        """The next batch, when it is ready. Raises ServiceError."""
        if now < self.again_at:
            return None
        self.again_at = 0.0
        if rules.tumbling_s and self.progress.window and is_too_large(self.progress.state):  # killed before it ended
            return self._final(rules, early=True)
        if not self.full and not self.at_end:
            await self._gather(_Turn(kind, ctx, rules, now))
        if not self.gathered:
            return None if self.more else self._closing(rules, now)
        window = self._window(rules)
        if window is not None and self.progress.window and window.start > self.progress.window:
            return self._final(rules, early=False)
        if self.ends_at is None:
            self.ends_at = now + rules.window_s
        waits = not self.full and not self.at_end and now < self.ends_at
        if waits and (window is None or now < window.end):
            return None
        batch = Batch(reader=self, records=self.gathered, end=self.cursor, window=window)
        self.gathered, self.size, self.ends_at, self.full, self.more = [], 0, None, False, False
        return batch

    def rewind(self) -> None:
        """Read again behind what is done: a batch was left, or a commit moved on."""
        self.cursor = self.progress
        self.gathered, self.size, self.ends_at, self.full, self.at_end = [], 0, None, False, False
        self.more = False
        self.skipped, self.skips_since = 0, None

    def _window(self, rules: Rules) -> Window | None:
        if not rules.tumbling_s:
            return None
        start = window_of(self.gathered[0], rules.tumbling_s, self.progress.window)
        return Window(start=start, length_s=rules.tumbling_s)

    def _closing(self, rules: Rules, now: float) -> Batch | None:
        """At the tip: the last invocation of a window that is over, or whose shard has ended."""
        if not rules.tumbling_s or not self.progress.window:
            return None
        over = now >= self.progress.window + rules.tumbling_s
        return self._final(rules, early=not over) if over or self.at_end else None

    def _final(self, rules: Rules, *, early: bool) -> Batch:
        window = Window(start=self.progress.window, length_s=rules.tumbling_s, final=True, early=early)
        return Batch(reader=self, records=(), end=replace(self.progress, window=0.0, state=""), window=window)

    async def _gather(self, turn: _Turn) -> None:
        """Read on. `Rules.watch` hears of the lane's own records that were not read before."""
        try:
            await self._read_pages(turn)
        finally:
            rules = turn.rules
            if rules.left_out is not None and turn.filtered_out:
                rules.left_out(turn.filtered_out, turn.first_left_out)
            if rules.watch is not None and turn.polled:
                rules.watch.polled(turn.polled)
                if rules.patterns:
                    rules.watch.filtered_out(turn.filtered_out)

    async def _read_pages(self, turn: _Turn) -> None:
        """Until the batch is full, or all is read that is there."""
        rules, self.more = turn.rules, False
        for number in range(MOST_PAGES):
            if number:
                await asyncio.sleep(0)  # not to wait: others want the loop between two pages
            limit = min(AT_ONCE, rules.batch_size - len(self.gathered)) if rules.factor == 1 else AT_ONCE
            page, asked_at = await self._page(turn, limit)
            for one in page.records:
                if not self._take(one, turn):
                    break
            if page.following is not None and (not page.records or self.cursor.sequence == page.records[-1].sequence):
                self.kept = _Kept(page.following, self.cursor.sequence, asked_at)
            if self.full:
                return
            if page.following is None:
                self.at_end = True
                return
            if page.is_last or not page.records:
                return
        self.more = True

    async def _page(self, turn: _Turn, limit: int) -> tuple[Page, float]:
        """The records behind the cursor, and when the iterator was asked for that led to them.

        One that a page has given is used where the cursor is there: asking for one takes as long as reading.
        """
        kind, ctx, shard_id = turn.kind, turn.ctx, self.lane.shard_id
        kept, self.kept = self.kept, None
        if kept is not None and kept.sequence == self.cursor.sequence and turn.now < kept.asked_at + ITERATOR_S:
            try:
                return await kind.page(ctx, kept.iterator, shard_id, limit), kept.asked_at
            except ServiceError as error:
                if error.code == THROTTLED:
                    self.kept = kept
                    raise
        return await kind.page(ctx, await kind.iterator(ctx, shard_id, self.cursor), shard_id, limit), turn.now

    def _take(self, record: Record, turn: _Turn) -> bool:
        """False when the record belongs to a later batch, or fills this one."""
        rules = turn.rules
        concerns = rules.concern(self.lane, record)
        wanted = concerns and rules.wants(record)
        if wanted:
            size = len(record.text.encode()) + 2
            if self.gathered and not self._fits(record, size, rules):
                self.full = True
                return False
            self.gathered.append(record)
            self.size += size
        else:
            self.skipped += 1
        if concerns and int(record.sequence) > self.counted_to:
            self.counted_to = int(record.sequence)
            turn.polled += 1
            if not wanted:
                turn.filtered_out += 1
                if len(turn.first_left_out) < FILTERED_NAMED:
                    turn.first_left_out.append(record.id)
        self.cursor = replace(self.cursor, sequence=record.sequence)
        self.full = len(self.gathered) >= rules.batch_size
        return not self.full

    def _fits(self, record: Record, size: int, rules: Rules) -> bool:
        if self.size + size > rules.most_bytes:
            return False
        if not rules.tumbling_s:
            return True
        first = window_of(self.gathered[0], rules.tumbling_s, self.progress.window)
        return window_of(record, rules.tumbling_s, self.progress.window) == first
