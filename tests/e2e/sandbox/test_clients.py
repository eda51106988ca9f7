"""Our runtime client beside AWS's: the same function, the same events, the same answers and log; every interpreter."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.sandbox.conftest import CLIENT, Stage, make_stage
from tests.machine import without
from undercast.core.config import Config
from undercast.core.record import record
from undercast.sandbox.drivers.process import ProcessDriver
from undercast.sandbox.runtimes.lookup import Interpreter
from undercast.sandbox.runtimes.python import PythonRuntime

SOURCE = """
import datetime, decimal, json, logging, os, sys

class Odd(Exception):
    pass

def inner(event):
    raise Odd("inner trouble: %s" % event["why"])

def handler(event, context):
    do = event["do"] if isinstance(event, dict) else "echo"
    if do == "echo":
        return event
    if do == "context":
        client = context.client_context
        return {
            "repr": repr(context), "left": 0 < context.get_remaining_time_in_millis() <= 3000,
            "client": repr(client), "app": client.client.app_title if client else None,
            "custom": client.custom if client else None, "identity": repr(context.identity),
            "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
        }
    if do == "raise":
        inner(event)
    if do == "empty":
        raise Odd()
    if do == "decimal":
        return {"price": decimal.Decimal("19.90"), "list": [decimal.Decimal("1E+3"), decimal.Decimal("-0.10")]}
    if do == "nan":
        return [decimal.Decimal("NaN"), float("nan"), float("inf")]
    if do == "unicode":
        return {"text": u"gr\\u00fcn \\u5c71 \\U0001f600"}
    if do == "bytes":
        return b"raw \\x00 bytes"
    if do == "date":
        return datetime.date(2020, 1, 1)
    if do == "trace":
        return os.environ.get("_X_AMZN_TRACE_ID")
    if do == "log":
        print("printed")
        logging.getLogger("mine").warning("warned %s\\nsecond line", 7)
        try:
            inner({"why": "logged"})
        except Odd:
            logging.exception("caught")
        context.log("by the context\\n")
        return None
    if do == "path":
        return [sys.path, sys.argv]
"""

EVENTS: tuple[dict[str, Any], ...] = (
    {"do": "echo", "a": [1, 2.5, None, "ü", {"b": True}]},
    {"do": "context"},
    {"do": "raise", "why": "it must"},
    {"do": "empty"},
    {"do": "decimal"},
    {"do": "nan"},
    {"do": "unicode"},
    {"do": "bytes"},
    {"do": "date"},
    {"do": "trace"},
    {"do": "log"},
    {"do": "path"},
)


@record
class OursOnly(PythonRuntime):
    """/var/runtime without awslambdaric."""

    def _packages(self, interpreter: Interpreter) -> tuple[str, ...]:
        return ()


@pytest.fixture
async def both(tmp_path: Path, runtimes_dir: Path) -> AsyncIterator[tuple[Stage, Stage]]:
    """AWS's client and ours, for the interpreter that AWS's was built for."""
    stages = []
    for name, python in (("aws", PythonRuntime), ("ours", OursOnly)):
        folder = tmp_path / name
        folder.mkdir()
        driver = ProcessDriver(folder / "run")
        await driver.start()
        config = Config(data_dir=folder, driver="process")
        stages.append(make_stage(driver, config, python(runtimes_dir=runtimes_dir, client_dir=CLIENT)))
        await stages[-1].pool.start()
    yield stages[0], stages[1]
    for stage in stages:
        await stage.pool.stop()
        await stage.driver.stop()


@pytest.mark.parametrize("settings", [{}, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}])
async def test_ours_answers_and_logs_as_awss(both: tuple[Stage, Stage], settings: dict[str, str]) -> None:
    """awslambdaric is the reference: payloads, error shapes, context, log records."""
    seen = []
    for stage in both:
        function = stage.function(SOURCE, environment=settings)
        answers = []
        for event in EVENTS:
            payload = json.dumps(event).encode()
            result = await stage.invoke(
                function, payload, client_context='{"custom":{"k":1},"client":{"app_title":"t"}}'
            )
            answers.append((event["do"], result.function_error, _plain(result.payload.decode(), stage, function.arn)))
        lines = [_plain(line, stage, function.arn) for line in stage.log.messages]
        seen.append((answers, sorted(line for line in lines if not line.startswith(("INIT", "REPORT")))))
    aws, ours = seen
    assert ours[0] == aws[0]
    assert ours[1] == aws[1]


@pytest.mark.parametrize(
    "source",
    [
        "import absent\n",
        "def handler(:\n",
        "x = 1\n",
        "raise ValueError('at import')\n",
        "import sys\ndef handler(e, c):\n    sys.exit(3)\n",
    ],
)
async def test_ours_fails_as_awss(both: tuple[Stage, Stage], source: str) -> None:
    """Errors at import, their INIT reports, and the end of the process."""
    seen = []
    for stage in both:
        function = stage.function(source)
        result = await stage.invoke(function)
        lines = [_plain(line, stage, function.arn) for line in stage.log.messages]
        seen.append((_plain(result.payload.decode(), stage, function.arn), lines))
    assert seen[1] == seen[0]


@pytest.mark.parametrize("handler", ["nodot", "sys.exit", "missing.handler", "app.absent", "sub/module.handler"])
async def test_handler_names(both: tuple[Stage, Stage], handler: str) -> None:
    """Malformed, built-in, missing, and one in a folder."""
    seen = []
    for stage in both:
        function = stage.function("", handler=handler)
        (function.code_dir / "sub").mkdir()
        (function.code_dir / "sub/module.py").write_text("def handler(e, c):\n    return 'sub'\n")
        seen.append(_plain((await stage.invoke(function)).payload.decode(), stage, function.arn))
    assert seen[1] == seen[0]


VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_interpreter_of_this_machine(stage: Stage, version: str) -> None:
    """Echo, an error, a log line, and the standard library's path only."""
    source = (
        "# -*- coding: utf-8 -*-\n"
        "import logging, sys\n"
        "def handler(event, context):\n"
        "    print(u'gr\\u00fcn')\n"
        "    logging.warning('warned')\n"
        "    if event == 'raise':\n"
        "        raise KeyError('k')\n"
        "    return {'version': '%d.%d' % sys.version_info[:2], 'path': sys.path, 'event': event}\n"
    )
    if version == "2.7":
        source = source.replace("    print(u'gr\\u00fcn')\n", "    print(u'gr\\u00fcn'.encode('utf-8'))\n")
    function = stage.function(source, runtime=f"python{version}")
    plan = stage.runtimes.find(tuple(map(int, version.split("."))))
    if plan is None:
        without(f"python{version}")
    found = await stage.value(function, '{"a": "ü"}'.encode())
    assert found["version"] == version
    assert found["event"] == {"a": "ü"}
    prefix = str(plan.path.parent.parent)
    assert [entry for entry in found["path"] if entry.startswith(prefix) and "-packages" in entry] == []
    error = await stage.error(function, b'"raise"')
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'k'")
    messages = "".join(stage.log.messages)
    assert "grün\n" in messages
    assert re.search(r"\[WARNING\]\t\S+Z\t[0-9a-f-]{36}\twarned\n", messages)


async def test_a_package_of_python_2s_byte_code_runs(stage: Stage) -> None:
    """As eawsy's proxy is packed: `handler.Handle` in handler/*.pyc, and no source."""
    found = stage.runtimes.find((2, 7))
    if found is None:
        without("python2.7")
    function = stage.function("", runtime="python2.7", handler="handler.Handle")
    package = function.code_dir / "handler"
    package.mkdir()
    (package / "__init__.py").write_text("from handler.proxy import Handle\n")
    (package / "proxy.py").write_text(
        "def Handle(event, context):\n"
        "    print 'only Python 2 reads this'\n"
        "    names = ('log_stream_name', 'log_group_name', 'aws_request_id', 'memory_limit_in_mb')\n"
        "    values = [str(getattr(context, name)) for name in names]\n"
        "    return {'event': event, 'values': values, 'left': context.get_remaining_time_in_millis()}\n"
    )
    subprocess.run([found.path, "-m", "compileall", "-q", package], check=True)
    for source in package.glob("*.py"):
        source.unlink()
    answer = await stage.value(function, b'{"a": [1, null]}')
    assert answer["event"] == {"a": [1, None]}
    stream, group, request_id, memory = answer["values"]
    assert ("[$LATEST]" in stream, group) == (True, f"/aws/lambda/{function.arn.split(':')[6]}")
    assert (len(request_id), memory) == (36, str(function.memory_mb))
    assert 0 < answer["left"] <= function.timeout_s * 1000
    assert "only Python 2 reads this\n" in "".join(stage.log.messages)


def _plain(text: str, stage: Stage, arn: str) -> str:
    """Without what differs from run to run."""
    text = text.replace(str(stage.folder), "FOLDER").replace(arn, "ARN")
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME", text)
    text = re.sub(r"\d+\.\d\d ms", "N ms", text)
    text = re.sub(r"Max Memory Used: \d+|Billed Duration: \d+", "N", text)
    text = re.sub(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", "STREAM", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "ENVIRONMENT", text)
    return re.sub(r"runtimes\d+/python3\.11-[0-9a-f]{16}", "RUNTIME", text)
