"""The data folder belongs to one process, and to programs that know its layout."""

import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from undercast.store.errors import FolderInUse, NewerData, StoreError
from undercast.store.folder import LAYOUT, DataFolder, address_of, holder

HOLD = """
import sys, time
from pathlib import Path
from undercast.store.folder import DataFolder
folder = DataFolder(Path(sys.argv[1]))
folder.lock()
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_command_that_looks_for_a_platform_keeps_none_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`holder` shares the lock for a moment; here that moment ends while the start waits."""
    looking = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("undercast.store.folder.time.sleep", lambda _: os.close(looking))
    folder = DataFolder(tmp_path)
    folder.lock()
    assert holder(tmp_path) == os.getpid()
    folder.unlock()


def test_second_process_is_refused_and_told_whom_to_stop(tmp_path: Path) -> None:
    """The text names the pid and the ways out; after SIGKILL the folder is free."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        assert holder(tmp_path) == process.pid
        with pytest.raises(FolderInUse, match=rf"pid {process.pid}\. Stop it .*--data DIR"):
            DataFolder(tmp_path).lock()
        process.kill()
        process.wait(20)
    folder = DataFolder(tmp_path)
    folder.lock()
    assert holder(tmp_path) == os.getpid()
    folder.unlock()
    assert holder(tmp_path) is None


def test_lock_lays_the_folder_out_for_its_owner_alone(tmp_path: Path) -> None:
    """Credentials and private keys are in there."""
    folder = DataFolder(tmp_path / "new" / "data")
    folder.lock()
    assert folder.path.stat().st_mode & 0o077 == 0
    assert all(path.is_dir() for path in (folder.blobs, folder.code, folder.ca, folder.run))
    folder.unlock()


def test_secrets_are_private_in_a_folder_that_others_may_enter(tmp_path: Path) -> None:
    """Keys and environment variables are rows; a folder made by mkdir is 0755, and its files once were 0644."""
    tmp_path.chmod(0o755)
    for name in ("state.db", "journal.db-wal"):
        (tmp_path / name).touch(mode=0o644)
    (tmp_path / "blobs").mkdir(mode=0o755)
    folder = DataFolder(tmp_path)
    folder.lock()
    for path in (folder.state_db, folder.journal_db):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE t (x)")
            modes = {found.name: found.stat().st_mode & 0o077 for found in tmp_path.glob(path.name + "*")}
            assert modes == {path.name + end: 0 for end in ("", "-wal", "-shm")}
    assert folder.requests_log.stat().st_mode & 0o077 == folder.blobs.stat().st_mode & 0o077 == 0
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    folder.unlock()


def test_newer_layout_is_refused(tmp_path: Path) -> None:
    """An older program says what it found and what to do, and takes no lock."""
    (tmp_path / "layout").write_text(f"{LAYOUT + 1}\n")
    with pytest.raises(NewerData, match=f"has layout {LAYOUT + 1}; this program knows {LAYOUT}"):
        DataFolder(tmp_path).lock()
    assert holder(tmp_path) is None


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"Cannot use .*file.*--data"):
        DataFolder(tmp_path / "file" / "data").lock()


def test_a_start_leaves_the_folder_of_another_one_that_is_just_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the moments when it makes its lock and takes it; one that is left like that goes later."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    starting = DataFolder.temporary()
    (starting.path / "lock").touch()
    second = DataFolder.temporary()
    assert starting.path.is_dir()
    starting.lock()
    starting.unlock()
    left = DataFolder.temporary()
    (left.path / "lock").touch()
    os.utime(left.path, (1, 1))
    third = DataFolder.temporary()
    assert set(tmp_path.iterdir()) == {second.path, third.path}


def test_temporary_folder_is_gone_after_unlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--ephemeral; a folder that a killed platform left goes with the next start, one in use stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    used, killed = DataFolder.temporary(), DataFolder.temporary()
    used.lock()
    killed.lock()
    killed_lock, killed._lock = killed._lock, None  # its process is gone, its files are not
    assert killed_lock is not None
    os.close(killed_lock)
    next_one = DataFolder.temporary()
    next_one.lock()
    assert set(tmp_path.iterdir()) == {used.path, next_one.path}
    next_one.unlock()
    used.unlock()
    assert list(tmp_path.iterdir()) == []


def test_a_start_takes_away_the_address_of_a_killed_platform(tmp_path: Path) -> None:
    """From the moment that the new one holds the folder the old address would be believed."""
    folder = DataFolder(tmp_path / "data")
    folder.lock()
    folder.address.write_text("http://localhost:1\n")
    assert address_of(folder.path) == "http://localhost:1"
    killed = folder.address.read_text()
    folder.unlock()
    folder.address.write_text(killed)
    assert address_of(folder.path) is None
    folder.lock()
    assert (address_of(folder.path), folder.address.exists()) == (None, False)
    folder.unlock()
