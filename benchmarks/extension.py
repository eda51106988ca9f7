"""What an extension that registers for INVOKE adds to a warm invoke: the same function with and without it.

By turns, both meet the same machine, but the extension's work behind the answer falls into the other one's call. In a
row, the next call waits for it; REPORT's Duration contains it. AWS: Lambda Extensions API, "Invoke phase".
"""

import io
import re
import statistics
import time
import zipfile
from typing import Any

from benchmarks import bench_lambda
from benchmarks.ready import invoke_ms

CALLS = 500
WARM_UP = 20
ROWS, IN_A_ROW = 10, 50
_READS, _BETWEEN_READS_S = 40, 0.5
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
    """p50 (ms) of warm invokes of `plain` and of a function alike with an extension, and the difference: three ways."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("extensions/bench")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, EXTENSION)
    layer = subject.client("lambda").publish_layer_version(LayerName="bench", Content={"ZipFile": packed.getvalue()})
    extended = subject.fresh("extended")
    code, handler = bench_lambda.code_for(runtime)
    subject.create(extended, runtime, code, handler, MemorySize=memory_mb, Layers=[layer["LayerVersionArn"]])
    calls = {name: _connection(subject, name) for name in (plain, extended)}
    turns: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(CALLS + WARM_UP):
        for name, taken in turns.items():
            taken.append(invoke_ms(name, calls[name]))
    rows: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROWS):
        for name, taken in rows.items():
            taken += [invoke_ms(name, calls[name]) for _ in range(IN_A_ROW)][1:]  # the first one follows another's
    durations = {name: _durations(subject, name, CALLS + WARM_UP + ROWS * IN_A_ROW) for name in calls}
    found = {}
    for kind, times in (("", turns), ("_row", rows), ("_duration", durations)):
        without, with_it = (statistics.median(times[name][WARM_UP:]) for name in (plain, extended))
        found |= {f"extension{kind}_without": without, f"extension{kind}_with": with_it}
        found[f"extension{kind}_adds"] = with_it - without
    return found


def _durations(subject: Any, name: str, wanted: int) -> list[float]:
    """REPORT's Durations (ms) of a function, in order."""
    logs, found = subject.client("logs"), []
    for _ in range(_READS):
        time.sleep(_BETWEEN_READS_S)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        lines = (event["message"] for page in pages for event in page["events"])
        reports = (re.match(r"REPORT RequestId: \S+\s+Duration: ([\d.]+) ms", line) for line in lines)
        found = [float(report[1]) for report in reports if report]
        if len(found) >= wanted:
            return found
    raise RuntimeError(f"{name}: {len(found)} REPORT lines of {wanted}")


def _connection(subject: Any, function: str) -> Any:
    _, _, raw = subject.raw_request(function, bench_lambda.BODY)
    return bench_lambda.RawConn(subject.host, subject.port, raw)
