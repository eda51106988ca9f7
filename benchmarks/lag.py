"""Event-loop lag: how long health requests on a second connection take while one large request is worked on.

The asker is a process of its own, so that the sender's work is not counted; the machine's own share (the same asker
while nothing happens) is given beside it. AWS: none.
"""

import base64
import http.client
import io
import json
import multiprocessing
import os
import statistics
import time
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

PACE_S = 0.002
PUTS = 12
PUT_BYTES = 8 << 20
PACKAGE_BYTES = 50 << 20
ROLE = "arn:aws:iam::000000000000:role/bench"
RUNTIME = "python3.11"
REQUEST_TIMEOUT_S = 120


def loop_lag(host: str, port: int, s3: Any, functions: Any) -> dict[str, float]:
    """p99 and maximum (ms) of health requests at rest, during 8 MiB puts and during CreateFunction of 50 MB."""
    bucket = f"lag-{os.getpid()}"
    s3.create_bucket(Bucket=bucket)
    body = os.urandom(PUT_BYTES)
    functions.list_functions()

    def put() -> None:
        for number in range(PUTS):
            s3.put_object(Bucket=bucket, Key=f"lag{number}", Body=body)

    found: dict[str, float] = {}
    for name, work in (("idle", lambda: time.sleep(1)), ("put8m", put), ("create50m", _creation(functions))):
        times = _asked_while(host, port, work)
        found[f"lag_{name}_p50"] = statistics.median(times)
        found[f"lag_{name}_p99"] = sorted(times)[int(len(times) * 0.99)]
        found[f"lag_{name}_max"] = max(times)
    return found


def _creation(functions: Any) -> Callable[[], None]:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
        archive.writestr("data.bin", os.urandom(PACKAGE_BYTES - 4096))
    name = f"lag-{os.getpid()}"
    members = {"FunctionName": name, "Runtime": RUNTIME, "Role": ROLE, "Handler": "app.handler"}
    request = json.dumps({**members, "Code": {"ZipFile": base64.b64encode(package.getvalue()).decode()}}).encode()
    endpoint = functions.meta.endpoint_url.rpartition("//")[2]

    def create() -> None:
        # By hand: botocore would spend as long on its own copy of the package as the platform on it.
        connection = http.client.HTTPConnection(endpoint, timeout=REQUEST_TIMEOUT_S)
        scope = "test/20261121/us-east-1/lambda/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}",
            "X-Amz-Date": "20261121T000000Z",
        }
        connection.request("POST", "/2015-03-31/functions", request, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 201:
            raise RuntimeError(f"CreateFunction answered {answer.status} {text[:300]!r}")
        for _ in range(3):
            time.sleep(0.2)

    return create


def _asked_while(host: str, port: int, work: Callable[[], None]) -> list[float]:
    ours, theirs = multiprocessing.Pipe()
    asker = multiprocessing.get_context("spawn").Process(target=_ask, args=(host, port, theirs))
    asker.start()
    try:
        ours.recv()
        work()
        ours.send(None)
        times: list[float] = ours.recv()
    finally:
        asker.join(10)
        if asker.is_alive():
            asker.kill()
    return times


def _ask(host: str, port: int, pipe: Connection) -> None:
    """Health requests, one after the other, until told to stop; their times in ms."""
    connection = http.client.HTTPConnection(host, port, timeout=REQUEST_TIMEOUT_S)
    times = []
    while not pipe.poll():
        began = time.perf_counter()
        connection.request("GET", "/_undercast/health")
        connection.getresponse().read()
        times.append((time.perf_counter() - began) * 1000)
        if len(times) == 20:
            pipe.send(None)
        time.sleep(PACE_S)
    pipe.send(times[20:])
