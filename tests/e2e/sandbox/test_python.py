"""Python functions in real sandboxes, well-behaved and hostile, on both drivers."""

import asyncio
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.sandbox.conftest import Stage
from tests.machine import without
from tests.memory import Peak
from undercast.core.memory import give_back
from undercast.sandbox.model import FunctionVersion, LogEvent
from undercast.sandbox.runtimes.lookup import Interpreter


async def test_event_and_result(stage: Stage) -> None:
    """The handler gets the parsed event and its result is the payload."""
    function = stage.function("def handler(event, context):\n    return {'got': event}\n")
    assert await stage.value(function, b'{"a": [1, "\xc3\xbc"]}') == {"got": {"a": [1, "ü"]}}


async def test_environment_is_reused(stage: Stage) -> None:
    """The same process takes the second event; globals and /tmp are kept (S3d-05)."""
    function = stage.function(
        "import os, tempfile\n"
        "COUNT = 0\n"
        "def handler(event, context):\n"
        "    global COUNT\n"
        "    COUNT += 1\n"
        "    path = os.path.join(tempfile.gettempdir(), 'kept')\n"
        "    there = os.path.exists(path)\n"
        "    open(path, 'w').close()\n"
        "    return [os.getpid(), COUNT, there]\n"
    )
    first, second = await stage.value(function), await stage.value(function)
    assert first[0] == second[0]
    assert [first[1:], second[1:]] == [[1, False], [2, True]]


async def test_refused_answer_ends_the_runtime_and_takes_no_event_along(stage: Stage) -> None:
    """A handler that has answered by itself answers twice; awslambdaric ends at that, the next event does not."""
    function = stage.function(
        "import http.client, os\nSTARTED = os.urandom(8).hex()\n"
        "def handler(event, context):\n"
        "    if event:\n"
        "        api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
        "        path = '/2018-06-01/runtime/invocation/' + context.aws_request_id + '/response'\n"
        "        api.request('POST', path, b'1')\n"
        "        api.getresponse().read()\n"
        "    return STARTED\n"
    )
    first, own = await stage.value(function, b"0"), await stage.value(function, b"1")
    then = await stage.value(function, b"0")
    assert own == 1
    assert then != first
    refused = [line for line in stage.log.messages if "Failed to post handler success response" in line]
    assert len(refused) == 1
    assert "Http response code: 403" in refused[0]


async def test_update_makes_a_new_environment(stage: Stage) -> None:
    """The first execution after an update of code or configuration is a new environment (S3d-05)."""
    function = stage.function("import os\ndef handler(event, context):\n    return os.environ['STEP']\n")
    old = await stage.invoke(_with(function, revision="1", environment={"STEP": "a"}))
    stage.pool.retire(function.arn)
    new = await stage.invoke(_with(function, revision="2", environment={"STEP": "b"}))
    assert (old.payload, new.payload) == (b'"a"', b'"b"')
    assert old.environment_id != new.environment_id
    assert new.init_duration_ms is not None


def _with(function: FunctionVersion, **changes: Any) -> FunctionVersion:
    return dataclasses.replace(function, **changes)


async def _logged(stage: Stage, pattern: str) -> None:
    async with asyncio.timeout(5):
        while not any(re.match(pattern, line) for line in stage.log.messages):
            await asyncio.sleep(0.005)


async def test_exception_has_awss_shape(stage: Stage) -> None:
    """errorMessage, errorType, requestId, stackTrace; the log has the traceback as one event."""
    function = stage.function("def handler(event, context):\n    return [][7]\n")
    error = await stage.error(function)
    assert (error["errorType"], error["errorMessage"]) == ("IndexError", "list index out of range")
    assert re.fullmatch(r'  File ".*/app\.py", line 2, in handler\n    return \[\]\[7\]\n', error["stackTrace"][0])
    await _logged(stage, r"REPORT")
    record = next(line for line in stage.log.messages if line.startswith("[ERROR] IndexError"))
    assert record.startswith("[ERROR] IndexError: list index out of range\nTraceback (most recent call last):\n")


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("import absent\n", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'absent'"),
        ("def handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
        ("x = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("raise KeyError('at import')\n", "KeyError", "'at import'"),
        ("def handler(e, c):\n    return handler(e, c)\n", "RecursionError", "maximum recursion depth exceeded"),
        ("def handler(e, c):\n    return undefined\n", "NameError", "name 'undefined' is not defined"),
        ("def handler(e, c):\n    return {1, 2}\n", "Runtime.MarshalError", "Unable to marshal response: "),
    ],
)
async def test_mistakes_have_awss_types(stage: Stage, source: str, error_type: str, message: str) -> None:
    """Table of errors of the Python runtime (S3d-22); a failed INIT is told as the runtime posted it."""
    error = await stage.error(stage.function(source))
    assert error["errorType"] == error_type
    assert error["errorMessage"].startswith(message)


async def test_stack_has_no_path_of_this_machine(stage: Stage) -> None:
    """The standard library is in /var/lang, as on AWS; the function's own frames are its own."""
    error = await stage.error(stage.function("raise KeyError('at import')\n"))
    paths = re.findall(r'File "([^"]+)"', "".join(error["stackTrace"]))
    assert re.fullmatch(r"/var/lang/lib/python3\.\d+/importlib/__init__\.py", paths[0])
    assert paths[-1].endswith("/app.py")
    assert all(path.startswith(("/var/lang/", "<frozen ")) for path in paths[:-1])


PLACES = """
import json, os, platform, subprocess, sys, sysconfig
def handler(event, context):
    run = lambda source: subprocess.check_output([sys.executable, "-c", source], text=True).strip()
    early = [module.__file__ for name, module in sys.modules.items()
             if not name.startswith("_") and getattr(module, "__file__", None)]
    return {
        "executable": sys.executable, "prefixes": [sys.prefix, sys.base_prefix, sys.exec_prefix],
        "argv": sys.orig_argv[0], "library": os.__file__, "code": json.loads.__code__.co_filename,
        "nested": json.JSONDecoder.decode.__code__.co_filename, "stdlib": sysconfig.get_path("stdlib"),
        "elsewhere": [path for path in early if not path.startswith(("/var/", "/opt/"))],
        "child": run("import sys, os; print(sys.executable, sys.prefix, os.__file__)"),
        "bin": sorted(os.listdir("/var/lang/bin")), "lib": sorted(os.listdir("/var/lang/lib")),
    }
"""


@pytest.mark.parametrize("driver_name", ["namespace"])
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNUSED": "1"}], ids=["forked", "fresh"])
async def test_interpreter_and_library_are_below_var_lang(
    stage: Stage, version: str, environment: dict[str, str]
) -> None:
    """sys.executable, sys.prefix and every module's file: as on AWS, and as a child that the function starts sees them.

    AWS: Lambda Developer Guide, "Modifying the runtime environment" (the runtime's command in the example for Python).
    """
    if stage.runtimes.find(tuple(map(int, version.split(".")))) is None:
        without(f"python{version}")
    source = PLACES if version != "3.8" and version != "3.9" else PLACES.replace("sys.orig_argv[0]", "sys.executable")
    seen = await stage.value(stage.function(source, runtime=f"python{version}", environment=environment))
    program, library = f"/var/lang/bin/python{version}", f"/var/lang/lib/python{version}"
    assert (seen["executable"], seen["argv"]) == (program, program)
    assert f"python{version}" in seen["lib"]
    assert set(seen["prefixes"]) == {"/var/lang"}
    assert seen["library"] == f"{library}/os.py"
    assert (seen["code"], seen["nested"]) == (f"{library}/json/__init__.py", f"{library}/json/decoder.py")
    assert seen["stdlib"] == library
    assert seen["elsewhere"] == []
    assert seen["child"] == f"{program} /var/lang {library}/os.py"
    assert seen["bin"] == ["python", "python3", f"python{version}"]


@pytest.mark.parametrize("driver_name", ["namespace"])
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNUSED": "1"}], ids=["forked", "fresh"])
async def test_the_systems_interpreter_is_below_var_lang_too(stage: Stage, environment: dict[str, str]) -> None:
    """Its library is among the system's own folders: that alone is at AWS's place."""
    minor = next((number for number in range(14, 9, -1) if Path(f"/usr/bin/python3.{number}").is_file()), 0)
    if not minor:
        without("python3 of the system")
    program = Path(f"/usr/bin/python3.{minor}").resolve()
    stage.runtimes._found[(3, minor)] = Interpreter(path=program, version=(3, minor), prefixes=())
    seen = await stage.value(stage.function(PLACES, runtime=f"python3.{minor}", environment=environment))
    inside, library = f"/var/lang/bin/python3.{minor}", f"/var/lang/lib/python3.{minor}"
    assert (seen["executable"], seen["library"], seen["elsewhere"]) == (inside, f"{library}/os.py", [])
    assert seen["child"] == f"{inside} /var/lang {library}/os.py"


RELEASE = """
def handler(event, context):
    files = {name: open(f"/etc/{name}").read() for name in ("os-release", "system-release", "amazon-linux-release")}
    named = dict(line.split("=", 1) for line in files["os-release"].splitlines())
    return [named["ID"], named["VERSION_ID"], files["system-release"], files["amazon-linux-release"]]
"""


@pytest.mark.parametrize("driver_name", ["namespace"])
@pytest.mark.parametrize(
    ("version", "release", "text"),
    [("3.11", "2", "release 2 (Karoo)"), ("3.12", "2023", "release 2023 (Amazon Linux)")],
)
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNUSED": "1"}], ids=["forked", "fresh"])
async def test_the_release_is_the_runtimes_amazon_linux(
    stage: Stage, version: str, release: str, text: str, environment: dict[str, str]
) -> None:
    """AWS: "Lambda runtimes", operating system; Amazon Linux 2023 User Guide, "Using the os-release standard"."""
    if stage.runtimes.find(tuple(map(int, version.split(".")))) is None:
        without(f"python{version}")
    seen = await stage.value(stage.function(RELEASE, runtime=f"python{version}", environment=environment))
    assert seen == ['"amzn"', f'"{release}"', f"Amazon Linux {text}\n", f"Amazon Linux {text}\n"]


async def test_failed_init_reports_both_phases(stage: Stage) -> None:
    """INIT fails, is repeated inside the invoke, and the REPORT line names the error's type."""
    await stage.error(stage.function("import absent\n"))
    reports = [line for line in stage.log.messages if line.startswith(("INIT_REPORT", "REPORT"))]
    assert [re.findall(r"Phase: (\w+)", line) for line in reports] == [["init"], ["invoke"], []]
    assert all("Status: error\tError Type: Runtime.ImportModuleError" in line for line in reports)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("os._exit(3)", "exit status 3"),
        ("os._exit(0)", None),
        ("sys.exit(4)", "exit status 4"),
        ("os.kill(os.getpid(), 11)", "signal: segmentation fault"),
        ("os.abort()", "signal: aborted"),
    ],
)
async def test_exit_and_recovery(stage: Stage, statement: str, text: str | None) -> None:
    """Runtime.ExitError; the next good event succeeds in the same environment with the same /tmp (S3d-21, S3d-23)."""
    function = stage.function(
        "import os, sys, tempfile\n"
        "MARK = os.path.join(tempfile.gettempdir(), 'mark')\n"
        "def handler(event, context):\n"
        "    if event:\n"
        "        open(MARK, 'w').close()\n"
        f"        {statement}\n"
        "    return os.path.exists(MARK)\n"
    )
    failed = await stage.invoke(function, b"1")
    reason = f"with error: {text}" if text else "without providing a reason"
    assert re.fullmatch(
        rb'\{"errorType": "Runtime.ExitError", "errorMessage": "RequestId: [0-9a-f-]+ Error: Runtime exited '
        + reason.encode()
        + rb'"\}',
        failed.payload,
    )
    good = await stage.invoke(function, b"0")
    assert good.payload == b"true"
    assert good.environment_id == failed.environment_id


@pytest.mark.parametrize("driver_name", ["namespace"])
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNUSED": "1"}], ids=["forked", "fresh"])
@pytest.mark.parametrize("statement", ["raise KeyboardInterrupt", "return 'x' * (6 * 1024 * 1024 + 100)"])
async def test_what_ends_the_runtime_is_told_without_the_machines_paths(
    stage: Stage, environment: dict[str, str], statement: str
) -> None:
    """The trace in the log begins in the runtime, forked as fresh: the launcher is none of AWS's frames."""
    source = f"def handler(event, context):\n    if event:\n        {statement}\n"
    function = stage.function(source, environment=environment)
    error = await stage.error(function, b"1")
    if "Interrupt" in statement:
        assert error["errorMessage"].endswith("signal: interrupt")
    paths: list[str] = []
    async with asyncio.timeout(20):
        while not paths:  # what a runtime prints as it ends may come behind the next one's lines
            assert await stage.value(function, b"0") is None
            paths = re.findall(r'File "([^"]+)"', "\n".join(stage.log.messages))
    assert paths[0] == "/var/runtime/bootstrap.py"
    assert [path for path in paths if not path.startswith(("/var/", "<"))] == []


async def test_endless_loop_is_stopped_at_the_timeout(stage: Stage) -> None:
    """Sandbox.Timedout, Duration is the timeout, and the next invoke works (S3d-18)."""
    function = stage.function(
        "def handler(event, context):\n    while event:\n        pass\n    return 'ok'\n", timeout_s=1
    )
    error = await stage.error(function, b"1")
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith(" Error: Task timed out after 1.00 seconds")
    report = next(line for line in stage.log.messages if line.startswith("REPORT"))
    assert "\tDuration: 1000.00 ms\t" in report
    assert "\tStatus: timeout" in report
    assert await stage.value(function, b"0") == "ok"


async def test_memory_bomb_is_killed(stage: Stage) -> None:
    """signal: killed, Max Memory Used = Memory Size (S3d-19); the platform and the next invoke go on."""
    function = stage.function(
        "import time\n"
        "def handler(event, context):\n"
        "    if event:\n"
        "        held = []\n"
        "        while True:\n"
        "            held.append(b'x' * 1_000_000)\n"
        "            time.sleep(0.001)\n"
        "    return 'ok'\n",
        timeout_s=20,
    )
    error = await stage.error(function, b"1")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Runtime exited with error: signal: killed")
    report = next(line for line in stage.log.messages if line.startswith("REPORT"))
    assert "\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t" in report
    assert await stage.value(function, b"0") == "ok"


async def test_closing_its_pipes_harms_nobody(stage: Stage) -> None:
    """A function without stdout and stderr still answers, again and again."""
    function = stage.function(
        "import os\ndef handler(event, context):\n    os.close(1)\n    os.close(2)\n    return 1\n"
    )
    first = await stage.invoke(function)
    assert first.payload == b"1"
    again = await stage.invoke(function)
    assert b"Bad file descriptor" in again.payload


async def test_answer_of_seven_megabytes(stage: Stage) -> None:
    """Function.ResponseSizeTooLarge, and the environment stays."""
    function = stage.function("def handler(event, context):\n    return 'x' * event\n")
    error = await stage.error(function, b"7000000")
    assert error == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    assert await stage.value(function, b"3") == "xxx"


async def test_hundred_megabytes_of_log(stage: Stage) -> None:
    """Memory stays flat, other functions answer meanwhile, and no line is lost or out of order."""
    count = 100_000
    noisy = stage.function(
        "import os\n"
        "def handler(event, context):\n"
        "    for number in range(event):\n"
        "        os.write(1, b'%08d ' % number + b'x' * 990 + b'\\n')\n",
        timeout_s=60,
    )
    quiet = stage.function("def handler(event, context):\n    return event\n")
    await stage.value(quiet, b"1")
    counter = _Counter()
    stage.log.append = counter.append  # type: ignore[method-assign]
    give_back()  # what earlier tests left could hold what this one takes
    peak = Peak()
    running = asyncio.ensure_future(stage.invoke(noisy, str(count).encode()))
    answered = 0
    while not running.done():
        answered += await stage.value(quiet, b"1")
    assert (await running).payload == b"null"
    async with asyncio.timeout(5):
        while counter.reports < answered + 1:
            await asyncio.sleep(0.01)
    assert counter.numbers == count
    assert counter.ordered
    assert answered > 20
    assert peak.grown_kib() < 30_000


class _Counter:
    """A log that keeps nothing."""

    def __init__(self) -> None:
        self.numbers = 0
        self.reports = 0
        self.ordered = True

    def append(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        for _, message in events:
            if message[0].isdigit():
                self.ordered &= int(message[:8]) == self.numbers
                self.numbers += 1
            self.reports += message.startswith("REPORT")


async def test_background_work_stops_between_invokes(stage: Stage) -> None:
    """A thread gets no time while the environment is frozen, and goes on after the thaw (S3d-06)."""
    function = stage.function(
        "import threading, time\n"
        "STATE = {'ticks': 0}\n"
        "def tick():\n"
        "    while True:\n"
        "        STATE['ticks'] += 1\n"
        "        time.sleep(0.001)\n"
        "def handler(event, context):\n"
        "    if not event:\n"
        "        threading.Thread(target=tick, daemon=True).start()\n"
        "    time.sleep(0.05)\n"
        "    before = STATE['ticks']\n"
        "    return before\n"
    )
    first = await stage.value(function, b"0")
    await asyncio.sleep(1.0)
    second = await stage.value(function, b"1")
    assert 0 < second - first < 500


async def test_companion_process_survives_reuse(stage: Stage) -> None:
    """A child process started in the first invoke lives in the second (S3d-07)."""
    function = stage.function(
        "import subprocess\n"
        "CHILD = None\n"
        "def handler(event, context):\n"
        "    global CHILD\n"
        "    CHILD = CHILD or subprocess.Popen(['/bin/sleep', '60'])\n"
        "    return [CHILD.pid, CHILD.poll()]\n"
    )
    first, second = await stage.value(function), await stage.value(function)
    assert first == second
    assert first[1] is None


async def test_print_and_logging_become_events(stage: Stage) -> None:
    """stdout line by line, a multi-line log record as one event, END behind both (X6)."""
    function = stage.function(
        "import logging, sys\n"
        "def handler(event, context):\n"
        "    print('one')\n"
        "    print('two', file=sys.stderr)\n"
        "    logging.warning('three\\nlines\\nhere')\n"
    )
    result = await stage.invoke(function, tail=True)
    request_id = "[0-9a-f-]{36}"
    lines = [line for line in stage.log.messages if not line.startswith(("INIT_START", "REPORT"))]
    assert lines[0].startswith("START")
    assert lines[-1].startswith("END")
    assert {"one\n", "two\n"} < set(lines)
    warning = next(line for line in lines if "three" in line)
    assert re.fullmatch(rf"\[WARNING\]\t\S+Z\t{request_id}\tthree\nlines\nhere\n", warning)
    assert b"lines\nhere\nEND" in result.log_tail or b"two\nEND" in result.log_tail or b"one\nEND" in result.log_tail


async def test_environment_variables_are_awss(stage: Stage) -> None:
    """Defined runtime environment variables, and the function's own; nothing of the host's."""
    function = stage.function(
        "import os\ndef handler(event, context):\n    return dict(os.environ)\n", environment={"MINE": "1", "TZ": "UTC"}
    )
    found = await stage.value(function)
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == function.name
    assert found["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert found["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "us-east-1"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", found["AWS_LAMBDA_LOG_STREAM_NAME"])
    assert (found["MINE"], found["TZ"]) == ("1", "UTC")
    assert "HOME" not in found
    assert "VIRTUAL_ENV" not in found


async def test_sdk_is_in_the_runtime_and_the_function_wins(stage: Stage) -> None:
    """boto3 comes from /var/runtime unless the function brings its own."""
    own = stage.function("import boto3\ndef handler(event, context):\n    return boto3.__file__\n")
    assert "boto3/__init__.py" in await stage.value(own)
    (own.code_dir / "boto3.py").write_text("")
    bundled = _with(own, revision="2")
    assert str(await stage.value(bundled)).endswith("/boto3.py")


async def test_two_functions_at_once(stage: Stage) -> None:
    """Two environments, two processes; both answer."""
    function = stage.function("import os, time\ndef handler(e, c):\n    time.sleep(0.3)\n    return os.getpid()\n")
    results = await asyncio.gather(stage.invoke(function), stage.invoke(function))
    assert len({result.environment_id for result in results}) == 2
