"""INIT, invoke, failure and reset of an execution environment, on scripted runtimes."""

import asyncio
import re

import pytest

from tests.fakes_sandbox import Bench, Exit, FakeRuntime, answer, echo
from tests.unit.sandbox.conftest import StartBench
from undercast.core.errors import ServiceError
from undercast.sandbox.admission import Limits
from undercast.sandbox.driver import MemoryUse
from undercast.sandbox.model import Invocation


async def logged(made: Bench, pattern: str) -> None:
    """Wait until a line of the log matches."""
    async with asyncio.timeout(5):
        while not any(re.match(pattern, line) for line in made.log.messages):
            await asyncio.sleep(0.001)


async def test_invoke_returns_what_the_runtime_posted(start: StartBench) -> None:
    """The response body goes to the caller byte for byte."""
    made = await start(echo)
    result = await made.pool.invoke(made.invocation(b'{"a": "\xc3\xbc"}'))
    assert result.payload == b'{"a": "\xc3\xbc"}'
    assert None is result.function_error


async def test_second_invoke_reuses_the_environment(start: StartBench) -> None:
    """An idle execution environment takes the next event: one process, one INIT."""
    made = await start(echo)
    first = await made.pool.invoke(made.invocation(request_id="r-1"))
    second = await made.pool.invoke(made.invocation(request_id="r-2"))
    assert first.environment_id == second.environment_id
    assert made.driver.spawned == 1
    assert first.init_duration_ms is not None
    assert None is second.init_duration_ms


async def test_log_has_start_end_and_report(start: StartBench) -> None:
    """REPORT has tabs between its parts and Init Duration on the first invocation only."""
    made = await start(echo)
    await made.pool.invoke(made.invocation(request_id="r-1"))
    await made.pool.invoke(made.invocation(request_id="r-2"))
    await logged(made, "REPORT RequestId: r-2")
    lines = made.log.messages
    assert lines[0].split("arn:")[0] == "INIT_START Runtime Version: fake:1\tRuntime Version ARN: "
    assert lines[1] == "START RequestId: r-1 Version: $LATEST\n"
    assert lines[2] == "END RequestId: r-1\n"
    report = (
        r"REPORT RequestId: r-1\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
        r"\tMax Memory Used: 20 MB\tInit Duration: \d+\.\d\d ms\t\n"
    )
    assert re.fullmatch(report, lines[3])
    assert "Init Duration" not in lines[6]


async def test_event_headers_are_those_of_the_runtime_api(start: StartBench) -> None:
    """Request id, deadline in epoch milliseconds, invoked ARN, trace id, client context."""
    seen: dict[str, str] = {}

    async def script(runtime: FakeRuntime) -> None:
        request_id, body, headers = await runtime.next()
        seen.update(headers)
        await runtime.respond(request_id, body)
        await runtime.next()

    made = await start(script)
    invocation = made.invocation(request_id="r-9")
    await made.pool.invoke(
        Invocation(
            request_id="r-9",
            function=invocation.function,
            payload=b"1",
            invoked_arn="arn:x:prod",
            trace_header="Root=1-2-3\r\nEvil: yes",
            client_context='{"custom":{}}',
        )
    )
    assert seen["lambda-runtime-aws-request-id"] == "r-9"
    assert seen["lambda-runtime-invoked-function-arn"] == "arn:x:prod"
    assert seen["lambda-runtime-trace-id"] == "Root=1-2-3  Evil: yes"
    assert seen["lambda-runtime-client-context"] == '{"custom":{}}'
    assert seen["lambda-runtime-deadline-ms"].isdigit()
    assert "evil" not in seen


async def test_error_of_the_runtime_is_unhandled_and_unchanged(start: StartBench) -> None:
    """X-Amz-Function-Error is "Unhandled" on every recorded error; the body is what the runtime posted."""

    async def script(runtime: FakeRuntime) -> None:
        while True:
            request_id, _, _ = await runtime.next()
            headers = {"Lambda-Runtime-Function-Error-Type": "ValueError"}
            await runtime.request("POST", f"invocation/{request_id}/error", b'{"errorMessage":"no"}', headers)

    made = await start(script)
    result = await made.pool.invoke(made.invocation())
    assert result.function_error == "Unhandled"
    assert result.payload == b'{"errorMessage":"no"}'
    assert made.driver.spawned == 1


async def test_timeout_is_answered_in_awss_words_and_resets(start: StartBench) -> None:
    """Sandbox.Timedout; the environment keeps /tmp and log stream, its processes are killed."""

    async def hang(runtime: FakeRuntime) -> None:
        await runtime.next()
        await asyncio.Event().wait()

    made = await start(hang, echo)
    result = await made.pool.invoke(made.invocation(request_id="r-1", timeout_s=1))
    assert answer(result.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r-1 Error: Task timed out after 1.00 seconds",
    }
    again = await made.pool.invoke(made.invocation(b"2", request_id="r-2", timeout_s=1))
    assert again.payload == b"2"
    assert result.environment_id == again.environment_id
    assert None is again.init_duration_ms
    assert len(made.driver.sandboxes) == 1
    assert len(made.log.streams) == 1
    report = next(line for line in made.log.messages if line.startswith("REPORT RequestId: r-1"))
    assert "\tDuration: 1000.00 ms\tBilled Duration: " in report
    assert report.endswith("\tStatus: timeout\t\n")
    assert any(re.fullmatch(r"\S+Z r-1 Task timed out after 1\.00 seconds\n\n", line) for line in made.log.messages)


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (Exit(1), "Runtime exited with error: exit status 1"),
        (Exit(0), "Runtime exited without providing a reason"),
        (Exit(signal=11), "Runtime exited with error: signal: segmentation fault"),
        (Exit(signal=6), "Runtime exited with error: signal: aborted"),
    ],
)
async def test_exit_is_runtime_exit_error(start: StartBench, end: Exit, text: str) -> None:
    """The process ended inside the invoke; the next invoke runs INIT again in the same environment."""

    async def die(runtime: FakeRuntime) -> None:
        await runtime.next()
        runtime.print("last words\n")
        raise end

    made = await start(die, echo)
    result = await made.pool.invoke(made.invocation(request_id="r-1"))
    assert {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: r-1 Error: {text}"} == answer(result.payload)
    assert result.function_error == "Unhandled"
    again = await made.pool.invoke(made.invocation(b"3"))
    assert again.payload == b"3"
    lines = made.log.messages
    assert lines.index("last words\n") < lines.index("END RequestId: r-1\n")
    assert f"RequestId: r-1 Error: {text}\nRuntime.ExitError\n" in lines
    report = next(line for line in lines if line.startswith("REPORT RequestId: r-1"))
    assert report.endswith("\tStatus: error\tError Type: Runtime.ExitError\t\n")


async def test_oom_reports_the_whole_memory(start: StartBench) -> None:
    """Killed for memory: "signal: killed", and Max Memory Used is Memory Size."""

    async def bomb(runtime: FakeRuntime) -> None:
        await runtime.next()
        made.driver.sandboxes[0].use = MemoryUse(current_bytes=0, peak_bytes=1 << 26, oom_kills=1)
        raise Exit(signal=9)

    made = await start(bomb)
    result = await made.pool.invoke(made.invocation(request_id="r-1"))
    assert answer(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: r-1 Error: Runtime exited with error: signal: killed",
    }
    report = next(line for line in made.log.messages if line.startswith("REPORT RequestId: r-1"))
    assert "Max Memory Used: 128 MB\tInit Duration: " in report
    assert report.endswith("Status: error\tError Type: Runtime.OutOfMemory\t\n")


async def test_answer_counts_when_the_process_dies_right_behind_it(start: StartBench) -> None:
    """A response that reached the socket before the exit is the invocation's answer (aws-lambda-go on a panic)."""

    async def answer_and_die(runtime: FakeRuntime) -> None:
        request_id, _, _ = await runtime.next()
        await runtime.send("POST", f"invocation/{request_id}/error", b'{"errorMessage":"panic"}')
        raise Exit(1)

    made = await start(answer_and_die, echo)
    result = await made.pool.invoke(made.invocation())
    assert result.payload == b'{"errorMessage":"panic"}'
    assert (await made.pool.invoke(made.invocation(b"4"))).payload == b"4"
    assert made.driver.spawned == 2


async def test_init_error_is_retried_inside_the_invoke(start: StartBench) -> None:
    """A failed INIT is repeated by the first invoke (suppressed init); its error is the answer, as posted."""

    async def fail(runtime: FakeRuntime) -> None:
        headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError"}
        await runtime.request("POST", "init/error", b'{"errorType":"Runtime.ImportModuleError"}', headers)
        raise Exit(1)

    made = await start(fail, fail, echo)
    result = await made.pool.invoke(made.invocation(request_id="r-1"))
    assert result.payload == b'{"errorType":"Runtime.ImportModuleError"}'
    assert result.function_error == "Unhandled"
    assert made.driver.spawned == 2
    lines = [line for line in made.log.messages if not line.startswith("INIT_START")]
    kinds = [re.sub(r"\d+\.\d\d ms", "T", line) for line in lines[:2]]
    assert [
        f"INIT_REPORT Init Duration: T\tPhase: {phase}\tStatus: error\tError Type: Runtime.ImportModuleError\n"
        for phase in ("init", "invoke")
    ] == kinds
    assert lines[2] == "START RequestId: r-1 Version: $LATEST\n"
    assert (await made.pool.invoke(made.invocation(b"5"))).payload == b"5"


async def test_init_timeout_is_retried_with_the_function_timeout(
    start: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INIT has 10 s (here 0.05); then the invoke runs it again under the function's own timeout."""
    monkeypatch.setattr("undercast.sandbox.environment.INIT_TIMEOUT_S", 0.05)

    async def hang(_: FakeRuntime) -> None:
        await asyncio.Event().wait()

    made = await start(hang, echo)
    result = await made.pool.invoke(made.invocation(b"6"))
    assert result.payload == b"6"
    assert None is result.init_duration_ms
    assert any("Phase: init\tStatus: timeout\n" in line for line in made.log.messages)


async def test_program_that_cannot_be_executed_is_invalid_entrypoint(start: StartBench) -> None:
    """Recorded: fork/exec /var/task/bootstrap: no such file or directory, Runtime.InvalidEntrypoint."""
    made = await start(echo)
    made.driver.spawn_error = "ENOENT: /var/task/bootstrap"
    result = await made.pool.invoke(made.invocation(request_id="r-1"))
    assert answer(result.payload) == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": "RequestId: r-1 Error: fork/exec /var/task/bootstrap: no such file or directory",
    }


async def test_too_large_response(start: StartBench) -> None:
    """Over 6,291,556 bytes: the runtime gets 413, the caller Function.ResponseSizeTooLarge."""
    statuses: list[int] = []

    async def big(runtime: FakeRuntime) -> None:
        while True:
            request_id, _, _ = await runtime.next()
            statuses.append(await runtime.respond(request_id, b"x" * 7_000_000))

    made = await start(big)
    result = await made.pool.invoke(made.invocation())
    assert answer(result.payload) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    await made.pool.invoke(made.invocation())
    assert statuses[0] == 413
    assert made.driver.spawned == 1


async def test_largest_allowed_response(start: StartBench) -> None:
    """6,291,556 bytes are allowed."""

    async def big(runtime: FakeRuntime) -> None:
        request_id, _, _ = await runtime.next()
        await runtime.respond(request_id, b"x" * 6_291_556)
        await runtime.next()

    made = await start(big)
    assert len((await made.pool.invoke(made.invocation())).payload) == 6_291_556


async def test_truncated_response(start: StartBench) -> None:
    """The connection ends inside a response while the process lives on: Runtime.TruncatedResponse."""

    async def cut(runtime: FakeRuntime) -> None:
        request_id, _, _ = await runtime.next()
        head = f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\nContent-Length: 100\r\n\r\n"
        await runtime.write(head.encode() + b"half")
        runtime.hang_up()
        await asyncio.Event().wait()

    made = await start(cut)
    result = await made.pool.invoke(made.invocation())
    assert b"Runtime.TruncatedResponse" in result.payload


async def test_tail_has_this_invocation_only(start: StartBench) -> None:
    """LogType=Tail: the last 4 KB of the invocation, START to REPORT."""

    async def chatty(runtime: FakeRuntime) -> None:
        while True:
            request_id, body, _ = await runtime.next()
            runtime.print(f"line of {request_id}\n" * (400 if request_id == "r-3" else 1))
            await runtime.respond(request_id, body)

    made = await start(chatty)
    await made.pool.invoke(made.invocation(request_id="r-1"))
    tail = await _tail(made.pool.invoke, made.invocation(request_id="r-2"))
    assert tail.startswith(
        b"START RequestId: r-2 Version: $LATEST\nline of r-2\nEND RequestId: r-2\nREPORT RequestId: r-2"
    )
    assert b"r-1" not in tail
    long_tail = await _tail(made.pool.invoke, made.invocation(request_id="r-3"))
    assert len(long_tail) == 4096
    assert long_tail.rstrip().endswith(b"MB")


async def _tail(invoke: object, invocation: Invocation) -> bytes:
    tailed = Invocation(
        request_id=invocation.request_id,
        function=invocation.function,
        payload=invocation.payload,
        invoked_arn=invocation.invoked_arn,
        tail_log=True,
    )
    result = await invoke(tailed)  # type: ignore[operator]
    return bytes(result.log_tail)


async def test_multi_line_record_is_one_event_before_end(start: StartBench) -> None:
    """_LAMBDA_TELEMETRY_LOG_FD: a framed record is one log event; END comes behind it."""

    async def framed(runtime: FakeRuntime) -> None:
        request_id, body, _ = await runtime.next()
        runtime.record("[ERROR] one\ntwo\nthree")
        runtime.print("plain\n")
        await runtime.respond(request_id, body)
        await runtime.next()

    made = await start(framed)
    await _tail(made.pool.invoke, made.invocation(request_id="r-1"))
    lines = made.log.messages
    assert "[ERROR] one\ntwo\nthree" in lines
    assert {"[ERROR] one\ntwo\nthree", "plain\n"} == set(
        lines[lines.index("START RequestId: r-1 Version: $LATEST\n") + 1 : lines.index("END RequestId: r-1\n")]
    )


@pytest.mark.parametrize("callers", [2, 6])
async def test_output_belongs_to_its_invocation_however_soon_the_next_begins(start: StartBench, callers: int) -> None:
    """What is written before the runtime asks for the next event stands before END; here with two environments.

    With two callers most invocations find an environment that has just become idle, with six they wait for one.
    """

    async def wordy(runtime: FakeRuntime) -> None:
        while True:
            request_id, body, _ = await runtime.next()
            runtime.print(f"within {request_id}\n")
            await runtime.respond(request_id, body)
            runtime.print(f"behind {request_id}\n")

    made = await start(wordy, limits=Limits(inits=4, memory_mb=256))

    async def caller(number: int) -> None:
        for turn in range(25):
            await made.pool.invoke(made.invocation(request_id=f"r-{number}-{turn}"))

    await asyncio.gather(*(caller(number) for number in range(callers)))
    await made.pool.stop()
    found = [
        line for events in made.log.streams.values() for _, line in events if line.startswith(("within", "END", "be"))
    ]
    assert len(found) == 3 * 25 * callers
    assert [found[at : at + 3] for at in range(0, len(found), 3)] == [
        [line, line.replace("within", "behind"), f"END RequestId: {line.split()[1]}\n"] for line in found[::3]
    ]


async def test_causes_follow_the_phases(start: StartBench) -> None:
    """I10: init, then the invocation, then what is done behind the answer, then background."""
    made = await start(echo)
    await _tail(made.pool.invoke, made.invocation(request_id="r-1"))
    kinds = [(cause.kind, cause.id if cause.kind != "init" else "") for cause in made.causes.phases if cause]
    environment = next(iter(made.pool.status()["functions"][0]["environments"]))
    assert [
        ("init", ""),
        ("invocation", "r-1"),
        ("post-response", "r-1"),
        ("background", environment),
    ] == kinds
    assert made.causes.invocations == ["r-1"]


async def test_idle_environment_is_frozen_and_thawed(start: StartBench) -> None:
    """Freeze when the runtime asked for `next` and no event is pending; CPU quota from the end of INIT on."""
    made = await start(echo)
    await made.pool.invoke(made.invocation())
    async with asyncio.timeout(5):
        while "freeze" not in made.driver.sandboxes[0].calls:
            await asyncio.sleep(0.001)
    await made.pool.invoke(made.invocation())
    assert made.driver.sandboxes[0].calls[:4] == ["spawn", "end_init", "freeze", "thaw"]


async def test_a_frozen_runtime_finds_its_event_when_it_wakes(start: StartBench) -> None:
    """The event is in its socket before it is thawed: it wakes once, not once for the thaw and once for the event."""
    runtimes: list[FakeRuntime] = []

    async def kept(runtime: FakeRuntime) -> None:
        runtimes.append(runtime)
        await echo(runtime)

    made = await start(kept)
    await made.pool.invoke(made.invocation())
    sandbox, found = made.driver.sandboxes[0], list[bool]()
    sandbox.on_thaw = lambda: found.append(runtimes[0].finds_input())
    async with asyncio.timeout(5):
        while "freeze" not in sandbox.calls:
            await asyncio.sleep(0.001)
    await made.pool.invoke(made.invocation())
    assert found == [True]


async def test_runtime_that_dies_while_idle_is_started_again(start: StartBench) -> None:
    """A process that ends between two invokes is replaced inside the next one."""

    async def once(runtime: FakeRuntime) -> None:
        request_id, body, _ = await runtime.next()
        await runtime.send("POST", f"invocation/{request_id}/response", body)
        await runtime.receive()
        await runtime.send("GET", "invocation/next")
        raise Exit(1)

    made = await start(once, echo)
    await made.pool.invoke(made.invocation())
    async with asyncio.timeout(5):
        while "kill_processes" not in made.driver.sandboxes[0].calls:
            await asyncio.sleep(0.001)
    assert (await made.pool.invoke(made.invocation(b"7"))).payload == b"7"
    assert len(made.driver.sandboxes) == 1


async def test_sandbox_that_dies_is_an_exit_and_is_replaced(start: StartBench) -> None:
    """The invocation ends with signal: killed; the next gets a new environment."""

    async def vanish(runtime: FakeRuntime) -> None:
        await runtime.next()
        made.driver.sandboxes[0].died.set_result(None)
        made.driver.alive.discard(made.driver.sandboxes[0].environment_id)
        await asyncio.Event().wait()

    made = await start(vanish, echo)
    result = await made.pool.invoke(made.invocation())
    assert b"signal: killed" in result.payload
    assert (await made.pool.invoke(made.invocation(b"8"))).payload == b"8"
    assert len(made.driver.sandboxes) == 2


async def test_sandbox_that_cannot_be_made_is_a_service_error(start: StartBench) -> None:
    """Not the function's fault: an exception of the service, naming the reason."""
    made = await start(echo)
    made.driver.create_error = "mount: EPERM"
    with pytest.raises(ServiceError, match="mount: EPERM"):
        await made.pool.invoke(made.invocation())


async def fail_init(runtime: FakeRuntime) -> None:
    """A runtime whose handler cannot be loaded."""
    await runtime.request("POST", "init/error", b"{}", {"Lambda-Runtime-Function-Error-Type": "Runtime.X"})
    raise Exit(1)


async def hang_in_init(_: FakeRuntime) -> None:
    """A runtime that never asks for an event."""
    await asyncio.Event().wait()


async def spawned(made: Bench, count: int) -> None:
    """Wait until so many processes were started."""
    async with asyncio.timeout(5):
        while made.driver.spawned < count:
            await asyncio.sleep(0.001)


async def test_stop_during_a_suppressed_init_ends_the_invocation(start: StartBench) -> None:
    """Nobody waits for ever."""
    made = await start(fail_init, hang_in_init)
    task = asyncio.ensure_future(made.pool.invoke(made.invocation()))
    await spawned(made, 2)
    await made.pool.stop()
    with pytest.raises(ServiceError, match="shut down"):
        await task


async def test_sandbox_that_dies_during_a_suppressed_init(start: StartBench) -> None:
    """As when it dies in the invoke."""
    made = await start(fail_init, hang_in_init, echo)
    task = asyncio.ensure_future(made.pool.invoke(made.invocation()))
    await spawned(made, 2)
    made.driver.sandboxes[0].died.set_result(None)
    made.driver.alive.discard(made.driver.sandboxes[0].environment_id)
    assert b"signal: killed" in (await task).payload
    assert (await made.pool.invoke(made.invocation(b"9"))).payload == b"9"


async def test_sandbox_that_dies_just_before_a_suppressed_init(start: StartBench) -> None:
    """The invocation was handed to it already: it ends as one whose sandbox died, and nobody waits for ever."""

    async def leave(runtime: FakeRuntime) -> None:
        await runtime.next()
        raise Exit(1)

    made = await start(leave, echo)
    await made.pool.invoke(made.invocation())
    async with asyncio.timeout(5):
        while "stale" not in str(made.pool.status()):
            await asyncio.sleep(0.001)
    made.driver.sandboxes[0].died.set_result(None)
    made.driver.alive.discard(made.driver.sandboxes[0].environment_id)
    async with asyncio.timeout(5):
        assert b"signal: killed" in (await made.pool.invoke(made.invocation(b"8"))).payload
        assert (await made.pool.invoke(made.invocation(b"9"))).payload == b"9"


async def test_suppressed_init_that_hangs_is_a_timeout(start: StartBench) -> None:
    """Its limit is the function's timeout."""
    made = await start(fail_init, hang_in_init)
    result = await made.pool.invoke(made.invocation(request_id="r-1", timeout_s=1))
    assert b"Task timed out after 1.00 seconds" in result.payload
    assert any("Phase: invoke\tStatus: timeout" in line for line in made.log.messages)


async def test_runtime_that_hangs_behind_its_answer_is_reset_at_the_deadline(start: StartBench) -> None:
    """The caller has the answer; the time counts until the runtime asks for the next event."""

    async def hang_after(runtime: FakeRuntime) -> None:
        request_id, body, _ = await runtime.next()
        await runtime.respond(request_id, body)
        await asyncio.Event().wait()

    made = await start(hang_after, echo)
    result = await made.pool.invoke(made.invocation(b"1", request_id="r-1", timeout_s=1))
    assert result.payload == b"1"
    await logged(made, "REPORT RequestId: r-1\tDuration: 1000.00 ms.*Status: timeout")
    assert (await made.pool.invoke(made.invocation(b"2", request_id="r-2"))).payload == b"2"
    assert len(made.driver.sandboxes) == 1


@pytest.mark.parametrize(("active", "sampled", "named"), [(True, 0, True), (False, 1, True), (False, 0, False)])
async def test_traced_invocations_are_named(start: StartBench, active: bool, sampled: int, named: bool) -> None:
    """XRAY TraceId is in the REPORT of a sampled invocation, and of each of a function with Active tracing."""
    made = await start(echo)
    plain = made.invocation(request_id="r-1", traces_actively=active)
    header = f"Root=1-643eb81e-7b15c13c3bff33247638ad8d;Parent=4c72ac137fd02fb0;Sampled={sampled}"
    await made.pool.invoke(
        Invocation(request_id="r-1", function=plain.function, payload=b"1", invoked_arn="arn:x", trace_header=header)
    )
    await logged(made, "REPORT RequestId: r-1")
    assert any("\nXRAY TraceId: 1-643eb81e-" in line for line in made.log.messages) is named


@pytest.mark.parametrize(("error", "told"), [('{"errorType":"\\ud800"}', "?"), ("[" * 3000, "E")])
async def test_an_error_that_cannot_be_read_is_told_as_what_can_be_stored(
    start: StartBench, error: str, told: str
) -> None:
    """Runtime API: any text may be posted as an error; half of a surrogate pair is JSON, too."""

    async def script(runtime: FakeRuntime) -> None:
        request_id, _, _ = await runtime.next()
        headers = {"Lambda-Runtime-Function-Error-Type": "E"}
        await runtime.request("POST", f"invocation/{request_id}/error", error.encode(), headers)
        await runtime.next()

    made = await start(script)
    await made.pool.invoke(made.invocation(request_id="r-1"))
    assert made.causes.errors == [("r-1", told)]
