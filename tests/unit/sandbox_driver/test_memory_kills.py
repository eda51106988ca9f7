"""Memory beyond its limit where no cgroup counts it: one breach is counted once, however often it is seen."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from undercast.sandbox.driver import SandboxSpec
from undercast.sandbox.drivers.guard import Guard
from undercast.sandbox.drivers.namespace_sandbox import NamespaceSandbox
from undercast.sandbox.drivers.process import ProcessSandbox
from undercast.sandbox.limits import Cgroups
from undercast.sandbox.polling import Seen

OVER, FINE = Seen({}, over=True), Seen({}, over=False)


@pytest.fixture(params=["namespace", "process"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[NamespaceSandbox | ProcessSandbox]:
    """One of each driver, without a process in it."""
    if request.param == "process":
        plain = ProcessSandbox(SandboxSpec(environment_id="e", code_dir=tmp_path), tmp_path / "e", Guard())
        yield plain
        await plain.destroy()
        return
    made = NamespaceSandbox(1, Cgroups().make("e"), lambda _: None)
    yield made
    for link in (made._link, made._runner):
        link.theirs.close()
    await made.destroy()


async def test_a_breach_that_is_seen_again_while_it_is_ended_is_one(
    sandbox: NamespaceSandbox | ProcessSandbox,
) -> None:
    """A look may be under way when everything is killed. A later SIGKILL of another cause is none of memory's."""
    told = asyncio.Queue[None]()
    sandbox.on_oom(lambda: told.put_nowait(None))
    for seen in (FINE, OVER, OVER, FINE, OVER):
        sandbox.judge(seen)
    assert (sandbox.memory().oom_kills, told.qsize()) == (1, 1)


async def test_a_breach_of_the_next_processes_is_another(sandbox: NamespaceSandbox | ProcessSandbox) -> None:
    """They began when nothing was left of those before."""
    sandbox.judge(OVER)
    sandbox.emptied += 1
    sandbox.judge(OVER)
    assert sandbox.memory().oom_kills == 2
