"""Our Node.js client beside AWS's: the same function, the same events, the same answers, errors and log."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.sdks.programs import installed
from tests.e2e.sandbox.conftest import CLIENT, Stage, make_stage
from tests.e2e.sandbox.node import MODULES, InstalledNodes, ReferenceNode, reference_client, write_code
from tests.fakes_sandbox import a_function
from undercast.core.config import Config
from undercast.sandbox.drivers.process import ProcessDriver
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.node import NodeRuntime
from undercast.sandbox.runtimes.python import PythonRuntime

COMMON = """
class Odd extends Error { constructor(m) { super(m); this.name = "Odd"; this.extra = { k: 1 }; } }
function trouble(event) { throw new Odd("inner trouble: " + event.why + " \\x7f"); }
const actions = {
  echo: (event) => event,
  nothing: () => undefined,
  context: (event, context) => {
    const left = context.getRemainingTimeInMillis();
    const { getRemainingTimeInMillis, ...rest } = context;
    const entries = Object.entries(rest).sort();
    return { rest: Object.fromEntries(entries), keys: Object.keys(context).sort(), left: left > 0 && left <= 5000 };
  },
  raise: trouble,
  text: () => { throw "a string"; },
  cyclic: () => { const value = {}; value.self = value; return value; },
  big: () => ({ n: 10n }),
  unicode: () => ({ text: "gr\\u00fcn \\u5c71 \\ud83d\\ude00" }),
  date: () => new Date(0),
  trace: () => process.env._X_AMZN_TRACE_ID || null,
  streams: () => typeof awslambda.streamifyResponse + typeof awslambda.HttpResponseStream.from,
  log: (event) => {
    console.log("printed %s and %j", "text", { a: [1, { b: 2 }] }, ["more"]);
    console.info("two\\nlines");
    console.debug("debug"); console.trace("trace"); console.warn("warn");
    console.error("error", new Odd("logged").name);
    console.log({ object: [1, 2] });
    console.log();
    try { trouble({ why: "logged" }); } catch (error) { console.error(error.message, { extra: error.extra }); }
  },
};
"""
ASYNC = COMMON + "exports.handler = async (event, context) => actions[event.do](event, context);\n"
CALLBACKS = (
    COMMON
    + """
let late = 0;
Object.assign(actions, {
  later: (event, context, callback) => { setTimeout(() => callback(null, "later"), 5); setTimeout(() => late++, 20); },
  now: (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = false;
    setTimeout(() => late++, 60000);
    callback(null, "at once");
  },
  twice: (event, context, callback) => { callback(null, "first"); callback(null, "second"); },
  failed: (event, context, callback) => callback(new Odd("by callback")),
  done: (event, context) => context.done(null, { late }),
  fail: (event, context) => context.fail(new Odd("by fail")),
  failNothing: (event, context) => context.fail(),
  succeed: (event, context) => context.succeed("by succeed"),
});
exports.handler = (event, context, callback) => {
  const result = actions[event.do](event, context, callback);
  return event.promise ? Promise.resolve(result) : undefined;
};
"""
)
EVENTS: tuple[dict[str, Any], ...] = (
    {"do": "echo", "a": [1, 2.5, None, "ü", {"b": True}]},
    *({"do": name} for name in ("nothing", "context", "text", "cyclic", "big", "unicode", "date")),
    *({"do": name} for name in ("trace", "streams", "log")),
    {"do": "raise", "why": "it must"},
)
CALLBACK_EVENTS: tuple[dict[str, Any], ...] = (
    *({"do": name} for name in ["later", "echo", "twice", "failed", "done", "fail", "failNothing", "succeed"]),
    {"do": "raise", "why": "at once"},
    {"do": "echo", "promise": True},
    {"do": "later", "promise": True},
    {"do": "now"},  # leaves a timer of a minute: whoever waits for an empty loop behind it waits for that, too
)
SETTINGS: tuple[dict[str, str], ...] = ({}, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"})


class Pair:
    """AWS's client and ours on one interpreter, each with a pool of its own."""

    def __init__(self, stages: Mapping[str, Stage], major: int) -> None:
        self.stages = stages
        self.major = major

    def function(self, stage: Stage, files: Mapping[str, str], **changes: object) -> FunctionVersion:
        """The same function for a stage."""
        stage.serial += 1
        code = write_code(stage.folder / f"node{stage.serial}", files)
        settings = {"handler": "index.handler", "timeout_s": 5, **changes}
        return a_function(name=f"f{stage.serial}", runtime=f"nodejs{self.major}.x", code_dir=code, **settings)


@pytest.fixture(params=[22, 24])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """One interpreter, both clients."""
    major = int(request.param)
    installed(f"{MODULES}/node-{major}/bin/node")
    python = PythonRuntime(runtimes_dir=tmp_path / "python", client_dir=CLIENT)
    clients = {"aws": reference_client(tmp_path / "aws-client", major), "ours": CLIENT / "node"}
    stages = {}
    async with AsyncExitStack() as ends:
        for name, client in clients.items():
            folder = tmp_path / name
            folder.mkdir()
            node = (ReferenceNode if name == "aws" else NodeRuntime)(
                lookup=InstalledNodes((), tmp_path),
                runtimes_dir=folder / "runtimes",
                client_dir=client,
                installs_dir=tmp_path,
            )
            driver = ProcessDriver(folder / "run")
            await driver.start()
            ends.push_async_callback(driver.stop)
            stages[name] = make_stage(driver, Config(data_dir=folder, driver="process"), python, {"nodejs": node})
            await stages[name].pool.start()
            ends.push_async_callback(stages[name].pool.stop)
        yield Pair(stages, major)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("source", ["async", "callbacks"])
async def test_ours_answers_and_logs_as_awss(pair: Pair, settings: dict[str, str], source: str) -> None:
    """aws-lambda-ric is the reference: payloads, error shapes, context, callbacks, log records."""
    if source == "callbacks" and pair.major >= 24:
        pytest.skip("Node.js 24 has no callbacks")
    code, events = (ASYNC, EVENTS) if source == "async" else (CALLBACKS, CALLBACK_EVENTS)
    seen = {}
    for name, stage in pair.stages.items():
        function = pair.function(stage, {"index.js": code}, environment=settings)
        answers = []
        for event in events:
            result = await stage.invoke(function, json.dumps(event).encode(), client_context='{"custom":{"k":1}}')
            answers.append((event["do"], result.function_error, plain(result.payload.decode(), stage, function)))
            await stage.rested()  # else the next one may have an environment of its own
        seen[name] = answers, records(stage, function)
    assert seen["ours"][0] == seen["aws"][0]
    assert seen["ours"][1] == seen["aws"][1]


STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.do === "http") stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, cookies: ["a=b"] });
  if (event.do === "late type") { stream.write("x"); stream.setContentType("text/plain"); }
  stream.write(JSON.stringify(Object.keys(stream).filter((name) => /^(write|end|on|pipe)$/.test(name)).sort()));
  if (event.do === "fail") throw new RangeError("half way");
  await require("stream/promises").pipeline(require("stream").Readable.from(["a", "b", Buffer.from("c")]), stream);
  if (event.do === "value") return "ignored";
}, { highWaterMark: 1024 });
"""
WAIT = "return new Promise((resolve) => setTimeout(resolve, 100));"
FAILURES = {
    "absent module": {"index.js": "require('absent-module');"},
    "absent import": {"index.mjs": "import x from 'absent-module';\nexport const handler = 1;"},
    "syntax": {"index.js": "exports.handler = (;"},
    "no handler": {"index.js": "exports.other = 1;"},
    "no function": {"index.js": "exports.handler = 1;"},
    "throws": {"index.js": "throw new TypeError('at import');"},
    "exits": {"index.js": "exports.handler = async () => process.exit(3);"},
    "rejects": {"index.js": f"exports.handler = async () => {{ Promise.reject(new Error('lost')); {WAIT} }};"},
    "throws later": {
        "index.js": "exports.handler = async () => {"
        f" setTimeout(() => {{ throw new RangeError('later'); }}, 5); {WAIT} }};"
    },
    "never settles": {"index.js": "exports.handler = () => new Promise(() => 0);"},
    "callback arity": {"index.js": "exports.handler = (event, context, callback) => callback(null, 'called');"},
    "rejects at import": {"index.js": "Promise.reject(new Error('early')); exports.handler = async () => 1;"},
    "module": {"index.mjs": "const x = await Promise.resolve(7);\nexport const handler = async () => x;"},
    "package of modules": {
        "package.json": '{"type": "module"}',
        "index.js": "export const handler = async () => import.meta.url.slice(-9);",
    },
    "default": {"index.mjs": "export default { handler: async () => 'by default' };"},
    "cjs": {"index.cjs": "exports.handler = async () => module.id.slice(-9);"},
    "extension order": {
        "index.js": "exports.handler = async () => 'js';",
        "index.mjs": "export const handler = async () => 'mjs';",
    },
    "in node_modules": {
        "node_modules/index/main.js": "exports.handler = async () => 'package';",
        "node_modules/index/package.json": '{"main": "main.js"}',
    },
}


@pytest.mark.parametrize("do", ["plain", "http", "fail", "value", "late type"])
async def test_ours_streams_as_awss(pair: Pair, do: str) -> None:
    """Chunks, the HTTP prelude, an error in the trailers, a value that is ignored with a warning, a misuse."""
    seen = {}
    for name, stage in pair.stages.items():
        function = pair.function(stage, {"index.js": STREAM})
        result = await stage.invoke(function, json.dumps({"do": do}).encode())
        payload = plain(result.payload.decode(), stage, function)
        async with asyncio.timeout(5):  # what is logged behind the answer belongs to the invocation, too
            while not any(line.startswith("REPORT") for line in stage.log.messages):
                await asyncio.sleep(0.005)
        # AWS's client for 24 asks for the next event before its trailers are out, may get the same one and fail twice.
        seen[name] = result.function_error, payload, set(records(stage, function))
    assert seen["ours"] == seen["aws"]


@pytest.mark.parametrize("case", FAILURES)
async def test_ours_loads_and_fails_as_awss(pair: Pair, case: str) -> None:
    """Modules, missing or broken ones, and ends of the process: the answer, and the records in the log."""
    seen = {}
    for name, stage in pair.stages.items():
        function = pair.function(stage, FAILURES[case])
        result = await stage.invoke(function)
        seen[name] = result.function_error, plain(result.payload.decode(), stage, function), records(stage, function)
    assert seen["ours"] == seen["aws"]


@pytest.mark.parametrize(
    "handler", ["nodot", "index", "../up.handler", "sub/module.handler", "sub/module.deep.er.handler", "index.toString"]
)
async def test_handler_names(pair: Pair, handler: str) -> None:
    """Malformed ones, one in a folder, a nested one, an inherited one."""
    files = {
        "index.js": "exports.handler = async () => 1;",
        "sub/module.js": "exports.handler = async () => 'sub'; exports.deep = { er: { handler: async () => 'deep' } };",
    }
    seen = {}
    for name, stage in pair.stages.items():
        function = pair.function(stage, files, handler=handler)
        seen[name] = plain((await stage.invoke(function)).payload.decode(), stage, function)
    assert seen["ours"] == seen["aws"]


def records(stage: Stage, function: FunctionVersion) -> list[str]:
    """The records that console and the client wrote; not what Node.js itself prints when it dies."""
    lines = [plain(line, stage, function) for line in stage.log.messages]
    return sorted(line for line in lines if line.startswith(("TIME\t", "{")))


def plain(text: str, stage: Stage, function: FunctionVersion) -> str:
    """Without what differs from run to run, and without the frames of either client."""
    text = (
        text.replace(str(function.code_dir), "TASK").replace(function.arn, "ARN").replace(str(stage.folder), "FOLDER")
    )
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME", text)
    text = re.sub(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", "STREAM", text)
    text = re.sub(r"\b[0-9a-f-]{36}\b", "ID", text)
    text = re.sub(r"nodejs-\d-[0-9a-f]{16}(/ric)?", "RUNTIME", text)
    text = re.sub(r'(,?"\s+at [^"]*(?:/runtimes/|node:|\(internal|Module|<anonymous>|TASK)[^"]*")+', "", text)
    return re.sub(r"(\n\s+at .*)+", "", text)
