"""A model of what becomes of the records of a batch, against the work itself: every limit, with and without splits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import START
from tests.unit.lambda_.conftest import World
from tests.unit.lambda_.test_stream_work import NEVER_OLD, Script, process, record
from undercast.events.delivery import Delivery
from undercast.services.event_sources.lane import Batch
from undercast.services.event_sources.records import Record
from undercast.services.event_sources.tumbling import Window
from undercast.services.event_sources.work import Attempt, GivenUp, parts_of

ALWAYS = 10_000
AGE_S = 600
WHOLE, REPORTS, NAMES = "whole", "reports", "names"
"""How a consumer fails: with an error; as a function with ReportBatchItemFailures; as a pipe, which may be halved."""


@dataclass(slots=True)
class Consumer(Script):
    """Fails with a record as often as the test wants, and keeps what becomes of each."""

    fails: dict[str, int] = field(default_factory=dict)
    how: str = WHOLE
    nobody: int = 0
    """How often it cannot be asked at first."""
    done: list[str] = field(default_factory=list)
    why: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """Why, behind how many attempts, and of how many records together."""
    states: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def attempt(self, batch: Batch, records: Sequence[Record]) -> Attempt[None]:
        """See `Attempts`. The state of a window is what has been done in it."""
        if self.nobody:
            self.nobody -= 1
            return Attempt(failed=True, counted=False, splits=False)
        self.states.append(batch.reader.progress.state)
        bad = [place for place, one in enumerate(records) if self.fails[one.sequence]]
        for place in bad:
            self.fails[records[place].sequence] -= 1
        done = len(records) if not bad else 0 if self.how == WHOLE else bad[0]
        self.done += [one.sequence for one in records[:done]]
        self.ended += [one.sequence for one in records[:done]]
        state = json.dumps(self.done) if batch.window is not None else ""
        splits = self.how == NAMES or not done
        return Attempt(failed=bool(bad), done=done, splits=splits, state=state if done else batch.reader.progress.state)

    async def letter(self, given_up: GivenUp[None]) -> Delivery | None:
        """See `Attempts`."""
        for one in given_up.records:
            assert one.sequence not in self.why
            self.why[one.sequence] = (given_up.condition, given_up.attempts, len(given_up.records))
            self.ended.append(one.sequence)
        return None


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[Record], Consumer, dict[str, Any]]:
    """Records, who does them, and a mapping's settings."""
    numbers = range(1, draw(st.integers(1, 12)) + 1)
    retries = draw(st.sampled_from([-1, 0, 1, 2]))
    how_often = st.sampled_from([0, 0, 0, 1, 3, *([ALWAYS] if retries >= 0 else [])])
    fails = {str(number): draw(how_often) for number in numbers}
    ages = draw(st.booleans())
    old = draw(st.integers(0, len(numbers))) if ages else 0
    records = [record(number, START - 2 * AGE_S if number <= old else NEVER_OLD) for number in numbers]
    window = Window(start=START // 60 * 60, length_s=60) if draw(st.booleans()) else None
    consumer = Consumer(
        fails=fails, how=draw(st.sampled_from([WHOLE, REPORTS, NAMES])), nobody=draw(st.integers(0, 2)), window=window
    )
    given_settings = {
        "MaximumRetryAttempts": retries,
        "BisectBatchOnFunctionError": draw(st.booleans()),
        "MaximumRecordAgeInSeconds": AGE_S if ages else -1,
    }
    return records, consumer, given_settings


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches())
async def test_each_record_ends_done_or_given_up_for_its_own_reason(
    world: World, drawn: tuple[list[Record], Consumer, dict[str, Any]]
) -> None:
    """In order, once; with splits no record that works is given up, and none that may be tried again is."""
    records, consumer, limits = drawn
    allowed, fails = limits["MaximumRetryAttempts"], dict(consumer.fails)
    numbers = [one.sequence for one in records]
    processed, progress = await process(world, consumer, records, **limits)
    assert consumer.ended == numbers
    assert progress.sequence == "9"
    assert (processed.result == "OK") is not (numbers[-1] in consumer.why)
    old = {one.sequence for one in records if one.arrived_at < START}
    assert {one for one, told in consumer.why.items() if told[0] == "Old"} == old
    exhausted = {one: told for one, told in consumer.why.items() if told[0] != "Old"}
    assert {told[:2] for told in exhausted.values()} <= {("RetryAttemptsExhausted", allowed + 1)}
    if limits["BisectBatchOnFunctionError"]:
        assert {one for one, told in exhausted.items() if told[2] > 1 or fails[one] <= allowed} == set()
    if consumer.window is not None:
        assert consumer.states == sorted(consumer.states, key=len)


def test_a_batch_is_split_as_long_as_one_record_can_be_parted_from_another() -> None:
    """In halves, or behind what the function says is done; the parts have no attempts behind them."""
    records = [record(number) for number in range(1, 6)]

    def parts(number: int, **attempt: Any) -> list[tuple[list[str], int, int]]:
        found = parts_of(records[:number], Attempt(failed=True, **attempt))
        return [([one.sequence for one in part.records], part.attempts, part.waits) for part in found]

    assert parts(5) == [(["1", "2"], 0, 0), (["3", "4", "5"], 0, 0)]
    assert parts(5, done=2) == [(["3"], 0, 0), (["4", "5"], 0, 0)]
    assert parts(5, done=2, splits=False) == [(["3", "4", "5"], 0, 0)]
    assert parts(5, done=4, splits=False) == parts(5, done=4) == parts(1) == []
    assert parts(5, counted=False, splits=False) == []
