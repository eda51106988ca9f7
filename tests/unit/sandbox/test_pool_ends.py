"""What the pool does when something ends badly: failing starts and destructions, callers that leave, sessions."""

import asyncio
import errno
import socket
from typing import Any

import pytest

from tests.fakes_sandbox import FakeRuntime, FakeSandbox, FixedCredentials, echo
from tests.unit.sandbox.conftest import StartBench
from tests.unit.sandbox.test_pool import MIB_OF_ONE, Gate, invoke, until
from undercast.core.clock import HostClock
from undercast.core.errors import ServiceError
from undercast.core.tasks import NotBegun
from undercast.sandbox.admission import Limits
from undercast.sandbox.driver import SandboxError, SandboxSpec
from undercast.sandbox.pool import Pool


async def test_function_whose_start_failed_waits_no_more(start: StartBench) -> None:
    """Every dispatch walks those who wait: who has no waiter is not among them."""
    made = await start(echo)
    made.driver.create_error = "mount: EPERM"
    with pytest.raises(ServiceError, match="EPERM"):
        await invoke(made)
    assert made.pool._waiting == set()


async def test_function_whose_caller_left_waits_no_more(start: StartBench) -> None:
    """A caller that hangs up takes its place in the queue along."""
    made = await start(Gate(), limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    made.driver.gate = asyncio.Event()
    first, second = invoke(made), invoke(made, "g")
    await until(lambda: len(made.pool._waiting) == 2)
    second.cancel()
    await asyncio.wait((second,))
    assert [fleet.function.name for fleet in made.pool._waiting] == ["f"]
    first.cancel()
    await asyncio.wait((first,))
    assert made.pool._waiting == set()
    made.driver.gate.set()


async def test_a_caller_that_leaves_is_told_whether_anything_was_begun(start: StartBench) -> None:
    """Who hands over a message can give it back unseen, and only then."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    told: list[type[BaseException]] = []

    async def call() -> None:
        try:
            await made.pool.invoke(made.invocation(b"1", request_id=f"r{len(told)}"))
        except asyncio.CancelledError as error:
            told.append(type(error))
            raise

    running = asyncio.create_task(call())
    await until(lambda: len(gate.inside) == 1)
    waiting = asyncio.create_task(call())
    await until(lambda: made.pool._waiting)
    for task in (waiting, running):
        task.cancel()
        await asyncio.wait((task,))
    assert told == [NotBegun, asyncio.CancelledError]
    gate.open.set()


async def test_who_leaves_while_an_environment_looks_for_work_is_told_that_nothing_was_begun(start: StartBench) -> None:
    """A runtime's `next` may come between a cancellation and the cancelled caller's turn: it takes nobody then."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    running = invoke(made)
    await until(lambda: len(gate.inside) == 1)
    (fleet,) = made.pool._fleets.values()
    told: list[type[BaseException]] = []

    async def call(request_id: str) -> None:
        try:
            await made.pool.invoke(made.invocation(b"1", request_id=request_id))
        except asyncio.CancelledError as error:
            told.append(type(error))
            raise

    waiting = [asyncio.create_task(call(f"r{number}")) for number in range(3)]
    await until(lambda: len(fleet.queue) == 3)
    for task in waiting:
        task.cancel()
    assert fleet.queue.pop() is None
    await asyncio.wait(waiting)
    assert told == [NotBegun] * 3
    gate.open.set()
    await running


async def test_what_a_stop_leaves_to_the_next_start_ends_before_its_session(
    start: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs again: while the end of its session waits for a long write it could end well, and was done twice."""
    gate, may_end = Gate(), asyncio.Event()
    made = await start(gate)
    running = invoke(made, timeout_s=900)  # its own deadline ends nothing here
    await until(lambda: len(gate.inside) == 1)
    credentials = made.pool._parts.credentials
    whole = credentials.end

    async def waits(environment_id: str) -> None:
        await may_end.wait()
        await whole(environment_id)

    monkeypatch.setattr(credentials, "end", waits)
    made.pool.end_abandoned()
    running.cancel()
    await asyncio.wait((running,))
    (process,) = made.driver.sandboxes[0].processes
    await until(process.exited.done)
    assert made.driver.alive
    may_end.set()
    await until(lambda: not made.driver.alive and not made.pool.status()["environments"])


async def test_a_stop_kills_what_runs_before_anything_else_is_waited_for(
    start: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function may have 15 minutes left; the end of its session, or of a debugger, may hang."""
    gate, may_end = Gate(), asyncio.Event()
    made = await start(gate)
    running = invoke(made, timeout_s=900)
    await until(lambda: len(gate.inside) == 1)

    async def waits(*_: object) -> None:
        await may_end.wait()

    monkeypatch.setattr(made.pool._parts.credentials, "end", waits)
    monkeypatch.setattr(made.pool._debugging, "close", waits)
    (process,) = made.driver.sandboxes[0].processes
    stopping = asyncio.ensure_future(made.pool.stop())
    await until(process.exited.done)
    with pytest.raises(ServiceError, match="shut down"):
        await running
    assert not stopping.done()
    may_end.set()
    await stopping
    assert not made.driver.alive


async def test_function_whose_waiters_expired_waits_no_more(start: StartBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reaper clears up behind itself."""
    made = await start(echo)
    made.driver.gate = asyncio.Event()
    task = invoke(made)
    await until(lambda: made.pool._waiting)
    monkeypatch.setattr("undercast.sandbox.pool.QUEUE_LIMIT_S", -1.0)
    made.pool.reap()
    assert made.pool._waiting == set()
    made.driver.gate.set()
    with pytest.raises(ServiceError):
        await task


async def test_destruction_that_fails_keeps_nobody_waiting_and_is_told(
    start: StartBench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next function gets its environment; the defect is in the log."""
    made = await start(echo, limits=Limits(inits=2, memory_mb=MIB_OF_ONE))
    await invoke(made, "a")
    whole = FakeSandbox.destroy

    async def failing(sandbox: FakeSandbox) -> None:
        await whole(sandbox)
        raise SandboxError("umount: EBUSY")

    monkeypatch.setattr(FakeSandbox, "destroy", failing)
    assert (await invoke(made, "b")).payload == b"1"
    monkeypatch.setattr(FakeSandbox, "destroy", whole)
    assert "EBUSY" in caplog.text


async def test_environment_is_replaced_before_its_session_ends(start: StartBench) -> None:
    """A role's session lasts 12 hours; a function that is always warm must not lose its credentials."""
    made = await start(echo)
    first = await invoke(made)
    (fleet,) = made.pool._fleets.values()
    fleet.members[first.environment_id].usable_until = HostClock().now()
    second = await invoke(made)
    assert second.environment_id != first.environment_id
    await until(lambda: made.driver.alive == {second.environment_id})


async def test_environment_whose_session_ends_while_it_runs_takes_nothing_more(start: StartBench) -> None:
    """Whoever waits gets a new one."""
    gate = Gate()
    made = await start(gate, limits=Limits(inits=1, memory_mb=MIB_OF_ONE))
    first = invoke(made)
    await until(lambda: len(gate.inside) == 1)
    (fleet,) = made.pool._fleets.values()
    (environment,) = fleet.members.values()
    second = invoke(made)
    environment.usable_until = HostClock().now()
    gate.open.set()
    assert (await first).environment_id == environment.id
    assert (await second).environment_id != environment.id


async def test_reaper_takes_idle_environments_whose_session_ends(start: StartBench) -> None:
    """By the host's wall clock, which goes on while a laptop sleeps."""
    made = await start(echo)
    await invoke(made)
    (fleet,) = made.pool._fleets.values()
    await until(lambda: fleet.idle)
    fleet.idle[0].usable_until = HostClock().now()
    made.pool.reap()
    await until(lambda: made.driver.alive == set())


@pytest.mark.parametrize(("lasts_s", "least_s", "most_s"), [(43_200, 39_000, 39_600), (600, 200, 300)])
async def test_environment_is_used_until_an_hour_before_its_session_ends(
    start: StartBench, monkeypatch: pytest.MonkeyPatch, lasts_s: float, least_s: float, most_s: float
) -> None:
    """Or half of it, so that a short session does not end every environment at its birth."""
    made = await start(echo)
    now = HostClock().now()
    monkeypatch.setattr(made.pool._parts.credentials, "expires_at", now + lasts_s)
    assert isinstance(made.pool._parts.credentials, FixedCredentials)
    await invoke(made)
    (fleet,) = made.pool._fleets.values()
    (environment,) = fleet.members.values()
    assert now + least_s <= environment.usable_until <= now + most_s + 60


async def test_session_ends_with_its_environment(start: StartBench) -> None:
    """Whoever kept the credentials of an environment that is gone can do nothing with them."""
    made = await start(echo)
    environment_id = (await invoke(made)).environment_id
    credentials = made.pool._parts.credentials
    assert isinstance(credentials, FixedCredentials)
    assert credentials.ended == []
    made.pool.retire("arn:aws:lambda:us-east-1:000000000000:function:f")
    await until(lambda: made.driver.alive == set())
    assert credentials.ended == [environment_id]


async def test_session_of_a_start_that_failed_is_ended_behind_its_issue(start: StartBench) -> None:
    """A session that commits while its environment is given up must not live its twelve hours."""
    made = await start(echo)
    credentials = made.pool._parts.credentials
    assert isinstance(credentials, FixedCredentials)
    credentials.gate = asyncio.Event()
    made.driver.create_error = "mount: EPERM"
    task = invoke(made)
    await until(lambda: made.pool._waiting)
    for _ in range(10):
        await asyncio.sleep(0)
    credentials.gate.set()
    with pytest.raises(ServiceError, match="EPERM"):
        await task
    await until(lambda: len(credentials.ended) > 0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert credentials.alive == set()


class InitWaits:
    """A runtime whose INIT does not end."""

    def __init__(self) -> None:
        self.inside = 0

    async def __call__(self, runtime: FakeRuntime) -> None:
        self.inside += 1
        await asyncio.Event().wait()


async def test_emptied_pool_cuts_inits_short_and_admits_nothing_meanwhile(start: StartBench) -> None:
    """Whoever waits, and whoever calls meanwhile, is refused; behind it invocations run as ever."""
    init = InitWaits()
    made = await start(init, limits=Limits(inits=1, memory_mb=8192))
    calls = [invoke(made), invoke(made)]
    await until(lambda: init.inside)
    async with made.pool.emptied():
        for call in calls:
            with pytest.raises(ServiceError, match="is being reset"):
                await call
        assert not made.driver.alive
        with pytest.raises(ServiceError, match="is being reset"):
            await invoke(made)
        assert made.pool.status()["functions"] == []
    assert init.inside == 1
    made.driver.scripts = (echo,)
    assert (await invoke(made)).payload == b"1"


async def test_an_environment_that_is_made_while_the_pool_is_emptied_has_no_init(start: StartBench) -> None:
    """Also where its making takes longer than a reset may."""
    init = InitWaits()
    made = await start(init)
    made.driver.gate = asyncio.Event()
    call = invoke(made)
    await until(lambda: made.driver.creating)
    emptied = asyncio.create_task(_emptied(made.pool))
    with pytest.raises(ServiceError, match="is being reset"):
        await call
    made.driver.gate.set()
    await emptied
    assert len(made.driver.sandboxes) == 1
    assert not made.driver.alive
    assert init.inside == 0


async def _emptied(pool: Pool) -> None:
    async with pool.emptied():
        pass


async def test_environment_whose_network_cannot_be_served_is_not_used(
    start: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its function would wait for its front door until each timeout: the start fails, and says why."""
    made = await start(echo)
    create, adopt = made.driver.create, made.door.adopt
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def full(listener: socket.socket, environment_id: str, *, tls: bool) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with socket.socket() as front:

        async def with_front(spec: SandboxSpec) -> FakeSandbox:
            sandbox = await create(spec)
            sandbox.listeners = {**sandbox.listeners, "front": front}
            return sandbox

        monkeypatch.setattr(made.driver, "create", with_front)
        monkeypatch.setattr(made.door, "adopt", full)
        with pytest.raises(ServiceError, match=r"network cannot be served: .*Too many open files"):
            await invoke(made)
        await until(lambda: not made.driver.alive)
        assert [str(context["exception"]) for context in told] == ["[Errno 24] Too many open files"]
        monkeypatch.setattr(made.door, "adopt", adopt)
        assert (await invoke(made)).payload == b"1"
        assert len(made.door.served) == len(made.driver.alive) == 1
