"""A lane whose stream is written to faster than its filters leave out: the reading of it has an end each time."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeClock
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.events.causality import FILTERED_NAMED
from undercast.events.patterns import compile_pattern
from undercast.services.event_sources.lane import (
    LONGEST_PASSED_OVER_S,
    MOST_PAGES,
    MOST_PASSED_OVER,
    THROTTLED,
    LaneReader,
    Rules,
)
from undercast.services.event_sources.progress import Lane, Progress
from undercast.services.event_sources.records import Listing, Page, Record
from undercast.services.event_sources.tumbling import MAX_STATE_BYTES, Window, window_of

CTX: Any = None
"""The stream asks for none."""


class Stream:
    """One that never ends: each page is full. Every tenth record is wanted where `wanted` says so."""

    bell, batch_info = "stream", "info"

    def __init__(self, *, wanted: bool, length: int | None = None, tells_end: bool = False) -> None:
        self._wanted = wanted
        self.length = length
        self._tells_end = tells_end
        self.pages = self.iterators = 0
        self.refusals: list[str] = []
        """Codes with which the next pages are refused."""

    async def listing(self, ctx: RequestContext) -> Listing:
        raise AssertionError("nobody asks a lane for its shards")

    async def iterator(self, ctx: RequestContext, shard_id: str, start: Progress) -> str:
        self.iterators += 1
        return start.sequence or "0"

    async def page(self, ctx: RequestContext, iterator: str, shard_id: str, limit: int) -> Page:
        self.pages += 1
        assert self.pages <= 10 * MOST_PAGES, "the reading does not end"
        if self.refusals:
            raise ServiceError(self.refusals.pop(), "")
        first = int(iterator)
        last = first + 10 if self.length is None else min(first + 10, self.length)
        records = [self._record(number) for number in range(first + 1, last + 1)]
        return Page(records, str(last), is_last=self._tells_end and last == self.length)

    def _record(self, number: int) -> Record:
        event = {"eventID": str(number), "kind": "good" if self._wanted and number % 10 == 0 else "bad"}
        return Record(sequence=str(number), arrived_at=100.0, key="k", event=event, text=json.dumps(event))


def rules(**changed: Any) -> Rules:
    """That want good ones."""
    settings: dict[str, Any] = {"batch_size": 10_000, "window_s": 0, "tumbling_s": 0, "factor": 1, **changed}
    pattern = compile_pattern({"kind": ["good"]})
    return Rules(patterns=(pattern,), is_done=lambda shard_id, record: False, **settings)


@pytest.fixture
def reader() -> LaneReader:
    """At the beginning of a shard."""
    return LaneReader(Lane("shard", 1, 0), Progress())


async def test_what_is_left_out_without_end_is_read_piece_by_piece(reader: LaneReader) -> None:
    """Other lanes have their turn between; the next piece is due at once and begins behind this one."""
    stream, now = Stream(wanted=False), FakeClock().now()
    for turn in (1, 2):
        assert await reader.read(stream, CTX, rules(), now) is None
        assert (stream.pages, reader.cursor.sequence) == (turn * MOST_PAGES, str(turn * MOST_PAGES * 10))
        due = reader.wakes_at(rules())
        assert due is not None
        assert due <= now


async def test_at_the_tip_the_bell_is_waited_for(reader: LaneReader) -> None:
    """There is nothing to look at again for."""
    stream = Stream(wanted=False, length=35)
    assert await reader.read(stream, CTX, rules(), 100.0) is None
    assert (reader.cursor.sequence, reader.wakes_at(rules())) == ("35", None)


async def test_a_batching_window_ends_though_records_go_on_coming(reader: LaneReader) -> None:
    """MaximumBatchingWindowInSeconds: the batch is not full, and there is always another page."""
    stream, window = Stream(wanted=True), rules(window_s=5)
    assert await reader.read(stream, CTX, window, 100.0) is None
    batch = await reader.read(stream, CTX, window, 105.0)
    assert batch is not None
    assert [record.sequence for record in batch.records] == [str(n * 10) for n in range(1, 2 * MOST_PAGES + 1)]


async def test_a_tumbling_window_is_not_closed_before_all_of_it_is_read() -> None:
    """Its last invocation is behind its records, however late they are looked at."""
    reader = LaneReader(Lane("shard", 1, 0), Progress(window=60.0, state="{}"))
    stream, window = Stream(wanted=False, length=MOST_PAGES * 10 + 5), rules(tumbling_s=60)
    assert await reader.read(stream, CTX, window, 500.0) is None
    batch = await reader.read(stream, CTX, window, 500.0)
    assert batch is not None
    assert batch.window is not None
    assert batch.window.final


@pytest.mark.parametrize(("arrived_at", "begins_at"), [(125.0, 120.0), (119.9, 120.0), (179.9, 120.0), (180.0, 180.0)])
def test_a_late_record_belongs_to_the_window_that_is_open(arrived_at: float, begins_at: float) -> None:
    """A window that is over does not open again."""
    record = Record(sequence="1", arrived_at=arrived_at, key="k", event={}, text="{}")
    assert window_of(record, 60, 120.0) == begins_at


async def test_a_tumbling_window_whose_state_is_too_large_ends_before_more_is_read() -> None:
    """The platform was killed behind the attempt that made the state, before the window's last invocation."""
    reader = LaneReader(
        Lane("shard", 1, 0), Progress(sequence="5", window=60.0, state=json.dumps("x" * MAX_STATE_BYTES))
    )
    batch = await reader.read(Stream(wanted=True, length=20), CTX, rules(tumbling_s=60), 100.0)
    assert batch is not None
    assert (batch.records, batch.window) == ((), Window(start=60.0, length_s=60, final=True, early=True))
    reader = LaneReader(Lane("shard", 1, 0), Progress(sequence="5", window=60.0, state="é" * 400_000))
    batch = await reader.read(Stream(wanted=True, length=20), CTX, rules(tumbling_s=60), 200.0)
    assert batch is not None
    assert [record.sequence for record in batch.records] == ["10", "20"]


async def test_a_page_with_nothing_behind_it_is_the_last_one(reader: LaneReader) -> None:
    """Where the stream says so, its records are not held back for a look at an empty page."""
    stream = Stream(wanted=True, length=15, tells_end=True)
    batch = await reader.read(stream, CTX, rules(), 100.0)
    assert batch is not None
    assert (stream.pages, batch.end.sequence) == (2, "15")


async def done(reader: LaneReader, stream: Stream, now: float = 100.0) -> None:
    """Read a batch, and behind it."""
    batch = await reader.read(stream, CTX, rules(), now)
    assert batch is not None
    reader.progress = batch.end
    reader.rewind()


async def test_reading_goes_on_with_the_iterator_of_the_page_before(reader: LaneReader) -> None:
    """NextShardIterator. One is asked for anew before it expires: Kinesis, GetRecords, 5 minutes."""
    stream = Stream(wanted=True, length=10, tells_end=True)
    await done(reader, stream)
    for iterators, now in ((1, 110.0), (1, 339.0), (2, 341.0)):
        stream.length = (stream.length or 0) + 10
        await done(reader, stream, now)
        assert stream.iterators == iterators


async def test_an_iterator_is_asked_for_where_the_last_one_is_of_no_use(reader: LaneReader) -> None:
    """It has expired, or the batch comes again. One whose shard's throughput was used up is still good."""
    stream = Stream(wanted=True, length=10, tells_end=True)
    await done(reader, stream)
    stream.length, stream.refusals = 20, ["ExpiredIteratorException"]
    await done(reader, stream)
    assert stream.iterators == 2
    stream.length, stream.refusals = 30, [THROTTLED]
    with pytest.raises(ServiceError):
        await reader.read(stream, CTX, rules(), 100.0)
    assert await reader.read(stream, CTX, rules(), 100.0) is not None
    assert stream.iterators == 2
    reader.rewind()
    batch = await reader.read(stream, CTX, rules(), 100.0)
    assert batch is not None
    assert (stream.iterators, batch.records[0].sequence) == (3, "30")


class Counter:
    """See `Watch`."""

    def __init__(self) -> None:
        self.counts = [0, 0]

    def polled(self, events: int) -> None:
        self.counts[0] += events

    def filtered_out(self, events: int) -> None:
        self.counts[1] += events


async def test_a_record_that_is_read_again_is_counted_once(reader: LaneReader) -> None:
    """A batch that was left comes again; its records are polled once."""
    counter = Counter()
    stream, watched = Stream(wanted=True, length=30), rules(batch_size=2, watch=counter)
    for _ in range(2):
        batch = await reader.read(stream, CTX, watched, 100.0)
        assert batch is not None
        assert counter.counts == [20, 18]
        reader.rewind()
    reader.progress = Progress(sequence="20")
    reader.rewind()
    assert (await reader.read(stream, CTX, watched, 100.0)) is not None
    assert counter.counts == [30, 27]


async def test_what_is_passed_over_is_worth_keeping_after_a_while(reader: LaneReader) -> None:
    """So that a kill does not cost all of it: some records, or some time."""
    few = Stream(wanted=False, length=35)
    assert reader.worth_keeping(100.0) is None
    assert await reader.read(few, CTX, rules(), 100.0) is None
    assert reader.worth_keeping(100.0) is None
    kept = reader.worth_keeping(100.0 + LONGEST_PASSED_OVER_S)
    assert kept == reader.cursor
    reader.progress = kept
    many = Stream(wanted=False, length=35 + MOST_PASSED_OVER)
    sequences = []
    for _ in range(5):
        assert await reader.read(many, CTX, rules(), 100.0) is None
        if (kept := reader.worth_keeping(100.0)) is not None:
            sequences.append(kept.sequence)
            reader.progress = kept
    assert sequences == [str(35 + MOST_PASSED_OVER)]


async def test_what_waits_for_its_batch_is_not_passed_over(reader: LaneReader) -> None:
    """Its position is committed behind it."""
    stream = Stream(wanted=True, length=2 * MOST_PASSED_OVER)
    for _ in range(10):
        assert await reader.read(stream, CTX, rules(window_s=300), 100.0) is None
        assert reader.worth_keeping(200.0) is None


async def test_what_the_filters_leave_out_is_told_once_and_named_up_to_a_number(reader: LaneReader) -> None:
    """A stream of which nothing is wanted costs the trace a bounded number of rows for each turn of the reading."""
    told: list[tuple[int, list[str]]] = []
    watched = rules(left_out=lambda number, ids: told.append((number, list(ids))))
    for _ in range(2):
        assert await reader.read(Stream(wanted=False, length=250), CTX, watched, 100.0) is None
        reader.rewind()
    assert told == [(250, [str(number) for number in range(1, FILTERED_NAMED + 1)])]


class Heavy(Stream):
    """Records of 900 KB each."""

    def _record(self, number: int) -> Record:
        return replace(super()._record(number), text="x" * 900_000)


@pytest.mark.parametrize(("tumbling_s", "records"), [(0, 6), (60, 5)])
async def test_an_event_of_a_tumbling_window_has_room_for_its_state(
    reader: LaneReader, tumbling_s: int, records: int
) -> None:
    """AWS: an event has 6 MB at most, of which the state may have 1 MB."""
    every_one = replace(rules(tumbling_s=tumbling_s), patterns=())
    batch = await reader.read(Heavy(wanted=True, length=10), CTX, every_one, 100.0)
    assert batch is not None
    assert len(batch.records) == records
