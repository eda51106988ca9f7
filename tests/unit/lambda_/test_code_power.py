"""What `--durability power` adds to code: an unpacked package is on the device before its name says that it is whole.

A test cannot cut the power; it can see that the kernel was asked, for which file, and when.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import open_state
from tests.unit.lambda_.conftest import zip_of
from undercast.core.config import Durability
from undercast.services.lambda_.code import CodeStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="macOS syncs by fcntl; the order is the same code")


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_what_is_unpacked_is_synced_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    """`present` trusts the name of the folder, also behind a power cut."""
    done: list[str | int] = []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, partial(_noting, done, getattr(os, name)))
    rename = Path.rename

    def noting_rename(path: Path, target: Path) -> Path:
        done.append("named")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", noting_rename)
    async with open_state(tmp_path, FakeClock(), durability=durability) as state:
        code = CodeStore(tmp_path / "code", state.blobs, CountingIds())
        package = await code.accept(zip_of({"app.py": "x = 1", "lib/deep/data": "y"}))
        await state.database.write(lambda tx: state.blobs.acquire(tx, package.draft))
        done.clear()
        await code.unpack(package.draft.id)
        folder = code.folder(package.draft.id)
        inodes = [(folder / name).stat().st_ino for name in ("app.py", "lib/deep/data", "lib/deep", "lib", ".")]
    before, behind = done[: done.index("named")], done[done.index("named") + 1 :]
    if durability == "process":
        assert (before, behind) == ([], [])
    else:
        assert set(inodes) <= set(before)
        assert (tmp_path / "code").stat().st_ino in behind


def _noting(done: list[str | int], real: Callable[[int], None], descriptor: int) -> None:
    done.append(os.fstat(descriptor).st_ino)
    real(descriptor)
