"""A thousand execution environments on one machine, frozen and thawed at random."""

import json
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.functions import RUNTIME, package
from tests.machine import lacking
from tests.platform import RunningPlatform, running

ACCOUNT = "000000000000"
ENVIRONMENTS, INVOKES, CALLERS = 1000, 4000, 8
NEEDED_KIB = 10 * 1024 * 1024
COUNTING = """
import os
count = 0

def handler(event, context):
    global count
    count += 1
    return [os.environ["AWS_LAMBDA_FUNCTION_NAME"], count, event]
"""


@pytest.mark.slow
@pytest.mark.namespace
@pytest.mark.timeout(1800)
def test_a_thousand_environments_are_frozen_and_thawed_without_a_lost_invoke() -> None:
    """Each invocation finds its function's own environment, with what the last one left in memory."""
    free_kib = next(
        int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if "MemAvailable" in line
    )
    if free_kib < NEEDED_KIB:
        lacking("a thousand environments take 7 GiB, and 10 GiB have to be free")
    with running(options=["--max-environments", str(ENVIRONMENTS)]) as platform:
        with ThreadPoolExecutor(CALLERS) as callers:
            lost = sum(callers.map(lambda caller: _lost(platform, caller), range(CALLERS)))
        state = platform.ask("/_undercast/status")["sandboxes"]
        platform.process.send_signal(signal.SIGTERM)
        assert platform.process.wait(300) == 0  # and each is taken away
    assert lost == 0
    assert state["environments"] == ENVIRONMENTS


def _lost(platform: RunningPlatform, caller: int) -> int:
    """One caller's functions, made and then invoked at random; how many invokes were not answered as they should."""
    client, draw = platform.client("lambda"), random.Random(caller)
    mine = [f"many-{number}" for number in range(caller, ENVIRONMENTS, CALLERS)]
    for name in mine:
        client.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role=f"arn:aws:iam::{ACCOUNT}:role/unknown",
            Handler="app.handler",
            Code={"ZipFile": package(COUNTING)},
            Timeout=60,
        )
    counts = dict.fromkeys(mine, 0)
    lost = 0
    last = ""
    for name in [*mine, *draw.choices(mine, k=INVOKES // CALLERS)]:
        if name == last:
            continue  # its environment may not be idle yet, and a second one would take another function's room
        last = name
        counts[name] += 1
        answer = client.invoke(FunctionName=name, Payload=json.dumps(name))
        lost += json.loads(answer["Payload"].read()) != [name, counts[name], name]
    return lost
