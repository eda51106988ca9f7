"""What `--durability power` adds to code: packages and images are on the device before a name says that they are whole.

A test cannot cut the power; it can see that the kernel was asked, for which file, and when.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.fakes import CountingIds, FakeClock
from tests.images import TestImage
from tests.state import State, open_state
from tests.unit.lambda_.conftest import zip_of
from undercast.core.config import Durability
from undercast.services.lambda_.code import CodeStore
from undercast.services.lambda_.images.library import Images, Shelf
from undercast.services.lambda_.images.use import ImageUse
from undercast.services.lambda_.schema import SCHEMA

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="macOS syncs by fcntl; the order is the same code")

IMAGE = TestImage(
    layers=[
        images.layer(images.entry("usr/bin/run", b"x" * 5000, mode=0o755), images.entry(".wh.gone")),
        images.files({"app/main": b"y"}),
    ],
    process={"Cmd": ["/app/main"]},
)
Done = list[Path | int]
"""The final name of what was renamed, the inode of what was synced."""


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Done:
    """What the kernel is asked for, in order."""
    noted: Done = []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, partial(_noting, noted, getattr(os, name)))
    rename = Path.rename

    def noting_rename(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        noted.append(target)
        return renamed

    monkeypatch.setattr(Path, "rename", noting_rename)
    return noted


def _noting(done: Done, real: Callable[[int], None], descriptor: int) -> None:
    done.append(os.fstat(descriptor).st_ino)
    real(descriptor)


def inode(path: Path) -> int:
    """The number that a file or folder is known by."""
    return path.stat().st_ino


def inodes(root: Path) -> set[int]:
    """Those of a folder and of all that is in it."""
    return {inode(path) for path in (root, *root.rglob("*"))}


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_what_is_unpacked_is_synced_before_it_has_its_name(
    tmp_path: Path, done: Done, durability: Durability
) -> None:
    """`present` trusts the name of the folder, also behind a power cut."""
    async with open_state(tmp_path, FakeClock(), durability=durability) as state:
        code = CodeStore(tmp_path / "code", state.blobs, CountingIds())
        package = await code.accept(zip_of({"app.py": "x = 1", "lib/deep/data": "y"}))
        await state.database.write(lambda tx: state.blobs.acquire(tx, package.draft))
        done.clear()
        await code.unpack(package.draft.id)
        folder = code.folder(package.draft.id)
    at = done.index(folder)
    if durability == "process":
        assert done == [folder]
    else:
        assert inodes(folder) <= set(done[:at])
        assert inode(tmp_path / "code") in done[at:]


def library(state: State, folder: Path) -> Images:
    """Images beside code, as a platform has them."""
    shelf: dict[str, Any] = {
        "blobs": state.blobs,
        "database": state.database,
        "clock": FakeClock(),
        "ids": CountingIds(),
    }
    code = CodeStore(folder / "code", state.blobs, CountingIds())
    return Images(Shelf(folder=folder / "images", root=None, loopback=True, code=code, **shelf))


def layers(folder: Path, image: TestImage = IMAGE) -> Iterator[Path]:
    """Where an image's layers are."""
    return (folder / "images" / images.sha256(layer) for layer in image.layers)


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_an_image_is_synced_before_it_has_its_name_and_is_acknowledged(
    tmp_path: Path, done: Done, durability: Durability
) -> None:
    """Layers before their names, these before the row: `undercast images load` is the last that has the archive."""
    archive = images.write_archive(tmp_path / "a.tar", images.layout_files(IMAGE))
    async with open_state(tmp_path, FakeClock(), durability=durability, schemas={"lambda": SCHEMA}) as state:
        kept = library(state, tmp_path)
        done.clear()
        image = await kept.load("app:1", archive, images.HERE)
        loaded = done.copy()
        await kept.prepare(ImageUse(uri="app:1", resolved_uri="app:1", image=image))
        kept.close()
        root = tmp_path / "code" / image.digest
        if durability == "process":
            assert done == [*layers(tmp_path), root]
            return
        for layer in layers(tmp_path):
            assert inodes(layer) <= set(loaded[: loaded.index(layer)])
        named = loaded.index(list(layers(tmp_path))[-1])
        row = len(loaded) - 1
        assert loaded[row] == inode(tmp_path / "state.db-wal")
        assert {inode(tmp_path / "images"), inode(tmp_path)} <= set(loaded[named:row])
        at = done.index(root)
        assert inodes(root) <= set(done[:at])
        assert inode(tmp_path / "code") in done[at:]
        files = {inode(path) for layer in layers(tmp_path) for path in layer.rglob("*") if path.is_file()}
        assert not files & set(done[len(loaded) :])  # once is enough


async def test_a_layer_that_is_there_already_has_a_name_on_the_device_before_an_image_with_it_is_acknowledged(
    tmp_path: Path, done: Done
) -> None:
    """Another image may have renamed it a moment ago."""
    async with open_state(tmp_path, FakeClock(), durability="power", schemas={"lambda": SCHEMA}) as state:
        kept = library(state, tmp_path)
        archive = images.write_archive(tmp_path / "a.tar", images.layout_files(IMAGE))
        await kept.load("app:1", archive, images.HERE)
        done.clear()
        await kept.load("app:2", archive, images.HERE)
        kept.close()
        row = len(done) - 1
        assert done[row] == inode(tmp_path / "state.db-wal")
        assert inode(tmp_path / "images") in done[:row]


async def test_files_of_a_root_that_are_copies_are_synced(
    tmp_path: Path, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with as many names as its file system gives is copied: nobody has synced that one."""
    archive = images.write_archive(tmp_path / "a.tar", images.layout_files(IMAGE))
    async with open_state(tmp_path, FakeClock(), durability="power", schemas={"lambda": SCHEMA}) as state:
        kept = library(state, tmp_path)
        image = await kept.load("app:1", archive, images.HERE)

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.EMLINK, "Too many links")

        monkeypatch.setattr(os, "link", full)
        await kept.prepare(ImageUse(uri="app:1", resolved_uri="app:1", image=image))
        kept.close()
        root = tmp_path / "code" / image.digest
        assert inodes(root) <= set(done[: done.index(root)])


async def test_modes_are_synced_too(tmp_path: Path, done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    """fdatasync(2) leaves out what reading the data does not need: a program without its mode does not start."""
    data: Done = []
    monkeypatch.setattr(os, "fdatasync", partial(_noting, data, os.fdatasync))
    archive = images.write_archive(tmp_path / "a.tar", images.layout_files(IMAGE))
    async with open_state(tmp_path, FakeClock(), durability="power", schemas={"lambda": SCHEMA}) as state:
        kept = library(state, tmp_path)
        await kept.load("app:1", archive, images.HERE)
        kept.close()
        assert not any(inodes(layer) & set(data) for layer in layers(tmp_path))


async def test_an_image_without_layers_is_loaded(tmp_path: Path) -> None:
    """There is no folder of layers to sync."""
    bare = TestImage(layers=[], process={"Cmd": ["/x"]})
    archive = images.write_archive(tmp_path / "a.tar", images.layout_files(bare))
    async with open_state(tmp_path, FakeClock(), durability="power", schemas={"lambda": SCHEMA}) as state:
        kept = library(state, tmp_path)
        assert (await kept.load("app:1", archive, images.HERE)).digest == bare.digest
        kept.close()
