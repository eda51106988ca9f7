"""The router: at least once, in due order per target, woken and never polling.

AWS: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": 429 and 5xx go back
to the queue, waiting from 1 second up to 5 minutes.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.events.recording import DONE, Bench, Recorder, called, open_bench, turns
from tests.fakes import FakeClock
from undercast.core.errors import ServiceError
from undercast.events.dead import DeadDeliveries
from undercast.events.delivery import UNFINISHED, Delivery, Outcome
from undercast.events.settlement import Sender
from undercast.events.target_queue import KEPT_PAYLOAD_BYTES, WINDOW, Entry


async def forever(delivery: Delivery) -> Outcome:
    await asyncio.get_running_loop().create_future()
    return DONE


async def test_delivery_reaches_its_target_and_its_row_goes(bench: Bench) -> None:
    """Everything that was committed arrives as it was."""
    delivery = bench.make("1", payload=b"\x00\xff", cause=called("r"), source_arn="arn:s", attributes={"a": "b"})
    await bench.add(delivery)
    await bench.router.drained()
    assert bench.target.got == [delivery]
    assert await bench.rows() == []


async def test_nothing_is_delivered_before_or_without_its_commit(bench: Bench) -> None:
    """The change and its deliveries are one commit (I6)."""

    def fails(tx: object) -> None:
        bench.state.outbox.add(tx, bench.make("1"))  # type: ignore[arg-type]
        raise KeyError

    with pytest.raises(KeyError):
        await bench.state.database.write(fails)
    await turns()
    assert bench.target.got == []
    assert await bench.rows() == []


async def test_unfinished_delivery_is_given_whole_by_its_sender_before_each_attempt(
    tmp_path: Path, clock: FakeClock
) -> None:
    """The row stays as it was committed, so that a later process finishes it, too; who cannot is asked again."""
    asked: list[str] = []

    async def finishes(delivery: Delivery) -> Delivery:
        asked.append(delivery.id)
        if len(asked) == 1:
            raise OSError("not now")
        return replace(delivery, payload=delivery.payload + b" and whole", attributes={})

    later = Outcome(kind="retry", due_at=clock.now() + 9, reason="function error")
    sender, source = Sender(finishes=finishes), "arn:aws:sns:r:1:t"
    async with open_bench(tmp_path, clock, senders={"sns": sender}, start=False) as bench:
        await bench.add(bench.make("1", payload=b"half", source_arn=source, attributes={UNFINISHED: "m"}))
        await bench.add(bench.make("whole", payload=b"x"))
    outcomes = [DONE, later, DONE]

    async def answer(delivery: Delivery) -> Outcome:
        return outcomes.pop(0)

    async with open_bench(tmp_path, clock, answer=answer, senders={"sns": sender}) as bench:
        for step in (0, 1, 9):
            clock.advance(step)
            await turns()
            await bench.router.drained()
        assert [got.payload for got in bench.target.got] == [b"x", b"half and whole", b"half and whole"]
        assert await bench.rows() == []
    assert asked == ["1", "1"]


async def test_sender_that_cannot_hear_strands_no_delivery(tmp_path: Path, clock: FakeClock) -> None:
    """What ended in the same moment has ended, and what waits behind it in its message group goes on."""
    heard: list[str] = []

    def hears(delivery: Delivery, outcome: Outcome) -> None:
        heard.append(delivery.id)
        raise KeyError(delivery.id)

    sns, fifo = "arn:aws:sns:r:1:t", {"ordered": "true", "group_id": "g"}
    async with open_bench(tmp_path, clock, senders={"sns": Sender(hears=hears)}, start=False) as bench:
        await bench.add(*(bench.make(f"{n}", f"arn:{n}", source_arn=sns) for n in range(3)))
        await bench.add(*(bench.make(f"f{n}", "arn:q.fifo", source_arn=sns, attributes=fifo) for n in range(2)))
        await bench.router.start()
        await bench.router.drained()
        assert bench.router.status()["in_flight"] == 0
        assert sorted(heard) == ["0", "1", "2", "f0", "f1"]
        assert await bench.rows() == []


async def test_what_is_committed_while_the_router_starts_is_counted_and_delivered_once(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Calls are answered before deliveries begin."""
    async with open_bench(tmp_path, clock, start=False) as bench:
        await bench.add(bench.make("before"))
        starting = asyncio.create_task(bench.router.start())
        for number in range(20):
            await bench.add(bench.make(f"{number}", f"arn:{number % 3}"))
            await asyncio.sleep(0)
        await starting
        await bench.router.drained()
        status = bench.router.status()
        assert (status["waiting"], status["done"]) == (0, 21)
        assert sorted(bench.target.ids) == sorted(["before", *map(str, range(20))])


async def test_delivery_waits_for_its_time_on_the_platform_clock(bench: Bench, clock: FakeClock) -> None:
    """Advancing the clock is enough: no host time passes."""
    await bench.add(bench.make("later", due_in=60), bench.make("much later", due_in=3600), bench.make("soon", due_in=1))
    await bench.router.drained()
    assert bench.target.ids == []
    clock.advance(60)
    await turns()
    await bench.router.drained()
    assert bench.target.ids == ["soon", "later"]
    clock.advance(3540)
    await turns()
    await bench.router.drained()
    assert bench.target.ids == ["soon", "later", "much later"]


async def test_retry_keeps_its_id_and_counts_attempts_and_throttles(bench: Bench, clock: FakeClock) -> None:
    """The request id of an asynchronous invoke is the same on every attempt."""
    outcomes = [
        Outcome(kind="retry", due_at=clock.now() + 60, counted=True, reason="function error"),
        Outcome(kind="retry", due_at=clock.now() + 180, counted=False, reason="429"),
        DONE,
    ]

    async def answer(delivery: Delivery) -> Outcome:
        return outcomes.pop(0)

    bench.target.answer = answer
    await bench.add(bench.make("1"))
    for step in (0, 60, 120):
        clock.advance(step)
        await turns()
        await bench.router.drained()
    assert [(got.id, got.attempts, got.throttles) for got in bench.target.got] == [
        ("1", 0, 0),
        ("1", 1, 0),
        ("1", 1, 1),
    ]
    assert await bench.rows() == []


async def test_what_a_target_notes_of_an_attempt_is_there_at_the_next_one_behind_a_restart(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Beside the attributes that were committed: what has to be finished has so again."""

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.attempts == 2:
            return DONE
        noted = {"ended": f"{delivery.attempts}"} if delivery.id == "1" else {}
        return Outcome(kind="retry", due_at=clock.now() + 60, noted=noted)

    async def finishes(delivery: Delivery) -> Delivery:
        attributes = {name: value for name, value in delivery.attributes.items() if name != UNFINISHED}
        return replace(delivery, payload=b"whole", attributes=attributes)

    given = {UNFINISHED: "m", "a": "b"}
    seen: list[tuple[str, bytes, dict[str, str]]] = []
    for _ in range(3):
        async with open_bench(tmp_path, clock, answer=answer, senders={"sns": Sender(finishes=finishes)}) as bench:
            if not seen:
                source = "arn:aws:sns:r:1:t"
                await bench.add(
                    *(bench.make(one, payload=b"half", source_arn=source, attributes=given) for one in "12")
                )
            await bench.router.drained()
            seen += sorted((got.id, got.payload, dict(got.attributes)) for got in bench.target.got)
        clock.advance(60)
    assert [attributes for one, _, attributes in seen if one == "1"] == [
        {"a": "b"}, {"a": "b", "ended": "0"}, {"a": "b", "ended": "1"},
    ]  # fmt: skip
    assert [attributes for one, _, attributes in seen if one == "2"] == [{"a": "b"}] * 3
    assert {payload for _, payload, _ in seen} == {b"whole"}


async def test_exception_backs_off_from_one_second_to_five_minutes(bench: Bench, clock: FakeClock) -> None:
    """1, 2, 4, ... 256, 300, 300 seconds, never counted as an attempt."""

    async def fails(delivery: Delivery) -> Outcome:
        raise OSError("unreachable")

    bench.target.answer = fails
    await bench.add(bench.make("1"))
    await bench.router.drained()
    for wait_s in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        attempts = len(bench.target.got)
        clock.advance(wait_s - 0.5)
        await turns()
        assert len(bench.target.got) == attempts
        clock.advance(0.5)
        await turns()
        await bench.router.drained()
        assert len(bench.target.got) == attempts + 1
    assert bench.target.got[-1].attempts == 0
    assert await bench.rows() == ["1"]


async def test_target_that_always_raises_gives_up_after_a_day(bench: Bench, clock: FakeClock) -> None:
    """And after ten attempts: a delivery that is old because the platform was stopped is tried first."""

    async def fails(delivery: Delivery) -> Outcome:
        if delivery.id != "1":
            return DONE
        raise OSError("unreachable")

    bench.target.answer = fails
    attributes = {"failure_kind": "test", "failure_arn": "arn:dead"}
    await bench.add(bench.make("1", created_at=clock.now() - 86_401, attributes=attributes))
    await bench.router.drained()
    for _ in range(9):
        assert await bench.rows() == ["1"]
        clock.advance(300)
        await turns()
        await bench.router.drained()
    assert [bench.target.ids.count("1"), bench.target.ids[-1]] == [10, "1-dead-letter"]
    assert await bench.rows() == []
    (dead,) = await DeadDeliveries(bench.state.outbox).shown(20)
    assert dead["reason"] == "given up after 10 attempts: OSError('unreachable')"


async def test_ordered_deliveries_wait_for_one_that_failed(bench: Bench, clock: FakeClock) -> None:
    """To a FIFO target one at a time; one that fails keeps its place. What is not ordered is overtaken."""
    failing = {"1", "3"}

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.id in failing:
            raise OSError("disk full")
        return DONE

    bench.target.answer = answer
    arn, ordered = "arn:q.fifo", {"ordered": "true"}
    await bench.add(*(bench.make(number, arn, attributes=ordered) for number in "12"))
    await bench.add(bench.make("3", arn), bench.make("4", arn, attributes=ordered))
    await bench.router.drained()
    assert bench.target.ids == ["1"]
    failing.discard("1")
    clock.advance(1)
    await turns()
    await bench.router.drained()
    assert bench.target.ids == ["1", "1", "2", "3", "4"]
    failing.clear()
    clock.advance(1)
    await turns()
    await bench.router.drained()
    assert bench.target.ids[-1] == "3"
    assert bench.target.most_at_once[arn] == 1
    assert await bench.rows() == []


async def test_kind_without_target_waits_and_delays_nobody(bench: Bench, clock: FakeClock) -> None:
    """A service that is not there (yet) keeps its deliveries."""
    await bench.add(bench.make("1", kind="unknown"), bench.make("2"))
    await bench.router.drained()
    assert bench.target.ids == ["2"]
    bench.targets["unknown"] = Recorder()
    clock.advance(1)
    await turns()
    await bench.router.drained()
    assert bench.targets["unknown"].ids == ["1"]


@pytest.mark.parametrize("kind", ["done", "dead"])
async def test_follow_ups_are_delivered(bench: Bench, kind: str) -> None:
    """Destinations and dead letters are committed with the removal of the delivery."""
    follow_up = bench.make("2", "arn:b", cause=called("1"))

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.id == "2":
            return DONE
        return Outcome(kind="dead" if kind == "dead" else "done", follow_ups=(follow_up,))

    bench.target.answer = answer
    await bench.add(bench.make("1"))
    await bench.router.drained()
    assert bench.target.got[-1] == follow_up
    assert await bench.rows() == []


async def test_follow_up_that_cannot_be_stored_harms_no_other_delivery(bench: Bench, clock: FakeClock) -> None:
    """Its delivery is tried again later; those that ended in the same moment are done."""

    async def answer(delivery: Delivery) -> Outcome:
        clash = bench.make("blocked", "arn:x", due_in=10**6)
        return Outcome(kind="done", follow_ups=(clash,) if delivery.id == "3" else ())

    bench.target.answer = answer
    await bench.add(bench.make("blocked", "arn:x", due_in=10**6))
    await bench.add(*(bench.make(str(number)) for number in range(6)))
    await bench.router.drained()
    assert await bench.rows() == ["blocked", "3"]
    clock.advance(1)
    await turns()
    await bench.router.drained()
    assert bench.target.ids.count("3") == 2


async def test_store_that_fails_for_a_while_strands_no_delivery(bench: Bench, clock: FakeClock) -> None:
    """A full disk: outcomes cannot be written, then they can. Every delivery is done in the end, none is left."""
    for action in ("DELETE", "UPDATE"):
        refusal = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        await bench.run(f"CREATE TRIGGER no_{action} BEFORE {action} ON event_delivery {refusal}")
    await bench.add(*(bench.make(str(number)) for number in range(1000)))
    await turns()
    assert len(await bench.rows()) == 1000
    for action in ("DELETE", "UPDATE"):
        await bench.run(f"DROP TRIGGER no_{action}")
    for _ in range(12):
        clock.advance(300)
        await turns()
    await bench.router.drained()
    assert await bench.rows() == []
    assert bench.router.status()["waiting"] == 0


async def test_hanging_target_delays_no_other(bench: Bench) -> None:
    """Poison holds its own queue only."""

    async def answer(delivery: Delivery) -> Outcome:
        return await forever(delivery) if delivery.target_arn == "arn:poison" else DONE

    bench.target.answer = answer
    await bench.add(*(bench.make(f"p{number}", "arn:poison") for number in range(200)))
    await bench.add(bench.make("ok", "arn:good"))
    await turns()
    assert "ok" in bench.target.ids
    assert bench.router.status()["in_flight"] == 64
    assert bench.target.most_at_once["arn:poison"] == 64


class WideRecorder(Recorder):
    """A target that takes more at once than the router's number, as it knows from its second delivery on."""

    def at_once(self, delivery: Delivery) -> int:
        """See `events.delivery.Wide`."""
        return 150 if self.got else 0


async def test_a_target_may_take_more_at_once(bench: Bench) -> None:
    """What is waiting begins as soon as the target has said so, not when an attempt ends."""
    bench.targets["test"] = wide = WideRecorder(forever)
    await bench.add(*(bench.make(str(number)) for number in range(200)))
    await turns()
    assert wide.most_at_once["arn:a"] == bench.router.status()["in_flight"] == 150


async def test_limit_bounds_what_is_in_flight_per_target(tmp_path: Path, clock: FakeClock) -> None:
    """The rest waits and follows as attempts end."""

    async def answer(delivery: Delivery) -> Outcome:
        await turns(3)
        return DONE

    async with open_bench(tmp_path, clock, answer=answer, limit=3) as bench:
        await bench.add(*(bench.make(str(number)) for number in range(50)))
        await bench.router.drained()
        assert bench.target.most_at_once["arn:a"] == 3
        assert sorted(map(int, bench.target.ids)) == list(range(50))


async def test_restart_replays_what_was_not_done(tmp_path: Path, clock: FakeClock) -> None:
    """In flight at the end of the process: delivered again, by the same id, with what it had counted."""
    async with open_bench(tmp_path, clock, answer=forever) as first:
        await first.add(first.make("1", attempts=1), first.make("2", "arn:b"), first.make("3", due_in=30))
        await turns()
        assert sorted(first.target.ids) == ["1", "2"]
    async with open_bench(tmp_path, clock) as second:
        await second.router.drained()
        assert sorted((got.id, got.attempts) for got in second.target.got) == [("1", 1), ("2", 0)]
        clock.advance(30)
        await turns()
        await second.router.drained()
        assert await second.rows() == []


async def test_stop_lets_attempts_end_within_its_budget(tmp_path: Path, clock: FakeClock) -> None:
    """What ends in time is written as done."""
    release = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        await release.wait()
        return DONE

    async with open_bench(tmp_path, clock, answer=answer) as bench:
        await bench.add(bench.make("1"))
        await turns()
        stopping = asyncio.create_task(bench.router.stop(budget_s=20))
        await turns()
        release.set()
        await stopping
        assert await bench.rows() == []


async def test_stop_leaves_an_attempt_that_does_not_end(tmp_path: Path, clock: FakeClock) -> None:
    """It may wait for a thread that nobody can stop. Its row is there after the next start."""
    gate = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        while not gate.is_set():
            with suppress(asyncio.CancelledError):
                await gate.wait()
        return DONE

    async with open_bench(tmp_path, clock, answer=answer) as bench:
        await bench.add(bench.make("1"))
        await turns()
        try:
            async with asyncio.timeout(15):
                await bench.router.stop(budget_s=0)
            assert await bench.rows() == ["1"]
        finally:
            gate.set()


async def test_many_rows_wait_in_the_database_not_in_memory(tmp_path: Path, clock: FakeClock) -> None:
    """20,000 rows for one target: a window of them is known at a time, all arrive, once, in due order."""
    total = 20_000
    async with open_bench(tmp_path, clock, start=False) as bench:
        for start in range(0, total, 1000):
            rows = [bench.make(f"{number:05}", due_in=number * 0.001) for number in range(start, start + 1000)]
            await bench.add(*rows)
        await bench.router.start()
        clock.advance(total * 0.001)
        await turns()
        assert len(bench.waiting("arn:a")) <= WINDOW
        await bench.router.drained(timeout_s=600)  # no judgement of its speed: others use the machine, too
        assert sorted(bench.target.ids) == bench.target.ids
        assert len(set(bench.target.ids)) == total
        assert bench.router.status()["waiting"] == 0


async def test_burst_shrinks_to_a_window_and_still_arrives(bench: Bench) -> None:
    """Commits while a target is busy: memory is bounded, nothing is forgotten, nothing comes twice."""
    gate = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        await gate.wait()
        return DONE

    bench.target.answer = answer
    for start in range(0, 3000, 100):
        await bench.add(*(bench.make(str(number)) for number in range(start, start + 100)))
        await turns(2)
    assert len(bench.waiting("arn:a")) <= 2 * WINDOW
    gate.set()
    await bench.router.drained()
    assert sorted(map(int, bench.target.ids)) == list(range(3000))


@pytest.mark.parametrize(("more", "is_kept"), [(0, True), (1, False)])
async def test_only_small_payloads_wait_in_memory(bench: Bench, more: int, is_kept: bool) -> None:
    """Also those of a message group, which has a window of its own: a thousand groups are a thousand windows."""
    for attributes in ({}, {"ordered": "true", "group_id": "a"}):
        delivery = bench.make("1", payload=b"x" * (KEPT_PAYLOAD_BYTES + more), attributes=attributes)
        assert Entry.of(1.0, 1, delivery).delivery == (delivery if is_kept else None)


async def test_large_payload_is_read_when_its_turn_comes(bench: Bench) -> None:
    """1 MB, the limit of an asynchronous invoke, times a full window is not kept in memory."""
    delivery = bench.make("1", payload=b"x" * 1024 * 1024)
    await bench.add(delivery)
    await bench.router.drained()
    assert bench.target.got == [replace(delivery)]


async def test_cleared_deliveries_are_not_attempted(bench: Bench, clock: FakeClock) -> None:
    """A reset takes what waits; an attempt under way ends without a trace."""
    gate = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        await gate.wait()
        return Outcome(kind="dead", follow_ups=(bench.make("letter", "arn:dlq"),))

    bench.target.answer = answer
    await bench.add(bench.make("1"), bench.make("2", due_in=10))
    await turns()
    assert await bench.state.database.write(lambda tx: bench.state.outbox.clear(tx, account_id="111111111111")) == 2
    gate.set()
    clock.advance(10)
    await turns()
    await bench.router.drained()
    assert bench.target.ids == ["1"]
    assert await bench.rows() == []
    assert bench.router.status() == {"waiting": 0, "done": 0, "retry": 0, "dead": 0, "in_flight": 0, "targets": 0}


async def test_who_waits_for_deliveries_that_take_long_is_told_how_many(bench: Bench) -> None:
    """An error with a name, and the router goes on. Who has gone away is not told, nor looked for, any more."""
    bench.target.answer = forever
    await bench.add(bench.make("1"), bench.make("2", "arn:b"), bench.make("later", "arn:b", due_in=60))
    with pytest.raises(ServiceError, match="2 deliveries are still due or under way") as told:
        await bench.router.drained(timeout_s=0.0)
    assert told.value.code == "DeliveriesUnderWay"
    assert bench.router._idle == []


async def test_deliveries_that_wait_for_their_turn_are_counted_too(tmp_path: Path, clock: FakeClock) -> None:
    """One attempt at a time, three rows that are due: three are not done."""
    async with open_bench(tmp_path, clock, answer=forever, limit=1) as bench:
        await bench.add(*(bench.make(f"{n}") for n in range(3)))
        with pytest.raises(ServiceError, match="3 deliveries are still due or under way"):
            await bench.router.drained(timeout_s=0.0)


async def test_a_stop_ends_the_wait_for_deliveries(bench: Bench) -> None:
    """Nobody delivers any more: whoever waits would hold up the stop."""
    bench.target.answer = forever
    await bench.add(bench.make("1"))
    waiting = asyncio.ensure_future(bench.router.drained())
    await turns()
    await bench.router.stop(budget_s=0)
    with pytest.raises(ServiceError, match="shutting down"):
        await waiting
    with pytest.raises(ServiceError, match="shutting down"):
        await bench.router.drained()
    assert await bench.rows() == ["1"]
