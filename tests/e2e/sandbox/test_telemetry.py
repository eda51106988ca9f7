"""A real extension that subscribes to telemetry, over HTTP and over TCP, in real sandboxes on both drivers."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.sandbox.conftest import Stage
from tests.e2e.sandbox.test_extensions import CLIENT, HANDLER, ended, layer, logged

LISTEN = """
import socketserver, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

BODY = json.loads(os.environ["SUBSCRIPTION"])
TCP = BODY["destination"]["protocol"] == "TCP"
HOST = "sandbox.localdomain" if os.environ["AWS_LAMBDA_RUNTIME_API"].endswith(":9001") else "127.0.0.1"

REPORTS = threading.Semaphore(0)

def told(events):
    for event in events:
        say("got " + json.dumps(event))
        if event["type"] == "platform.report":
            REPORTS.release()

class Http(BaseHTTPRequestHandler):
    def do_POST(self):
        told(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass

class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            told([json.loads(line)])

server = socketserver.ThreadingTCPServer((HOST, 0), Lines) if TCP else HTTPServer((HOST, 0), Http)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_address[1]
BODY["destination"].update({"port": port} if TCP else {"URI": "http://sandbox.localdomain:%d/" % port})
identifier = register("INVOKE", "SHUTDOWN")
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
headers = {"Lambda-Extension-Identifier": identifier}
connection.request("PUT", "/2022-07-01/telemetry", json.dumps(BODY), headers)
answer = connection.getresponse()
say("subscribed %d %s" % (answer.status, answer.read().decode().strip()))
invokes = 0
while next_event(identifier)["eventType"] != "SHUTDOWN":
    invokes += 1
for _ in range(invokes):  # over TCP what was sent before SHUTDOWN may still have to be read
    REPORTS.acquire(timeout=1.5)
"""


def events(stage: Stage) -> list[dict[str, Any]]:
    """What the extension got, as it printed it."""
    got = [line.partition(" got ")[2] for line in stage.log.messages if line.startswith("[tele] got ")]
    return [json.loads(line) for line in got]


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
async def test_extension_receives_telemetry(stage: Stage, protocol: str) -> None:
    """From platform.initStart to the last platform.report, and the function's lines, before SHUTDOWN ends it."""
    subscription: Mapping[str, object] = {
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function"],
        "destination": {"protocol": protocol},
        "buffering": {"timeoutMs": 25},
    }
    function = stage.function(
        HANDLER.replace("return event", "print('line', event); return event"),
        layers=layer(stage, {"tele": CLIENT + LISTEN}),
        memory_mb=256,
        timeout_s=10,
        environment={"SUBSCRIPTION": json.dumps(subscription)},
    )
    for number in range(2):
        assert await stage.value(function, str(number).encode()) == number
    assert await logged(stage, r'^\[tele\] subscribed 200 "OK"')
    await ended(stage, function)
    came = events(stage)
    # A batch whose answer is late comes again; no two events are alike but for that.
    seen = [event for place, event in enumerate(came) if event not in came[:place]]
    assert [event["type"] for event in seen] == [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        *(["platform.start", "function", "platform.runtimeDone", "platform.report"] * 2),
    ]
    assert [event["record"] for event in seen if event["type"] == "function"] == ["line 0", "line 1"]
    reports = [event["record"] for event in seen if event["type"] == "platform.report"]
    lines = [line for line in stage.log.messages if line.startswith("REPORT")]
    for report, line in zip(reports, lines, strict=True):
        assert f"RequestId: {report['requestId']}\t" in line
        assert f"Billed Duration: {report['metrics']['billedDurationMs']} ms" in line
