"""What becomes of a batch after each outcome of an attempt, whoever makes the attempts."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fakes import START
from tests.unit.lambda_.conftest import World
from undercast.events.delivery import Delivery
from undercast.events.poller import Processed
from undercast.services.event_sources.book import Book
from undercast.services.event_sources.kinds import kind_of
from undercast.services.event_sources.lane import Batch, LaneReader
from undercast.services.event_sources.progress import Lane, Progress, Table
from undercast.services.event_sources.records import Record
from undercast.services.event_sources.tumbling import MAX_STATE_BYTES, Window
from undercast.services.event_sources.work import BACKOFF, Attempt, GivenUp, Means, Work, limits_of

ARN = "arn:aws:kinesis:us-west-2:111122223333:stream/s"
NEVER_OLD = START + 1e9


@dataclass(slots=True)
class Script:
    """Attempts with the outcomes that a test wants, then success."""

    outcomes: list[Attempt[None]] = field(default_factory=list)
    tried: list[list[str]] = field(default_factory=list)
    given_up: list[tuple[list[str], int, str]] = field(default_factory=list)
    closes_at_last: bool = False
    """Whether nobody reads any more, once a window's last invocation was tried."""
    closes_behind: int = 0
    """Behind so many attempts nobody reads any more."""
    work: Work[None] | None = None
    window: Window | None = None
    failure: str = "PROBLEM"
    too_old: str = "Old"

    def wanted(self, records: Sequence[Record]) -> Sequence[Record]:
        """See `Attempts`."""
        return [record for record in records if record.key != "unwanted"]

    async def attempt(self, batch: Batch, records: Sequence[Record]) -> Attempt[None]:
        """See `Attempts`."""
        self.tried.append([record.sequence for record in records])
        closes = (not records and self.closes_at_last) or len(self.tried) == self.closes_behind
        if closes and self.work is not None:
            self.work.close()
        return self.outcomes.pop(0) if self.outcomes else Attempt(failed=False, done=len(records))

    async def letter(self, given_up: GivenUp[None]) -> Delivery | None:
        """See `Attempts`."""
        self.given_up.append(([one.sequence for one in given_up.records], given_up.attempts, given_up.condition))
        return None


def record(sequence: int, arrived_at: float = NEVER_OLD, key: str = "k") -> Record:
    return Record(
        sequence=str(sequence), arrived_at=arrived_at, key=key, event={}, text=json.dumps({"sequence": sequence})
    )


async def process(
    world: World, script: Script, records: Sequence[Record], **settings: Any
) -> tuple[Processed, Progress]:
    """The result, and how far the lane has come. The clock goes on while the work waits."""
    functions, reader = world.functions, LaneReader(Lane("shard", 1, 0), Progress())
    means = Means(
        kind=kind_of(ARN),
        limits=limits_of(settings),
        clock=functions.clock,
        database=functions.database,
        outbox=functions.outbox,
        progress=Table(table="lambda_event_source_progress", owner="lambda_event_source_mapping", id="m"),
        book=Book({}, 1),
    )
    batch = Batch(reader=reader, records=records, end=Progress(sequence="9"), window=script.window)
    script.work = Work(script, means)
    async with asyncio.timeout(30):
        task = asyncio.get_running_loop().create_task(script.work.process(batch))
        while not task.done():
            world.clock.advance(1.0)
            await asyncio.sleep(0)  # the work's turn
        return await task, reader.progress


async def test_who_could_not_be_asked_has_not_failed(world: World) -> None:
    """Not counted as one of MaximumRetryAttempts, and no reason to split."""
    nobody: Attempt[None] = Attempt(failed=True, counted=False, splits=False)
    script = Script([nobody, nobody, Attempt(failed=True, splits=False)])
    settings = {"MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": True}
    processed, progress = await process(world, script, [record(1), record(2)], **settings)
    assert script.tried == [["1", "2"]] * 4
    assert (script.given_up, processed.result, progress.sequence) == ([], "OK", "9")


async def test_halves_begin_to_count_anew(world: World) -> None:
    """AWS: splitting does not count as a retry. What is done is not tried again; who must not be split is not."""
    whole: Attempt[None] = Attempt(failed=True, done=1, splits=False)
    fails: Attempt[None] = Attempt(failed=True)
    script = Script([whole, fails, fails, fails])
    settings = {"MaximumRetryAttempts": 2, "BisectBatchOnFunctionError": True}
    await process(world, script, [record(1), record(2), record(3)], **settings)
    assert script.tried == [["1", "2", "3"], ["2", "3"], ["2"], ["2"], ["2"], ["3"]]
    assert script.given_up == []


async def test_parts_of_a_batch_that_nobody_reads_any_more_are_left(world: World) -> None:
    """They are tried without a wait: a function that names the second record each time was called for all of them.
    What is done is kept, and the rest comes again."""
    names_second: Attempt[None] = Attempt(failed=True, done=1, splits=False)
    records, settings = [record(number) for number in (1, 2, 3, 4)], {"BisectBatchOnFunctionError": True}
    script = Script([names_second] * 3, closes_behind=2)
    processed, progress = await process(world, script, records, **settings)
    assert script.tried == [["1", "2", "3", "4"], ["2", "3", "4"]]
    assert (processed.result, progress.sequence) == ("PROBLEM", "2")
    half: Attempt[None] = Attempt(failed=False, done=2)
    script = Script([Attempt(failed=True), half], closes_behind=2)
    processed, progress = await process(world, script, records, **settings)
    assert script.tried == [["1", "2", "3", "4"], ["1", "2"]]
    assert (processed.result, progress.sequence, script.given_up) == ("OK", "2", [])


async def test_a_batch_of_which_no_retry_is_allowed_is_split_all_the_same(world: World) -> None:
    """AWS: "Splitting a batch does not count towards the retry quota". Only the one that fails alone is given up."""
    fails: Attempt[None] = Attempt(failed=True)
    script = Script([fails, fails, fails])
    settings = {"MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": True}
    await process(world, script, [record(1), record(2), record(3), record(4)], **settings)
    assert script.tried == [["1", "2", "3", "4"], ["1", "2"], ["1"], ["2"], ["3", "4"]]
    assert script.given_up == [(["1"], 1, "RetryAttemptsExhausted")]


async def test_a_function_that_says_what_failed_has_split_the_batch_there(world: World) -> None:
    """Both ReportBatchItemFailures and bisecting: what is left begins anew, so that what is behind it is not lost."""
    script = Script([Attempt(failed=True, done=1, splits=False), Attempt(failed=True), Attempt(failed=True)])
    settings = {"MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": True}
    await process(world, script, [record(1), record(2), record(3)], **settings)
    assert script.tried == [["1", "2", "3"], ["2", "3"], ["2"], ["3"]]
    assert script.given_up == [(["2"], 1, "RetryAttemptsExhausted")]


async def test_what_fails_too_often_is_given_up_and_the_rest_goes_on(world: World) -> None:
    """The condition, and how often it was tried; what is behind it in the batch follows."""
    fails: Attempt[None] = Attempt(failed=True)
    script = Script([fails, fails, fails])
    settings = {"MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": True}
    processed, _ = await process(world, script, [record(1), record(2)], **settings)
    assert (script.tried, processed.result) == ([["1", "2"], ["1"], ["1"], ["2"]], "OK")
    assert script.given_up == [(["1"], 2, "RetryAttemptsExhausted")]


async def test_a_batch_whose_last_piece_failed_has_failed(world: World) -> None:
    """LastProcessingResult is the last attempt's."""
    fails: Attempt[None] = Attempt(failed=True)
    done: Attempt[None] = Attempt(failed=False, done=1)
    script = Script([fails, done, fails, fails])
    settings = {"MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": True}
    processed, _ = await process(world, script, [record(1), record(2)], **settings)
    assert (script.given_up, processed.result) == ([(["2"], 2, "RetryAttemptsExhausted")], "PROBLEM")


async def test_the_old_and_the_unwanted_are_not_tried(world: World) -> None:
    """MaximumRecordAgeInSeconds; what the consumer does not want is no part of a piece."""
    script = Script()
    records = [record(1, arrived_at=START - 100), record(2, key="unwanted"), record(3)]
    processed, progress = await process(world, script, records, MaximumRecordAgeInSeconds=60)
    assert (script.tried, script.given_up) == ([["3"]], [(["1"], 0, "Old")])
    assert (processed.result, progress.sequence) == ("OK", "9")


@pytest.mark.parametrize(("age_s", "kept_s"), [(3600, 3600), (604_800, 86_400), (-1, 86_400)])
async def test_no_record_is_tried_that_its_stream_does_not_keep_any_more(world: World, age_s: int, kept_s: int) -> None:
    """MaximumRecordAgeInSeconds, and where that is longer, or -1 for none, the retention of the stream: a day here."""
    script = Script()
    now = world.clock.now()
    records = [record(1, arrived_at=now - kept_s - 1), record(2, arrived_at=now - kept_s + 60)]
    await process(world, script, records, MaximumRecordAgeInSeconds=age_s)
    assert (script.tried, script.given_up) == ([["2"]], [(["1"], 0, "Old")])


async def test_a_window_whose_state_is_too_large_ends_before_the_rest_of_its_batch(world: World) -> None:
    """Split, with a part done: the last invocation, then what is left, in the window anew. Where nobody reads any more
    before that succeeded, nothing follows it, and the state stays for who reads next.
    """
    large, window = json.dumps("x" * MAX_STATE_BYTES), Window(start=START, length_s=60)
    fails: Attempt[None] = Attempt(failed=True)
    part: Attempt[None] = Attempt(failed=True, done=1, splits=False, state=large)
    records, settings = [record(number) for number in (1, 2, 3, 4)], {"BisectBatchOnFunctionError": True}
    script = Script([fails, part, fails], window=window)
    processed, progress = await process(world, script, records, **settings)
    assert script.tried == [["1", "2", "3", "4"], ["1", "2"], [], [], ["2"], ["3", "4"]]
    assert (processed.result, progress.sequence, progress.window, progress.state) == ("OK", "9", START, "")
    half: Attempt[None] = Attempt(failed=False, done=2, state=large)
    script = Script([fails, half, fails], closes_at_last=True, window=window)
    processed, progress = await process(world, script, records, **settings)
    assert script.tried == [["1", "2", "3", "4"], ["1", "2"], []]
    assert (processed.result, progress.sequence, progress.window) == ("PROBLEM", "2", START)
    assert progress.state == large


def test_the_waits_between_retries_grow_up_to_a_minute() -> None:
    """A function that has failed for long is tried again soon behind its mending. The limit is ours."""
    assert [BACKOFF.wait_s(waits) for waits in (0, 1, 5, 6, 100)] == [1, 2, 32, 60, 60]
