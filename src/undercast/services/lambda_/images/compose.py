"""The root file system of an image: the files of its layers, linked into one folder.

Hard links: a file that ten images have is on the disk once, and the folder needs no overlay file system. Nobody writes
to it: sandboxes see it read-only. Blocking.
Sources: OCI image-spec 1.1, layer.md ("Applying Changesets"): an upper entry takes a lower one's place, folders merge.
"""

import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from undercast.sandbox.rootfs import PLACES
from undercast.services.lambda_.images.unpack import MAX_ENTRIES, MAX_IMAGE_BYTES, TREE, Index, too_large
from undercast.store.files import name_tree


@dataclass(slots=True)
class _Folder:
    mode: int = 0o755
    entries: "dict[str, _Folder | str]" = field(default_factory=dict)
    """A file or link is the path of what it is linked to."""


def compose(layers: Iterable[Path], scratch: Path, destination: Path, *, synced: bool = False) -> None:
    """Make the root; what has the destination's name is whole; where it is `synced`, also behind a power cut.

    Raises InvalidImage.
    """
    folders = tuple(layers)
    indexes = [Index.read(folder) for folder in folders]
    if (
        sum(index.size_bytes for index in indexes) > MAX_IMAGE_BYTES
        or sum(index.entries for index in indexes) > MAX_ENTRIES
    ):
        raise too_large()
    root = _Folder()
    for folder, index in zip(folders, indexes, strict=True):
        for path in index.opaque:
            _hide(root, path)
        for path in index.whiteouts:
            _drop(root, path)
        _merge(root, str(folder / TREE))
    for path, kind in PLACES:
        _make_place(root, path, kind)
    try:
        _write(root, str(scratch))
        # The layers' files are on the device since these have their names; only what is made here is not.
        name_tree(scratch, destination, synced=synced, linked=False)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _hide(root: _Folder, path: str) -> None:
    found = _find(root, [part for part in path.split("/") if part])
    if found is not None:
        found.entries.clear()


def _drop(root: _Folder, path: str) -> None:
    *parents, name = path.split("/")
    found = _find(root, parents)
    if found is not None:
        found.entries.pop(name, None)


def _find(root: _Folder, parts: list[str]) -> _Folder | None:
    """Folders only: a link of a lower layer is not followed."""
    here = root
    for part in parts:
        below = here.entries.get(part)
        if not isinstance(below, _Folder):
            return None
        here = below
    return here


def _merge(target: _Folder, folder: str) -> None:
    with os.scandir(folder) as listing:
        for entry in listing:
            if not entry.is_dir(follow_symlinks=False):
                target.entries[entry.name] = entry.path
                continue
            below = target.entries.get(entry.name)
            if not isinstance(below, _Folder):
                below = target.entries[entry.name] = _Folder()
            below.mode = entry.stat(follow_symlinks=False).st_mode & 0o777
            _merge(below, entry.path)


def _make_place(root: _Folder, path: str, kind: str) -> None:
    """Folders on the way that are links give way: what is mounted there may not end up elsewhere."""
    *parents, name = path.strip("/").split("/")
    here = root
    for part in parents:
        below = here.entries.get(part)
        if not isinstance(below, _Folder):
            below = here.entries[part] = _Folder()
        here = below
    here.entries[name] = _Folder() if kind == "folder" else ""


def _write(folder: _Folder, path: str) -> None:
    Path(path).mkdir()
    for name, entry in folder.entries.items():
        target = f"{path}/{name}"
        if isinstance(entry, _Folder):
            _write(entry, target)
        elif entry:
            _link(entry, target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
    Path(path).chmod(folder.mode)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EMLINK:
            raise
        shutil.copy2(source, target, follow_symlinks=False)
