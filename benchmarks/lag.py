"""Event-loop lag: how long health requests on a second connection take while one large request is worked on.

The asker is a process of its own, so that the sender's work is not counted; the machine's own share (the same asker
while nothing happens) is given beside it. It asks on a fixed schedule: a request that takes 97 ms stands for all that
would have been sent meanwhile, so that one long stall is not one of many samples. AWS: none.
"""

import base64
import http.client
import io
import json
import multiprocessing
import os
import statistics
import time
import urllib.parse
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PACE_S = 0.002
STATE_PACE_S = 0.02
FIRST_S = 0.1
"""How long is asked before the work begins; not counted."""
PUTS = 12
PUT_BYTES = 8 << 20
PACKAGE_BYTES = 50 << 20
ROLE = "arn:aws:iam::000000000000:role/bench"
RUNTIME = "python3.11"
REQUEST_TIMEOUT_S = 120


def loop_lag(host: str, port: int, s3: Any, functions: Any, key: Credentials) -> dict[str, float]:
    """p99 and maximum (ms) of health requests at rest, during 8 MiB puts and during CreateFunction of 50 MB."""
    bucket = f"lag-{os.getpid()}"
    s3.create_bucket(Bucket=bucket)
    body = os.urandom(PUT_BYTES)
    functions.list_functions()

    def put() -> None:
        for number in range(PUTS):
            s3.put_object(Bucket=bucket, Key=f"lag{number}", Body=body)

    found: dict[str, float] = {}
    for name, work in (("idle", lambda: time.sleep(1)), ("put8m", put), ("create50m", _creation(functions, key))):
        times = _asked_while(host, port, work)
        found[f"lag_{name}_wait_p50"] = statistics.median(times)
        found[f"lag_{name}_wait_p99"] = sorted(times)[int(len(times) * 0.99)]
        found[f"lag_{name}_wait_max"] = max(times)
    return found


def _creation(functions: Any, key: Credentials) -> Callable[[], None]:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
        archive.writestr("data.bin", os.urandom(PACKAGE_BYTES - 4096))
    name = f"lag-{os.getpid()}"
    members = {"FunctionName": name, "Runtime": RUNTIME, "Role": ROLE, "Handler": "app.handler"}
    request = json.dumps({**members, "Code": {"ZipFile": base64.b64encode(package.getvalue()).decode()}}).encode()
    url = f"{functions.meta.endpoint_url}/2015-03-31/functions"
    endpoint = urllib.parse.urlsplit(url).netloc
    signed = AWSRequest("POST", url, data=request, headers={"Host": endpoint})
    SigV4Auth(key, "lambda", functions.meta.region_name).add_auth(signed)
    headers = dict(signed.headers.items())

    def create() -> None:
        # By hand: botocore would spend as long on its own copy of the package as the platform on it.
        connection = http.client.HTTPConnection(endpoint, timeout=REQUEST_TIMEOUT_S)
        connection.request("POST", "/2015-03-31/functions", request, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 201:
            raise RuntimeError(f"CreateFunction answered {answer.status} {text[:300]!r}")
        until = time.monotonic() + REQUEST_TIMEOUT_S
        while functions.get_function_configuration(FunctionName=name)["State"] == "Pending":
            if time.monotonic() > until:
                raise RuntimeError(f"{name} stays Pending")
            time.sleep(STATE_PACE_S)

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
    """Health requests every `PACE_S` until told to stop; the waits in ms (`waits`)."""
    connection = http.client.HTTPConnection(host, port, timeout=REQUEST_TIMEOUT_S)
    times: list[float] = []
    first = time.perf_counter()
    told = False
    while not pipe.poll():
        began = time.perf_counter()
        connection.request("GET", "/_undercast/health")
        connection.getresponse().read()
        ended = time.perf_counter()
        if told:
            times += waits(began, ended)
        elif ended - first > FIRST_S:
            pipe.send(None)
            told = True
        time.sleep(PACE_S)
    pipe.send(times)


def waits(began: float, ended: float) -> list[float]:
    """What requests every `PACE_S` from `began` on would have waited (ms) for an answer that came at `ended`."""
    return [(ended - began - due * PACE_S) * 1000 for due in range(int((ended - began) / PACE_S) + 1)]
