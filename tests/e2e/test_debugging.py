"""Functions under their debuggers: a breakpoint is hit, a variable is read, and the invoke is answered afterwards.

Each run stands longer than its function's timeout would allow. SAM CLI, "Step-through debugging".
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.sdks.programs import installed
from tests.e2e.debug_clients import Dap, Delve, Inspector
from tests.e2e.functions import RUNTIME
from tests.e2e.golang import zipped
from tests.machine import program
from tests.platform import RunningPlatform, start, stop
from undercast.sandbox.debugging.port import free_port

ACCOUNT = "000000000000"
LIMIT_S = 90.0
TIMEOUT_S = 2
LONGER_S = 2.5
PYTHON = """import time
def handler(event, context):
    doubled = event["n"] * 2
    answer = {"doubled": doubled}
    return answer
"""
NODE = """exports.handler = async (event) => {
  const doubled = event.n * 2;
  const answer = {doubled};
  return answer;
};
"""
GO = """package main

import "github.com/aws/aws-lambda-go/lambda"

type request struct{ N int }

func double(r request) (map[string]int, error) {
	doubled := r.N * 2
	return map[string]int{"doubled": doubled}, nil
}

func main() { lambda.Start(double) }
"""
MODULE = Path(__file__).parent / "sandbox" / "go_function"


@contextmanager
def equipped(*options: str) -> Iterator[RunningPlatform]:
    """A platform whose user has installed the debuggers."""
    installed("home/.cache/undercast/runtimes/debugpy")
    platform = start(options=options, environment={"HOME": str(installed("home"))})
    try:
        yield platform
    finally:
        stop(platform)


@pytest.fixture(scope="module")
def platform() -> Iterator[RunningPlatform]:
    """One without options; `undercast invoke --debug` needs none."""
    with equipped() as running:
        yield running


def create(platform: RunningPlatform, name: str, runtime: str, code: bytes, handler: str = "app.handler") -> None:
    """A function that may run for two seconds."""
    client = platform.client("lambda")
    role = f"arn:aws:iam::{ACCOUNT}:role/unknown"
    client.create_function(
        FunctionName=name, Runtime=runtime, Role=role, Handler=handler, Code={"ZipFile": code}, Timeout=TIMEOUT_S
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def archive(name: str, text: str) -> bytes:
    """A package of one file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text)
        return zipped(path, name)


@contextmanager
def invoking(platform: RunningPlatform, name: str, *words: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """`undercast invoke --debug` under way, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "undercast", "invoke", "--debug", "--debug-port", str(port), *words, name]
    process = subprocess.Popen(
        [*command, '{"n": 21}', "--data", str(platform.data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]") -> Any:
    """The answer that it printed."""
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert "launch.json" in err
    return json.loads(out)


def plain(platform: RunningPlatform, name: str) -> Any:
    """An invoke without a debugger."""
    return json.loads(platform.client("lambda").invoke(FunctionName=name, Payload=b'{"n": 4}')["Payload"].read())


def stand() -> None:
    """Look at a variable for longer than the function may run."""
    time.sleep(LONGER_S)


def test_python_stops_at_a_breakpoint(platform: RunningPlatform) -> None:
    """debugpy waits in INIT for its client; afterwards the function runs without it again."""
    create(platform, "python", RUNTIME, archive("app.py", PYTHON))
    with invoking(platform, "python") as (process, port):
        client = Dap(port)
        client.attach("/project", "app.py", 4)
        thread, value = client.variable("doubled")
        assert value == "42"
        stand()
        client.ask("continue", threadId=thread)
        assert ended(process) == {"doubled": 42}
    assert plain(platform, "python") == {"doubled": 8}
    assert "debugged" not in platform.ask("/_undercast/status")["sandboxes"]


@pytest.mark.slow
def test_an_init_waits_longer_than_ten_seconds(platform: RunningPlatform) -> None:
    """INIT's limit stands still until somebody has attached."""
    create(platform, "patient", RUNTIME, archive("app.py", PYTHON))
    with invoking(platform, "patient") as (process, port):
        time.sleep(15)
        client = Dap(port)
        client.attach("/project", "app.py", 4)
        thread, value = client.variable("doubled")
        assert value == "42"
        client.ask("continue", threadId=thread)
        assert ended(process) == {"doubled": 42}


def test_node_stops_at_a_breakpoint(platform: RunningPlatform) -> None:
    """node --inspect-brk waits for its client."""
    program("node")
    create(platform, "node", "nodejs20.x", archive("app.js", NODE))
    with invoking(platform, "node") as (process, port):
        client = Inspector(port)
        for domain in ("Runtime", "Debugger"):
            client.ask(f"{domain}.enable")
        client.ask("Debugger.setBreakpointByUrl", urlRegex="/var/task/app\\.js$|/app\\.js$", lineNumber=2)
        client.ask("Runtime.runIfWaitingForDebugger")
        client.event("Debugger.paused")
        client.ask("Debugger.resume")
        frame = client.event("Debugger.paused")["callFrames"][0]["callFrameId"]
        value = client.ask("Debugger.evaluateOnCallFrame", callFrameId=frame, expression="doubled")["result"]
        assert value["value"] == 42
        stand()
        client.ask("Debugger.resume")
        assert ended(process) == {"doubled": 42}
    assert plain(platform, "node") == {"doubled": 8}


@pytest.fixture(scope="module")
def go_binaries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Built with -gcflags="all=-N -l", as S4-42 does, for both protocols."""
    installed("home/.cache/undercast/runtimes/delve/dlv")
    found = {}
    for version, name in (("v1.13.2", "main"), ("v1.47.0", "bootstrap")):
        module = tmp_path_factory.mktemp(name)
        (module / "main.go").write_text(GO)
        for suffix in ("mod", "sum"):
            shutil.copy(MODULE / f"{version}.{suffix}", module / f"go.{suffix}")
        command = [program("go"), "build", "-buildvcs=false", "-gcflags=all=-N -l", "-o", name, "."]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
        subprocess.run(command, cwd=module, env=environment, check=True, timeout=300)
        found[name] = zipped(module / name, name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "binary"), [("go1.x", "main"), ("provided.al2023", "bootstrap")])
def test_go_stops_at_a_breakpoint(
    platform: RunningPlatform, go_binaries: dict[str, bytes], runtime: str, binary: str
) -> None:
    """S4-42, S4-43: delve holds the program until its client goes on, under net/rpc and under the Runtime API."""
    create(platform, binary, runtime, go_binaries[binary], binary)
    with invoking(platform, binary) as (process, port):
        client = Delve(port)
        client.ask("CreateBreakpoint", Breakpoint={"functionName": "main.double"})
        state = client.ask("Command", name="continue")["State"]
        assert state["currentThread"]["function"]["name"] == "main.double"
        client.ask("Command", name="next")
        client.ask("Command", name="next")
        scope = {"GoroutineID": -1, "Frame": 0}
        assert client.ask("Eval", Scope=scope, Expr="doubled", Cfg={})["Variable"]["value"] == "42"
        stand()
        client.send("Command", name="continue")
        assert ended(process) == {"doubled": 42}
    assert plain(platform, binary) == {"doubled": 8}


def test_the_timeout_goes_on_behind_the_debugger(platform: RunningPlatform) -> None:
    """Who detaches has what was left: an endless loop ends at the timeout. Ctrl-C and a second port are clean, too."""
    loop = "import time\ndef handler(event, context):\n    while True:\n        time.sleep(0.1)\n"
    create(platform, "loop", RUNTIME, archive("app.py", loop))
    with invoking(platform, "loop") as (process, port):
        client = Dap(port)
        client.attach("/project", "app.py", 3)
        client.variable("event")
        stand()
        client.leave()
        out, _ = process.communicate(timeout=LIMIT_S)
        assert "Task timed out after 2.00 seconds" in json.loads(out)["errorMessage"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_who_gives_up_ends_the_debugging(platform: RunningPlatform, number: signal.Signals, status: int) -> None:
    """Ctrl-C, or SIGTERM, while nobody has attached: the port closes, and the function runs without a debugger."""
    name = f"given-up-{status}"
    create(platform, name, RUNTIME, archive("app.py", PYTHON))
    with invoking(platform, name) as (process, _):
        while "debugged" not in platform.ask("/_undercast/status")["sandboxes"]:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        process.communicate(timeout=LIMIT_S)
        assert process.returncode == status
    assert plain(platform, name) == {"doubled": 8}


@pytest.mark.slow
def test_several_functions_at_once() -> None:
    """`start --debug` gives each a port; without --debug-wait they run, and a later client stops the next invoke.

    An environment is neither frozen nor reaped while a client is attached; without one it is.
    """
    first = free_port()
    options = ("--debug", "one", "--debug", "two", "--debug-port", str(first), "--idle-timeout", "6")
    with equipped(*options) as platform, ThreadPoolExecutor() as pool:
        for name in ("one", "two"):
            create(platform, name, RUNTIME, archive("app.py", PYTHON))
            assert plain(platform, name) == {"doubled": 8}
        clients = [Dap(first), Dap(first + 1)]
        for client in clients:
            client.attach("/project", "app.py", 4)
        time.sleep(8)  # longer than the idle timeout
        answers = [pool.submit(plain, platform, name) for name in ("one", "two")]
        for client in clients:
            thread, value = client.variable("doubled")
            assert value == "8"
            client.ask("continue", threadId=thread)
        assert [answer.result() for answer in answers] == [{"doubled": 8}] * 2
        for client in clients:
            client.leave()
        end = time.monotonic() + LIMIT_S
        while platform.ask("/_undercast/status")["sandboxes"]["environments"] and time.monotonic() < end:
            time.sleep(0.2)
        assert platform.ask("/_undercast/status")["sandboxes"]["environments"] == 0


@pytest.mark.slow
def test_the_process_driver_debugs_too() -> None:
    """Its sandboxes have no folders of their own: the remote path is the code's on this machine."""
    with equipped("--driver", "process") as platform:
        create(platform, "python", RUNTIME, archive("app.py", PYTHON))
        folder = str(next((platform.data / "code").glob("*/app.py")).parent)
        with invoking(platform, "python") as (process, port):
            client = Dap(port)
            client.attach(folder, "app.py", 4, remote=folder)
            thread, value = client.variable("doubled")
            assert value == "42"
            stand()
            client.ask("continue", threadId=thread)
            assert ended(process) == {"doubled": 42}


def test_mistakes_are_told(platform: RunningPlatform) -> None:
    """A body that says nothing, a taken port, a function that is not there, a language without a debugger."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        platform.ask("/_undercast/debug", {"port": 1})
    assert caught.value.code == 400
    taken = int(platform.url.rpartition(":")[2])
    with pytest.raises(urllib.error.HTTPError) as caught:
        platform.ask("/_undercast/debug", {"function": "f", "port": taken})
    assert caught.value.code == 409
    said = json.loads(caught.value.read())["message"]
    assert said == f"port {taken} of 127.0.0.1: Address already in use; take another port: --debug-port {taken + 1}"
    with invoking(platform, "nobody") as (process, _):
        _, err = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, "Function not found" in err) == (1, True)
    create(platform, "old", "python2.7", archive("app.py", PYTHON))
    with invoking(platform, "old") as (process, _):
        _, err = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, "2.7" in err) == (1, True), err
