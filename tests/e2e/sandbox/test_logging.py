"""The JSON log format of real runtimes: Node.js filters by itself, a custom runtime's lines are filtered here."""

import asyncio
import json
from typing import Any

from tests.e2e.sandbox.conftest import Stage
from tests.e2e.sandbox.test_extensions import CLIENT
from tests.e2e.sandbox.test_node import function as node_function
from tests.fakes_sandbox import a_function
from undercast.sandbox.model import Logging

NODE = """
exports.handler = async (event) => {
  console.debug("d"); console.info("i"); console.warn("w"); console.error({ deep: 1 });
  return event;
};
"""
CUSTOM = (
    CLIENT
    + """
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = runtime.getresponse()
    body = answer.read()
    for level in ("debug", "info", "warn", "error"):
        print(json.dumps({"level": level, "msg": level[0]}), flush=True)
    print("plain", flush=True)
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    runtime.request("POST", "/2018-06-01/runtime/invocation/" + request_id + "/response", body)
    runtime.getresponse().read()
"""
)


async def lines(stage: Stage) -> list[dict[str, Any]]:
    """The log's objects, once the report is there; every line is one."""
    async with asyncio.timeout(10):
        while not any("platform.report" in message for message in stage.log.messages):
            await asyncio.sleep(0.005)
    return [json.loads(message) for message in stage.log.messages]


async def test_node_writes_objects_at_its_level(stage: Stage) -> None:
    """timestamp, level, message and requestId; below WARN there is nothing of the function."""
    logging = Logging(is_json=True, application_level="WARN")
    function = node_function(stage, {"index.js": NODE}, logging=logging)
    assert await stage.value(function, b"1") == 1
    application = [line for line in await lines(stage) if "type" not in line and "requestId" in line]
    assert [(line["level"], line["message"]) for line in application] == [("WARN", "w"), ("ERROR", {"deep": 1})]
    assert all(line["timestamp"].endswith("Z") for line in application)


async def test_lines_of_a_custom_runtime_are_filtered(stage: Stage) -> None:
    """Its objects by their level; what has none is INFO, and is not there at WARN."""
    code = stage.folder / "custom"
    code.mkdir(mode=0o755)
    (code / "bootstrap").write_text(CUSTOM)
    (code / "bootstrap").chmod(0o755)
    logging = Logging(is_json=True, application_level="WARN")
    function = a_function(name="custom", runtime="provided.al2023", code_dir=code, memory_mb=256, logging=logging)
    assert await stage.value(function, b"1") == 1
    assert [line["msg"] for line in await lines(stage) if "type" not in line] == ["w", "e"]
