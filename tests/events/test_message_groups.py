"""Deliveries to a FIFO target: message groups go in parallel, each in its order.

AWS: SNS Developer Guide, "Amazon SNS message grouping for FIFO topics".
"""

import asyncio
import itertools
import random
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from tests.events.recording import DONE, Bench, Recorder, open_bench, turns, until
from tests.fakes import FakeClock
from undercast.events import message_groups
from undercast.events.delivery import Delivery, Outcome
from undercast.events.schema import DELIVERY
from undercast.events.target_queue import WINDOW
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

QUEUE = "arn:aws:sqs:us-east-1:111111111111:q.fifo"


def ordered(bench: Bench, group: str, number: int) -> Delivery:
    return bench.make(f"{group}{number}", QUEUE, attributes={"ordered": "true", "group_id": group})


async def test_a_group_that_hangs_holds_up_no_other(bench: Bench) -> None:
    """Nor does what is behind it, however much: the window of one group is not that of another."""
    gate = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.id == "a0":
            await gate.wait()
        return DONE

    bench.target.answer = answer
    await bench.add(*(ordered(bench, "a", number) for number in range(3 * WINDOW)))
    await bench.add(*(ordered(bench, "b", number) for number in range(3)))
    await turns()
    assert bench.target.ids == ["a0", "b0", "b1", "b2"]
    gate.set()
    await bench.router.drained()
    assert bench.target.ids[4:] == [f"a{number}" for number in range(1, 3 * WINDOW)]


async def test_a_group_whose_delivery_failed_waits_alone(bench: Bench, clock: FakeClock) -> None:
    """Its followers keep their places behind it; other groups do not notice."""
    failing = {"a0"}

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.id in failing:
            raise OSError("disk full")
        return DONE

    bench.target.answer = answer
    await bench.add(*(ordered(bench, group, number) for number in range(2) for group in "ab"))
    await bench.router.drained()
    assert bench.target.ids == ["a0", "b0", "b1"]
    failing.clear()
    clock.advance(1)
    await turns()
    await bench.router.drained()
    assert bench.target.ids[3:] == ["a0", "a1"]


async def test_groups_share_the_targets_number_of_attempts_in_turn(tmp_path: Path, clock: FakeClock) -> None:
    """Three at once: a group with more to deliver lets those pass that wait."""

    async def answer(delivery: Delivery) -> Outcome:
        await turns(3)
        return DONE

    async with open_bench(tmp_path, clock, answer=answer, limit=3, start=False) as bench:
        await bench.add(*(ordered(bench, group, number) for group in "abcdefgh" for number in range(3)))
        await bench.router.start()
        await bench.router.drained()
        assert bench.target.most_at_once[QUEUE] == 3
        rounds = [bench.target.ids[first : first + 8] for first in (0, 8, 16)]
        assert [{name[0] for name in names} for names in rounds] == [set("abcdefgh")] * 3
        assert bench.router.status()["targets"] == 0


async def test_many_groups_cost_the_start_no_statement_on_the_loop(tmp_path: Path, clock: FakeClock) -> None:
    """Names are read in the store thread; what the loop reads is for the 64 attempts. Memory knows a bounded number."""
    total = 3000
    async with open_bench(tmp_path, clock, start=False) as bench:
        await bench.add(*(ordered(bench, f"g{number}-", 0) for number in range(total)))
        gate, read = asyncio.Event(), list[str]()

        async def answer(delivery: Delivery) -> Outcome:
            await gate.wait()
            return DONE

        bench.target.answer = answer
        connection = bench.state.database._inline
        connection.set_trace_callback(read.append)
        await bench.router.start()
        while len(bench.target.got) < 64:
            await asyncio.sleep(0.001)
        connection.set_trace_callback(None)
        assert len([statement for statement in read if statement.startswith("SELECT")]) <= 2 * 64
        assert len(list(bench.router._queues)) <= message_groups.MOST_OPEN
        gate.set()
        await bench.router.drained()
        assert len(set(bench.target.ids)) == len(bench.target.ids) == total
        assert bench.router.status()["targets"] == 0


@pytest.mark.parametrize("life", ["committed", "found"])
async def test_more_groups_than_have_room_take_turns(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, life: str
) -> None:
    """Four have a queue; one with much to deliver lets others have its place after a while. Each keeps its order."""
    few(monkeypatch)
    async with open_bench(tmp_path, clock, limit=2, start=False) as bench:
        if life == "committed":
            await bench.router.start()
        names = [f"{group}-" for group in "abcdefghijklmnopqrst"]
        await bench.add(*(ordered(bench, group, number) for group in names for number in range(7)))
        if life == "found":
            await bench.router.start()
        await bench.router.drained()
        assert len(bench.target.ids) == 7 * len(names)
        first: dict[str, int] = {}
        for place, name in enumerate(bench.target.ids):
            first.setdefault(name[0], place)
        # None has more than its turns (two at a time) before each has begun.
        assert max(first.values()) < 7 * len(names) / 2
        for group in names:
            own = [name for name in bench.target.ids if name.startswith(group)]
            assert own == [f"{group}{number}" for number in range(7)]
        assert bench.router.status() == {
            "waiting": 0, "done": 140, "retry": 0, "dead": 0, "in_flight": 0, "targets": 0
        }  # fmt: skip


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So little room that a test fills it."""
    for name, value in (("MOST_OPEN", 4), ("PAGE", 3), ("MOST_NAMES", 4), ("TURN", 2)):
        monkeypatch.setattr(message_groups, name, value)


@pytest.mark.parametrize("seed", range(5))
async def test_order_is_kept_where_there_is_little_room(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """More groups than have a queue, attempts that fail, restarts, commits meanwhile: all arrive, none overtaken."""
    few(monkeypatch)
    await order_is_kept(tmp_path, clock, random.Random(seed), "abcdefghijkl")


@pytest.mark.parametrize("seed", range(5))
async def test_order_is_kept_over_failures_and_restarts(tmp_path: Path, clock: FakeClock, seed: int) -> None:
    """Attempts that raise, that take their time, and that an end of the process abandons: none is overtaken."""
    await order_is_kept(tmp_path, clock, random.Random(seed), "abc")


async def order_is_kept(folder: Path, clock: FakeClock, chance: random.Random, groups: str) -> None:
    """Five lives; what is committed in the first four has arrived at the end."""
    arrived: dict[str, list[int]] = defaultdict(list)

    async def answer(delivery: Delivery) -> Outcome:
        await turns(chance.randrange(4))
        if chance.random() < 0.3:
            raise OSError("disk full")
        arrived[delivery.id[0]].append(int(delivery.id[1:]))
        await turns(chance.randrange(4))
        return DONE

    for life in range(4):
        async with open_bench(folder, clock, answer=answer) as bench:
            for n in range(10):
                await bench.add(*(ordered(bench, group, 10 * life + n) for group in groups))
                await turns(chance.randrange(3))
            await turns(chance.randrange(60))
    async with open_bench(folder, clock, answer=answer) as bench:
        while await bench.rows():
            clock.advance(300)
            await turns(50)
    assert set(arrived) == set(groups)
    for numbers in arrived.values():
        assert list(dict.fromkeys(numbers)) == list(range(40))
        # What an end of the process repeats is what was last.
        assert all(later >= earlier for earlier, later in itertools.pairwise(numbers))


async def test_letters_of_a_group_arrive_in_its_order(bench: Bench) -> None:
    """What the target refuses goes to a FIFO dead-letter queue as it came, one group not waiting for the other."""
    letters = "arn:aws:sqs:us-east-1:111111111111:letters.fifo"
    gate = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.id == "a0":
            await gate.wait()
        letter = bench.make(f"{delivery.id}-letter", letters, attributes=delivery.attributes, kind="letter")
        return Outcome(kind="dead", follow_ups=(letter,))

    bench.target.answer = answer
    bench.targets["letter"] = taken = Recorder()
    await bench.add(*(ordered(bench, group, number) for number in range(3) for group in "ab"))
    await until(lambda: len(taken.ids) == 3)
    assert taken.ids == ["b0-letter", "b1-letter", "b2-letter"]
    gate.set()
    await bench.router.drained()
    assert taken.ids[3:] == ["a0-letter", "a1-letter", "a2-letter"]


async def test_rows_of_an_older_version_have_their_groups(tmp_path: Path) -> None:
    """A start with the data of before: what waited for a FIFO target is in the group of its message."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "event", DELIVERY[:1])
    columns = ("account_id, region, id, ord, target_arn, kind, due_at, payload, created_at, cause_kind, cause_id,"
               " source_arn, attributes, attempts, throttles")  # fmt: skip
    for row in (
        ("1", QUEUE, '{"group_id": "g"}'),
        ("2", QUEUE, "{}"),
        ("3", "arn:q", '{"group_id": "g"}'),
    ):
        insert = f"INSERT INTO event_delivery ({columns}) VALUES ('', '', ?, 0, ?, '', 0, '', 0, '', '', '', ?, 0, 0)"
        await database.write(partial(Tx.execute, sql=insert, params=row))
    migrate(database, "event", DELIVERY)
    rows = await database.read(lambda tx: tx.all("SELECT id, message_group FROM event_delivery ORDER BY id"))
    assert [tuple(row) for row in rows] == [("1", "g"), ("2", ""), ("3", "")]
    await database.close()


def test_the_names_of_waiting_groups_are_bounded() -> None:
    """The others are read from the database when there is room; a name that is known is not counted again."""
    groups = message_groups.MessageGroups()
    for number in [*range(message_groups.MOST_NAMES), 0, 1]:
        groups.wait(str(number))
    assert (groups.are_left, groups.needs_page) == (True, False)
    groups.wait("one more")
    told = [groups.following(0) for _ in range(message_groups.MOST_NAMES)]
    assert told == [str(number) for number in range(message_groups.MOST_NAMES)]
    assert (groups.following(0), groups.are_left, groups.needs_page) == (None, True, True)
