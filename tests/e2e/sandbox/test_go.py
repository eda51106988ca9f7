"""Go functions (aws-lambda-go) in real sandboxes, on both drivers."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from tests.e2e.golang import build
from tests.e2e.sandbox.conftest import Stage
from tests.fakes_sandbox import a_function, answer
from undercast.sandbox.model import FunctionVersion

SOURCE = Path(__file__).parent / "go_function"


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function of go_function/, built."""
    return build(SOURCE, tmp_path_factory.mktemp("go") / "bootstrap")


@pytest.fixture(params=["provided.al2023", "go1.x"])
def function(request: pytest.FixtureRequest, stage: Stage, binary: Path) -> FunctionVersion:
    """The binary as an OS-only and as a Go runtime."""
    code = stage.folder / "go"
    code.mkdir(mode=0o755)
    shutil.copy(binary, code / "bootstrap")
    return a_function(name="go", runtime=str(request.param), handler="bootstrap", code_dir=code, timeout_s=10)


async def test_event_and_result(stage: Stage, function: FunctionVersion) -> None:
    """A static binary talks to the Runtime API; stdout and stderr both become log events (X6)."""
    assert await stage.value(function, b'{"Do": "it"}') == {"Do": "it"}
    async with asyncio.timeout(5):
        while not any(line.startswith("REPORT") for line in stage.log.messages):
            await asyncio.sleep(0.005)
    assert {"on stdout\n", "on stderr\n"} < set(stage.log.messages)


async def test_no_result_is_null(stage: Stage, function: FunctionVersion) -> None:
    """A handler without a result answers `null` (S1-09)."""
    assert (await stage.invoke(function, b'{"Do": "nothing"}')).payload == b"null"


async def test_context(stage: Stage, function: FunctionVersion) -> None:
    """Request id, ARN, function name, deadline."""
    found = await stage.value(function, b'{"Do": "context"}')
    assert re.fullmatch(r"00000000-0000-4000-8000-[0-9a-f]{12}", found["id"])
    assert (found["arn"], found["name"]) == (function.arn, "go")
    assert 0 < found["left"] <= 10_000


async def test_error(stage: Stage, function: FunctionVersion) -> None:
    """An error keeps the process."""
    error = await stage.error(function, b'{"Do": "error"}')
    assert error == {"errorMessage": "no such luck", "errorType": "errorString"}


async def test_panic_has_the_stack_and_restarts(stage: Stage, function: FunctionVersion) -> None:
    """errorMessage is the panic's text, stackTrace has path, line and label; the process ends behind it (S3d-20)."""
    error = await stage.error(function, b'{"Do": "panic"}')
    assert (error["errorMessage"], error["errorType"]) == ("at the disco", "string")
    assert {"path", "line", "label"} == set(error["stackTrace"][0])
    assert await stage.value(function, b'{"Do": "it"}') == {"Do": "it"}
    starts = [line for line in stage.log.messages if line.startswith("INIT_START")]
    assert len(starts) == 1


@pytest.mark.parametrize(("do", "text"), [("exit", "exit status 7"), ("overflow", "signal: killed")])
async def test_exit(stage: Stage, function: FunctionVersion, do: str, text: str) -> None:
    """os.Exit, and endless recursion: Go's stack may grow to 1 GB, the memory limit is met first (S3d-21, S3d-22)."""
    result = await stage.invoke(function, b'{"Do": "%s"}' % do.encode())
    parsed = answer(result.payload)
    assert isinstance(parsed, dict)
    assert parsed["errorType"] == "Runtime.ExitError"
    assert parsed["errorMessage"].endswith(f"Runtime exited with error: {text}")
    assert await stage.value(function, b'{"Do": "it"}') == {"Do": "it"}


async def test_memory_bomb(stage: Stage, function: FunctionVersion) -> None:
    """Go needs far more address space than memory; the limit is on what it uses."""
    error = await stage.error(function, b'{"Do": "bomb"}')
    assert error["errorMessage"].endswith("signal: killed")
    assert await stage.value(function, b'{"Do": "it"}') == {"Do": "it"}


async def test_goroutine_stops_between_invokes(stage: Stage, function: FunctionVersion) -> None:
    """Frozen between two events, and going on behind the second (S3d-06)."""
    await stage.value(function, b'{"Do": "background"}')
    before = await stage.value(function, b'{"Do": "ticks"}')
    await asyncio.sleep(1.0)
    after = await stage.value(function, b'{"Do": "ticks"}')
    assert 0 <= after - before < 300
    await asyncio.sleep(0.005)
    assert await stage.value(function, b'{"Do": "ticks"}') >= after


async def test_missing_bootstrap(stage: Stage) -> None:
    """Runtime.InvalidEntrypoint for an OS-only runtime, PathError for go1.x."""
    code = stage.folder / "empty"
    code.mkdir(mode=0o755)
    plain = a_function(name="a", runtime="provided.al2023", code_dir=code)
    error = await stage.error(plain)
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith(
        "Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    )
    go = a_function(name="b", runtime="go1.x", handler="main", code_dir=code)
    error = await stage.error(go)
    assert error["errorType"] == "PathError"
    assert re.fullmatch(r"fork/exec .*/main: no such file or directory", error["errorMessage"])


async def test_bootstrap_that_is_no_program(stage: Stage) -> None:
    """fork/exec with the system's reason: not executable, and not a program."""
    code = stage.folder / "bad"
    code.mkdir(mode=0o755)
    (code / "bootstrap").write_bytes(b"\x7fELF nonsense")
    (code / "bootstrap").chmod(0o644)
    error = await stage.error(a_function(name="a", runtime="provided.al2", code_dir=code))
    assert error["errorMessage"].endswith("/bootstrap: permission denied")
    (code / "bootstrap").chmod(0o755)
    error = await stage.error(a_function(name="b", runtime="provided.al2", code_dir=code))
    assert error["errorMessage"].endswith("/bootstrap: exec format error")
