"""The JSON log format, its levels, custom log groups and billing eras, on scripted runtimes."""

import asyncio
import dataclasses
import json
import re
from typing import Any

import pytest

from tests.fakes_sandbox import Bench, Exit, FakeRuntime, echo
from tests.unit.sandbox.conftest import StartBench
from tests.unit.sandbox.test_extensions import until
from undercast.sandbox.log_levels import passing
from undercast.sandbox.logs import ERAS, Report
from undercast.sandbox.model import Logging

LINES = (
    '{"level": "DEBUG", "message": "d"}\n',
    '{"level": "info", "message": "i"}\n',
    '{"level": "WARNING", "message": "w"}\n',
    '{"level": "CRITICAL", "message": "c"}\n',
    '{"level": "nonsense", "message": "n"}\n',
    "plain\n",
)


async def chatty(runtime: FakeRuntime) -> None:
    """Prints lines of each level."""
    while True:
        request_id, body, _ = await runtime.next()
        for line in LINES:
            runtime.print(line)
        await runtime.respond(request_id, body)


def types(made: Bench) -> list[str]:
    """The types of the log's platform events, "" for other lines."""
    found = []
    for message in made.log.messages:
        parsed: Any = json.loads(message) if message.startswith("{") else {}
        found.append(str(parsed.get("type", "")))
    return found


async def test_platform_events_are_json_objects(start: StartBench) -> None:
    """At INFO: initStart, start and report, in the Telemetry API's shape; no START, END and REPORT."""
    made = await start(echo)
    invocation = made.invocation(request_id="r-1", logging=Logging(is_json=True))
    await made.pool.invoke(invocation)
    await until(made, "platform.report")
    assert types(made) == ["platform.initStart", "platform.start", "platform.report"]
    begun, report = json.loads(made.log.messages[1]), json.loads(made.log.messages[2])
    assert begun == {
        "time": "2023-11-14T22:13:20.000Z",
        "type": "platform.start",
        "record": {"requestId": "r-1", "version": "$LATEST"},
    }
    assert report["record"]["status"] == "success"
    assert report["record"]["metrics"]["memorySizeMB"] == 128
    assert all(message.endswith("}\n") for message in made.log.messages)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (
            "DEBUG",
            ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"],
        ),
        ("WARN", []),
    ],
)
async def test_system_log_level(start: StartBench, level: str, expected: list[str]) -> None:
    """System log level event mapping of the Developer Guide."""
    made = await start(echo)
    logging = Logging(is_json=True, system_level=level)
    for request_id in ("r-1", "r-2"):
        await made.pool.invoke(made.invocation(request_id=request_id, logging=logging))
    async with asyncio.timeout(5):
        while "answered" in str(made.pool.status()):
            await asyncio.sleep(0.001)
    await made.pool.stop()
    assert types(made) == [f"platform.{name}" for name in [*expected, *expected[-3:]]]


async def test_failures_are_warnings(start: StartBench) -> None:
    """At WARN what failed is still told, with its error type."""

    async def crash(runtime: FakeRuntime) -> None:
        await runtime.next()
        raise Exit(1)

    made = await start(crash)
    await made.pool.invoke(made.invocation(logging=Logging(is_json=True, system_level="WARN")))
    await until(made, "platform.report")
    assert types(made) == ["platform.runtimeDone", "platform.report"]
    record = json.loads(made.log.messages[1])["record"]
    assert (record["status"], record["errorType"]) == ("error", "Runtime.ExitError")


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("TRACE", "diwcnp"),
        ("DEBUG", "diwcnp"),
        ("INFO", "iwcnp"),
        ("WARN", "wc"),
        ("ERROR", "c"),
        ("FATAL", "c"),
    ],
)
def test_application_log_level(level: str, kept: str) -> None:
    """A line without a valid level is INFO."""
    expected = [line for line in LINES if re.search(r'message": "(.)|^(p)', line)[0][-1] in kept]  # type: ignore[index]
    assert passing(list(LINES), level) == expected


async def test_lines_below_the_level_are_not_logged(start: StartBench) -> None:
    """Neither in the stream nor in the caller's tail."""
    made = await start(chatty)
    invocation = made.invocation(request_id="r-1", logging=Logging(is_json=True, application_level="WARN"))
    result = await made.pool.invoke(dataclasses.replace(invocation, tail_log=True))
    tail = result.log_tail.decode().splitlines(keepends=True)
    assert tail[1:-1] == [LINES[2], LINES[3]]
    assert [json.loads(tail[0])["type"], json.loads(tail[-1])["type"]] == ["platform.start", "platform.report"]
    assert made.log.messages[-3:-1] == [LINES[2], LINES[3]]


async def test_text_format_filters_nothing(start: StartBench) -> None:
    """Levels are of the JSON format only."""
    made = await start(chatty)
    await made.pool.invoke(made.invocation(request_id="r-1"))
    await until(made, "REPORT")
    assert set(LINES) < set(made.log.messages)


async def test_runtime_is_told_format_and_level(start: StartBench) -> None:
    """AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL make runtime clients write JSON; text functions have neither."""
    seen: list[Any] = []

    async def script(runtime: FakeRuntime) -> None:
        names = ("AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL")
        seen.append(tuple(runtime.environment.get(name) for name in names))
        await echo(runtime)

    made = await start(script)
    await made.pool.invoke(made.invocation(name="a", logging=Logging(is_json=True, application_level="DEBUG")))
    await made.pool.invoke(made.invocation(name="b"))
    assert seen == [("JSON", "DEBUG"), (None, None)]


async def test_streams_of_a_custom_group_carry_the_functions_name(start: StartBench) -> None:
    """YYYY/MM/DD/<function name>[<version>]<id>; in its own group a function's streams have no name."""
    made = await start(echo)
    await made.pool.invoke(made.invocation(name="a", log_group="shared"))
    await made.pool.invoke(made.invocation(name="b"))
    await made.pool.stop()
    one, other = made.log.streams
    assert re.fullmatch(r"2023/11/14/a\[\$LATEST\][0-9a-f]{32}", one)
    assert re.fullmatch(r"2023/11/14/\[\$LATEST\][0-9a-f]{32}", other)


@pytest.mark.parametrize(
    ("era", "duration", "init", "billed"),
    [
        ("1ms", 17.09, None, 18),
        ("1ms", 17.09, 100.0, 118),
        ("100ms", 17.09, None, 100),
        ("100ms", 17.09, 289.4, 100),
        ("100ms", 100.0, None, 100),
        ("100ms", 100.01, None, 200),
        ("100ms", 0.0, None, 100),
    ],
)
def test_billing_eras(era: str, duration: float, init: float | None, billed: int) -> None:
    """X8: 17.09 ms are 18 by default and 100 under the setting of 2019, which did not bill INIT."""
    report = Report(
        request_id="r",
        duration_ms=duration,
        memory_mb=1,
        max_memory_used_mb=1,
        init_duration_ms=init,
        billing=ERAS[era],
    )
    assert report.billed_ms == billed
