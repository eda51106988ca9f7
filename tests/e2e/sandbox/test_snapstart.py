"""SnapStart with AWS's own runtime client, and where nothing can be copied: on both drivers, in real sandboxes."""

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.e2e.sandbox.conftest import Stage
from tests.security.tables import launchers
from undercast.sandbox.launcher import tracing

SOURCE = """
import os, random, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot
TOKEN = uuid.uuid4().hex
HOOKS = []
register_before_snapshot(HOOKS.append, "before")
register_after_restore(HOOKS.append, "after")
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return [TOKEN, HOOKS, random.random(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


async def at_once(stage: Stage, function: Any, count: int) -> list[Any]:
    """Answers of environments that all run at the same time."""
    return await asyncio.gather(*(stage.value(function, b'{"sleep": 1.5}') for _ in range(count)))


async def test_aws_runtime_client_is_restored_or_initialised_ahead(stage: Stage) -> None:
    """awslambdaric runs the hooks and waits at restore/next; under the process driver each has an INIT of its own."""
    restores = stage.driver.name == "namespace" and os.uname().machine == tracing.MACHINE
    function = stage.function(SOURCE, version="1", snap_start=True, memory_mb=256, timeout_s=20)
    assert await stage.pool.snapshot(function) == ""
    found = await at_once(stage, function, 2)
    assert [answer[1] for answer in found] == [["before", "after"]] * 2
    assert len({answer[0] for answer in found}) == (1 if restores else 2)
    assert len({answer[2] for answer in found}) == 2
    assert {answer[3] for answer in found} == {"snap-start"}
    text = "".join(stage.log.messages)
    assert ("RESTORE_REPORT Restore Duration: " in text) is restores
    assert ("is initialised ahead instead of being restored" in text) is not restores


@pytest.mark.parametrize("driver_name", ["namespace"])
@pytest.mark.skipif(os.uname().machine != tracing.MACHINE, reason="snapshots are taken on x86-64 only")
async def test_a_version_without_a_snapshot_is_initialised_at_its_first_use(stage: Stage) -> None:
    """After a restart of the platform no image is left: the first invocation makes one, and is restored from it."""
    function = stage.function(SOURCE, version="1", snap_start=True, memory_mb=256, timeout_s=20)
    found = await at_once(stage, function, 2)
    assert len({answer[0] for answer in found}) == 1
    assert "".join(stage.log.messages).count("RESTORE_START") == 2


@pytest.mark.parametrize("driver_name", ["namespace"])
@pytest.mark.skipif(os.uname().machine != tracing.MACHINE, reason="snapshots are taken on x86-64 only")
async def test_an_environment_that_was_reset_is_initialised_again(stage: Stage) -> None:
    """A timeout kills the runtime, which starts by an INIT inside the next invocation."""
    function = stage.function(SOURCE, version="1", snap_start=True, memory_mb=256, timeout_s=3)
    first = await stage.value(function)
    assert (await stage.error(function, b'{"sleep": 30}'))["errorType"] == "Sandbox.Timedout"
    again = await stage.value(function)
    assert again[0] != first[0]
    assert again[1] == ["before", "after"]


@pytest.mark.parametrize("driver_name", ["namespace"])
@pytest.mark.skipif(os.uname().machine != tracing.MACHINE, reason="snapshots are taken on x86-64 only")
async def test_a_launcher_that_died_takes_its_snapshots_with_it(stage: Stage) -> None:
    """The address space of another launcher is another one: its environments need a snapshot of their own."""
    function = stage.function(SOURCE, version="1", snap_start=True, memory_mb=256, timeout_s=20)
    first = await stage.value(function)
    making = launchers(os.getpid())
    assert making
    for pid in making:
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while stage.pool.status()["environments"]:
            await asyncio.sleep(0.01)
    tokens: list[str] = []
    async with asyncio.timeout(30):
        while not tokens:
            result = await asyncio.gather(stage.value(function), return_exceptions=True)
            tokens += [answer[0] for answer in result if isinstance(answer, list)]
    assert tokens[0] != first[0]
