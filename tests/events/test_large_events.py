"""Large events are read and removed beside the event loop, in their order, and none is lost.

Measured: a row with an event of 1 MiB takes 0.8 ms to read and 11 ms to remove; 64 attempts may begin and end together.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.events.recording import Bench, open_bench, turns, until
from tests.fakes import FakeClock
from undercast.events import settlement
from undercast.events.delivery import Delivery, Outcome
from undercast.store.database import Tx

LARGE = b"x" * 1024 * 1024
"""The limit of an asynchronous invoke."""
FIFO = "arn:q.fifo"


class OnLoop:
    """What the event loop's own connection does from now on."""

    def __init__(self, bench: Bench) -> None:
        self.largest = 0
        """Bytes of the largest event that it has read."""
        self.statements: list[str] = []
        connection = bench.state.database._inline
        connection.row_factory = self._row
        connection.set_trace_callback(self.statements.append)

    def _row(self, cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> sqlite3.Row:
        self.largest = max([self.largest, *(len(value) for value in values if isinstance(value, bytes))])
        return sqlite3.Row(cursor, values)

    @property
    def changes(self) -> list[str]:
        """How it has changed rows of deliveries."""
        kinds = (statement.partition(" ")[0] for statement in self.statements if "event_delivery" in statement)
        return [kind for kind in kinds if kind in ("UPDATE", "DELETE")]


@pytest.mark.parametrize("kind", ["done", "retry", "dead"])
async def test_a_large_event_is_read_and_its_row_goes_or_changes_in_the_store_thread(bench: Bench, kind: str) -> None:
    """Whatever becomes of it."""

    async def answer(delivery: Delivery) -> Outcome:
        return Outcome(kind=kind, due_at=bench.clock.now() + 60)  # type: ignore[arg-type]

    bench.target.answer = answer
    await bench.add(bench.make("1", payload=LARGE))
    on_loop = OnLoop(bench)
    await bench.router.drained()
    assert [got.payload for got in bench.target.got] == [LARGE]
    assert (on_loop.largest, on_loop.changes) == (0, [])
    assert await bench.rows() == (["1"] if kind == "retry" else [])


async def test_small_events_need_no_thread(bench: Bench) -> None:
    """A hop to the store's thread takes five times as long as they do."""
    beside: list[str] = []
    bench.state.database._threaded.set_trace_callback(beside.append)
    await bench.add(*(bench.make(f"{n}", f"arn:{n % 3}", payload=b"x" * 1000) for n in range(64)))
    await bench.add(bench.make("read again", payload=b"x" * 60_000))
    await bench.router.drained()
    bench.state.database._threaded.set_trace_callback(None)
    assert (len(bench.target.got), beside) == (65, [])


async def test_one_transaction_removes_a_few_large_ones(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others write in between."""
    monkeypatch.setattr(settlement, "_BYTES_AT_ONCE", 20_000)
    batches: list[int] = []
    apply_all: Callable[..., Any] = settlement.Settlements._apply_all

    def noted(self: settlement.Settlements, batch: list[settlement.Settlement], tx: Tx) -> Any:
        batches.append(len(batch))
        return apply_all(self, batch, tx)

    monkeypatch.setattr(settlement.Settlements, "_apply_all", noted)
    await bench.add(*(bench.make(f"{n}", payload=b"x" * 8000) for n in range(5)))
    await bench.router.drained()
    assert batches == [2, 2, 1]
    assert await bench.rows() == []


@pytest.mark.parametrize("life", ["committed", "found"])
async def test_large_and_small_events_of_a_group_keep_their_order(tmp_path: Path, clock: FakeClock, life: str) -> None:
    """Those behind a large one wait while it is read, also in the process that finds them."""
    async with open_bench(tmp_path, clock, start=life == "committed") as bench:
        sizes = [LARGE if number % 3 == 0 else b"x" for number in range(30)]
        await bench.add(*(bench.make(f"{n}", FIFO, payload=size) for n, size in enumerate(sizes)))
        if life == "committed":
            await bench.router.drained()
            assert bench.target.most_at_once[FIFO] == 1
            assert bench.target.ids == [f"{n}" for n in range(30)]
            return
    async with open_bench(tmp_path, clock) as bench:
        await bench.router.drained()
        assert bench.target.ids == [f"{n}" for n in range(30)]
        assert [got.payload for got in bench.target.got] == sizes
        assert await bench.rows() == []


async def test_a_large_event_that_a_reset_takes_while_it_is_read_is_not_attempted(bench: Bench) -> None:
    """What the reset has left is attempted as ever."""
    entered, may_go_on = threading.Event(), threading.Event()

    def busy(tx: Tx) -> None:
        entered.set()
        may_go_on.wait(60)

    other = asyncio.ensure_future(bench.state.database.read(busy, long=True))
    await until(entered.is_set)
    await bench.add(bench.make("1", payload=LARGE))
    await turns()
    await bench.state.database.write(bench.state.outbox.clear)
    may_go_on.set()
    await other
    await bench.add(bench.make("2"))
    await bench.router.drained()
    assert bench.target.ids == ["2"]


async def test_a_large_event_whose_attempt_a_stop_cuts_off_is_there_after_the_next_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Also where the stop comes while it is read."""
    async with open_bench(tmp_path, clock) as bench:
        await bench.add(bench.make("1", payload=LARGE))
        await bench.router.stop(budget_s=0)
        assert await bench.rows() == ["1"]
    async with open_bench(tmp_path, clock) as bench:
        await bench.router.drained()
        assert [got.payload for got in bench.target.got] == [LARGE]
