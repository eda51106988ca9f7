"""One platform for hostile functions, with a neighbour; after each test it holds of the machine what it held before."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.functions import create_function, package
from tests.machine import lacking
from tests.platform import RunningPlatform, running
from tests.security.hostile.tables import Tables, await_same, one_environment, settled

ACCOUNT = "000000000000"
GOOD = """
import os

def handler(event, context):
    if event == "keys":
        return [os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]
    return event["n"] + 1
"""
SECRET = "the neighbour's secret"


def call(platform: RunningPlatform, name: str, event: Any) -> tuple[Any, str | None]:
    """The parsed payload and the FunctionError header."""
    answer = platform.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.load(answer["Payload"]), answer.get("FunctionError")


@pytest.fixture(scope="session")
def shared() -> Iterator[tuple[RunningPlatform, Tables]]:
    """A platform of these tests' own, with a neighbour that holds a secret, and its tables."""
    with running() as platform:
        if platform.driver != "namespace":
            lacking("isolation is the namespace driver's; this machine has only the process driver")
        create_function(platform, ACCOUNT, "good", GOOD, Environment={"Variables": {"SECRET": SECRET}})
        _keep_a_plain_spare(platform)
        for _ in range(2):
            call(platform, "good", {"n": 1})  # zygote, spare disks and caches are the platform's own
        yield platform, settled(platform)


def _keep_a_plain_spare(platform: RunningPlatform) -> None:
    """The platform keeps spare sandboxes of the last kinds that were deployed; a program of its own is one of them."""
    client = platform.client("lambda")
    client.create_function(
        FunctionName="plain",
        Runtime="provided.al2023",
        Handler="h",
        Role=f"arn:aws:iam::{ACCOUNT}:role/unknown",
        Code={"ZipFile": package("")},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="plain")
    client.delete_function(FunctionName="plain")


@pytest.fixture
def hostile(shared: tuple[RunningPlatform, Tables]) -> Iterator[RunningPlatform]:
    """The platform. Behind the test the neighbour answers, every other function goes, and nothing of them is left."""
    platform, before = shared
    yield platform
    assert call(platform, "good", {"n": 41}) == (42, None)
    client = platform.client("lambda")
    for function in client.list_functions()["Functions"]:
        if function["FunctionName"] != "good":
            client.delete_function(FunctionName=function["FunctionName"])
    one_environment(platform, "good")
    await_same(platform, before)
