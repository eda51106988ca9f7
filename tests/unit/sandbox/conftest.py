"""Pools on the fake driver, stopped at the end of each test, which then leave nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.fakes_sandbox import Bench, Script, bench
from undercast.sandbox.admission import Limits
from undercast.sandbox.model import TraceSink
from undercast.sandbox.runtimes.plan import RuntimePlan

StartBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[StartBench]:
    """`await start(script, ...)` gives a running pool."""
    benches: list[Bench] = []

    async def begin(
        *scripts: Script,
        limits: Limits | None = None,
        idle_timeout_s: float = 600.0,
        plan: RuntimePlan | None = None,
        traces: TraceSink | None = None,
    ) -> Bench:
        made = bench(tmp_path, *scripts, limits=limits, idle_timeout_s=idle_timeout_s, plan=plan, traces=traces)
        await made.pool.start()
        benches.append(made)
        return made

    yield begin
    for made in benches:
        await made.pool.stop()
        assert set() == made.driver.alive
        assert set() == made.door.served
        assert made.causes.phases[-1:] == ([None] if made.driver.sandboxes else [])
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task for task in others if "fixture" not in repr(task)] == []
