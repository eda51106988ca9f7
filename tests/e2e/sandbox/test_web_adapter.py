"""The protocol of AWS's Lambda Web Adapter: an extension that is the runtime's client for a web server.

The adapter registers for no events, and asks the Runtime API for invocations while the process that Lambda takes for
the runtime is a web server, started by AWS_LAMBDA_EXEC_WRAPPER, which knows nothing of Lambda.
AWS: github.com/awslabs/aws-lambda-web-adapter, README, "How does it work?".
"""

import json
from pathlib import Path

import pytest

from tests.e2e.sandbox.conftest import Stage
from tests.e2e.sandbox.test_extensions import CLIENT, ended, layer

ADAPTER = """
import threading, urllib.request

def ready():
    while True:
        try:
            return urllib.request.urlopen("http://127.0.0.1:8080/")
        except OSError:
            time.sleep(0.01)

threading.Thread(target=next_event, args=(register(),), daemon=True).start()
ready()
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    event = runtime.getresponse()
    asked = json.loads(event.read())
    request_id = event.headers["Lambda-Runtime-Aws-Request-Id"]
    page = urllib.request.urlopen("http://127.0.0.1:8080" + asked["path"])
    answer = {"statusCode": page.status, "body": page.read().decode()}
    path = "/2018-06-01/runtime/invocation/" + request_id + "/response"
    runtime.request("POST", path, json.dumps(answer))
    runtime.getresponse().read()
"""
WRAPPER = '#!/bin/sh\nexec "$LAMBDA_TASK_ROOT/$_HANDLER"\n'
SERVER = """#!/usr/bin/python3
from http.server import BaseHTTPRequestHandler, HTTPServer

class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"page " + self.path.encode())

    def log_message(self, *args):
        pass

HTTPServer(("127.0.0.1", 8080), Pages).serve_forever()
"""


async def test_a_web_server_is_a_function(stage: Stage) -> None:
    """Two invocations through the adapter; at the end nothing is left."""
    if stage.driver.name != "namespace":
        pytest.skip("the wrapper's path /opt/bootstrap is there in the namespace driver only")
    layers = layer(stage, {"lambda-adapter": CLIENT + ADAPTER})
    _executable(layers[0] / "bootstrap", WRAPPER)
    function = stage.function(
        "",
        handler="run.py",
        layers=layers,
        memory_mb=512,
        timeout_s=10,
        environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"},
    )
    _executable(function.code_dir / "run.py", SERVER)
    for path in ("/one", "/two"):
        answer = await stage.value(function, json.dumps({"path": path}).encode())
        assert answer == {"statusCode": 200, "body": f"page {path}"}
    assert "EXTENSION\tName: lambda-adapter\tState: Ready\tEvents: []\n" in stage.log.messages
    await ended(stage, function)


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
