"""100 MB of log through the whole platform: sandbox, log service, journal.

AWS: CloudWatch Logs takes what a function writes; what this platform cannot hold it drops, and says so in the stream.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.functions import create_function
from tests.memory import Peak
from tests.platform import RunningPlatform, running
from tests.security.hostile.tables import PATIENCE_S, await_same, one_environment, settled

ACCOUNT = "000000000000"
LINES = 100_000
FLOOD = """
import os

def handler(event, context):
    for number in range(event["lines"]):
        os.write(1, b"%08d " % number + b"x" * 1015 + b"\\n")
    return "written"
"""
GOOD = "def handler(event, context):\n    return event['n'] + 1\n"
ALLOWED_GROWTH_KIB = 128 * 1024


@pytest.fixture
def flooded() -> Iterator[RunningPlatform]:
    """A platform of its own: its memory is measured."""
    with running() as platform:
        yield platform


def test_a_flood_of_log_neither_grows_nor_stalls_the_platform(flooded: RunningPlatform) -> None:
    """The neighbour answers while it rises; memory is bounded; the end is there, and what is missing is told.

    Behind it the machine's tables are as they were.
    """
    create_function(flooded, ACCOUNT, "good", GOOD)
    client = flooded.client("lambda")
    client.invoke(FunctionName="good", Payload=b'{"n": 41}')
    tables = settled(flooded)
    create_function(flooded, ACCOUNT, "flood", FLOOD, Timeout=120, MemorySize=1769)
    client.invoke(FunctionName="flood", Payload=b'{"lines": 10}')
    peak = Peak(flooded.process.pid)
    with ThreadPoolExecutor(1) as pool:
        rising = pool.submit(client.invoke, FunctionName="flood", Payload=json.dumps({"lines": LINES}))
        answered = 0
        while not rising.done():
            answer = flooded.client("lambda").invoke(FunctionName="good", Payload=b'{"n": 41}')
            assert json.load(answer["Payload"]) == 42
            answered += 1
        assert json.load(rising.result()["Payload"]) == "written"
    assert answered > 0
    messages = log_of(flooded)
    end = time.monotonic() + PATIENCE_S
    while reports(messages) < 2 and time.monotonic() < end:  # as on AWS, the log is behind the answer
        messages = log_of(flooded)
    kept = [int(message[:8]) for message in messages if message[:8].isdigit()]
    assert kept[:10] == list(range(10))
    assert kept[10:] == sorted(set(kept[10:]))
    assert len(kept) == LINES + 10 or any("dropped" in message for message in messages)
    assert reports(messages) == 2, (len(kept), messages[-3:])
    assert peak.grown_kib() < ALLOWED_GROWTH_KIB
    client.delete_function(FunctionName="flood")
    one_environment(flooded, "good")
    await_same(flooded, tables)


def reports(messages: list[str]) -> int:
    return sum(message.startswith("REPORT ") for message in messages)


def log_of(platform: RunningPlatform) -> list[str]:
    """Everything in the function's log, in order."""
    pages = platform.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/flood")
    return [event["message"] for page in pages for event in page["events"]]
