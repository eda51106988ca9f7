"""go1.x functions that speak net/rpc (aws-lambda-go before 1.18 speaks nothing else), built and run for real.

aws-lambda-go: lambda/entry.go. Where _LAMBDA_SERVER_PORT is set, later versions listen on it, too.
"""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from tests.e2e.golang import build
from tests.e2e.sandbox.conftest import Stage
from tests.fakes_sandbox import a_function
from tests.machine import without
from undercast.sandbox import environment
from undercast.sandbox.model import FunctionVersion

SOURCE = Path(__file__).parent / "go_function"
VERSIONS = ("1.8.0", "1.13.2", "1.47.0")
"""S0's lock, S4's go.mod, and one that has both protocols."""


@pytest.fixture(scope="session", params=VERSIONS)
def binary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function, built with one version of aws-lambda-go."""
    return build(SOURCE, tmp_path_factory.mktemp("go") / "main", modfile=f"v{request.param}.mod")


@pytest.fixture
def function(stage: Stage, binary: Path) -> FunctionVersion:
    """The binary under go1.x, in a folder as packages of the Serverless Framework have it."""
    code = stage.folder / "go"
    (code / "bin").mkdir(mode=0o755, parents=True)
    shutil.copy(binary, code / "bin" / "main")
    return a_function(name="go", runtime="go1.x", handler="bin/main", code_dir=code, timeout_s=3)


async def test_events_results_and_context(stage: Stage, function: FunctionVersion) -> None:
    """X1, X2: results, null, an error by its Go type, and all that InvokeRequest carries."""
    assert await stage.value(function, b'{"Do": "it"}') == {"Do": "it"}
    assert (await stage.invoke(function, b'{"Do": "nothing"}')).payload == b"null"
    error = await stage.error(function, b'{"Do": "error"}')
    assert error == {"errorMessage": "no such luck", "errorType": "errorString"}
    found = await stage.value(function, b'{"Do": "context"}')
    assert re.fullmatch(r"00000000-0000-4000-8000-[0-9a-f]{12}", found["id"])
    assert (found["arn"], found["name"]) == (function.arn, "go")
    assert 0 < found["left"] <= 3_000
    assert "on stderr\n" in stage.log.messages


async def test_a_panic_has_its_frames_and_ends_the_process(stage: Stage, function: FunctionVersion) -> None:
    """S3d-20: text, type and frames; ShouldExit; the next invocation has a new process."""
    await stage.value(function, b'{"Do": "background"}')
    error = await stage.error(function, b'{"Do": "panic"}')
    assert (error["errorMessage"], error["errorType"]) == ("at the disco", "string")
    assert {"path": "go_function/main.go", "label": "handler"}.items() <= next(
        frame for frame in error["stackTrace"] if frame["label"] == "handler"
    ).items()
    assert await stage.value(function, b'{"Do": "ticks"}') == 0


async def test_ends_and_timeouts(stage: Stage, function: FunctionVersion) -> None:
    """os.Exit, a panic of another goroutine, a loop; after each the next invocation works (S3d-21, S3d-23)."""
    for do, told in (("exit", "exit status 7"), ("panic elsewhere", "exit status 2")):
        error = await stage.error(function, b'{"Do": "%s"}' % do.encode())
        assert error["errorType"] == "Runtime.ExitError"
        assert error["errorMessage"].endswith(told)
        assert await stage.value(function, b'{"Do": "it"}') == {"Do": "it"}
    error = await stage.error(function, b'{"Do": "loop"}')
    assert error["errorType"] == "Sandbox.Timedout"
    assert await stage.value(function, b'{"Do": "it"}') == {"Do": "it"}


async def test_background_work_goes_on_between_invocations_as_frozen(stage: Stage, function: FunctionVersion) -> None:
    """S3d-06: a ticker stands still while nothing runs; megabytes go both ways."""
    await stage.value(function, b'{"Do": "background"}')
    first = await stage.value(function, b'{"Do": "ticks"}')
    await asyncio.sleep(0.3)
    assert await stage.value(function, b'{"Do": "ticks"}') - first < 150
    text = b"x" * 3_000_000
    assert (await stage.invoke(function, b'{"Do": "%s"}' % text)).payload == b'{"Do":"%s"}' % text


HOSTILE = {
    "closes": "peer.close()",
    "floods": "\n".join(("while True:", "        peer.sendall(b'\\xff' * 65536)")),
    "claims": "peer.sendall(b'\\xf8' + b'\\x00' + b'\\xff' * 7); time.sleep(60)",
    "speaks HTTP": "peer.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n'); time.sleep(60)",
    "is silent": "time.sleep(60)",
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_listener_costs_its_own_function_only(
    stage: Stage, binary: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever listens on the port: INIT fails in its time, nothing piles up, and other functions run meanwhile."""
    if not binary.parent.name.endswith("0"):
        pytest.skip("one version is enough: the listener is no Go")
    if not shutil.which("python3", path="/usr/bin:/usr/local/bin"):
        without("python3 of the system")
    monkeypatch.setattr(environment, "INIT_TIMEOUT_S", 1.0)
    code = stage.folder / "hostile"
    code.mkdir(mode=0o755)
    (code / "main").write_text(
        "#!/usr/bin/env python3\n"
        "import os, socket, time\n"
        "listener = socket.create_server(('127.0.0.1', int(os.environ['_LAMBDA_SERVER_PORT'])))\n"
        f"while True:\n    peer, _ = listener.accept()\n    {HOSTILE[what]}\n"
    )
    (code / "main").chmod(0o755)
    hostile = a_function(name="hostile", runtime="go1.x", handler="main", code_dir=code, timeout_s=1)
    running = asyncio.ensure_future(stage.error(hostile))
    good = stage.folder / "good"
    good.mkdir(mode=0o755)
    shutil.copy(binary, good / "main")
    assert await stage.value(a_function(name="good", runtime="go1.x", handler="main", code_dir=good), b'{"Do": "x"}')
    async with asyncio.timeout(15):
        error = await running
    assert error["errorType"] in ("Sandbox.Timedout", "Runtime.ExitError")


async def test_a_binary_that_speaks_the_runtime_api_only(stage: Stage, binary: Path) -> None:
    """What was built without net/rpc speaks first on the Runtime API, under go1.x, too."""
    code = stage.folder / "script"
    code.mkdir(mode=0o755)
    script = code / "main"
    script.write_text(
        "#!/usr/bin/env python3\n"
        "import os, urllib.request\n"
        "api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\n"
        "while True:\n"
        "    event = urllib.request.urlopen(api + 'next')\n"
        "    id = event.headers['Lambda-Runtime-Aws-Request-Id']\n"
        "    urllib.request.urlopen(api + id + '/response', event.read()).read()\n"
    )
    script.chmod(0o755)
    made = a_function(name="api", runtime="go1.x", handler="main", code_dir=code, timeout_s=5)
    if not shutil.which("python3", path="/usr/bin:/usr/local/bin"):
        without("python3 of the system")
    assert await stage.value(made, b'{"a": 1}') == {"a": 1}
    assert await stage.value(made, b'{"a": 2}') == {"a": 2}
