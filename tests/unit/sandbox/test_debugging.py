"""Debuggers: limits that stand still, the port that leads to them, and how a function is started under one."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes_sandbox import Exit, FakeRuntime, a_function, bench
from tests.fakes_sandbox import echo as echo_runtime
from undercast.core.errors import ServiceError
from undercast.sandbox import seccomp
from undercast.sandbox.debugging import port as ports
from undercast.sandbox.debugging.port import DebugPort, PortTaken, free_port
from undercast.sandbox.debugging.programs import Debuggers
from undercast.sandbox.debugging.registry import Debugging
from undercast.sandbox.debugging.session import Debugger
from undercast.sandbox.model import Debug, FunctionVersion, Invocation
from undercast.sandbox.runtimes.plan import RuntimePlan

WAITS, RUNS = Debug(port=5890, inner_port=6000, wait=True), Debug(port=5890, inner_port=6000, wait=False)
SHORT_S = 0.05


async def test_an_init_waits_for_its_debugger_without_end() -> None:
    """Neither while nobody has attached, nor while somebody is; then it has all of its time."""
    debugger = Debugger(WAITS)
    steps = []
    with pytest.raises(TimeoutError):
        async with debugger.limit(SHORT_S):
            await asyncio.sleep(3 * SHORT_S)
            steps.append("nobody came")
            debugger.opened()
            await asyncio.sleep(3 * SHORT_S)
            steps.append("attached")
            debugger.closed()
            await asyncio.sleep(30)
    assert steps == ["nobody came", "attached"]


async def test_without_a_debugger_an_init_has_its_time() -> None:
    """What is not waited for changes nothing."""
    with pytest.raises(TimeoutError):
        async with Debugger(RUNS).limit(SHORT_S):
            await asyncio.sleep(30)


async def test_who_is_waited_for_no_more_lets_time_go_on() -> None:
    """The end of the debugging, by whatever it ends."""
    debugger = Debugger(WAITS)
    with pytest.raises(TimeoutError):
        async with debugger.limit(SHORT_S):
            debugger.dismiss()
            await asyncio.sleep(30)


async def test_a_deadline_goes_on_where_it_stopped() -> None:
    """Armed before, armed while it stands still, lifted: each as without a debugger, only later."""
    debugger, rung = Debugger(RUNS), asyncio.Event()
    deadline = debugger.deadline(asyncio.get_running_loop(), rung.set)
    deadline.arm(2 * SHORT_S)
    debugger.opened()
    await asyncio.sleep(4 * SHORT_S)
    assert not rung.is_set()
    debugger.closed()
    await asyncio.wait_for(rung.wait(), 30)
    rung.clear()
    debugger.opened()
    deadline.arm(SHORT_S)
    await asyncio.sleep(3 * SHORT_S)
    assert not rung.is_set()
    deadline.lift()
    debugger.closed()
    await asyncio.sleep(3 * SHORT_S)
    assert not rung.is_set()


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A debugger that says what it hears."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1024):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def reach(number: int) -> socket.socket:
    """As a sandbox connects into its loopback."""
    made = socket.socket()
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", number))
    return made


async def test_who_connects_early_is_led_to_the_next_environment(echo: int) -> None:
    """The port stays, environments come and go; a client counts as long as it is connected."""
    port = DebugPort(echo)
    await port.open(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    writer.write(b"early")
    debugger = Debugger(RUNS)
    port.lead_to(reach, debugger)
    assert await asyncio.wait_for(reader.readexactly(5), 30) == b"early"
    assert debugger.attached
    writer.close()
    while debugger.attached:
        await asyncio.sleep(0.01)
    port.leave(debugger)
    await port.close()


async def test_the_end_cuts_clients_off(echo: int) -> None:
    """And a taken port is told, not taken."""
    port = DebugPort(echo)
    await port.open(0)
    with pytest.raises(PortTaken) as caught:
        await DebugPort(echo).open(port.number)
    assert str(caught.value) == f"port {port.number} of 127.0.0.1: Address already in use"
    port.lead_to(reach, Debugger(WAITS))
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), 30) == b"hello"
    await port.close()
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_clients_are_bounded(monkeypatch: pytest.MonkeyPatch, echo: int) -> None:
    """One more is hung up on."""
    monkeypatch.setattr(ports, "MAX_CLIENTS", 1)
    port = DebugPort(echo)
    await port.open(0)
    _, first = await asyncio.open_connection("127.0.0.1", port.number)
    reader, second = await asyncio.open_connection("127.0.0.1", port.number)
    assert await asyncio.wait_for(reader.read(), 30) == b""
    first.close()
    second.close()
    await port.close()


async def test_a_debugged_function_has_one_environment(tmp_path: Path) -> None:
    """Its port leads to one; further invocations wait for it. Others run beside it as ever."""
    stage = bench(tmp_path, echo_runtime)
    await stage.pool.start()
    await stage.pool.debug("f", free_port(), wait=False)
    debugged = [stage.pool.invoke(stage.invocation(request_id=f"r-{number}")) for number in range(3)]
    other = stage.pool.invoke(stage.invocation(request_id="r-9", name="g"))
    results = await asyncio.gather(*debugged, other)
    assert len({result.environment_id for result in results[:3]}) == 1
    assert results[3].environment_id != results[0].environment_id
    assert stage.pool.status()["debugged"].keys() == {"f"}
    assert await stage.pool.debug_no_more("f")
    plain = await stage.pool.invoke(stage.invocation(request_id="r-10"))
    assert plain.environment_id != results[0].environment_id
    await stage.pool.stop()


async def test_the_debuggers_start_counts_to_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where no client is waited for: neither INIT's 10 s (here 0.05) end it, nor the function's timeout (1 s)."""
    monkeypatch.setattr("undercast.sandbox.environment.INIT_TIMEOUT_S", SHORT_S)

    async def slow_then_gone(runtime: FakeRuntime) -> None:
        await asyncio.sleep(3 * SHORT_S)
        await runtime.next()
        raise Exit(1)

    async def slower(runtime: FakeRuntime) -> None:
        await asyncio.sleep(1.2)
        await echo_runtime(runtime)

    stage = bench(tmp_path, slow_then_gone, slower)
    await stage.pool.start()
    await stage.pool.debug("f", free_port(), wait=False)
    first = await stage.pool.invoke(stage.invocation(b"1", timeout_s=1))
    assert b"Runtime.ExitError" in first.payload
    second = await stage.pool.invoke(stage.invocation(b"2", request_id="r-2", timeout_s=1))
    assert second.payload == b"2"
    assert not any("Status: timeout" in line for line in stage.log.messages)
    await stage.pool.stop()


async def test_a_function_is_named_by_name_or_arn() -> None:
    """An ARN means one account's and region's function."""
    debugging = Debugging()
    function = a_function(name="f")
    settings = await debugging.begin(function.arn, 0, wait=True)
    try:
        assert _debug_of(debugging, function) == settings
        assert _debug_of(debugging, a_function(name="f", arn=function.arn.replace("us-east-1", "eu-west-1"))) is None
        named = await debugging.begin("g", 0, wait=False)
        assert _debug_of(debugging, a_function(name="g")) == named
        assert named.port != settings.port
    finally:
        await debugging.close()
    assert not debugging.active


def _debug_of(debugging: Debugging, function: FunctionVersion) -> Debug | None:
    invocation = Invocation(request_id="r", function=function, payload=b"", invoked_arn=function.arn)
    return debugging.applied(invocation).function.debug


def debuggers(home: Path) -> Debuggers:
    """A machine with both."""
    installs = home / "installs"
    (installs / "debugpy").mkdir(parents=True)
    (installs / "delve").mkdir()
    (installs / "delve" / "dlv").write_text("")
    (installs / "delve" / "dlv").chmod(0o755)
    return Debuggers(search_path=(), home=home, installs_dir=installs)


def started(debuggers: Debuggers, plan: RuntimePlan, **function: Any) -> tuple[str, ...]:
    """The words of the command."""
    changed = debuggers.applied(plan, a_function(**function))
    assert not changed.forkable
    assert "127.0.0.1:5890" in changed.notice
    return (changed.program, *changed.options, *changed.arguments)


def test_python_runs_under_debugpy(tmp_path: Path) -> None:
    """Also behind a wrapper, which gets the whole command."""
    here = debuggers(tmp_path)
    debugpy = f"{tmp_path}/installs/debugpy/debugpy"
    label = "python:3.11.undercast"
    plan = RuntimePlan(program="/py", options=("boot",), arguments=("h",), forkable=True, version_label=label)
    words = started(here, plan, runtime="python3.11", debug=WAITS)
    assert words == ("/py", debugpy, "--listen", "127.0.0.1:6000", "--wait-for-client", "boot", "h")
    wrapped = RuntimePlan(program="/opt/w", options=("/py", "boot"), arguments=("h",), version_label=label)
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"}
    words = started(here, wrapped, runtime="python3.11", debug=RUNS, environment=variables)
    assert words == ("/opt/w", "/py", debugpy, "--listen", "127.0.0.1:6000", "boot", "h")


def test_node_and_go_run_under_theirs(tmp_path: Path) -> None:
    """Waiting and not."""
    here = debuggers(tmp_path)
    node = RuntimePlan(program="/node", options=("--expose-gc", "index.js"))
    assert started(here, node, runtime="nodejs22.x", debug=WAITS)[1] == "--inspect-brk=127.0.0.1:6000"
    assert started(here, node, runtime="nodejs22.x", debug=RUNS)[1] == "--inspect=127.0.0.1:6000"
    words = started(here, RuntimePlan(program="{task}/bootstrap", arguments=("h",)), debug=WAITS)
    assert words[0].endswith("/delve/dlv")
    assert words[1:3] == ("exec", "--headless=true")
    assert words[-3:] == ("{task}/bootstrap", "--", "h")
    assert "--continue" not in words
    assert "--continue" in started(here, RuntimePlan(program="{task}/main"), runtime="go1.x", debug=RUNS)


@pytest.mark.parametrize(
    ("runtime", "label", "text"),
    [
        ("python3.11", "python:3.11.undercast", "undercast runtimes install debugpy"),
        ("provided.al2023", "", "undercast runtimes install delve"),
        ("ruby3.3", "", "no debugger for ruby3.3"),
        ("python2.7", "python:2.7.undercast", "no debugger for python2.7"),
    ],
)
def test_a_missing_debugger_is_told(tmp_path: Path, runtime: str, label: str, text: str) -> None:
    """With the command that installs it, where one does."""
    nowhere = Debuggers(search_path=(), home=tmp_path, installs_dir=tmp_path)
    with pytest.raises(ServiceError) as caught:
        nowhere.applied(RuntimePlan(program="p", version_label=label), a_function(runtime=runtime, debug=WAITS))
    assert text in caught.value.message


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_only_a_debugger_may_trace(machine: str) -> None:
    """Three calls less are refused, and no other."""
    strict, loose = seccomp.filter_program(machine), seccomp.filter_program(machine, traces=True)
    assert len(strict) - len(loose) == 3 * 2 * 8
