"""Extensions in an execution environment, on scripted processes: INIT, INVOKE, reset and SHUTDOWN."""

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes_sandbox import Bench, Exit, FakeRuntime, Script, answer, echo
from tests.unit.sandbox.conftest import StartBench
from undercast.sandbox.model import Invocation


def layer(tmp_path: Path, *names: str) -> tuple[Path, ...]:
    """A layer with these files in its folder `extensions`."""
    folder = tmp_path / "layer"
    (folder / "extensions").mkdir(parents=True)
    for name in names:
        (folder / "extensions" / name).write_text("")
    return (folder,)


def listener(seen: list[Any], *events: str) -> Script:
    """An extension that keeps its events and ends at SHUTDOWN."""

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register(*events)
        while True:
            event = await runtime.event(identifier)
            seen.append(event)
            if event["eventType"] == "SHUTDOWN":
                return

    return script


async def until(made: Bench, pattern: str) -> str:
    """The first log line that matches, waited for."""
    async with asyncio.timeout(5):
        while True:
            for line in made.log.messages:
                if re.search(pattern, line):
                    return line
            await asyncio.sleep(0.001)


async def test_extensions_start_and_register_before_the_runtime(start: StartBench, tmp_path: Path) -> None:
    """INIT: all extensions, then the runtime; the runtime waits until each has registered."""
    gate = asyncio.Event()

    async def slow(runtime: FakeRuntime) -> None:
        await gate.wait()
        await runtime.event(await runtime.register("INVOKE"))

    made = await start(echo)
    made.driver.extensions = {"a": listener([], "INVOKE"), "b": slow}
    invoked = asyncio.create_task(made.pool.invoke(made.invocation(layers=layer(tmp_path, "b", "a"))))
    async with asyncio.timeout(5):
        while made.driver.order != ["a", "b"]:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert made.driver.order == ["a", "b"]
    gate.set()
    assert (await invoked).payload == b"{}"
    assert made.driver.order == ["a", "b", "bootstrap"]


async def test_init_ends_when_every_extension_has_asked(start: StartBench, tmp_path: Path) -> None:
    """The runtime asks first; Init Duration counts the extension's time, too."""

    async def slow(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE")
        await asyncio.sleep(0.15)
        while True:
            await runtime.event(identifier)

    made = await start(echo)
    made.driver.extensions = {"slow": slow}
    result = await made.pool.invoke(made.invocation(layers=layer(tmp_path, "slow")))
    assert result.init_duration_ms is not None
    assert result.init_duration_ms >= 140


async def test_register_answers_with_the_function(start: StartBench, tmp_path: Path) -> None:
    """Names of function, version and handler; the account id only for who asks for it."""
    seen: list[Any] = []

    async def script(runtime: FakeRuntime) -> None:
        status, headers, body = await runtime.extension(
            "POST", "register", {"events": ["INVOKE"]}, Name="x", Accept_Feature="other, accountId"
        )
        seen.append((status, body))
        await runtime.event(headers["lambda-extension-identifier"])
        await asyncio.Event().wait()

    made = await start(echo)
    made.driver.extensions = {"x": script}
    await made.pool.invoke(made.invocation(layers=layer(tmp_path, "x")))
    assert seen == [
        (
            200,
            {
                "functionName": "f",
                "functionVersion": "$LATEST",
                "handler": "app.handler",
                "accountId": "000000000000",
            },
        )
    ]


async def test_events_have_awss_members(start: StartBench, tmp_path: Path) -> None:
    """INVOKE: eventType, deadlineMs, requestId, invokedFunctionArn, tracing. SHUTDOWN: shutdownReason, deadlineMs."""
    seen: list[Any] = []
    made = await start(echo)
    made.driver.extensions = {"x": listener(seen, "INVOKE", "SHUTDOWN")}
    plain = made.invocation(layers=layer(tmp_path, "x"))
    await made.pool.invoke(
        Invocation(
            request_id="r-1",
            function=plain.function,
            payload=b"1",
            invoked_arn="arn:x:prod",
            trace_header="Root=1-2-3;Sampled=0",
        )
    )
    await until(made, "REPORT")
    await made.pool.stop()
    invoke, shutdown = seen
    assert isinstance(invoke.pop("deadlineMs"), int)
    assert invoke == {
        "eventType": "INVOKE",
        "requestId": "r-1",
        "invokedFunctionArn": "arn:x:prod",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3;Sampled=0"},
    }
    assert isinstance(shutdown.pop("deadlineMs"), int)
    assert shutdown == {"eventType": "SHUTDOWN", "shutdownReason": "spindown"}


async def test_caller_is_answered_before_the_extension_is_done(start: StartBench, tmp_path: Path) -> None:
    """The answer goes out at once; the invocation ends, and is paid, when the extension asks for the next event."""
    gate = asyncio.Event()

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE")
        await runtime.event(identifier)
        await gate.wait()
        await runtime.event(identifier)

    made = await start(echo)
    made.driver.extensions = {"x": script}
    began = asyncio.get_running_loop().time()
    result = await made.pool.invoke(made.invocation(request_id="r-1", layers=layer(tmp_path, "x")))
    assert result.payload == b"{}"
    await asyncio.sleep(0.1)
    assert not any("REPORT" in line for line in made.log.messages)
    assert "freeze" not in made.driver.sandboxes[0].calls
    gate.set()
    report = await until(made, "REPORT RequestId: r-1")
    duration = re.search(r"\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms", report)
    assert duration is not None
    assert 100 <= float(duration[1]) <= (asyncio.get_running_loop().time() - began) * 1000
    assert int(duration[2]) >= 100


async def test_environment_freezes_when_all_wait(start: StartBench, tmp_path: Path) -> None:
    """Runtime and extensions have asked, nothing is pending."""
    made = await start(echo)
    made.driver.extensions = {"x": listener([], "INVOKE"), "y": listener([], "SHUTDOWN")}
    await made.pool.invoke(made.invocation(layers=layer(tmp_path, "x", "y")))
    async with asyncio.timeout(5):
        while "freeze" not in made.driver.sandboxes[0].calls:
            await asyncio.sleep(0.001)


async def test_only_those_who_registered_get_an_event(start: StartBench, tmp_path: Path) -> None:
    """An extension for SHUTDOWN only does not delay an invocation."""
    invoked: list[Any] = []
    ended: list[Any] = []
    made = await start(echo)
    made.driver.extensions = {"x": listener(invoked, "INVOKE"), "y": listener(ended, "SHUTDOWN")}
    function: dict[str, Any] = {"layers": layer(tmp_path, "x", "y")}
    for number in range(3):
        await made.pool.invoke(made.invocation(request_id=f"r-{number}", **function))
        await until(made, f"REPORT RequestId: r-{number}")
    await made.pool.stop()
    assert [event["requestId"] for event in invoked] == ["r-0", "r-1", "r-2"]
    assert [event["eventType"] for event in ended] == ["SHUTDOWN"]


async def test_extension_that_never_asks_ends_at_the_timeout(start: StartBench, tmp_path: Path) -> None:
    """The function's timeout limits the whole invocation. The caller keeps the answer; the reset says TIMEOUT."""
    seen: list[Any] = []

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE", "SHUTDOWN")
        await runtime.event(identifier)
        await asyncio.sleep(1.1)
        seen.append(await runtime.event(identifier))

    made = await start(echo)
    made.driver.extensions = {"x": script}
    function: dict[str, Any] = {"layers": layer(tmp_path, "x"), "timeout_s": 1}
    result = await made.pool.invoke(made.invocation(b"7", request_id="r-1", **function))
    assert (result.payload, result.function_error) == (b"7", None)
    report = await until(made, "REPORT RequestId: r-1")
    assert "\tDuration: 1000.00 ms\t" in report
    assert report.endswith("\tStatus: timeout\t\n")
    async with asyncio.timeout(5):
        while not seen:
            await asyncio.sleep(0.01)
    assert seen[0]["shutdownReason"] == "timeout"


async def test_reset_tells_extensions_and_starts_them_again(start: StartBench, tmp_path: Path) -> None:
    """A failed invocation: SHUTDOWN with FAILURE, then a suppressed INIT with new extensions in the same sandbox."""
    seen: list[Any] = []

    async def crash(runtime: FakeRuntime) -> None:
        await runtime.next()
        raise Exit(1)

    made = await start(crash, echo)
    made.driver.extensions = {"x": listener(seen, "INVOKE", "SHUTDOWN")}
    function: dict[str, Any] = {"layers": layer(tmp_path, "x")}
    failed = await made.pool.invoke(made.invocation(request_id="r-1", **function))
    again = await made.pool.invoke(made.invocation(b"2", request_id="r-2", **function))
    assert answer(failed.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: r-1 Error: Runtime exited with error: exit status 1",
    }
    assert again.payload == b"2"
    assert failed.environment_id == again.environment_id
    assert [event.get("shutdownReason", event["eventType"]) for event in seen] == ["INVOKE", "failure", "INVOKE"]
    assert made.driver.order == ["x", "bootstrap", "x", "bootstrap"]


@pytest.mark.parametrize(
    ("end", "text"),
    [(Exit(0), "exit code 0"), (Exit(2), "exit status 2"), (Exit(signal=9), "signal: killed")],
)
async def test_crash_of_an_extension(start: StartBench, tmp_path: Path, end: Exit, text: str) -> None:
    """Extension.Crash: in an invocation its answer, in INIT that of the invocation that repeats INIT."""

    async def in_invoke(runtime: FakeRuntime) -> None:
        await runtime.event(await runtime.register("INVOKE"))
        raise end

    async def in_init(runtime: FakeRuntime) -> None:
        raise end

    async def wait(runtime: FakeRuntime) -> None:
        await runtime.next()
        await asyncio.Event().wait()

    made = await start(wait)
    made.driver.extensions = {"x": in_invoke, "y": in_init}
    first, second = layer(tmp_path / "1", "x"), layer(tmp_path / "2", "y")
    for number, layers in (("1", first), ("2", second)):
        result = await made.pool.invoke(made.invocation(request_id=number, name=f"f{number}", layers=layers))
        assert answer(result.payload) == {
            "errorType": "Extension.Crash",
            "errorMessage": f"RequestId: {number} Error: {text}",
        }
    assert await until(made, r"INIT_REPORT .*Phase: init\tStatus: error\tError Type: Extension.Crash")


@pytest.mark.parametrize(("path", "kind"), [("init/error", "InitError"), ("exit/error", "ExitError")])
async def test_errors_that_extensions_post(start: StartBench, tmp_path: Path, path: str, kind: str) -> None:
    """202, nothing is answered after it, and the process's end is told under that error type."""
    seen: list[Any] = []

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE")
        for error_type in ("", "My.Error", "My.Other"):
            headers = {"Function_Error_Type": error_type} if error_type else {}
            seen.append((await runtime.extension("POST", path, {}, identifier, **headers))[::2])
        seen.append((await runtime.extension("GET", "event/next", identifier=identifier))[::2])
        raise Exit(3)

    made = await start(echo)
    made.driver.extensions = {"x": script}
    result = await made.pool.invoke(made.invocation(request_id="r-1", layers=layer(tmp_path, "x")))
    assert answer(result.payload) == {
        "errorType": f"Extension.{kind}",
        "errorMessage": "RequestId: r-1 Error: exit status 3",
    }
    identifier = "00000000-0000-4000-8000-"
    missing = "Lambda-Extension-Function-Error-Type not found"
    assert seen[0] == (403, {"errorType": "Extension.MissingHeader", "errorMessage": missing})
    assert seen[1:3] == [(202, {"status": "OK"})] * 2
    assert seen[3][0] == 403
    assert seen[3][1]["errorType"] == "Extension.InvalidExtensionState"
    assert f"State transition from {kind} to Ready failed for extension {identifier}" in seen[3][1]["errorMessage"]
    assert await until(made, rf"EXTENSION\tName: x\tState: {kind}\tEvents: \[INVOKE\]\tError Type: My.Error\n")


async def test_requests_that_are_refused(start: StartBench, tmp_path: Path) -> None:
    """Identifiers, names and events, by AWS's types; a refused registration changes nothing."""
    seen: list[Any] = []

    async def script(runtime: FakeRuntime) -> None:
        async def refused(method: str, path: str, body: object = None, identifier: str = "", **headers: str) -> None:
            status, _, answered = await runtime.extension(method, path, body, identifier, **headers)
            seen.append((status, answered["errorType"], answered["errorMessage"]))

        await refused("GET", "event/next")
        await refused("GET", "event/next", identifier="nonsense")
        await refused("GET", "event/next", identifier="00000000-0000-4000-8000-00000000ffff")
        await refused("POST", "register", {"events": ["INVOKE"]})
        await refused("POST", "register", b"{", Name="x")
        await refused("POST", "register", {"events": "INVOKE"}, Name="x")
        await refused("POST", "register", {"events": ["abcdef"]}, Name="x")
        await refused("POST", "register", {"events": ["SHUTDOWN"]}, Name="internal")
        identifier = await runtime.register("INVOKE", name="x")
        await refused("POST", "register", {"events": ["INVOKE"]}, Name="x")
        await refused("POST", "register", b"x" * 300_000, Name="big")
        await refused("PUT", "register", {"events": []}, Name="x")
        await refused("GET", "nothing")
        await runtime.event(identifier)
        await asyncio.Event().wait()

    made = await start(echo)
    made.driver.extensions = {"x": script}
    await made.pool.invoke(made.invocation(layers=layer(tmp_path, "x")))
    unknown = "Unknown extension 00000000-0000-4000-8000-00000000ffff"
    assert [(status, kind) for status, kind, _ in seen] == [
        (403, "Extension.MissingExtensionIdentifier"),
        (403, "Extension.InvalidExtensionIdentifier"),
        (403, "Extension.UnknownExtensionIdentifier"),
        (403, "Extension.InvalidExtensionName"),
        (403, "InvalidRequestFormat"),
        (403, "InvalidRequestFormat"),
        (403, "Extension.InvalidEventType"),
        (403, "Extension.InvalidEventType"),
        (403, "Extension.InvalidExtensionState"),
        (413, "RequestEntityTooLarge"),
        (405, "MethodNotAllowed"),
        (404, "NotFound"),
    ]
    texts = [text for _, _, text in seen]
    assert texts[:4] == [
        "Missing Lambda-Extension-Identifier header",
        "Invalid Lambda-Extension-Identifier",
        unknown,
        "Empty extension name",
    ]
    assert texts[6:8] == [
        "abcdef: ErrorInvalidEventType",
        "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
    ]
    assert texts[8] == (
        "State transition from Registered to Registered failed for extension x. Error: State transition is not allowed"
    )


async def test_internal_extensions(start: StartBench) -> None:
    """Registered by the runtime's process until its first `next`; INVOKE only, ten at most, each name once."""
    seen: list[Any] = []
    events: list[Any] = []

    async def internal(address: FakeRuntime, identifier: str) -> None:
        while True:
            events.append(await address.event(identifier))

    async def script(runtime: FakeRuntime) -> None:
        others = [runtime.another() for _ in range(10)]
        waiting = []
        for number, other in enumerate(others):
            identifier = await other.register("INVOKE", name=f"i{number}")
            waiting.append(asyncio.create_task(internal(other, identifier)))
        for name in ("i3", "eleventh"):
            _, _, answered = await runtime.extension("POST", "register", {"events": ["INVOKE"]}, Name=name)
            seen.append((answered["errorType"], answered["errorMessage"]))
        request_id, body, _ = await runtime.next()
        _, _, answered = await runtime.extension("POST", "register", {"events": ["INVOKE"]}, Name="late")
        seen.append((answered["errorType"], answered["errorMessage"]))
        await runtime.respond(request_id, body)
        await runtime.next()
        await asyncio.wait(waiting)

    made = await start(script)
    assert (await made.pool.invoke(made.invocation(b"1", request_id="r-1"))).payload == b"1"
    await until(made, "REPORT RequestId: r-1")
    assert seen == [
        ("Extension.InvalidExtensionState", "Extension with this name already registered"),
        ("Extension.TooManyExtensions", "Extension limit (10) reached"),
        ("Extension.RegistrationClosed", "Extension registration closed already"),
    ]
    assert [event["requestId"] for event in events] == ["r-1"] * 10


async def test_launch_errors(start: StartBench, tmp_path: Path) -> None:
    """A file that cannot be executed fails INIT with Extension.LaunchError, and the EXTENSION line names why."""
    made = await start(echo)
    made.driver.spawn_errors = {"x": "EACCES: permission denied", "y": "ENOEXEC: Exec format error"}
    first, second = layer(tmp_path / "1", "x"), layer(tmp_path / "2", "y")
    for name, layers, reason in (("x", first, "permission denied"), ("y", second, "exec format error")):
        result = await made.pool.invoke(made.invocation(request_id=name, name=name, layers=layers))
        assert answer(result.payload) == {
            "errorType": "Extension.LaunchError",
            "errorMessage": f"RequestId: {name} Error: fork/exec /opt/extensions/{name}: {reason}",
        }
    assert await until(made, r"EXTENSION\tName: x\tState: LaunchError\tEvents: \[\]\tError Type: PermissionDenied\n")
    assert await until(made, r"EXTENSION\tName: y\tState: LaunchError\tEvents: \[\]\tError Type: UnknownError\n")
    assert made.driver.spawned == 0


async def test_eleven_extensions_are_too_many(start: StartBench, tmp_path: Path) -> None:
    """Lambda allows ten."""
    names = [f"x{number:02}" for number in range(11)]
    made = await start(echo)
    made.driver.extensions = {name: listener([], "INVOKE") for name in names}
    result = await made.pool.invoke(made.invocation(layers=layer(tmp_path, *names)))
    parsed = answer(result.payload)
    assert isinstance(parsed, dict)
    assert parsed["errorType"] == "Extension.LaunchError"
    assert await until(made, r"EXTENSION\tName: x10\tState: LaunchError\t.*Error Type: TooManyExtensions\n")


async def test_extension_lines_and_output_are_log_events(start: StartBench, tmp_path: Path) -> None:
    """What extensions print, and one EXTENSION line before START."""

    async def script(runtime: FakeRuntime) -> None:
        runtime.print("[x] hello\n")
        identifier = await runtime.register("INVOKE", "SHUTDOWN")
        await runtime.event(identifier)
        runtime.print("[x] got one\n")
        await runtime.event(identifier)

    made = await start(echo)
    made.driver.extensions = {"x": script}
    await made.pool.invoke(made.invocation(request_id="r-1", layers=layer(tmp_path, "x")))
    await until(made, "REPORT")
    lines = [line.split(" ms")[0] for line in made.log.messages]
    assert lines[1:5] == [
        "[x] hello\n",
        "EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n",
        "START RequestId: r-1 Version: $LATEST\n",
        "[x] got one\n",
    ]
    assert lines[5] == "END RequestId: r-1\n"


async def test_shutdown_goes_to_the_runtime_first(start: StartBench, tmp_path: Path) -> None:
    """SIGTERM, then SHUTDOWN for who registered for it; who did not is killed. Output is still logged."""
    made = await start(echo)
    told: list[Any] = []

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE", "SHUTDOWN")
        while (await runtime.event(identifier))["eventType"] != "SHUTDOWN":
            pass
        told.append([process.exited.done() for process in made.driver.sandboxes[0].processes])
        runtime.print("Exiting\n")

    made.driver.extensions = {"x": script, "y": listener([], "INVOKE")}
    await made.pool.invoke(made.invocation(layers=layer(tmp_path, "x", "y")))
    await until(made, "REPORT")
    await made.pool.stop()
    x, y, runtime = made.driver.sandboxes[0].processes
    assert runtime.signals == [signal.SIGTERM]
    assert y.signals == [signal.SIGKILL]
    assert x.signals == []
    assert [ended[2] for ended in told] == [True]
    assert "Exiting\n" in made.log.messages


async def test_shutdown_without_extensions_sends_no_signal(start: StartBench) -> None:
    """0 ms: the runtime is killed."""
    made = await start(echo)
    await made.pool.invoke(made.invocation())
    await made.pool.stop()
    assert made.driver.sandboxes[0].processes[0].signals == []


async def test_runtime_that_ignores_sigterm_is_killed(start: StartBench, tmp_path: Path) -> None:
    """After its 300 ms; the extension still gets its event."""
    seen: list[Any] = []

    async def stubborn(runtime: FakeRuntime) -> None:
        runtime.process.ignores_sigterm = True
        await echo(runtime)

    made = await start(stubborn)
    made.driver.extensions = {"x": listener(seen, "SHUTDOWN")}
    await made.pool.invoke(made.invocation(layers=layer(tmp_path, "x")))
    await until(made, "REPORT")
    await made.pool.stop()
    runtime = made.driver.sandboxes[0].processes[1]
    assert runtime.signals == [signal.SIGTERM, signal.SIGKILL]
    assert [event["eventType"] for event in seen] == ["SHUTDOWN"]


async def test_a_poll_that_broke_may_be_repeated(start: StartBench, tmp_path: Path) -> None:
    """An HTTP client that gives up its long poll asks again; the event that came meanwhile waits for it."""
    seen: list[Any] = []

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE")
        headers = {"Lambda-Extension-Identifier": identifier}
        await runtime.send("GET", "/2020-01-01/extension/event/next", b"", headers)
        await asyncio.sleep(0.05)
        runtime.hang_up()
        while True:
            await asyncio.sleep(0.1)
            seen.append(await runtime.event(identifier))

    async def slow(runtime: FakeRuntime) -> None:
        await asyncio.sleep(0.12)
        await echo(runtime)

    made = await start(slow)
    made.driver.extensions = {"x": script}
    result = await made.pool.invoke(made.invocation(b"5", request_id="r-1", layers=layer(tmp_path, "x")))
    assert result.payload == b"5"
    await until(made, "REPORT RequestId: r-1")
    assert [event["requestId"] for event in seen] == ["r-1"]


async def test_flood_of_registrations_leaves_the_runtime_alone(start: StartBench, tmp_path: Path) -> None:
    """Refused ones leave nothing; the invocation goes on."""

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE")
        for number in range(500):
            await runtime.extension("POST", "register", {"events": ["SHUTDOWN"]}, Name=f"n{number}")
            await runtime.extension("POST", "exit/error", {}, f"00000000-0000-4000-8000-{number:012x}")
        while True:
            await runtime.event(identifier)

    made = await start(echo)
    made.driver.extensions = {"x": script}
    result = await made.pool.invoke(made.invocation(b"1", layers=layer(tmp_path, "x")))
    assert result.payload == b"1"
