"""Provisioned environments in real sandboxes, on both drivers."""

import asyncio

from tests.e2e.sandbox.conftest import Stage
from undercast.sandbox.provision import INIT_FAILURE, Provisioned

SOURCE = """
import os, time
BORN = time.time()
def handler(event, context):
    return [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], BORN, time.time()]
"""


async def test_init_is_over_before_the_first_event(stage: Stage) -> None:
    """The module ran when concurrency was provisioned, not when the event came; the REPORT line has no INIT."""
    function = stage.function(SOURCE, version="1")
    stage.pool.provision(function, 1)
    async with asyncio.timeout(30):
        while not stage.pool.provisioned(function).ready:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    kind, born, now = await stage.value(function)
    assert kind == "provisioned-concurrency"
    assert now - born > 0.25
    async with asyncio.timeout(5):
        while not (reports := [line for line in stage.log.messages if line.startswith("REPORT")]):
            await asyncio.sleep(0.01)
    assert "Init Duration" not in reports[0]
    stage.pool.provision(function, 0)
    async with asyncio.timeout(10):
        while stage.pool.status()["environments"]:
            await asyncio.sleep(0.01)
    assert (await stage.value(function))[0] == "on-demand"


async def test_code_that_cannot_be_loaded_is_no_provisioned_concurrency(stage: Stage) -> None:
    """FUNCTION_ERROR_INIT_FAILURE, and nothing stays behind."""
    function = stage.function("raise RuntimeError('no')\n", version="1")
    stage.pool.provision(function, 1)
    async with asyncio.timeout(30):
        while stage.pool.provisioned(function) != Provisioned(failure=INIT_FAILURE):
            await asyncio.sleep(0.01)
        while stage.pool.status()["environments"]:
            await asyncio.sleep(0.01)
