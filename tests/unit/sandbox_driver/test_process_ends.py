"""The end of a sandbox of the process driver.

AWS: none.
"""

import asyncio
from pathlib import Path

from undercast.sandbox.driver import SandboxSpec
from undercast.sandbox.drivers.guard import Guard
from undercast.sandbox.drivers.process import ProcessSandbox


async def test_a_sandbox_that_is_destroyed_twice_ends_once(tmp_path: Path) -> None:
    """A stop comes while the reaper's work is under way: both wait for one end, also where the first caller is gone."""
    sandbox = ProcessSandbox(SandboxSpec(environment_id="e", code_dir=tmp_path), tmp_path / "e", Guard())
    sandbox.open()
    first = asyncio.ensure_future(sandbox.destroy())
    await asyncio.sleep(0)  # it has begun
    second = asyncio.ensure_future(sandbox.destroy())
    await asyncio.sleep(0)
    first.cancel()
    await second
    await sandbox.destroy()
    assert (sandbox.emptied, sandbox.died.done(), (tmp_path / "e").exists()) == (1, True, False)
