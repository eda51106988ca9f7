"""What `--durability power` adds: nothing is acknowledged before the device has been told to keep it.

A test cannot cut the power; it can see that the kernel was asked, for which file, and when.
"""

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.state import open_state
from undercast.store.database import Tx

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="macOS syncs by fcntl; the order is the same code")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Inodes in the order in which fsync or fdatasync was asked for them."""
    inodes: list[int] = []
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)

        def record(descriptor: int, real: object = real) -> None:
            inodes.append(os.fstat(descriptor).st_ino)
            assert callable(real)
            real(descriptor)

        monkeypatch.setattr(os, name, record)
    yield inodes


def _insert(number: int, tx: Tx) -> None:
    tx.execute("INSERT INTO t VALUES (?)", (number,))


async def test_a_write_is_synced_before_it_returns(tmp_path: Path, synced: list[int]) -> None:
    """The log of the commit; a second write asks again."""
    async with open_state(
        tmp_path, FakeClock(), durability="power", schemas={"t": ("CREATE TABLE t (n INTEGER)",)}
    ) as state:
        log = (tmp_path / "state.db-wal").stat().st_ino
        for number in range(2):
            synced.clear()
            await state.database.write(partial(_insert, number))
            assert log in synced


async def test_a_blob_is_synced_before_the_commit_that_refers_to_it(tmp_path: Path, synced: list[int]) -> None:
    """The file's bytes, the folder that names it, then the log."""
    async with open_state(tmp_path, FakeClock(), durability="power") as state:
        log = (tmp_path / "state.db-wal").stat().st_ino
        synced.clear()
        draft = await state.blobs.put(os.urandom(200_000))
        await state.database.write(lambda tx: state.blobs.acquire(tx, draft))
        path = state.blobs.path_of(draft.id)
        order = [synced.index(path.stat().st_ino), synced.index(path.parent.stat().st_ino), synced.index(log)]
        assert order == sorted(order)


async def test_a_blob_that_process_durability_left_unsynced_is_synced_when_it_is_put_again(
    tmp_path: Path, synced: list[int]
) -> None:
    """The platform was started anew, and the kernel may still have the content in memory only."""
    content = os.urandom(200_000)
    async with open_state(tmp_path, FakeClock()) as state:
        draft = await state.blobs.put(content)
        await state.database.write(lambda tx: state.blobs.acquire(tx, draft))
    async with open_state(tmp_path, FakeClock(), durability="power") as state:
        synced.clear()
        again = await state.blobs.put(content)
        assert state.blobs.path_of(again.id).stat().st_ino in synced


async def test_the_names_of_new_files_are_on_the_disk_before_anything_is_acknowledged(
    tmp_path: Path, synced: list[int]
) -> None:
    """fsync(2): a file's own sync does not keep the folder's entry of it. The log is made when the folder is opened."""
    async with open_state(tmp_path, FakeClock(), durability="power"):
        assert tmp_path.stat().st_ino in synced


async def test_process_durability_waits_for_no_device(tmp_path: Path, synced: list[int]) -> None:
    """The default survives SIGKILL, not a power cut, and is thirty times faster."""
    async with open_state(tmp_path, FakeClock(), schemas={"t": ("CREATE TABLE t (n INTEGER)",)}) as state:
        synced.clear()
        await state.database.write(lambda tx: tx.execute("INSERT INTO t VALUES (1)"))
        assert synced == []
