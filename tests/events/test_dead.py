"""What was given up: kept, shown, and tried again."""

import json
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.events.recording import DONE, Bench, called, open_bench, turns
from tests.fakes import FakeClock
from undercast.core.errors import ServiceError
from undercast.events import dead, settlement
from undercast.events.dead import DeadDeliveries
from undercast.events.delivery import FORGIVEN, Delivery, Outcome
from undercast.events.schema import DELIVERY
from undercast.events.settlement import Sender
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate


async def gives_up(delivery: Delivery) -> Outcome:
    return Outcome(kind="dead", reason="too old")


async def kept(bench: Bench) -> list[str]:
    """Their ids."""
    return [one["id"] for one in await DeadDeliveries(bench.state.outbox).shown(dead.MOST)]


async def test_it_is_told_what_each_was_why_it_ended_and_where_it_was_sent_on_to(
    bench: Bench, clock: FakeClock
) -> None:
    """The newest first, so many as are asked for; a reset forgets them."""

    async def answer(delivery: Delivery) -> Outcome:
        back = bench.make(f"back-{delivery.id}", "arn:s")  # to who sent it, to be counted
        letters = (bench.make("letter", "arn:dlq"), bench.make("record", "arn:b")) if delivery.id == "2" else (back,)
        if delivery.target_arn != "arn:a":
            return DONE
        return Outcome(kind="dead", reason="too old" * 1000, follow_ups=letters)

    bench.target.answer = answer
    for number in range(3):
        await bench.add(bench.make(str(number), source_arn="arn:s", attempts=number, throttles=1))
        await bench.router.drained()
    shown = await DeadDeliveries(bench.state.outbox).shown(2)
    assert [one["id"] for one in shown] == ["2", "1"]
    assert shown[0] == {
        "id": "2",
        "kind": "test",
        "source": "arn:s",
        "target": "arn:a",
        "attempts": 4,
        "reason": ("too old" * 1000)[:1024],
        "at": clock.now(),
        "sent_to": ["arn:dlq", "arn:b"],
    }
    assert shown[1]["sent_to"] == []
    assert await DeadDeliveries(bench.state.outbox).count() == len(await kept(bench)) > 2
    await bench.state.database.write(bench.state.outbox.clear)
    assert await kept(bench) == []


async def test_one_is_delivered_anew_under_its_id(tmp_path: Path, clock: FakeClock) -> None:
    """As it was committed, by a later process too; only its age and its attempts begin anew."""
    ended: list[str] = []
    sender = Sender(hears=lambda delivery, outcome: ended.append(outcome.kind))
    made: dict[str, Any] = {"payload": b"\x00\xff", "cause": called("r"), "attributes": {"a": "b"}}
    made["source_arn"] = "arn:aws:sns:r:1:t"
    forgiven = {**made, "attributes": {"a": "b", FORGIVEN: "3600.0"}}
    async with open_bench(tmp_path, clock, answer=gives_up, senders={"sns": sender}) as bench:
        first = bench.make("1", attempts=2, throttles=3, **forgiven)
        await bench.add(first, bench.make("2"))
        await bench.router.drained()
    clock.advance(86400)
    async with open_bench(tmp_path, clock, senders={"sns": sender}) as bench:
        assert await DeadDeliveries(bench.state.outbox).retry(["1", "1"]) == ["1"]
        await bench.router.drained()
        assert bench.target.got == [bench.make("1", due_at=0.0, **made)]
        assert await bench.rows() == []
        assert await kept(bench) == ["2"]
        assert await DeadDeliveries(bench.state.outbox).count() == 1
        trace = await bench.state.causality.trace("r")
    assert ended == ["dead", "done"]
    assert [(edge.from_id, edge.label) for edge in trace.edges] == [
        ("r", "test arn:a"),
        ("1", "attempt 6: too old"),
        ("1", "again, as its user asks"),
    ]


async def test_attempts_of_both_times_are_in_the_trace(bench: Bench) -> None:
    """Each attempt is a node of its own, though their numbers begin anew."""
    bench.target.answer = gives_up
    await bench.add(bench.make("1", cause=called("r")))
    await bench.router.drained()
    assert await DeadDeliveries(bench.state.outbox).retry(None) == ["1"]
    await bench.router.drained()
    trace = await bench.state.causality.trace("1")
    assert [node.kind for node in trace.nodes] == ["call", "delivery", "dead", "retry", "dead"]
    assert await kept(bench) == ["1"]


async def test_where_one_is_not_known_none_is_tried_again(bench: Bench) -> None:
    """An error that names it, and nothing half-applied."""
    bench.target.answer = gives_up
    await bench.add(bench.make("1"))
    await bench.router.drained()
    with pytest.raises(ServiceError, match="no delivery other was given up"):
        await DeadDeliveries(bench.state.outbox).retry(["1", "other"])
    await turns()
    assert bench.target.ids == ["1"]
    assert await kept(bench) == ["1"]


async def test_all_are_tried_again_in_the_order_in_which_they_ended(bench: Bench) -> None:
    """Of one target, one after the other as before."""
    bench.target.answer = gives_up
    for name in "cab":
        await bench.add(bench.make(name))
        await bench.router.drained()
    bench.target.answer = None
    assert await DeadDeliveries(bench.state.outbox).retry(None) == ["c", "a", "b"]
    await bench.router.drained()
    assert bench.target.ids == ["c", "a", "b"] * 2
    assert await kept(bench) == []


async def test_the_oldest_go_by_number_and_by_bytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poisoned queue does not fill the disk."""
    monkeypatch.setattr(dead, "MOST", 3)
    monkeypatch.setattr(dead, "MOST_BYTES", 1000)
    bench.target.answer = gives_up
    await bench.add(*(bench.make(str(number)) for number in range(5)))
    await bench.router.drained()
    assert await kept(bench) == ["4", "3", "2"]
    await bench.add(bench.make("large", payload=b"x" * 990))
    await bench.router.drained()
    assert await kept(bench) == ["large", "4", "3"]
    await bench.add(bench.make("larger", payload=b"x" * 999))
    await bench.router.drained()
    assert await kept(bench) == ["larger"]


async def test_what_takes_long_to_copy_is_copied_in_the_store_thread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its bytes, a dead letter's too: the event loop is kept for 2 ms at most (ARCHITECTURE.md). In their order."""
    inline: dict[str, bool] = {}
    bury = dead.bury

    def noted(tx: Tx, delivery: Delivery, outcome: Outcome, order: int, now: float) -> None:
        inline[delivery.id] = threading.current_thread() is threading.main_thread()
        bury(tx, delivery, outcome, order, now)

    async def answer(delivery: Delivery) -> Outcome:
        letters = (bench.make("letter", "arn:dlq", payload=b"x" * 70_000),) if delivery.id == "sent on" else ()
        return DONE if delivery.target_arn == "arn:dlq" else Outcome(kind="dead", follow_ups=letters)

    monkeypatch.setattr(dead, "bury", noted)
    bench.target.answer = answer
    for name, size_bytes in (("small", 1000), ("large", 70_000), ("sent on", 1000)):
        await bench.add(bench.make(name, payload=b"x" * size_bytes))
        await bench.router.drained()
    assert inline == {"small": True, "large": False, "sent on": False}
    names = [str(number) for number in range(4)]
    await bench.add(*(bench.make(name, payload=b"x" * 20_000) for name in names))  # large together
    await bench.router.drained()
    assert [inline[name] for name in names] == [False] * 4
    assert await kept(bench) == ["3", "2", "1", "0", "sent on", "large", "small"]


async def test_one_transaction_takes_a_few_large_ones(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others write in between; none is left."""
    monkeypatch.setattr(settlement, "_BYTES_AT_ONCE", 2500)
    batches: list[list[str]] = []
    apply_all = settlement.Settlements._apply_all

    def noted(
        self: settlement.Settlements, batch: list[settlement.Settlement], tx: Tx
    ) -> list[tuple[settlement.Settlement, bool]]:
        batches.append([one.delivery.id for one in batch])
        return apply_all(self, batch, tx)

    monkeypatch.setattr(settlement.Settlements, "_apply_all", noted)
    bench.target.answer = gives_up
    sizes = {"a": 1000, "b": 1000, "c": 1000, "d": 9000, "e": 10}
    await bench.add(*(bench.make(name, payload=b"x" * size_bytes) for name, size_bytes in sizes.items()))
    await bench.router.drained()
    assert batches == [["a", "b"], ["c"], ["d"], ["e"]]
    assert await kept(bench) == ["e", "d", "c", "b", "a"]


async def test_the_oldest_go_when_a_part_has_been_added(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And at the first that dies behind a start: many short lives do not fill the disk either."""
    monkeypatch.setattr(dead, "MOST", 64)
    trim = dead.Trim()
    assert not trim.is_due
    trim.note(bench.make("any"))
    assert trim.is_due
    await trim.run(bench.state.database)
    for _ in range(2):
        assert not trim.is_due
        trim.note(bench.make("small"))
    assert not trim.is_due
    trim.note(bench.make("small"))
    assert trim.is_due
    await trim.run(bench.state.database)
    trim.note(bench.make("large", payload=b"x" * 2**20))
    assert not trim.is_due
    trim.note(bench.make("large", payload=b"x" * 2**20 + b"x"))
    assert trim.is_due


def test_lists_of_older_data_folders_become_json(tmp_path: Path) -> None:
    """Where a failure was sent had spaces between."""
    database = Database.open(tmp_path / "state.db")
    try:
        migrate(database, "events", DELIVERY[:3])
        columns = (
            "account_id, region, target_arn, kind, payload, created_at, cause_kind, cause_id, source_arn, attributes"
        )
        for ord_, sent_to in enumerate(("", "arn:a", "arn:a arn:b")):
            values = (*("x",) * 8, b"", 0.0, str(ord_), ord_, 1, "gone", 0.0, sent_to)
            query = (
                f"INSERT INTO event_dead ({columns}, id, ord, tries, reason, given_up_at, sent_to)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            )
            database.write_now(partial(Tx.execute, sql=query, params=values))
        migrate(database, "events", DELIVERY)
        rows = database.read_now(lambda tx: tx.all("SELECT sent_to FROM event_dead ORDER BY ord"))
        assert [json.loads(row["sent_to"]) for row in rows] == [[], ["arn:a"], ["arn:a", "arn:b"]]
    finally:
        database.drop()
