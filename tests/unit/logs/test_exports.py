"""Export tasks that meet what nobody expected. AWS: CloudWatch Logs API Reference, ExportTaskStatus."""

import asyncio
import sqlite3
from typing import Any

import pytest

from tests.unit.logs.conftest import SCOPE, World
from undercast.core import recurring
from undercast.services.logs import exports, store
from undercast.services.logs.exports import ExportTask


async def test_whatever_happens_a_task_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAILED with why, once the store takes it; no task is active then, and the next start has none to take up."""
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    def broken(*_: object) -> Any:
        raise OSError("Input/output error")

    monkeypatch.setattr(recurring, "rest", rest)
    monkeypatch.setattr(store, "stream_keys", broken)
    task = ExportTask(
        scope=SCOPE, id="t", name="", group="g", stream_prefix="", from_ms=0, to_ms=1, bucket="b", prefix="p",
        created_ms=0,
    )  # fmt: skip
    database = world.logs.database
    await database.write(lambda tx: exports.add_task(tx, task))
    set_status, refusals = exports.set_status, 2

    def refusing(tx: Any, changed: ExportTask) -> None:
        nonlocal refusals
        if changed.status != "RUNNING" and refusals:
            refusals -= 1
            raise sqlite3.OperationalError("database or disk is full")
        set_status(tx, changed)

    monkeypatch.setattr(exports, "set_status", refusing)
    world.logs.exports.run(task)
    (running,) = world.logs.exports._running.values()
    await asyncio.wait_for(asyncio.shield(running), 10)
    (found,) = database.read_now(lambda tx: exports.tasks(tx, SCOPE))
    assert (found.status, found.message) == ("FAILED", "An internal error occurred: OSError('Input/output error')")
    assert rests == [1, 2]
    assert database.read_now(exports.active_tasks) == []
