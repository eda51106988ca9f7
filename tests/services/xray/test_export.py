"""`start --otlp-endpoint URL`: what X-Ray gets goes to a collector."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.platform import running
from tests.services.xray.conftest import Account


@pytest.fixture
def collector() -> Iterator[tuple[str, "queue.Queue[tuple[str, str, Any]]"]]:
    """Its URL, and (path, content type, request) of what it gets."""
    got: queue.Queue[tuple[str, str, Any]] = queue.Queue()

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            got.put((self.path, self.headers["content-type"], body))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collect)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", got
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_segments_reach_a_collector(collector: tuple[str, "queue.Queue[tuple[str, str, Any]]"]) -> None:
    """POST of JSON to /v1/traces below the URL."""
    url, got = collector
    with running(options=["--otlp-endpoint", url]) as platform:
        aws = Account(platform, "333333333333")
        sent = aws.segment("front")
        aws.put(sent)
        path, content_type, body = got.get(timeout=30)
    assert (path, content_type) == ("/v1/traces", "application/json")
    (span,) = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (span["traceId"], span["spanId"]) == (sent["trace_id"][2:].replace("-", ""), sent["id"])


def test_what_is_no_url_is_refused() -> None:
    """The message shows one."""
    command = [
        sys.executable,
        "-m",
        "undercast",
        "start",
        "--ephemeral",
        "--port",
        "0",
        "--otlp-endpoint",
        "localhost:4318",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "http://localhost:4318" in done.stderr) == (1, True)
