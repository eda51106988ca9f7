"""The end of a sandbox of the process driver.

AWS: none.
"""

import asyncio
from pathlib import Path

import pytest

from tests.security.conftest import close_pipes
from undercast.sandbox.driver import ProcessSpec, SandboxSpec
from undercast.sandbox.drivers import process
from undercast.sandbox.drivers.guard import Guard
from undercast.sandbox.drivers.process import ProcessDriver, ProcessSandbox


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


async def test_a_sandbox_that_does_not_end_keeps_a_stop_from_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its process outlived SIGKILL: the others have ended when the stop is over, guard and folder are gone."""
    monkeypatch.setattr(process, "_GONE_LIMIT_S", 0.0)
    driver = ProcessDriver(tmp_path)
    await driver.start()
    stuck, other = [await driver.create(SandboxSpec(environment_id=name, code_dir=tmp_path)) for name in "ab"]
    started = await stuck.spawn(ProcessSpec(argv=("/bin/sleep", "600"), environment={}, cwd=str(tmp_path)))
    exited, started.exited = started.exited, asyncio.get_running_loop().create_future()
    guard = driver._guard._process
    assert guard is not None
    await driver.stop()
    assert "the next start sweeps what is left: processes outlived SIGKILL" in caplog.text
    assert (other.died.done(), guard.returncode is not None, (tmp_path / "process").exists()) == (True, True, False)
    await exited
    started.exited = exited
    await stuck.destroy()
    close_pipes(started)
