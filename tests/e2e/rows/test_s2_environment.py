"""Rows of seed S2 that concern the environment: an extension in a layer, on a whole platform."""

import base64
import io
import json
import re
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.e2e.golang import build
from tests.e2e.sandbox.test_extensions import CLIENT
from tests.machine import lacking
from tests.platform import RunningPlatform

EXTENSION = Path(__file__).parents[1] / "sandbox" / "go_extension"
HANDLER = """
import urllib.request

def handler(event, context):
    try:
        return urllib.request.urlopen("http://localhost:4000/parameters?name=p", timeout=5).read().decode()
    except OSError as error:
        return str(error)
"""
SERVER = (
    CLIENT
    + """
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Cache(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"cached")

    def log_message(self, *args):
        pass

threading.Thread(target=HTTPServer(("", 4000), Cache).serve_forever, daemon=True).start()
identifier = register("INVOKE", "SHUTDOWN")
while next_event(identifier)["eventType"] != "SHUTDOWN":
    time.sleep(0.3)
"""
)


def archive(name: str, content: bytes | str, mode: int = 0o755) -> bytes:
    """A zip of one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o100000 | mode) << 16
        file.writestr(info, content)
    return packed.getvalue()


def deploy(client: Any, name: str, extension: bytes | str, mode: int = 0o755, **members: Any) -> None:
    """A Python function whose layer has one extension, `cache-extension-demo`."""
    content = {"ZipFile": archive("extensions/cache-extension-demo", extension, mode)}
    layer = client.publish_layer_version(LayerName=name, Content=content)
    role = f"arn:aws:iam::{layer['LayerVersionArn'].split(':')[4]}:role/r"
    client.create_function(
        FunctionName=name, Runtime="python3.11", Role=role, Handler="app.handler", MemorySize=256, Timeout=10,
        Code={"ZipFile": archive("app.py", HANDLER, 0o644)}, Layers=[layer["LayerVersionArn"]], **members,
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def tail_of(response: Any) -> str:
    """The log tail of an invocation."""
    return base64.b64decode(response["LogResult"]).decode()


def logged(platform: RunningPlatform, account: str, name: str, text: str) -> str:
    """The function's log, once it has the text."""
    logs = platform.client("logs", account=account)
    for _ in range(200):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        log = "".join(event["message"] for page in pages for event in page["events"])
        if text in log:
            return log
        time.sleep(0.05)
    raise AssertionError(log)


def test_go_extension_in_a_layer(platform: RunningPlatform, account: str, tmp_path: Path) -> None:
    """S2-01 to S2-04, S2-17, S2-42, X6: started, registered, told of each invocation and of the end; its log lines."""
    client = platform.client("lambda", account=account)
    binary = build(EXTENSION, tmp_path / "extension")
    deploy(client, "go", binary.read_bytes())
    tail = tail_of(client.invoke(FunctionName="go", LogType="Tail"))
    assert re.search(r"^\[cache-extension-demo\] INVOKE [0-9a-f-]{36}$", tail, re.MULTILINE)
    assert re.search(r"\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t.*\tInit Duration: \d+\.\d\d ms\t", tail)
    log = logged(platform, account, "go", "REPORT")
    assert "[cache-extension-demo] Waiting for event...\n" in log
    line = "EXTENSION\tName: cache-extension-demo\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n"
    assert log.index(line) < log.index("START RequestId")
    client.delete_function(FunctionName="go")
    log = logged(platform, account, "go", "[cache-extension-demo] Exiting")
    assert "[cache-extension-demo] Received SHUTDOWN event: spindown\n" in log


def test_fixed_port_of_ten_environments(platform: RunningPlatform, account: str) -> None:
    """X5: the extension listens on port 4000; ten environments at once do not meet, for each has its own loopback."""
    if platform.driver != "namespace":
        lacking("only the namespace driver gives each environment a loopback of its own")
    client = platform.client("lambda", account=account)
    deploy(client, "many", SERVER)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client.invoke(FunctionName="many")["Payload"].read(), range(10)))
    assert answers == [b'"cached"'] * 10


def test_extension_that_fails_in_init(platform: RunningPlatform, account: str) -> None:
    """S2-05, S2-07: a panic is Extension.Crash with its status; no program and no run bit Extension.LaunchError."""
    client = platform.client("lambda", account=account)
    deploy(client, "crash", "#!/bin/sh\nexit 2\n")
    error = json.loads(client.invoke(FunctionName="crash")["Payload"].read())
    assert error["errorType"] == "Extension.Crash"
    assert error["errorMessage"].endswith("Error: exit status 2")
    deploy(client, "unable", "no program: those get their run bit\n", 0o644)
    error = json.loads(client.invoke(FunctionName="unable")["Payload"].read())
    assert error["errorType"] == "Extension.LaunchError"
    assert error["errorMessage"].endswith("fork/exec /opt/extensions/cache-extension-demo: permission denied")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_slow_extension_is_tried_again_inside_the_invocation(platform: RunningPlatform, account: str) -> None:
    """S2-06: INIT ends after 10 s, then once more with the function's timeout."""
    client = platform.client("lambda", account=account)
    deploy(client, "slow", CLIENT + "time.sleep(11)\nidentifier = register()\nnext_event(identifier)\ntime.sleep(99)\n")
    client.update_function_configuration(FunctionName="slow", Timeout=30)
    client.get_waiter("function_updated_v2").wait(FunctionName="slow", WaiterConfig={"Delay": 1})
    response = client.invoke(FunctionName="slow", LogType="Tail")
    assert "FunctionError" not in response
    log = logged(platform, account, "slow", "REPORT")
    # The duration is rounded: 9999.99 ms is ten seconds too, here as on AWS.
    assert re.search(r"INIT_REPORT Init Duration: (9999|1\d{4})\.\d\d ms\tPhase: init\tStatus: timeout", log), log
    report = re.search(r"REPORT .*\tDuration: ([\d.]+) ms", log)
    assert report is not None
    assert float(report[1]) >= 11_000
    assert "Init Duration" not in report[0]


@pytest.mark.parametrize("flags", [("--billing", "100ms"), ("--profile", "2019")])
def test_billing_of_2019(flags: tuple[str, str]) -> None:
    """X8: Billed Duration in steps of 100 ms, INIT for nothing."""
    with platforms.running(options=flags) as running:
        client = running.client("lambda", account="000000000000")
        client.create_function(
            FunctionName="f", Runtime="python3.11", Handler="app.handler", MemorySize=1024,
            Role="arn:aws:iam::000000000000:role/r",
            Code={"ZipFile": archive("app.py", "def handler(event, context):\n    return 1\n", 0o644)},
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
        for _ in range(2):
            tail = tail_of(client.invoke(FunctionName="f", LogType="Tail"))
            found = re.search(r"\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms", tail)
            assert found is not None
            assert int(found[2]) == 100 * max(1, -(-float(found[1]) // 100))
        if flags == ("--profile", "2019"):
            with pytest.raises(ClientError, match="limit 262144 bytes"):
                client.invoke(FunctionName="f", InvocationType="Event", Payload=b'"' + b"x" * 262_143 + b'"')
