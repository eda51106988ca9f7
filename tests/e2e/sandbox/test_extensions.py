"""Real extensions in real sandboxes, on both drivers: Python, Go, a shell with curl, and one inside the runtime."""

import asyncio
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.golang import build
from tests.e2e.sandbox.conftest import Stage
from tests.fakes_sandbox import a_function
from undercast.sandbox.model import FunctionVersion

HANDLER = "def handler(event, context):\n    return event\n"
CLIENT = """#!/usr/bin/python3
import http.client, json, os, sys, time

NAME = os.path.basename(sys.argv[0])
PREFIX = "/2020-01-01/extension/"

def call(method, path, body=None, **headers):
    # AWS allows header names with underscores nowhere: they stand for dashes here.
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    named = {"Lambda-Extension-" + name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, PREFIX + path, None if body is None else json.dumps(body), named)
    answer = connection.getresponse()
    text = answer.read()
    return answer, json.loads(text) if text else None

def register(*events):
    answer, _ = call("POST", "register", {"events": events}, Name=NAME)
    return answer.headers["Lambda-Extension-Identifier"]

def next_event(identifier):
    return call("GET", "event/next", Identifier=identifier)[1]

def say(text):
    print("[" + NAME + "] " + text, flush=True)
"""
LOOP = """
identifier = register("INVOKE", "SHUTDOWN")
while True:
    event = next_event(identifier)
    say(event["eventType"] + " " + event.get("requestId", event.get("shutdownReason")))
    if event["eventType"] == "SHUTDOWN":
        break
"""
RUNTIME = """
import signal, threading

def on_term(number, frame):
    print("terminated by", number, flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, on_term)
NAME = os.environ["EXTENSION"]
if NAME != "none":
    threading.Thread(target=next_event, args=(register(),), daemon=True).start()
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = connection.getresponse()
    body = answer.read()
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    connection.request("POST", "/2018-06-01/runtime/invocation/" + request_id + "/response", body)
    connection.getresponse().read()
"""
SHELL = """#!/bin/sh
name=$(basename "$0")
base=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
head=$(mktemp)
curl -sS -D "$head" -o /dev/null -X POST "$base/register" -H "Lambda-Extension-Name: $name" \\
  -d '{"events": ["INVOKE", "SHUTDOWN"]}'
id=$(sed -n 's/^lambda-extension-identifier: *//Ip' "$head" | tr -d '\\r')
while :; do
  event=$(curl -sS "$base/event/next" -H "Lambda-Extension-Identifier: $id")
  echo "[$name] $event"
  case $event in *SHUTDOWN*) exit 0 ;; esac
done
"""


def layer(stage: Stage, files: Mapping[str, str | Path]) -> tuple[Path, ...]:
    """A layer with these extensions: the text of a script, or a binary."""
    stage.serial += 1
    folder = stage.folder / f"layer{stage.serial}"
    (folder / "extensions").mkdir(parents=True)
    for name, content in files.items():
        target = folder / "extensions" / name
        if isinstance(content, Path):
            shutil.copy(content, target)
        else:
            target.write_text(content)
        target.chmod(0o755)
    for path in (folder, folder / "extensions"):
        path.chmod(0o755)
    return (folder,)


async def logged(stage: Stage, pattern: str) -> str:
    """The first line that matches, waited for."""
    async with asyncio.timeout(10):
        while True:
            for line in stage.log.messages:
                if re.search(pattern, line):
                    return line
            await asyncio.sleep(0.005)


async def ended(stage: Stage, function: FunctionVersion) -> None:
    """Have its environments shut down, and wait for it."""
    stage.pool.retire(function.arn)
    async with asyncio.timeout(10):
        while stage.pool.status()["environments"]:
            await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def go_extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension of go_extension/, built."""
    return build(Path(__file__).parent / "go_extension", tmp_path_factory.mktemp("go") / "extension")


PROGRAMS = """
import os, shutil, subprocess, sys

def handler(event, context):
    found = {name: shutil.which(name) for name in event}
    told = {name: subprocess.check_output([path, "-c", "import sys; print(sys.version)"], text=True)
            for name, path in found.items()}
    return [found, {text.strip() for text in told.values()} == {sys.version}, os.environ["PATH"]]
"""


async def test_python3_of_extensions_is_the_runtime(stage: Stage, driver_name: str) -> None:
    """/var/lang/bin is first in PATH and has the interpreter that runs the function, as on AWS."""
    minor = next(number for number in (13, 12, 11) if stage.runtimes.find((3, number)))
    names = ["python", "python3", f"python3.{minor}"]
    say = "\nsay(sys.version.split()[0])\n"
    script = CLIENT.replace("/usr/bin/python3", "/usr/bin/env python3") + say + LOOP
    files: dict[str, str | Path] = {"env-ext": script}
    if driver_name == "namespace":
        files["lang-ext"] = script.replace("/usr/bin/env python3", f"/var/lang/bin/python3.{minor}")
    function = stage.function(PROGRAMS, runtime=f"python3.{minor}", layers=layer(stage, files), memory_mb=512)
    found, same, path = await stage.value(function, json.dumps(names).encode())
    folder = path.partition(":")[0]
    assert found == {name: f"{folder}/{name}" for name in names} and same
    assert driver_name == "process" or folder == "/var/lang/bin"
    for name in files:
        await logged(stage, rf"\[{name}\] 3\.{minor}\.")


async def test_extensions_in_three_languages_side_by_side(stage: Stage, go_extension: Path) -> None:
    """S2-01 to S2-04: started before the runtime, an event for each invocation, SHUTDOWN at the end; X6: all logged."""
    files: dict[str, str | Path] = {"py-ext": CLIENT + LOOP, "go-ext": go_extension, "sh-ext": SHELL}
    function = stage.function(HANDLER, layers=layer(stage, files), memory_mb=512, timeout_s=10)
    for number in range(3):
        assert await stage.value(function, str(number).encode()) == number
    await ended(stage, function)
    lines = stage.log.messages
    started = next(index for index, line in enumerate(lines) if line.startswith("START "))
    assert {line for line in lines[:started] if line.startswith("EXTENSION")} == {
        f"EXTENSION\tName: {name}\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" for name in files
    }
    text = "".join(lines)
    assert text.count("[py-ext] INVOKE") == text.count("[go-ext] INVOKE") == 3
    assert len(re.findall(r"\[sh-ext\] \{.*INVOKE", text)) == 3
    assert "[py-ext] SHUTDOWN spindown\n" in lines
    assert "[go-ext] Received SHUTDOWN event: spindown\n" in lines
    assert "[go-ext] Exiting\n" in lines
    assert re.search(r'\[sh-ext\] \{.*"shutdownReason": ?"spindown"', text)


async def test_extension_has_the_functions_variables_without_the_runtimes(stage: Stage) -> None:
    """Credentials, region and the function's own; not _HANDLER, LAMBDA_TASK_ROOT and the like."""
    script = CLIENT + 'say(json.dumps(dict(os.environ)))\nnext_event(register("INVOKE"))\n' + "time.sleep(60)\n"
    function = stage.function(
        HANDLER, layers=layer(stage, {"env": script}), environment={"CACHE_TTL": "30s"}, memory_mb=256
    )
    await stage.value(function)
    seen = json.loads((await logged(stage, r"^\[env\] \{")).partition(" ")[2])
    assert seen["CACHE_TTL"] == "30s"
    assert {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "PATH"} < set(seen)
    hidden = {"_HANDLER", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"}
    hidden |= {"LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_XRAY_CONTEXT_MISSING", "PYTHONPATH"}
    assert hidden & set(seen) == set()


async def test_work_behind_the_answer_counts(stage: Stage) -> None:
    """The caller has the answer, REPORT waits for the extension and counts its time."""
    work = 'identifier = register("INVOKE")\nwhile True:\n    next_event(identifier)\n    time.sleep(0.3)\n'
    script = CLIENT + work.replace("next_event(identifier)\n", "next_event(identifier); say('busy')\n")
    function = stage.function(HANDLER, layers=layer(stage, {"late": script}), memory_mb=256, timeout_s=10)
    result = await stage.invoke(function)
    assert not any(line.startswith("REPORT") for line in stage.log.messages)
    report = await logged(stage, "^REPORT")
    found = re.search(r"\tDuration: ([\d.]+) ms", report)
    assert found is not None
    assert float(found[1]) >= 300 > result.duration_ms


async def test_internal_extension_in_python(stage: Stage) -> None:
    """Registered by a thread of the runtime during INIT; it gets the event beside the handler."""
    source = CLIENT + (
        "import threading\n"
        "NAME = 'inner'\n"
        "ID = register('INVOKE')\n"
        "SEEN = []\n"
        "def loop():\n"
        "    while True:\n"
        "        SEEN.append(next_event(ID)['requestId'])\n"
        "threading.Thread(target=loop, daemon=True).start()\n"
        "def handler(event, context):\n"
        "    return [context.aws_request_id, list(SEEN)]\n"
    )
    function = stage.function(source, memory_mb=256)
    first, second = await stage.value(function), await stage.value(function)
    assert second[1][0] == first[0]
    assert "EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]\n" in stage.log.messages


async def test_runtime_with_an_internal_extension_may_end_gracefully(stage: Stage) -> None:
    """SIGTERM, and 500 ms; a runtime without extensions would be killed at once."""
    source = CLIENT + RUNTIME
    code = stage.folder / "custom"
    code.mkdir(mode=0o755)
    (code / "bootstrap").write_text(source)
    (code / "bootstrap").chmod(0o755)
    for extension in ("none", "inner"):
        function = a_function(
            name=extension,
            runtime="provided.al2023",
            code_dir=code,
            memory_mb=256,
            environment={"EXTENSION": extension},
        )
        assert await stage.value(function, b"1") == 1
        await ended(stage, function)
        assert ("terminated by 15\n" in stage.log.messages) is (extension == "inner")


async def test_extension_that_dies_in_init(stage: Stage) -> None:
    """S2-07: Extension.Crash, with the exit status in its text; the next invocation tries INIT again."""
    script = CLIENT + "sys.exit(7)\n"
    function = stage.function(HANDLER, layers=layer(stage, {"dies": script}), memory_mb=256)
    for _ in range(2):
        error = await stage.error(function)
        assert error["errorType"] == "Extension.Crash"
        assert error["errorMessage"].endswith("Error: exit status 7")


async def test_extension_without_its_run_bit(stage: Stage) -> None:
    """S2-17: Extension.LaunchError names the file and the reason."""
    layers = layer(stage, {"flat": SHELL})
    (layers[0] / "extensions" / "flat").chmod(0o644)
    function = stage.function(HANDLER, layers=layers)
    error = await stage.error(function)
    assert error["errorType"] == "Extension.LaunchError"
    assert re.search(r"fork/exec \S+/extensions/flat: permission denied$", error["errorMessage"])


async def test_init_error_of_an_extension(stage: Stage) -> None:
    """S2-05: reported and ended: Extension.InitError."""
    script = CLIENT + (
        'identifier = register("INVOKE")\n'
        'call("POST", "init/error", {}, Identifier=identifier, Function_Error_Type="My.Problem")\n'
        "sys.exit(1)\n"
    )
    function = stage.function(HANDLER, layers=layer(stage, {"fails": script}), memory_mb=256)
    error = await stage.error(function)
    assert error["errorType"] == "Extension.InitError"
    assert await logged(stage, r"^EXTENSION\tName: fails\tState: InitError\t.*Error Type: My.Problem")


async def test_timeout_tells_extensions_why(stage: Stage) -> None:
    """A function that hangs: SHUTDOWN with reason timeout; the same environment goes on with a new extension."""
    source = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'done'\n"
    function = stage.function(source, layers=layer(stage, {"py-ext": CLIENT + LOOP}), memory_mb=256, timeout_s=4)
    error = await stage.error(function, b"60")
    assert error["errorType"] == "Sandbox.Timedout"
    assert await logged(stage, r"\[py-ext\] SHUTDOWN timeout")
    assert await stage.value(function, b"0") == "done"
    assert sum(line.startswith("EXTENSION\tName: py-ext\tState: Ready") for line in stage.log.messages) == 2


async def test_hostile_extension_is_bounded(stage: Stage) -> None:
    """Floods of requests and output, no `next`: the timeout ends it, and the neighbour is served."""
    script = CLIENT + (
        'identifier = register("INVOKE", "SHUTDOWN")\n'
        "next_event(identifier)\n"
        "while True:\n"
        '    call("POST", "register", {"events": ["INVOKE"]}, Name="another")\n'
        '    call("POST", "exit/error", {}, Identifier="00000000-0000-4000-8000-000000000000")\n'
        '    say("x" * 10000)\n'
    )
    function = stage.function(HANDLER, layers=layer(stage, {"hostile": script}), memory_mb=256, timeout_s=1)
    neighbour = stage.function(HANDLER)
    assert await stage.value(function, b"1") == 1
    assert await stage.value(neighbour, b"2") == 2
    assert (await logged(stage, "^REPORT.*Status: timeout")).count("Duration: 1000.00 ms") == 1
    stage.pool.retire(neighbour.arn)
    await ended(stage, function)
