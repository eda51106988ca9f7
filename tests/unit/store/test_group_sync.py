"""Group commit: SQLite's synchronous=FULL costs one fsync per commit; ours one for all that wait."""

import asyncio
import os
from pathlib import Path

import pytest

from undercast.store.group_sync import GroupSync


async def test_commits_that_wait_together_share_a_sync(tmp_path: Path) -> None:
    """The first starts a sync, all that come while it runs share the next one."""
    sync = GroupSync(tmp_path / "wal")

    async def commit() -> None:
        sync.note()
        await sync.wait()

    await asyncio.gather(*(commit() for _ in range(100)))
    assert sync.syncs == 1 or sync.syncs == 2
    sync.close()


async def test_wait_without_a_new_commit_costs_nothing(tmp_path: Path) -> None:
    """Everything noted is on the disk already."""
    sync = GroupSync(tmp_path / "wal")
    sync.note()
    await sync.wait()
    await sync.wait()
    assert sync.syncs == 1
    sync.close()


async def test_a_sync_that_failed_is_final(tmp_path: Path) -> None:
    """The kernel tells a lost page once; the next fsync of the same log would acknowledge what rests on it."""
    sync = GroupSync(tmp_path / "wal")
    good, (out, into) = sync._descriptor, os.pipe()
    sync._descriptor = out  # fsync of a pipe is EINVAL
    sync.note()
    with pytest.raises(OSError, match="Invalid argument"):
        await sync.wait()
    sync._descriptor = good
    sync.note()
    for _ in range(2):
        with pytest.raises(OSError, match="start again"):
            await sync.wait()
    assert sync.syncs == 0
    sync.close()
    os.close(out)
    os.close(into)
