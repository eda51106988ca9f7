"""Seed S3d, the UCSB report: environments that are reused and frozen, and functions that crash in every way it tried.

The table of rows is docs/requirements.md.
"""

import re
import time
from typing import Any

import pytest

from tests.e2e.functions import create_function, package
from tests.e2e.rows.functions import Deployed, Run, deploy_binary
from tests.platform import RunningPlatform

COUNTER = """
print("cold start")
COUNT = 0

def handler(event, context):
    global COUNT
    COUNT += 1
    return COUNT
"""

CRASHER = """
import os, sys, time
COUNT, MARK = 0, "/tmp/mark"

def deeper(n):
    return deeper(n + 1)

def handler(event, context):
    global COUNT
    COUNT += 1
    do = event["do"]
    if do == "good":
        return {"count": COUNT, "marked": os.path.exists(MARK), "stream": context.log_stream_name}
    open(MARK, "w").close()
    if do == "loop":
        while True:
            pass
    if do == "memory":
        kept = []
        while True:
            kept.append(bytearray(1 << 20))
            time.sleep(0.001)
    if do == "IndexError":
        return [][1]
    if do == "NameError":
        return undefined_name
    if do == "sys.exit":
        sys.exit(1)
    if do == "os._exit":
        os._exit(1)
    if do == "recursion":
        return deeper(0)
"""

DEADLY = {
    "loop": ("Sandbox.Timedout", r"RequestId: [0-9a-f-]{36} Error: Task timed out after 1\.00 seconds"),
    "memory": ("Runtime.ExitError", r"RequestId: [0-9a-f-]{36} Error: Runtime exited with error: signal: killed"),
    "sys.exit": ("Runtime.ExitError", r"RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 1"),
    "os._exit": ("Runtime.ExitError", r"RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 1"),
}
RAISED = {
    "IndexError": ("IndexError", "list index out of range"),
    "NameError": ("NameError", "name 'undefined_name' is not defined"),
    "recursion": ("RecursionError", "maximum recursion depth exceeded"),
}


def python(platform: RunningPlatform, account: str, source: str, **settings: Any) -> Deployed:
    """A Python function."""
    create_function(platform, account, "f", source, **settings)
    return Deployed(platform=platform, account=account, name="f")


@pytest.fixture
def go(platform: RunningPlatform, account: str, misbehave_zip: bytes) -> Deployed:
    """The Go program that does what its event asks for, on go1.x."""
    return deploy_binary(platform, account, "go", misbehave_zip, "misbehave", Timeout=10)


def failed(run: Run) -> dict[str, Any]:
    """The error of an invoke: a function error is a 200."""
    assert (run.status, run.error) == (200, "Unhandled")
    assert isinstance(run.value, dict)
    return run.value


def test_a_change_makes_a_new_environment(platform: RunningPlatform, account: str) -> None:
    """S3d-05: init once for many invokes; again after an update of code, and after one of configuration."""
    function = python(platform, account, COUNTER)
    seen = []
    for change in (None, "code", "configuration"):
        if change == "code":
            function.client().update_function_code(FunctionName="f", ZipFile=package(COUNTER + "# 2\n"))
            function.settled()
        if change == "configuration":
            function.update(Environment={"Variables": {"STEP": "1"}})
        runs = [function.run({}) for _ in range(3)]
        seen.append(([run.value for run in runs], [bool(run.reported("Init Duration")) for run in runs]))
    assert seen == [([1, 2, 3], [True, False, False])] * 3
    assert function.logged().count("cold start") == 3


def test_background_work_stops_between_invokes(go: Deployed) -> None:
    """S3d-06: a ticker goroutine (1 kHz) stands still between two invokes 3 s apart, and goes on when it is thawed."""
    go.run({"Do": "background"})
    before = go.run({"Do": "ticks"}).value
    time.sleep(3)
    after = go.run({"Do": "ticks"}).value
    assert after - before < 300
    later = after
    for _ in range(200):
        if (later := go.run({"Do": "ticks"}).value) > after:
            break
    assert later > after


@pytest.mark.parametrize("do", DEADLY)
def test_a_process_that_ends_is_replaced(platform: RunningPlatform, account: str, do: str) -> None:
    """S3d-18, -19, -21 to -23: AWS's error, then a new process with the same /tmp and log stream."""
    function = python(platform, account, CRASHER, Timeout=1)
    good = {"do": "good"}
    first = function.run(good).value
    assert (first["count"], first["marked"]) == (1, False)
    if do == "memory":
        function.update(Timeout=20)
        first = function.run(good).value
    crash = function.run({"do": do})
    error = failed(crash)
    error_type, message = DEADLY[do]
    assert error["errorType"] == error_type
    assert re.fullmatch(message, error["errorMessage"])
    if do == "loop":
        assert crash.reported("Duration") == "1000.00 ms"
    if do == "memory":
        assert (crash.reported("Memory Size"), crash.reported("Max Memory Used")) == ("128 MB", "128 MB")
    again = function.run(good)
    assert (again.status, again.error) == (200, None)
    assert again.value == {"count": 1, "marked": True, "stream": first["stream"]}
    assert again.reported("Init Duration") == ""


@pytest.mark.parametrize("do", RAISED)
def test_an_exception_keeps_the_process(platform: RunningPlatform, account: str, do: str) -> None:
    """S3d-22, S3d-23: errorType, errorMessage and stackTrace of the Python runtime; the environment goes on."""
    function = python(platform, account, CRASHER)
    error = failed(function.run({"do": do}))
    error_type, message = RAISED[do]
    assert error["errorType"] == error_type
    assert error["errorMessage"].startswith(message)
    assert re.match(r'  File "/var/task/app\.py", line \d+, in handler\n', error["stackTrace"][0])
    assert function.run({"do": "good"}).value["count"] == 2


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("def handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
        ("import nowhere\n", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'nowhere'"),
        ("def other(e, c):\n    pass\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
    ],
)
def test_code_that_cannot_be_loaded(
    platform: RunningPlatform, account: str, source: str, error_type: str, message: str
) -> None:
    """S3d-22, S3d-23: the error of INIT; corrected code works at once."""
    function = python(platform, account, source)
    for _ in range(2):
        error = failed(function.run({}))
        assert error["errorType"] == error_type
        assert error["errorMessage"].startswith(message)
    function.client().update_function_code(FunctionName="f", ZipFile=package(COUNTER))
    function.settled()
    assert function.run({}).value == 1


def test_a_go_panic_has_its_stack(go: Deployed) -> None:
    """S3d-20: text, type and frames of the panic; the process is replaced."""
    error = failed(go.run({"Do": "panic"}))
    assert (error["errorMessage"], error["errorType"]) == ("at the disco", "string")
    labels = [frame["label"] for frame in error["stackTrace"]]
    assert "handler" in labels
    frame = error["stackTrace"][labels.index("handler")]
    assert frame["path"].endswith("main.go")
    assert frame["line"] > 0
    assert go.run({"Do": "ticks"}).value == 0


def test_a_runtime_error_in_go_is_a_panic(platform: RunningPlatform, account: str, s1_zip: bytes) -> None:
    """S3d-20: S1's program takes the first of no records."""
    function = deploy_binary(platform, account, "s1", s1_zip, "s3_lambda")
    error = failed(function.run({"Records": []}))
    assert error["errorMessage"] == "runtime error: index out of range [0] with length 0"
    assert error["errorType"] == "boundsError"
    assert {"download", "copyObjects"} <= {frame["label"] for frame in error["stackTrace"]}


GO = {
    "exit": ("Runtime.ExitError", "Runtime exited with error: exit status 7"),
    "overflow": ("Runtime.ExitError", "Runtime exited with error: signal: killed"),
    "bomb": ("Runtime.ExitError", "Runtime exited with error: signal: killed"),
    "loop": ("Sandbox.Timedout", "Task timed out after 1.00 seconds"),
}


@pytest.mark.parametrize("do", GO)
def test_a_go_process_that_ends_is_replaced(go: Deployed, do: str) -> None:
    """S3d-18, S3d-19, S3d-21 to S3d-23 for Go: os.Exit, a stack without end, memory without end, a loop."""
    if do == "loop":
        go.update(Timeout=1)
    crash = go.run({"Do": do})
    error = failed(crash)
    error_type, message = GO[do]
    assert error["errorType"] == error_type
    assert error["errorMessage"].endswith(f" Error: {message}")
    if message.endswith("killed"):
        assert crash.reported("Max Memory Used") == crash.reported("Memory Size") == "128 MB"
    again = go.run({"Do": "ticks"})
    assert (again.status, again.error, again.value) == (200, None, 0)


def test_a_go_error_keeps_the_process(go: Deployed) -> None:
    """S3d-22: an error that is returned has Go's type name."""
    assert failed(go.run({"Do": "error"})) == {"errorMessage": "no such luck", "errorType": "errorString"}
    assert go.run({"Do": "it"}).value == {"Do": "it"}
