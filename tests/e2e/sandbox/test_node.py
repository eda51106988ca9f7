"""Node.js functions in real sandboxes: interpreters, layers, ES modules, streaming, a process started ahead."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conformance.sdks.programs import installed
from tests.e2e.sandbox.conftest import CLIENT, Stage
from tests.e2e.sandbox.node import MODULES, write_code
from tests.fakes_sandbox import a_function
from tests.machine import without
from undercast.sandbox.model import FunctionVersion, Invocation
from undercast.sandbox.runtimes.programs import ProgramLookup

ECHO = """
exports.handler = async (event, context) => {
  console.log("seen", event);
  if (event.fail) throw new RangeError("too far");
  return { event, version: parseInt(process.versions.node), name: process.env.AWS_EXECUTION_ENV };
};
"""


def function(stage: Stage, files: dict[str, str], **changes: object) -> FunctionVersion:
    """A function on the Node.js that this machine has."""
    stage.serial += 1
    lookup = ProgramLookup(tuple(os.environ["PATH"].split(os.pathsep)), Path.home())
    runtime = str(changes.pop("runtime", ""))
    if not runtime:
        major = next((major for major in (24, 22, 20, 18) if lookup.find("nodejs", (major,))), None)
        if major is None:
            without("node", "no Node.js from 18 on")
        runtime = f"nodejs{major}.x"
    code = write_code(stage.folder / f"code{stage.serial}", files)
    settings = {"handler": "index.handler", "timeout_s": 10, **changes}
    return a_function(name=f"n{stage.serial}", runtime=runtime, code_dir=code, **settings)


async def test_event_result_error_and_log(stage: Stage) -> None:
    """An async handler; its error's type, message and trace; records with the request's id."""
    made = function(stage, {"index.js": ECHO})
    assert (await stage.value(made, b'{"a": "\xc3\xbc"}'))["event"] == {"a": "ü"}
    error = await stage.error(made, b'{"fail": true}')
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "too far")
    assert error["trace"][0] == "RangeError: too far"
    log = "".join(stage.log.messages)
    assert "\t00000000-0000-4000-8000-000000000002\tINFO\tseen { a: 'ü' }\n" in log
    assert '\tERROR\tInvoke Error \t{"errorType":"RangeError"' in log


@pytest.mark.parametrize("runtime", ["nodejs4.3", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x"])
async def test_old_identifiers_run_on_what_is_there(stage: Stage, runtime: str) -> None:
    """X9: deprecated identifiers run on the nearest younger Node.js, and the log says on which."""
    made = function(stage, {"index.js": ECHO})  # skips where there is none at all
    old = function(stage, {"index.js": ECHO}, runtime=runtime)
    found = await stage.value(old)
    assert found["name"] == f"AWS_Lambda_{runtime}"
    assert made.runtime == f"nodejs{found['version']}.x" or found["version"] < 18
    if f"nodejs{found['version']}.x" != runtime:
        assert f"undercast: {runtime} runs on Node.js {found['version']}." in "".join(stage.log.messages)


@pytest.mark.parametrize("kind", ["js", "mjs"])
async def test_modules_of_layers(stage: Stage, kind: str) -> None:
    """nodejs/node_modules of a layer, from CommonJS and from an ES module; the function's own module wins.

    AWS: NODE_PATH; from Node.js 18 on for ES modules, too.
    """
    package = "exports.text = 'of the layer';"
    layer = write_code(
        stage.folder / f"layer-{kind}",
        {f"nodejs/node_modules/{name}/index.js": package for name in ("shared", "own")},
    )
    source = {
        "js": "const { text } = require('shared');\nexports.handler = async () => [text, require('own').text];",
        "mjs": "import shared from 'shared';\nimport own from 'own';\n"
        "export const handler = async () => [shared.text, own.text];",
    }[kind]
    files = {f"index.{kind}": source, "node_modules/own/index.js": "exports.text = 'own';"}
    assert await stage.value(function(stage, files, layers=(layer,))) == ["of the layer", "own"]


STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.http) stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: "b" } });
  for (let part = 0; part < 3; part++) {
    stream.write("part " + part + ";");
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (event.fail && part === 1) throw new RangeError("half way");
  }
  stream.end();
});
"""


async def test_a_streamed_response(stage: Stage) -> None:
    """Chunks until the end; status and headers as AWS's prelude; an error half way in the trailers.

    AWS: Lambda Developer Guide, "Response streaming": JSON prelude, eight NUL bytes, body.
    """
    made = function(stage, {"index.js": STREAM})
    assert (await stage.invoke(made)).payload == b"part 0;part 1;part 2;"
    prelude, _, body = (await stage.invoke(made, b'{"http": true}')).payload.partition(bytes(8))
    assert json.loads(prelude) == {"statusCode": 201, "headers": {"a": "b"}}
    assert body == b"part 0;part 1;part 2;"
    error = await stage.error(made, b'{"fail": true}')
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "half way")
    assert (await stage.invoke(made)).payload == b"part 0;part 1;part 2;"


async def test_the_trace_of_an_invocation_is_in_its_environment(stage: Stage) -> None:
    """_X_AMZN_TRACE_ID belongs to one invocation, and is gone in one without a trace."""
    made = function(stage, {"index.js": "exports.handler = async () => process.env._X_AMZN_TRACE_ID || null;"})
    for number, trace in enumerate(("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "Root=2;Sampled=0", "")):
        invocation = Invocation(
            request_id=f"00000000-0000-4000-8000-00000000000{number}",
            function=made,
            payload=b"{}",
            invoked_arn=made.arn,
            trace_header=trace,
        )
        assert json.loads((await stage.pool.invoke(invocation)).payload) == (trace or None)


async def test_missing_sdk_is_named_with_its_remedy(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that relies on the runtime's SDK, which nobody has installed."""
    made = function(stage, {"index.js": "require('@aws-sdk/client-absent'); exports.handler = 1;"})
    error = await stage.error(made)
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert f"`undercast runtimes install {made.runtime}`" in "".join(stage.log.messages)


@pytest.mark.parametrize("driver_name", ["namespace"])
async def test_the_interpreter_and_the_release_are_awss(stage: Stage) -> None:
    """process.execPath, also of a child; a Node.js on Amazon Linux 2023."""
    source = """
const { execFileSync } = require("child_process"), fs = require("fs");
exports.handler = async () => [process.execPath, process.argv[0], fs.realpathSync("/proc/self/exe"),
  execFileSync("node", ["-p", "process.execPath"]).toString().trim(), fs.readdirSync("/var/lang/bin"),
  /^VERSION_ID="(.*)"$/m.exec(fs.readFileSync("/etc/os-release", "utf8"))[1]];
"""
    made = function(stage, {"index.js": source})
    node = "/var/lang/bin/node"
    release = "2" if made.runtime == "nodejs18.x" else "2023"
    assert await stage.value(made) == [node, node, node, node, ["node"], release]


@pytest.mark.parametrize("driver_name", ["namespace"])
async def test_a_second_environment_takes_the_runtime_that_was_started_ahead(stage: Stage) -> None:
    """A spare sandbox of the function's kind has a Node.js in it, which becomes the function's by one line."""
    source = """
const loaded = process.uptime() * 1000;
exports.handler = async (event) => {
  await new Promise((done) => setTimeout(done, 500));
  return { loaded, argv: process.argv.length, cwd: process.cwd(), name: process.env.NAME,
    key: Boolean(process.env.AWS_ACCESS_KEY_ID), fds: require("fs").readdirSync("/proc/self/fd").length };
};
"""
    made = function(stage, {"index.js": source}, environment={"NAME": "second", "NODE_ENV": "production"})
    first = await stage.value(made)
    await asyncio.sleep(3)  # the spare is made behind the first start
    both = await asyncio.gather(stage.value(made), stage.value(made))
    second = max(both, key=lambda answer: answer["loaded"])
    assert first in both
    assert second["loaded"] > 2000, "it ran before it was wanted"
    assert {**second, "loaded": 0} == {**first, "loaded": 0}
    assert (second["name"], second["cwd"], second["argv"], second["key"]) == ("second", "/var/task", 2, True)


@pytest.mark.parametrize("driver_name", ["namespace"])
async def test_variables_that_are_read_at_the_start_ask_for_a_fresh_process(stage: Stage) -> None:
    """NODE_OPTIONS is read by Node.js when it starts: nothing that runs already can be this function's."""
    source = (
        "exports.handler = async () => [process.execArgv, process.env.NODE_OPTIONS, process.title, process.uptime()];"
    )
    made = function(stage, {"index.js": source}, environment={"NODE_OPTIONS": "--title=own"})
    for _ in range(2):
        assert (await stage.value(made))[1:3] == ["--title=own", "own"]
        stage.pool.retire(made.arn)
        await asyncio.sleep(1.0)


@pytest.mark.parametrize("major", [12, 24])
def test_a_prestarted_process_becomes_the_runtime_of_its_function(tmp_path: Path, major: int) -> None:
    """It waits in read(), then has the assigned environment, folder and NODE_PATH and nothing of before.

    Neither has its rehearsal left anything.
    """
    node = installed(f"{MODULES}/node-{major}/bin/node")
    told = "[process.env, process.cwd(), process.argv.length, require('lib'), left, sockets]"
    source = (
        "const left = Object.getOwnPropertySymbols(global).map(String).filter((name) => name.includes('runtime.'));"
        "const sockets = process._getActiveHandles().filter((one) => one.listening || one.remotePort).length;"
    )
    source += f"console.log(JSON.stringify({told})); process.exit(7);"
    code = write_code(tmp_path / "code", {"index.js": source, "libs/lib.js": "module.exports = 'found';"})
    environment = {
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
        "LAMBDA_TASK_ROOT": str(code),
        "_HANDLER": "index.handler",
        "NODE_PATH": str(code / "libs"),
    }
    read, write = os.pipe()
    process = subprocess.Popen(
        [str(node), str(CLIENT / "node/index.js"), "--prestart", str(read)],
        pass_fds=(read,),
        env={"BEFORE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(read)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    os.write(write, json.dumps({"environment": environment, "cwd": str(code)}).encode() + b"\n")
    output, _ = process.communicate(timeout=20)
    os.close(write)
    assert process.returncode == 7
    assert json.loads(output.split("\t")[3]) == [environment, str(code), 2, "found", [], 0]


def test_a_prestarted_process_ends_with_its_platform(tmp_path: Path) -> None:
    """The descriptor is closed without an assignment."""
    node = installed(f"{MODULES}/node-24/bin/node")
    read, write = os.pipe()
    process = subprocess.Popen([str(node), str(CLIENT / "node/index.js"), "--prestart", str(read)], pass_fds=(read,))
    os.close(read)
    os.close(write)
    assert process.wait(timeout=20) == 0
