"""Which shards may be read, and what is done, whatever ParallelizationFactor was before."""

import json

from undercast.services.event_sources.book import Book
from undercast.services.event_sources.progress import START, Lane, Progress
from undercast.services.event_sources.records import Listing, Record, ShardSeen, filter_view
from undercast.services.event_sources.tumbling import Window, state_of, window_of

SPLIT = Listing([ShardSeen("0", ()), ShardSeen("1", ("0",)), ShardSeen("2", ("0",)), ShardSeen("3", ("1", "2"))], 1.0)


def record(sequence: int, key: str = "a", arrived_at: float = 0.0) -> Record:
    event = {"eventID": str(sequence)}
    return Record(sequence=str(sequence), arrived_at=arrived_at, key=key, event=event, text=json.dumps(event))


def test_children_wait_for_all_their_parents() -> None:
    """AWS: a shard is processed when its parents are; an expired parent holds nobody up."""
    lanes: dict[Lane, Progress] = {}
    assert Book(lanes, 1).readable(SPLIT) == ["0"]
    lanes[Lane("0", 1, 0)] = Progress(ended=True)
    assert Book(lanes, 1).readable(SPLIT) == ["1", "2"]
    lanes[Lane("1", 1, 0)] = Progress(ended=True)
    lanes[Lane("2", 1, 0)] = Progress(sequence="7")
    assert Book(lanes, 1).readable(SPLIT) == ["2"]
    lanes[Lane("2", 1, 0)] = Progress(sequence="7", ended=True)
    assert Book(lanes, 1).readable(SPLIT) == ["3"]
    assert Book({}, 1).readable(Listing(SPLIT.shards[1:], 1.0)) == ["1", "2"]


def test_a_shard_has_ended_when_all_its_lanes_have() -> None:
    """Its children do not overtake the lane that is behind."""
    lanes = {Lane("0", 2, 0): Progress(ended=True), Lane("0", 2, 1): Progress(sequence="3")}
    book = Book(lanes, 2)
    assert book.readable(SPLIT) == ["0"]
    assert [lane.number for lane, _ in book.lanes("0")] == [1]
    book.put(Lane("0", 2, 1), Progress(ended=True))
    assert book.readable(SPLIT) == ["1", "2"]


def test_a_shard_whose_child_has_begun_is_done() -> None:
    """What remains of an older position: the shard that was read last."""
    assert Book({Lane("3", 1, 0): Progress(sequence="9")}, 1).readable(SPLIT) == ["3"]


def test_every_shard_begins_where_the_mapping_does() -> None:
    """LATEST and AT_TIMESTAMP are moments."""
    ((_, start),) = Book({START: Progress(since=5.0)}, 1).lanes("0")
    assert start == Progress(since=5.0)


def test_another_factor_repeats_nothing_and_forgets_nothing() -> None:
    """New lanes begin at the slowest old one, and pass over what the faster ones have done."""
    key_of = {record(0, key).lane(2): key for key in ("a", "b", "c", "d")}
    lanes = {Lane("0", 2, 0): Progress(sequence="10"), Lane("0", 2, 1): Progress(sequence="4")}
    book = Book(lanes, 1)
    ((lane, start),) = book.lanes("0")
    assert (lane, start.sequence) == (Lane("0", 1, 0), "4")
    assert book.is_done("0", record(8, key_of[0]))
    assert not book.is_done("0", record(8, key_of[1]))
    assert not book.is_done("0", record(11, key_of[0]))
    only_one = Book({Lane("0", 2, 0): Progress(sequence="10")}, 1)
    ((_, start),) = only_one.lanes("0")
    assert start.sequence == ""


def test_a_record_belongs_to_the_window_of_its_arrival() -> None:
    """Windows begin at multiples of their length; who comes late is in the window that is open."""
    assert window_of(record(1, arrived_at=125.0), 60, 0.0) == 120.0
    assert window_of(record(1, arrived_at=119.9), 60, 120.0) == 120.0
    members = Window(start=1607497440.0, length_s=120, final=True).members('{"1": 282}')
    assert members == {
        "window": {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"},
        "state": {"1": 282},
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": False,
    }


def test_an_answer_without_a_state_is_a_failure() -> None:
    """AWS: the response must contain a state property."""
    assert state_of(b'{"state": {"a": 1}}') == '{"a": 1}'
    assert [state_of(payload) for payload in (b"", b"null", b"{}", b"[1]", b"{")] == [None] * 5


def test_filters_see_the_data_of_kinesis() -> None:
    """AWS: Kinesis event source mappings only support filtering on the data key."""
    assert filter_view({"kinesis": {"data": "eyJhIjogMX0="}, "eventID": "x"}) == {"data": {"a": 1}}
    assert filter_view({"kinesis": {"data": "dGV4dA=="}}) == {"data": "text"}
    assert filter_view({"dynamodb": {}}) == {"dynamodb": {}}
