"""Admission, fairness, reuse, retirement and the reaper of the pool, on the fake driver."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes_sandbox import Bench, Exit, FakeRuntime, echo
from tests.unit.sandbox.conftest import StartBench
from undercast.core.errors import ServiceError
from undercast.sandbox.admission import Admission, Demand, Limits, gives_way, urgency
from undercast.sandbox.model import InvocationResult
from undercast.sandbox.runtimes.plan import RuntimePlan

MIB_OF_ONE = 128


async def until(condition: object) -> None:
    """Wait until the callable is true."""
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.001)


def invoke(
    made: Bench, name: str = "f", *, synchronous: bool = True, **function: object
) -> "asyncio.Task[InvocationResult]":
    """Begin an invocation of a function."""
    made_id = f"{name}-{len(made.causes.invocations)}-{id(object())}"
    invocation = replace(made.invocation(b"1", request_id=made_id, name=name, **function), synchronous=synchronous)
    return asyncio.ensure_future(made.pool.invoke(invocation))


class Gate:
    """A runtime that answers when it is told; counts who waits for that."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside: list[str] = []

    async def __call__(self, runtime: FakeRuntime) -> None:
        while True:
            request_id, body, _ = await runtime.next()
            self.inside.append(request_id)
            await self.open.wait()
            await runtime.respond(request_id, body)


async def test_concurrent_invokes_get_environments_of_their_own(start: StartBench) -> None:
    """An environment runs one invocation at a time."""
    gate = Gate()
    made = await start(gate)
    tasks = [invoke(made) for _ in range(3)]
    await until(lambda: len(gate.inside) == 3)
    assert len(made.driver.sandboxes) == 3
    gate.open.set()
    assert len({result.environment_id for result in await asyncio.gather(*tasks)}) == 3


async def test_no_more_inits_at_once_than_allowed(start: StartBench) -> None:
    """At most 2 x cores INITs run at once."""
    made = await start(echo, limits=Limits(inits=2, memory_mb=8192))
    made.driver.gate = asyncio.Event()
    tasks = [invoke(made) for _ in range(6)]
    await until(lambda: made.driver.creating == 2)
    await asyncio.sleep(0.05)
    assert made.driver.most_creating == 2
    made.driver.gate.set()
    assert len(await asyncio.gather(*tasks)) == 6
    assert made.driver.most_creating == 2


async def test_functions_whose_inits_hang_keep_no_other_out(start: StartBench) -> None:
    """One INIT more than is allowed is for a function that has no environment; it is not handed to theirs."""
    made = await start(echo, limits=Limits(inits=2, memory_mb=8192))
    made.driver.gate = asyncio.Event()
    hanging = [invoke(made) for _ in range(4)]
    await until(lambda: made.driver.creating == 2)
    other, another = invoke(made, "other"), invoke(made, "another")
    await until(lambda: made.driver.creating == 3)
    await asyncio.sleep(0.05)
    assert made.driver.most_creating == 3
    made.driver.gate.set()
    await asyncio.gather(*hanging, other, another)
    assert made.driver.most_creating == 3


class SecondInit:
    """A runtime whose first INIT in each environment fails, and whose second one goes on when it is told."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.failed: set[str] = set()
        self.running = self.most = 0

    async def __call__(self, runtime: FakeRuntime) -> None:
        environment = runtime.environment["AWS_LAMBDA_LOG_STREAM_NAME"]
        if environment not in self.failed:
            self.failed.add(environment)
            raise Exit(1)
        self.running += 1
        self.most = max(self.most, self.running)
        await self.open.wait()
        self.running -= 1
        await echo(runtime)


async def test_inits_inside_invocations_are_inits_too(start: StartBench) -> None:
    """A burst whose INITs fail for want of a processor does not begin all of them anew at once.

    An invocation's time begins with its INIT: none of these times out, and the others are started behind them.
    """
    second = SecondInit()
    made = await start(second, limits=Limits(inits=2, memory_mb=8192))
    tasks = [invoke(made, f"f{number}", timeout_s=1) for number in range(6)]
    await until(lambda: second.running == 2)
    await asyncio.sleep(0.05)
    assert (second.running, made.pool.status()["inits"]) == (2, 2)
    second.open.set()
    results = await asyncio.gather(*tasks)
    assert [(result.payload, result.function_error) for result in results] == [(b"1", None)] * 6
    assert second.most == 2
    await until(lambda: made.pool.status()["inits"] == 0)


async def test_who_leaves_while_waiting_for_an_init_takes_no_turn(start: StartBench) -> None:
    """A sandbox that dies gives back its turn, and one that dies before its turn takes none."""
    second = SecondInit()
    made = await start(second, limits=Limits(inits=1, memory_mb=8192))
    tasks = [invoke(made, name) for name in ("f0", "f1", "f1")]
    await until(lambda: (second.running, len(second.failed)) == (1, 2))
    for sandbox in tuple(made.driver.sandboxes):
        made.driver.alive.discard(sandbox.environment_id)
        sandbox.died.set_result(None)
    second.open.set()
    runs, waits, comes_later = await asyncio.gather(*tasks)
    assert [b"signal: killed" in result.payload for result in (runs, waits, comes_later)] == [True, True, False]
    assert comes_later.payload == b"1"
    assert (await invoke(made, "last")).payload == b"1"
    await until(lambda: made.pool.status()["inits"] == 0)


async def test_what_failed_for_lack_of_an_sdk_sees_it_once_it_is_installed(start: StartBench, tmp_path: Path) -> None:
    """An environment whose INIT failed is kept, as on AWS; not where its plan was made before an installation."""
    sdk = tmp_path / "sdk"

    async def needs_sdk(runtime: FakeRuntime) -> None:
        if not sdk.is_dir():
            raise Exit(1)
        await echo(runtime)

    made = await start(needs_sdk, plan=RuntimePlan(program="{task}/bootstrap", telemetry=True, absent=sdk))
    first, second = await invoke(made), await invoke(made)
    assert first.function_error and second.environment_id == first.environment_id
    sdk.mkdir()
    third = await invoke(made)
    assert (third.payload, third.environment_id == first.environment_id) == (b"1", False)


async def test_memory_bounds_the_environments_and_waiters_are_served(start: StartBench) -> None:
    """Above the bound invocations wait for an environment of their function; nobody gets a 429."""
    made = await start(echo, limits=Limits(inits=8, memory_mb=2 * MIB_OF_ONE))
    results = await asyncio.gather(*(invoke(made) for _ in range(20)))
    assert len(results) == 20
    assert len(made.driver.sandboxes) <= 2


async def test_max_environments_bounds_too(start: StartBench) -> None:
    """--max-environments."""
    made = await start(echo, limits=Limits(inits=8, memory_mb=8192, environments=1))
    assert len(await asyncio.gather(*(invoke(made) for _ in range(5)))) == 5
    assert len(made.driver.sandboxes) == 1


async def test_one_function_larger_than_the_bound_still_runs(start: StartBench) -> None:
    """A 10 GB function on a small machine runs alone."""
    made = await start(echo, limits=Limits(inits=2, memory_mb=512))
    assert (await invoke(made, memory_mb=10240)).payload == b"1"


async def test_longest_idle_environment_makes_room(start: StartBench) -> None:
    """A full machine shuts down the environment that was used longest ago."""
    made = await start(echo, limits=Limits(inits=4, memory_mb=2 * MIB_OF_ONE))
    first = await invoke(made, "a")
    await asyncio.sleep(0.01)
    await invoke(made, "b")
    await asyncio.sleep(0.01)
    await invoke(made, "c")
    assert first.environment_id not in made.driver.alive
    assert len(made.driver.alive) == 2


async def test_flood_leaves_the_warm_environments_of_others(start: StartBench) -> None:
    """A bucket that triggers itself does not make the other functions cold."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=4, memory_mb=3 * MIB_OF_ONE))
    gate.open.set()
    quiet = await invoke(made, "quiet")
    gate.open.clear()
    flood = [invoke(made, "flood", synchronous=False) for _ in range(10)]
    await until(lambda: len(gate.inside) == 3)
    await asyncio.sleep(0.05)
    assert quiet.environment_id in made.driver.alive
    gate.open.set()
    await asyncio.gather(*flood)
    assert (await invoke(made, "quiet")).environment_id == quiet.environment_id


async def test_function_that_floods_its_queue_does_not_keep_others_out(start: StartBench) -> None:
    """Fair by function: with all room taken by one function, another one's first waiter gets the next environment."""
    permits, inside = asyncio.Semaphore(0), []

    async def step_by_step(runtime: FakeRuntime) -> None:
        while True:
            request_id, body, _ = await runtime.next()
            inside.append(request_id)
            await permits.acquire()
            await runtime.respond(request_id, body)

    made = await start(step_by_step, limits=Limits(inits=4, memory_mb=3 * MIB_OF_ONE))
    flood = [invoke(made, "flood", synchronous=False) for _ in range(30)]
    await until(lambda: len(inside) == 3)
    other = invoke(made, "other")
    permits.release()
    await until(lambda: len(inside) == 4)
    assert inside[3].startswith("other")
    assert sum(task.done() for task in flood) == 1
    for _ in range(100):
        permits.release()
    await asyncio.gather(other, *flood)


async def test_synchronous_invokes_come_first(start: StartBench) -> None:
    """Among the waiters of one function RequestResponse precedes Event."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    order: list[str] = []
    first = invoke(made)
    await until(lambda: len(gate.inside) == 1)
    later = [invoke(made, synchronous=False), invoke(made, synchronous=True)]
    for name, task in zip(("asynchronous", "synchronous"), later, strict=True):
        task.add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
    await asyncio.sleep(0.01)
    gate.open.set()
    await asyncio.gather(first, *later)
    assert order == ["synchronous", "asynchronous"]


async def test_update_retires_idle_and_running_environments(start: StartBench) -> None:
    """After an update the next invoke is a new environment; a running invocation ends in the old one first."""
    gate = Gate()
    made = await start(gate)
    running = invoke(made, revision="1")
    await until(lambda: len(gate.inside) == 1)
    made.pool.retire("arn:aws:lambda:us-east-1:000000000000:function:f")
    renewed = invoke(made, revision="2")
    await until(lambda: len(gate.inside) == 2)
    gate.open.set()
    old, new = await asyncio.gather(running, renewed)
    assert old.environment_id != new.environment_id
    await until(lambda: made.driver.alive == {new.environment_id})


async def test_retiring_one_version_keeps_the_others(start: StartBench) -> None:
    """Published versions are immutable: an update of $LATEST leaves their environments warm."""
    made = await start(echo)
    latest = await invoke(made)
    numbered = await invoke(made, version="1")
    made.pool.retire("arn:aws:lambda:us-east-1:000000000000:function:f", "$LATEST")
    await until(lambda: latest.environment_id not in made.driver.alive)
    assert (await invoke(made, version="1")).environment_id == numbered.environment_id


async def test_reaper_shuts_down_what_is_idle(start: StartBench) -> None:
    """Idle for longer than the limit of host time: nothing of it is left."""
    made = await start(echo, idle_timeout_s=0.05)
    await invoke(made)
    await until(lambda: made.driver.alive == set())
    assert made.pool.status()["environments"] == 0
    assert made.pool.status()["memory_mb"] == 0


async def test_advancing_the_platform_clock_does_not_end_environments(start: StartBench) -> None:
    """Idleness is host time (I5)."""
    made = await start(echo)
    await invoke(made)
    made.clock.advance(6 * 3600)
    made.pool.reap()
    await asyncio.sleep(0.01)
    assert len(made.driver.alive) == 1


async def test_cancelled_caller_leaves_the_environment_usable(start: StartBench) -> None:
    """A client that goes away does not end the invocation."""
    gate = Gate()
    made = await start(gate)
    task = invoke(made)
    await until(lambda: len(gate.inside) == 1)
    task.cancel()
    gate.open.set()
    await until(lambda: "frozen" in str(made.pool.status()))
    assert (await invoke(made)).payload == b"1"
    assert len(made.driver.sandboxes) == 1


async def test_cancelled_waiter_takes_no_environment(start: StartBench) -> None:
    """Who has given up waiting is passed over."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    first, second, third = invoke(made), invoke(made), invoke(made)
    await until(lambda: len(gate.inside) == 1)
    second.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, third)
    assert len(made.causes.invocations) == 2


async def test_stop_ends_running_and_waiting_invocations(start: StartBench) -> None:
    """Both end with an error; nothing is left."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    tasks = [invoke(made), invoke(made)]
    await until(lambda: len(gate.inside) == 1)
    await made.pool.stop()
    for task in tasks:
        with pytest.raises(ServiceError, match=r"shut(ting)? down"):
            await task
    assert made.driver.alive == set()


async def test_status_counts(start: StartBench) -> None:
    """What `undercast status` shows."""
    made = await start(echo)
    result = await invoke(made)
    await until(lambda: "frozen" in str(made.pool.status()))
    function = made.pool.status()["functions"][0]
    assert function["environments"] == {result.environment_id: "frozen"}
    assert function["waiting"] == 0


async def test_who_has_waited_too_long_is_given_up_and_nobody_else(start: StartBench) -> None:
    """An error that names the switch; the next in the queue keeps its place."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    running, old = invoke(made), invoke(made, synchronous=False)
    await until(lambda: len(gate.inside) == 1)
    queue = next(iter(made.pool._waiting)).queue
    queue.asynchronous[0].since -= 1000
    young = invoke(made, synchronous=False)
    await asyncio.sleep(0)
    made.pool.reap()
    with pytest.raises(ServiceError, match="--max-environments"):
        await old
    gate.open.set()
    assert [result.payload for result in await asyncio.gather(running, young)] == [b"1", b"1"]


def demand(name: str, *, synchronous: bool = True, environments: int = 0, oldest: int = 0) -> Demand:
    """A demand of one function."""
    return Demand(
        key=(name, "1", "1"), synchronous=synchronous, environments=environments, oldest=oldest, memory_mb=128
    )


def test_order_of_demands() -> None:
    """Synchronous first, then fewest environments, then oldest."""
    demands = [
        demand("d", synchronous=False),
        demand("c", environments=2),
        demand("b", oldest=2),
        demand("a", oldest=1),
    ]
    assert [item.key[0] for item in sorted(demands, key=urgency)] == ["a", "b", "c", "d"]


def test_giving_way() -> None:
    """Only to who would still have fewer, or for a synchronous waiter against an asynchronous one."""
    own = demand("own", environments=3)
    assert gives_way(own, [demand("o", environments=1)])
    assert not gives_way(own, [demand("o", environments=2)])
    lazy = demand("own", synchronous=False, environments=3)
    assert gives_way(lazy, [demand("o", environments=2)])
    assert not gives_way(lazy, [demand("o", synchronous=False, environments=2)])


def test_counts_of_admission() -> None:
    """Room is taken at the start of INIT and given back when nothing is left."""
    admission = Admission(Limits(inits=1, memory_mb=256))
    admission.enter(128)
    assert not admission.has_init_slot()
    admission.init_over()
    assert admission.has_init_slot()
    assert admission.has_room(128)
    assert not admission.has_room(129)
    admission.leave(128)
    assert admission.has_room(10_000)


async def test_an_invocation_that_has_waited_does_not_run_on_behind_a_stop(start: StartBench) -> None:
    """It had to wait for its environment: what the next start does again would have been done twice."""
    gate = Gate()
    made = await start(gate)
    task = invoke(made)
    await until(lambda: len(gate.inside) == 1)
    assert len(made.driver.alive) == 1
    made.pool.end_abandoned()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not made.driver.alive)
