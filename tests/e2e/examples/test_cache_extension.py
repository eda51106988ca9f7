"""The cache extension in a real execution environment: its layer, a function, Parameter Store and Secrets Manager.

Rows of seed S2 (docs/requirements.md). The layer is built by tools/setup_sdks.sh.
"""

import base64
import io
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import platform as platforms
from tests.conformance.sdks.programs import installed
from tests.e2e.functions import RUNTIME
from tests.machine import program
from tests.platform import RunningPlatform

CONFIG = """\
parameters:
  - region: us-west-2
    names:
      - CacheExtensions_Parameter1
      - /aws/reference/secretsmanager/secret_info
secrets:
  - region: us-west-2
    names: [secret_info]
dynamodb:
  - region: us-west-2
    table: DynamoDbTable
    hashkey: pKey
    hashkeytype: S
    hashkeyvalue: pKey1
    sortkey: sKey
    sortkeytype: S
    sortkeyvalue: sKey1
"""
SOURCE = """
import json, os, urllib.error, urllib.request

def ask(url, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]

def handler(event, context):
    token = {"X-Aws-Parameters-Secrets-Token": os.environ["AWS_SESSION_TOKEN"]}
    return [ask("http://localhost:" + path, token) for path in event]
"""
NODE = """
const http = require("http");

const ask = (url, headers) => new Promise((resolve, reject) => {
  http.get(url, { headers }, (answer) => {
    let body = "";
    answer.on("data", (piece) => { body += piece; });
    answer.on("end", () => resolve([answer.statusCode, body]));
  }).on("error", reject);
});

exports.handler = (event) => {
  const token = { "X-Aws-Parameters-Secrets-Token": process.env.AWS_SESSION_TOKEN };
  return Promise.all(event.map((path) => ask("http://localhost:" + path, token)));
};
"""
NODE_FETCH = """
const ask = async (url, headers) => {
  const answer = await fetch(url, { headers });
  return [answer.status, await answer.text()];
};

export const handler = (event) => {
  const token = { "X-Aws-Parameters-Secrets-Token": process.env.AWS_SESSION_TOKEN };
  return Promise.all(event.map((path) => ask("http://localhost:" + path, token)));
};
"""
JAVA = Path(__file__).parent / "java_cache" / "App.java"
REFERENCE = "/aws/reference/secretsmanager/secret_info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A function that asks for URLs below http://localhost: and answers [status, body] of each."""

    runtime: str
    handler: str
    files: Mapping[str, bytes]


def python() -> Program:
    """With urllib."""
    return Program(runtime=RUNTIME, handler="app.handler", files={"app.py": SOURCE.encode()})


def node(runtime: str, name: str, source: str) -> Program:
    """With Node.js's own client."""
    return Program(runtime=runtime, handler="index.handler", files={name: source.encode()})


def java(folder: Path) -> Program:
    """With Java's own client, compiled into the folder."""
    subprocess.run([program("javac"), "--release", "11", "-d", str(folder), str(JAVA)], check=True)
    return Program(runtime="java17", handler="App::handle", files={"App.class": (folder / "App.class").read_bytes()})


def package(program: Program, config: str) -> bytes:
    """The function with its config.yaml."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in program.files.items():
            archive.writestr(name, content)
        archive.writestr("config.yaml", config)
    return out.getvalue()


class Deployed:
    """A function with the extension's layer, in us-west-2 as config.yaml says."""

    def __init__(
        self, platform: RunningPlatform, account: str, config: str, program: Program | None = None, **variables: str
    ) -> None:
        program = program or python()
        client: Any = platform.client("lambda", account=account, region="us-west-2")
        layer = client.publish_layer_version(
            LayerName="undercast-cache",
            Content={"ZipFile": installed("cache/undercast-cache-x86_64.zip").read_bytes()},
        )
        client.create_function(
            FunctionName="reader",
            Runtime=program.runtime,
            Role=f"arn:aws:iam::{account}:role/unknown",
            Handler=program.handler,
            Code={"ZipFile": package(program, config)},
            Timeout=20,
            MemorySize=512,
            Layers=[layer["LayerVersionArn"]],
            Environment={"Variables": variables},
        )
        client.get_waiter("function_active_v2").wait(FunctionName="reader", WaiterConfig={"Delay": 1})
        self._client = client

    def invoke(self, *paths: str) -> tuple[Any, str, str | None]:
        """(answers, log tail, FunctionError)."""
        payload = json.dumps(paths).encode()
        answer = self._client.invoke(FunctionName="reader", Payload=payload, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode()
        return json.load(answer["Payload"]), log, answer.get("FunctionError")

    def ask(self, *paths: str) -> list[list[Any]]:
        """[status, body] of each path."""
        answers, log, error = self.invoke(*paths)
        assert error is None, (answers, log)
        found: list[list[Any]] = answers
        return found

    def fetches(self) -> int:
        """How often the extension has asked a service so far."""
        count: int = json.loads(self.ask("4000/metrics")[0][1])["fetches"]
        return count


@pytest.fixture(scope="module")
def equipped() -> Iterator[RunningPlatform]:
    """A platform of a user who has installed Node.js and Java's runtime client."""
    with platforms.running(environment={"HOME": str(installed("home/.ready").parent)}) as running:
        yield running


@pytest.fixture
def values(platform: RunningPlatform, account: str) -> Any:
    """The client of Parameter Store, with a parameter, a secret and an item in us-west-2."""
    return store_values(platform, account)


def store_values(platform: RunningPlatform, account: str) -> Any:
    """See `values`."""
    ssm = platform.client("ssm", account=account, region="us-west-2")
    ssm.put_parameter(Name="CacheExtensions_Parameter1", Value="Parameter_value", Type="String")
    secrets = platform.client("secretsmanager", account=account, region="us-west-2")
    secrets.create_secret(Name="secret_info", SecretString="Hello World")
    tables = platform.client("dynamodb", account=account, region="us-west-2")
    tables.create_table(
        TableName="DynamoDbTable",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pKey", "sKey")],
        KeySchema=[{"AttributeName": "pKey", "KeyType": "HASH"}, {"AttributeName": "sKey", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.put_item(TableName="DynamoDbTable", Item={"pKey": {"S": "pKey1"}, "sKey": {"S": "sKey1"}, "n": {"N": "1"}})
    return ssm


def test_values_are_read_on_port_4000(platform: RunningPlatform, account: str, values: Any) -> None:
    """S2-08 to S2-11, S2-12, S2-15, S2-16: everything is in memory before the first event; later reads cost nothing."""
    function = Deployed(platform, account, CONFIG)
    assert function.fetches() == 4
    assert function.ask(
        "4000/parameters?name=CacheExtensions_Parameter1",
        f"4000/parameters?name={REFERENCE}",
        "4000/secrets?name=secret_info",
        "4000/parameters?name=unknown",
        "4000/nothing?name=secret_info",
    ) == [[200, "Parameter_value"], [200, "Hello World"], [200, "Hello World"], *[[200, "No data found"]] * 2]
    status, item = function.ask("4000/dynamodb?name=DynamoDbTable-pKey1-sKey1")[0]
    assert (status, json.loads(item)) == (200, {"pKey": "pKey1", "sKey": "sKey1", "n": 1})
    assert function.ask("4000/parameters")[0][0] == 404
    for _ in range(20):
        function.ask("4000/secrets?name=secret_info")
    assert function.fetches() == 4


def test_the_log_shows_the_extension(platform: RunningPlatform, account: str, values: Any) -> None:
    """S2-42: the extension's lines, its state and events, and a REPORT of the whole.

    It is not woken by events: each would take the function's processor from it, and hold the end of the invocation.
    """
    function = Deployed(platform, account, CONFIG)
    function.ask("4000/metrics")
    logs = platform.client("logs", account=account, region="us-west-2")
    for _ in range(100):
        events = logs.filter_log_events(logGroupName="/aws/lambda/reader")["events"]
        text = "".join(event["message"] for event in events)
        if "REPORT" in text:
            break
        time.sleep(0.05)
    for line in (
        r"\[undercast-cache\]  Register response: \{.*\"functionName\": ?\"reader\"",
        r"\[undercast-cache\]  Cache successfully loaded",
        r"\[undercast-cache\]  Starting Httpserver on port  4000",
        r"\[undercast-cache\]  Waiting for event\.\.\.",
        r"EXTENSION\tName: undercast-cache\tState: Ready\tEvents: \[SHUTDOWN\]",
        r"REPORT RequestId: [0-9a-f-]{36}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 512 MB\t",
    ):
        assert re.search(line, text), (line, text)
    assert text.count("Waiting for event...") == 1, text


def test_values_live_as_long_as_they_are_told(platform: RunningPlatform, account: str, values: Any) -> None:
    """S2-13, S2-14: nothing is read before it is asked for; old within the TTL, new after it."""
    function = Deployed(platform, account, CONFIG, CACHE_EXTENSION_TTL="2s", CACHE_EXTENSION_INIT_STARTUP="false")
    assert function.fetches() == 0
    path = "4000/parameters?name=CacheExtensions_Parameter1"
    assert function.ask(path) == [[200, "Parameter_value"]]
    values.put_parameter(Name="CacheExtensions_Parameter1", Value="new", Overwrite=True)
    assert function.ask(path) == [[200, "Parameter_value"]]
    time.sleep(2.5)
    assert function.ask(path) == [[200, "new"]]
    assert function.fetches() == 2


def test_awss_own_interface_answers_on_port_2773(platform: RunningPlatform, account: str, values: Any) -> None:
    """The contract of AWS's Parameters and Secrets extension: paths, token, answers of the operations."""
    function = Deployed(platform, account, "")
    parameter, secret = function.ask(
        "2773/systemsmanager/parameters/get?name=CacheExtensions_Parameter1",
        "2773/secretsmanager/get?secretId=secret_info",
    )
    assert json.loads(parameter[1])["Parameter"]["Value"] == "Parameter_value"
    assert json.loads(secret[1])["SecretString"] == "Hello World"


PROGRAMS: Mapping[str, Callable[[Path], Program]] = {
    "nodejs12.x": lambda _: node("nodejs12.x", "index.js", NODE),
    "nodejs22.x": lambda _: node("nodejs22.x", "index.mjs", NODE_FETCH),
    "java17": java,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_functions_of_other_runtimes_read_it(
    equipped: RunningPlatform, account: str, tmp_path: Path, name: str
) -> None:
    """S2-48: a parameter, a secret and an item by the runtime's own HTTP client, on both ports."""
    store_values(equipped, account)
    function = Deployed(equipped, account, CONFIG, PROGRAMS[name](tmp_path))
    parameter, secret, item = function.ask(
        "4000/parameters?name=CacheExtensions_Parameter1",
        "4000/secrets?name=secret_info",
        "4000/dynamodb?name=DynamoDbTable-pKey1-sKey1",
    )
    assert (parameter, secret) == ([200, "Parameter_value"], [200, "Hello World"])
    assert (item[0], json.loads(item[1])) == (200, {"pKey": "pKey1", "sKey": "sKey1", "n": 1})
    parameter, secret = function.ask(
        "2773/systemsmanager/parameters/get?name=CacheExtensions_Parameter1",
        "2773/secretsmanager/get?secretId=secret_info",
    )
    assert json.loads(parameter[1])["Parameter"]["Value"] == "Parameter_value"
    assert json.loads(secret[1])["SecretString"] == "Hello World"
    assert function.fetches() == 4


@pytest.mark.parametrize(
    ("config", "variables", "text"),
    [
        (CONFIG.replace("names:", "nams:", 1), {}, 'config.yaml: line 3: unknown key "nams"'),
        (CONFIG, {"CACHE_EXTENSION_TTL": "soon"}, 'CACHE_EXTENSION_TTL is "soon"'),
    ],
)
def test_bad_configuration_fails_init_and_says_where(
    platform: RunningPlatform, account: str, config: str, variables: dict[str, str], text: str
) -> None:
    """The caller gets an error of the extension; the log names file and line, or the variable."""
    function = Deployed(platform, account, config, None, **variables)
    answer, log, error = function.invoke("4000/metrics")
    assert error == "Unhandled"
    assert answer["errorType"].startswith("Extension."), answer
    assert text in log, log


@pytest.mark.parametrize("language", ["python", pytest.param("go", marks=pytest.mark.slow)])
def test_the_example_measures_both_ways(language: str) -> None:
    """S2-45: examples/cache-extension prints the averages and their ratio; how large it is, a quiet machine tells."""
    if language == "go":
        program("go")
    script = Path(__file__).parents[3] / "examples" / "cache-extension" / "measure.py"
    layer = installed("cache/undercast-cache-x86_64.zip")
    done = subprocess.run(
        [sys.executable, str(script), "--layer", str(layer), "--invocations", "5", "--program", language],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"with-nothing: 5 invocations, average [\d.]+ ms", done.stdout), done.stdout + done.stderr
    assert re.search(r"with-sdk: 5 invocations, average [\d.]+ ms", done.stdout), done.stdout + done.stderr
    assert re.search(r"with-cache: 5 invocations, average [\d.]+ ms", done.stdout), done.stdout + done.stderr
    assert re.search(r"the extension is [\d.]+ times as fast", done.stdout), done.stdout + done.stderr
