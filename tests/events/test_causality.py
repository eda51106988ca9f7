"""The causal log: one order, two files, a graph around any id (I10)."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.events.recording import SCOPE, Bench, called
from tests.fakes import FakeClock
from tests.state import open_state
from tests.unit.auth.requests import context
from tests.unit.policy.callers import ALICE
from undercast.core.arn import AccountId, Region
from undercast.core.context import EXTERNAL, Cause
from undercast.events.causality import CausalLog, Edge, Retention
from undercast.events.delivery import Delivery, Outcome
from undercast.store.database import Tx


@dataclass(frozen=True)
class Function:
    account_id: AccountId = SCOPE.account_id
    region: Region = SCOPE.region


@dataclass(frozen=True)
class Started:
    """What sandbox.model.Invocation gives the log."""

    request_id: str
    cause: Cause
    function: Function = Function()
    invoked_arn: str = "arn:f"


def edge(source: str, target: str, at: float = 0.0) -> Edge:
    return Edge(
        from_kind="call", from_id=source, to_kind="call", to_id=target, label=f"to {target}", at=at, scope=SCOPE
    )


async def test_put_event_invocation_put_is_one_trace(bench: Bench) -> None:
    """`undercast trace` of any of the four ids shows the whole chain; a delivery and its invocation are one node."""
    log = bench.state.causality
    log.called(EXTERNAL, "put1", "s3:PutObject in/key", SCOPE)
    await bench.add(bench.make("event", cause=called("put1")))
    log.invoked(Started("event", Cause(kind="delivery", id="event")), "env1")
    log.set_phase("env1", Cause(kind="invocation", id="event", environment_id="env1"))
    log.called(log.cause_of("env1"), "put2", "s3:PutObject out/key", SCOPE)
    log.called(EXTERNAL, "other", "s3:PutObject else/where", SCOPE)
    for asked in ("put1", "event", "put2"):
        trace = await log.trace(asked)
        assert [(node.id, node.kind, node.label) for node in trace.nodes] == [
            ("put1", "call", "s3:PutObject in/key"),
            ("event", "invocation", "lambda:Invoke arn:f"),
            ("put2", "call", "s3:PutObject out/key"),
        ]
        assert [(one.from_id, one.to_id) for one in trace.edges] == [("put1", "event"), ("event", "put2")]
        assert [node["id"] for node in trace.as_json()["nodes"]] == ["put1", "event", "put2"]
    assert (await log.trace("event")).nodes[1].environment_id == "env1"


async def test_batch_has_several_causes(bench: Bench) -> None:
    """Two messages in one batch: the trace of one does not show the other, the trace of the batch shows both."""
    log = bench.state.causality
    for one in (edge("send1", "batch"), edge("send2", "batch"), edge("batch", "effect")):
        log.note(one)
    assert [node.id for node in (await log.trace("batch")).nodes] == ["send1", "batch", "send2", "effect"]
    assert [node.id for node in (await log.trace("send1")).nodes] == ["send1", "batch", "effect"]


async def test_a_delivery_hangs_under_what_it_tells_of(bench: Bench) -> None:
    """An invocation puts an object that has an event: the event hangs under the object, and nowhere else."""
    log = bench.state.causality
    for one in (edge("run", "put"), edge("put", "object")):
        log.note(one)
    delivery = bench.make("event", cause=Cause(kind="invocation", id="run"))
    await bench.state.database.write(lambda tx: bench.state.outbox.add(tx, delivery, ("object", "object")))
    pairs = [(one.from_id, one.to_id) for one in (await log.trace("event")).edges]
    assert pairs == [("run", "put"), ("put", "object"), ("object", "event")]


async def test_an_asynchronous_invoke_is_told_once(bench: Bench) -> None:
    """Call and delivery have one id, and one cause."""
    log = bench.state.causality
    log.called(Cause(kind="invocation", id="run"), "event", "lambda:Invoke f", SCOPE)
    await bench.add(bench.make("event", cause=Cause(kind="invocation", id="run")))
    assert [(one.from_id, one.to_id) for one in (await log.trace("run")).edges] == [("run", "event")]


async def test_cycle_ends(bench: Bench) -> None:
    """A damaged log must not hang the trace."""
    for one in (edge("a", "b"), edge("b", "a")):
        bench.state.causality.note(one)
    assert {node.id for node in (await bench.state.causality.trace("a")).nodes} == {"a", "b"}


async def test_unknown_id_has_an_empty_trace(bench: Bench) -> None:
    """Nothing is known of it."""
    trace = await bench.state.causality.trace("nothing")
    assert (trace.nodes, trace.edges, trace.complete) == ((), (), True)


async def test_huge_graph_is_cut_and_says_so(bench: Bench) -> None:
    """A bucket that triggers itself for an hour: the answer stays readable."""
    for number in range(6000):
        bench.state.causality.note(edge("root", f"leaf{number}"))
    assert (await bench.state.causality.trace("root")).complete is False


async def test_retry_and_death_are_in_the_trace(bench: Bench, clock: FakeClock) -> None:
    """Why an event arrived late, or not at all."""
    outcomes = [Outcome(kind="retry", due_at=clock.now(), reason="exit 1"), Outcome(kind="dead", reason="too old")]

    async def answer(delivery: Delivery) -> Outcome:
        return outcomes.pop(0)

    bench.target.answer = answer
    await bench.add(bench.make("1"))
    await bench.router.drained()
    trace = await bench.state.causality.trace("1")
    assert [(node.kind, node.label) for node in trace.nodes[1:]] == [
        ("retry", "attempt 1: exit 1"),
        ("dead", "attempt 2: too old"),
    ]


async def test_what_an_attempt_leads_to_is_behind_it(bench: Bench) -> None:
    """The dead letter of an event is caused by its last failure: the trace shows them in this order."""

    async def answer(delivery: Delivery) -> Outcome:
        letter = bench.make("letter", "arn:dlq", cause=Cause(kind="delivery", id="1"))
        if delivery.id == "1":
            return Outcome(kind="dead", reason="too old", follow_ups=(letter,))
        return Outcome(kind="done")

    bench.target.answer = answer
    await bench.add(bench.make("1"))
    await bench.router.drained()
    trace = await bench.state.causality.trace("1")
    assert [edge.label for edge in trace.edges] == ["attempt 1: too old", "test arn:dlq"]


async def test_phase_of_an_environment_is_the_cause_of_its_calls(bench: Bench) -> None:
    """init, invocation, post-response, background: by the listener the call arrived on."""
    log = bench.state.causality
    unknown = Cause(kind="background", id="env", environment_id="env")
    assert log.cause_of("env") == unknown
    phase = Cause(kind="init", id="env", environment_id="env")
    log.set_phase("env", phase)
    assert log.cause_of("env") == phase
    log.set_phase("env", None)
    assert log.cause_of("env") == unknown


async def test_order_is_strict_and_never_goes_back(tmp_path: Path) -> None:
    """The clock stands, a restart sets it back: what comes later is still later."""
    clock = FakeClock()
    async with open_state(tmp_path, clock) as state:
        orders = [state.causality.next_order() for _ in range(1000)]
        assert all(earlier < later for earlier, later in pairwise(orders))
        clock.advance(3600)
        state.causality.note(edge("a", "b"))
        last = state.causality.next_order() - 1
    async with open_state(tmp_path, FakeClock()) as state:
        assert state.causality.next_order() > last


@pytest.mark.parametrize("limit", ["age", "rows"])
async def test_old_and_surplus_edges_expire(tmp_path: Path, clock: FakeClock, limit: str) -> None:
    """24 hours of the platform clock, and a number of rows: the files do not grow for ever."""
    async with open_state(tmp_path, clock) as state:
        retention = Retention(age_s=3600, rows=10**6) if limit == "age" else Retention(age_s=10**6, rows=7)
        log = CausalLog(state.database, state.journal, clock, retention)
        for number in range(1200):
            log.note(edge("old", f"n{number}"))
        await state.database.write(lambda tx: log.record(tx, edge("old", "durable")))
        clock.advance(7200)
        for number in range(7):
            log.note(edge("new", f"m{number}"))
        await state.journal.flush()
        dropped = await log.expire()
        assert dropped == (1201 if limit == "age" else 1200)
        assert len((await log.trace("new")).edges) == 7


async def test_expiry_runs_by_itself(tmp_path: Path, clock: FakeClock) -> None:
    """Every so many edges, as a task that close() awaits."""
    async with open_state(tmp_path, clock) as state:
        log = CausalLog(state.database, state.journal, clock, Retention(rows=10, every=100))
        for number in range(100):
            await state.database.write(lambda tx, number=number: log.record(tx, edge("a", f"n{number}")))  # type: ignore[misc]
        await log.close()
        assert len((await log.trace("a")).edges) == 10


async def test_what_one_call_makes_has_its_places_at_its_time(bench: Bench) -> None:
    """Three records of a call from outside, then what they cause: all behind the named call, each later than before."""
    log = bench.state.causality

    def write(tx: Tx) -> None:
        log.note_with(tx, replace(edge("put", "a"), from_label="kinesis:PutRecords s"), ("b", "c"))
        log.record(tx, edge("b", "effect"))

    await bench.state.database.write(write)
    trace = await log.trace("put")
    assert (trace.nodes[0].id, trace.nodes[0].label) == ("put", "kinesis:PutRecords s")
    pairs = [(one.from_id, one.to_id) for one in trace.edges]
    assert pairs == [("put", "a"), ("put", "b"), ("put", "c"), ("b", "effect")]
    assert len({one.order for one in trace.edges}) == 4


@pytest.mark.parametrize("cause", [EXTERNAL, Cause(kind="invocation", id="run")])
async def test_all_that_a_call_makes_is_its(bench: Bench, cause: Cause) -> None:
    """Of a batch every message is: from outside, and from a function."""
    log = bench.state.causality
    ctx = replace(context(ALICE), cause=cause)
    await bench.state.database.write(lambda tx: log.asked(tx, ctx, edge("send", "a"), "q", ("b", "c")))
    assert [(one.from_id, one.to_id) for one in (await log.trace("send")).edges] == [
        ("send", "a"), ("send", "b"), ("send", "c"),
    ]  # fmt: skip


async def test_a_call_that_is_rolled_back_leaves_no_edge(bench: Bench) -> None:
    """The journal is another file: it is told only of what was committed."""
    log = bench.state.causality

    def write(tx: Tx) -> None:
        log.note_with(tx, edge("put", "a"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await bench.state.database.write(write)
    assert (await log.trace("put")).nodes == ()


async def test_an_expiry_that_fails_is_told(tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise the file grows and nobody knows why."""
    async with open_state(tmp_path, clock) as state:
        log = CausalLog(state.database, state.journal, clock, Retention(rows=1, every=1))
        await state.journal.write(lambda tx: tx.execute("ALTER TABLE causal_edge RENAME TO away"))
        log._count()
        await log.close()
        await state.journal.write(lambda tx: tx.execute("ALTER TABLE away RENAME TO causal_edge"))
    assert "the expiry of causal edges failed" in caplog.text
