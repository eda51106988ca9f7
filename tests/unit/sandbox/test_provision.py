"""Provisioned concurrency of the pool, on the fake driver."""

import asyncio
from dataclasses import replace

import pytest

from tests.fakes_sandbox import Bench, Exit, FakeRuntime, a_function, echo
from tests.unit.sandbox.conftest import StartBench
from tests.unit.sandbox.test_pool import Gate, invoke, until
from undercast.sandbox.admission import Limits
from undercast.sandbox.provision import INIT_FAILURE, Provisioned

ONE = a_function(version="1")
READY = Provisioned(allocated=2, ready=True)


async def provision(made: Bench, count: int = 2, expected: Provisioned = READY) -> None:
    """Ask for so many environments of version 1 and wait until they are there."""
    made.pool.provision(ONE, count)
    await until(lambda: made.pool.provisioned(ONE) == expected)


def initialization(made: Bench, place: int) -> str:
    """AWS_LAMBDA_INITIALIZATION_TYPE of the sandbox that was made as this one."""
    return made.driver.sandboxes[place].processes[0].runtime.environment["AWS_LAMBDA_INITIALIZATION_TYPE"]


async def test_environments_are_initialised_before_anybody_calls(start: StartBench) -> None:
    """PutProvisionedConcurrencyConfig prepares environments; the first invokes find them and report no INIT."""
    made = await start(echo)
    made.pool.provision(ONE, 2)
    assert made.pool.provisioned(ONE) == Provisioned()
    await until(lambda: made.pool.provisioned(ONE) == READY)
    results = await asyncio.gather(invoke(made, version="1"), invoke(made, version="1"))
    assert len(made.driver.sandboxes) == 2
    assert [result.init_duration_ms for result in results] == [None, None]
    assert [initialization(made, place) for place in (0, 1)] == ["provisioned-concurrency"] * 2


async def test_what_overflows_goes_on_demand(start: StartBench) -> None:
    """AWS: "If your function's concurrency reaches this level, Lambda uses on-demand environments"."""
    gate = Gate()
    made = await start(gate)
    await provision(made)
    tasks = [invoke(made, version="1") for _ in range(3)]
    await until(lambda: len(gate.inside) == 3)
    gate.open.set()
    durations = [result.init_duration_ms for result in await asyncio.gather(*tasks)]
    assert sorted(duration is None for duration in durations) == [False, True, True]
    third = made.driver.sandboxes[2]
    assert initialization(made, 2) == "on-demand"
    later = {(await invoke(made, version="1")).environment_id for _ in range(4)}
    assert third.environment_id not in later, "provisioned environments are used first"


async def test_other_versions_have_nothing_of_it(start: StartBench) -> None:
    """The configuration is for one version."""
    made = await start(echo)
    await provision(made)
    await invoke(made, version="$LATEST")
    assert len(made.driver.sandboxes) == 3


async def test_idle_ones_are_kept_and_dead_ones_replaced(start: StartBench) -> None:
    """Provisioned environments stay initialised; Lambda replaces those that end."""
    made = await start(echo, idle_timeout_s=0.01)
    await provision(made)
    await asyncio.sleep(0.05)
    made.pool.reap()
    assert made.pool.provisioned(ONE) == READY
    assert len(made.driver.sandboxes) == 2
    made.driver.sandboxes[0].died.set_result(None)
    made.driver.alive.discard(made.driver.sandboxes[0].environment_id)
    await until(lambda: len(made.driver.sandboxes) == 3 and made.pool.provisioned(ONE) == READY)


async def test_less_ends_the_surplus(start: StartBench) -> None:
    """A smaller number, or none, gives environments up; busy ones finish first."""
    gate = Gate()
    made = await start(gate)
    await provision(made)
    busy = invoke(made, version="1")
    await until(lambda: len(gate.inside) == 1)
    made.pool.provision(ONE, 0)
    await until(lambda: len(made.driver.alive) == 1)
    gate.open.set()
    await busy
    await until(lambda: not made.driver.alive)


async def test_failed_init_is_told(start: StartBench) -> None:
    """GetProvisionedConcurrencyConfig: FAILED, FUNCTION_ERROR_INIT_FAILURE; the reaper's visit tries again."""

    async def broken(runtime: FakeRuntime) -> None:
        raise Exit(1)

    made = await start(broken, echo)
    await provision(made, 1, Provisioned(failure=INIT_FAILURE))
    await until(lambda: not made.driver.alive)
    made.pool.reap()
    await until(lambda: made.pool.provisioned(ONE) == Provisioned(allocated=1, ready=True))


async def test_machine_keeps_a_part_of_its_room(start: StartBench) -> None:
    """What is provisioned leaves room for functions that have nothing provisioned."""
    made = await start(echo, limits=Limits(inits=4, memory_mb=4 * 128))
    made.pool.provision(ONE, 10)
    await until(lambda: made.pool.provisioned(ONE).allocated == 3)
    assert made.pool.provisioned(ONE).failure == (
        "This machine keeps environments of at most 384 MB ready; 384 MB are provisioned already"
    )
    assert (await invoke(made, "other")).function_error is None


async def test_deleted_function_keeps_nothing(start: StartBench) -> None:
    """Retiring ends the provisioned environments, and no new one is started."""
    made = await start(echo)
    await provision(made)
    made.pool.retire(ONE.arn)
    await until(lambda: not made.driver.alive)
    assert made.pool.provisioned(ONE) == Provisioned()


async def test_provisioned_init_has_more_time(start: StartBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """130 s (here 5) or the function's timeout, not 10 s (here 0.05): what is slow to start can be provisioned."""
    monkeypatch.setattr("undercast.sandbox.environment.INIT_TIMEOUT_S", 0.05)
    monkeypatch.setattr("undercast.sandbox.environment.PROVISIONED_INIT_TIMEOUT_S", 5.0)

    async def slow(runtime: FakeRuntime) -> None:
        await asyncio.sleep(0.3)
        await echo(runtime)

    made = await start(slow)
    await provision(made, 1, Provisioned(allocated=1, ready=True))
    assert made.pool.status()["functions"][0]["provisioned"] == 1
    assert not any("Status: timeout" in line for line in made.log.messages)
    await invoke(made, "other")
    assert any("Phase: init\tStatus: timeout\n" in line for line in made.log.messages)


async def test_provisioned_init_has_an_end(start: StartBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not start within its time is a failure of the function."""
    monkeypatch.setattr("undercast.sandbox.environment.PROVISIONED_INIT_TIMEOUT_S", 0.05)

    async def hang(_: FakeRuntime) -> None:
        await asyncio.Event().wait()

    made = await start(hang)
    quick = replace(ONE, timeout_s=0)
    made.pool.provision(quick, 1)
    await until(lambda: made.pool.provisioned(quick) == Provisioned(failure=INIT_FAILURE))
    await until(lambda: not made.driver.alive)


async def test_full_machine_takes_other_environments_first(start: StartBench) -> None:
    """What is provisioned is never evicted for another function's invocations."""
    made = await start(echo, limits=Limits(inits=4, memory_mb=4 * 128))
    await provision(made)
    for name in ("a", "b", "c", "d", "e"):
        await asyncio.gather(*(invoke(made, name) for _ in range(4)))
    assert made.pool.provisioned(ONE) == READY
    first = {box.environment_id for box in made.driver.sandboxes[:2]}
    assert first <= made.driver.alive
    assert {(await invoke(made, version="1")).environment_id for _ in range(2)} <= first
