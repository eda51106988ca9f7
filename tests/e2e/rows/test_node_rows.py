"""Rows of seeds whose functions are Node.js programs: S3d's proxy in front of a Go program, its sample, its alias.

The table of rows is docs/requirements.md. The Node.js is the one that tools/setup_sdks.sh installs.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import platform as platforms
from tests.conformance.sdks.programs import installed
from tests.e2e.golang import build
from tests.e2e.rows.functions import Deployed, deploy_binary
from tests.machine import lacking
from tests.platform import RunningPlatform
from undercast.sandbox.runtimes.programs import ProgramLookup

HERE = Path(__file__).parent
PROXY = """
const { spawn } = require("child_process"), fs = require("fs"), http = require("http");
let child = null, spawns = 0;

function ensure() {
  if (child) return;
  fs.copyFileSync("/var/task/Sparta.lambda.amd64", "/tmp/Sparta.lambda.amd64");
  fs.chmodSync("/tmp/Sparta.lambda.amd64", 0o755);
  spawns += 1;
  child = spawn("/tmp/Sparta.lambda.amd64", ["execute"], { stdio: "inherit" });
  child.on("exit", () => { child = null; });
}

function call(event, context, callback, tries) {
  ensure();
  const options = { host: "localhost", port: 9999, path: "/hello", method: "POST" };
  const request = http.request(options, (response) => {
    let body = "";
    response.on("data", (chunk) => { body += chunk; });
    response.on("end", () => callback(null, { spawns, status: response.statusCode, answer: JSON.parse(body) }));
  });
  request.on("error", (error) => {
    if (error.code === "ECONNREFUSED" && tries > 0) setTimeout(() => call(event, context, callback, tries - 1), 20);
    else callback(error);
  });
  request.end(JSON.stringify({ event, context }));
}

exports.hello = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  call(event, context, callback, 100);
};
"""


@pytest.fixture(scope="module")
def equipped() -> Iterator[RunningPlatform]:
    """A platform of a user who has installed Node.js."""
    installed("home/.ready")
    running = platforms.start(environment={"HOME": str(installed("home"))})
    yield running
    platforms.stop(running)


def package(files: dict[str, bytes | str]) -> bytes:
    """A deployment package; without execute bits, as a proxy that sets them has to expect."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_a_node_proxy_keeps_its_go_child(equipped: RunningPlatform, account: str, tmp_path: Path) -> None:
    """S3d-09, S3d-07: spawned from /tmp, asked on port 9999, reused, and spawned anew when it has died (S3d-12).

    Sparta's identifier is nodejs4.3.
    """
    if equipped.driver != "namespace":
        lacking("the proxy has /var/task and /tmp in its code; the process driver has other folders")
    binary = build(HERE / "sparta_go", tmp_path / "sparta").read_bytes()
    code = package({"index.js": PROXY, "Sparta.lambda.amd64": binary})
    function = deploy_binary(equipped, account, "sparta", code, "index.hello", Runtime="nodejs4.3", Timeout=20)
    first, second = function.run({}), function.run({})
    assert first.error is None, (first.value, first.log)
    assert (first.value["answer"]["text"], first.value["status"]) == ("Hello World!", 200)
    assert (second.value["answer"]["pid"], second.value["answer"]["calls"]) == (first.value["answer"]["pid"], 2)
    assert "called 2" in second.log
    died = function.run({"die": True})
    assert (died.error, died.value["errorMessage"]) == ("Unhandled", "socket hang up")
    assert "panic: in the Go program" in died.log
    third = function.run({})
    assert (third.value["spawns"], third.value["answer"]["calls"]) == (2, 1)


def test_a_version_keeps_its_environment_and_an_alias_follows(equipped: RunningPlatform, account: str) -> None:
    """S3d-39, S3d-40: S3_BUCKET is Test in version 1 for good, Prod in $LATEST, to which the alias Prod points."""
    code = package(
        {"index.js": "exports.handler = (event, context, callback) => callback(null, process.env.S3_BUCKET);"}
    )
    function = deploy_binary(
        equipped,
        account,
        "GetMyLogStream",
        code,
        "index.handler",
        Runtime="nodejs6.10",
        Publish=True,
        Environment={"Variables": {"S3_BUCKET": "Test"}},
    )
    assert function.run({}).value == "Test"
    function.update(Environment={"Variables": {"S3_BUCKET": "Prod"}})
    assert function.run({}).value == "Prod"
    function.client().create_alias(FunctionName=function.name, Name="Prod", FunctionVersion="$LATEST")
    assert invoked(function, "1") == "Test"
    assert invoked(function, "Prod") == "Prod"


def invoked(function: Deployed, qualifier: str) -> Any:
    """The result of one version or alias."""
    return json.load(function.client().invoke(FunctionName=function.name, Qualifier=qualifier)["Payload"])


@pytest.mark.parametrize(
    ("runtime", "told"),
    [
        ("nodejs24.x", "`undercast runtimes install nodejs24.x`"),
        ("dotnet8", "provided.al2023"),
    ],
)
def test_a_runtime_that_is_not_here_says_what_to_do(
    equipped: RunningPlatform, account: str, runtime: str, told: str
) -> None:
    """S3d-03, X9: every identifier is accepted; what this machine lacks is an error that names the fix."""
    if runtime == "nodejs24.x" and ProgramLookup(tuple(os.environ["PATH"].split(os.pathsep)), Path("/")).find(
        "nodejs", (24,)
    ):
        pytest.skip("this machine has Node.js 24")
    name = f"not-here-{runtime.replace('.', '-')}"
    function = deploy_binary(equipped, account, name, package({"index.js": ""}), "index.handler", Runtime=runtime)
    with pytest.raises(function.client().exceptions.InvalidRuntimeException) as raised:
        function.client().invoke(FunctionName=name)
    assert told in raised.value.response["Error"]["Message"]
