"""What an extension that registers for INVOKE adds to a warm invoke: the same function with and without it, by turns.

By turns, so that both meet the same machine, and so that an extension is done with its event before the next one.
"""

import io
import json
import statistics
import time
import zipfile
from typing import Any

from benchmarks import bench_lambda

CALLS = 500
EXTENSION = """#!/usr/bin/python3
import os, socket, sys

HOST, _, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
link = socket.create_connection((HOST, int(PORT)))

def ask(head, body=b""):
    lines = head + "Host: runtime\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
    link.sendall(lines.encode() + body)
    got = b""
    while b"\\r\\n\\r\\n" not in got:
        got += link.recv(65536)
    head, _, rest = got.partition(b"\\r\\n\\r\\n")
    names = dict(line.lower().split(b": ", 1) for line in head.split(b"\\r\\n")[1:])
    while len(rest) < int(names[b"content-length"]):
        rest += link.recv(65536)
    return names

name = "Lambda-Extension-Name: %s\\r\\n" % os.path.basename(sys.argv[0])
path = "/2020-01-01/extension/"
made = ask("POST " + path + "register HTTP/1.1\\r\\n" + name, b'{"events": ["INVOKE"]}')
identifier = made[b"lambda-extension-identifier"].decode()
while True:
    ask("GET " + path + "event/next HTTP/1.1\\r\\nLambda-Extension-Identifier: %s\\r\\n" % identifier)
"""


def measured(subject: Any, plain: str, runtime: str, memory_mb: int) -> dict[str, float]:
    """p50 (ms) of warm invokes of `plain` and of a function alike with an extension, and the difference."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("extensions/bench")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, EXTENSION)
    layer = subject.client("lambda").publish_layer_version(LayerName="bench", Content={"ZipFile": packed.getvalue()})
    extended = subject.fresh("extended")
    code, handler = bench_lambda.code_for(runtime)
    subject.create(extended, runtime, code, handler, MemorySize=memory_mb, Layers=[layer["LayerVersionArn"]])
    times: dict[str, list[float]] = {plain: [], extended: []}
    calls = {name: _connection(subject, name) for name in times}
    for number in range(CALLS + 20):
        for name, taken in times.items():
            began = time.perf_counter()
            status, body = calls[name].call()
            if number >= 20:
                taken.append((time.perf_counter() - began) * 1000)
            if status != 200 or json.loads(body) != bench_lambda.EVENT:
                raise RuntimeError(f"{name} answered {status} {body[:200]!r}")
    without, with_it = statistics.median(times[plain]), statistics.median(times[extended])
    return {"extension_without": without, "extension_with": with_it, "extension_adds": with_it - without}


def _connection(subject: Any, function: str) -> Any:
    _, _, raw = subject.raw_request(function, bench_lambda.BODY)
    return bench_lambda.RawConn(subject.host, subject.port, raw)
