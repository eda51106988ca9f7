"""A function that attacks its Runtime API on a real platform: neither descriptors nor memory of the platform grow."""

import json
from pathlib import Path

import pytest

from tests.e2e.functions import create_function
from tests.memory import Peak
from tests.platform import running
from undercast.sandbox.runtime_api import MAX_CONNECTIONS

ATTACKS = """
import json, resource, socket

def handler(kind, context):
    start = {"url": b"GET /", "header": b"GET /x HTTP/1.1\\r\\nX: ", "requests": b""}
    if kind == "connections":
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        opened = []
        try:
            while len(opened) < 1000:
                opened.append(socket.create_connection(("127.0.0.1", 9001)))
        except OSError:
            pass
        return "cut off"
    piece = b"GET /x HTTP/1.1\\r\\n\\r\\n" * 1000 if kind == "requests" else b"a" * 1048576
    attack = socket.create_connection(("127.0.0.1", 9001), timeout=5)
    try:
        attack.sendall(start[kind])
        for _ in range(200):
            attack.sendall(piece)
    except OSError:
        return "cut off"
    return "all taken"
"""


@pytest.mark.parametrize("kind", ["url", "header", "requests", "connections"])
def test_runtime_api_bounds_what_a_function_sends(kind: str) -> None:
    """The function is cut off; the platform answers, has few descriptors more, and has kept nothing of it."""
    with running() as platform:
        pid = platform.process.pid
        create_function(platform, "000000000000", "attacker", ATTACKS, Timeout=30, MemorySize=512)
        before, peak = _descriptors(pid), Peak(pid)
        for _ in range(2):
            answer = platform.client("lambda").invoke(FunctionName="attacker", Payload=json.dumps(kind).encode())
            assert json.load(answer["Payload"]) == "cut off"
        assert platform.ask("/_undercast/health")["services"]["lambda"] == "running"
        assert _descriptors(pid) <= before + MAX_CONNECTIONS + 40
        assert peak.grown_kib() <= 32 * 1024


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
