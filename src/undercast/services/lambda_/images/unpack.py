"""A layer on disk: its files in a folder of its own, and what it takes away from the layers below in an index.

Each path is built of folders that this unpacking has made, so that no link of the archive is ever followed. Devices and
pipes are left out: a sandbox could not open them. Blocking.
Sources: OCI image-spec 1.1, layer.md (whiteouts, opaque whiteouts, hard links).
"""

import errno
import json
import os
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from undercast.core.record import record
from undercast.services.lambda_.images.entries import BROKEN, Entry, Forward
from undercast.services.lambda_.images.faults import InvalidImage
from undercast.services.lambda_.images.manifest import Layer
from undercast.store.files import name_tree

MAX_IMAGE_BYTES = 10 * 1024**3
"""Lambda Developer Guide, "Lambda quotas": container image code package size, uncompressed."""
MAX_ENTRIES = 500_000
_MAX_DEPTH = 200
_HEADERS_BYTES = 1024 * MAX_ENTRIES
TREE, INDEX = "tree", "index.json"
_WHITEOUT, _OPAQUE, _METADATA = ".wh.", ".wh..wh..opq", ".wh..wh."
_PIECE_BYTES = 256 * 1024
_BLAME_THE_ARCHIVE = (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOENT, errno.EILSEQ)
"""ENOENT: a link to ""."""
_LATEST_TIME = 1 << 33


@record
class Index:
    """What a layer does besides its files."""

    whiteouts: tuple[str, ...]
    """Paths of the layers below that are gone."""
    opaque: tuple[str, ...]
    """Folders that hide what the layers below have in them."""
    size_bytes: int
    entries: int

    @classmethod
    def read(cls, layer: Path) -> "Index":
        """Of an unpacked layer."""
        row = json.loads((layer / INDEX).read_text())
        whiteouts, opaque = tuple(row["whiteouts"]), tuple(row["opaque"])
        return cls(whiteouts=whiteouts, opaque=opaque, size_bytes=row["size_bytes"], entries=row["entries"])


@dataclass(slots=True)
class Room:
    """What the layers of one image may still bring: each takes its part before it is written."""

    size_bytes: int = field(default_factory=lambda: MAX_IMAGE_BYTES)
    entries: int = field(default_factory=lambda: MAX_ENTRIES)

    def take(self, entries: int, size_bytes: int) -> None:
        """Raises InvalidImage where there is not as much."""
        self.entries -= entries
        self.size_bytes -= size_bytes
        if self.entries < 0 or self.size_bytes < 0:
            raise too_large()


@record
class Target:
    """Where a layer is made, and where it is once it is whole."""

    scratch: Path
    final: Path
    synced: bool = False
    """Whether it is to be whole behind a power cut, too."""


def unpack(source: IO[bytes], layer: Layer, target: Target, room: Room) -> None:
    """Make the layer's folder; what has its final name is whole, and has its digests. Raises InvalidImage."""
    scratch = target.scratch
    (scratch / TREE).mkdir(parents=True)
    try:
        stream = Forward(source, compression=layer.compression, limit_bytes=room.size_bytes + _HEADERS_BYTES)
        unpacking = _Unpacking(root=scratch / TREE, room=room)
        try:
            _take_all(stream, unpacking)
        except BROKEN as error:
            raise InvalidImage(f"a layer is not a tar archive: {str(error)[:200]}") from error
        except OSError as error:
            if error.errno not in _BLAME_THE_ARCHIVE:
                raise
            raise InvalidImage(f"a layer has a path or link that no file system takes: {error.strerror}") from error
        if stream.digests != (layer.digest, layer.diff_id):
            raise InvalidImage(f"the layer sha256:{layer.digest} does not have its digest, or not that of the config")
        (scratch / INDEX).write_text(json.dumps(unpacking.index()))
        _name(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _name(target: Target) -> None:
    try:
        name_tree(target.scratch, target.final, synced=target.synced)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        # Another image has this layer, too, and was faster; by its name it is the same.


def _take_all(stream: Forward, unpacking: "_Unpacking") -> None:
    file = cast(IO[bytes], stream)
    with tarfile.open(
        fileobj=file, mode="r:", tarinfo=Entry, encoding="utf-8", errors="surrogateescape"
    ) as archive:  # fmt: skip
        while (entry := archive.next()) is not None:
            unpacking.take(archive, entry)
            cast(Any, archive).members.clear()  # it would remember them all
    stream.drain()


@dataclass(slots=True, kw_only=True)
class _Unpacking:
    """One layer while it is read."""

    root: Path
    room: Room
    folders: set[str] = field(default_factory=lambda: {""})
    """Made here, so that they are folders and no links."""
    others: set[str] = field(default_factory=set)
    """Files and links made here."""
    whiteouts: list[str] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)
    size_bytes: int = 0
    entries: int = 0

    def index(self) -> dict[str, Any]:
        """See `Index`."""
        sizes = {"size_bytes": self.size_bytes, "entries": self.entries}
        return {"whiteouts": self.whiteouts, "opaque": self.opaque, **sizes}

    def take(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        """Put one entry where it belongs."""
        parts = _parts(entry.name)
        self._count(1)
        if not parts:
            return
        folder, name = "/".join(parts[:-1]), parts[-1]
        if name.startswith(_WHITEOUT):
            self._take_away(folder, name)
            return
        self._make_folders(parts[:-1])
        path = "/".join(parts)
        if entry.isdir():
            self._make_folders(parts)
            (self.root / path).chmod(entry.mode & 0o777 | 0o700)
        elif entry.isreg():
            self._file(archive, entry, path)
        elif entry.issym():
            self._clear(path)
            (self.root / path).symlink_to(entry.linkname)
            self.others.add(path)
        elif entry.islnk():
            self._hard_link(entry, path)

    def _count(self, entries: int, size_bytes: int = 0) -> None:
        self.entries += entries
        self.size_bytes += size_bytes
        self.room.take(entries, size_bytes)

    def _take_away(self, folder: str, name: str) -> None:
        if name == _OPAQUE:
            self.opaque.append(folder)
        elif not name.startswith(_METADATA):
            gone = name.removeprefix(_WHITEOUT)
            if gone in ("", ".", ".."):
                raise InvalidImage(f"a layer takes away {gone!r}")
            self.whiteouts.append(f"{folder}/{gone}" if folder else gone)

    def _make_folders(self, parts: tuple[str, ...]) -> None:
        path = ""
        for part in parts:
            path = f"{path}/{part}" if path else part
            if path in self.folders:
                continue
            if path in self.others:
                raise InvalidImage("an entry of a layer leads through a file or a link")
            (self.root / path).mkdir()
            (self.root / path).chmod(0o755)  # no umask narrows it
            self.folders.add(path)
            self._count(1)

    def _clear(self, path: str) -> None:
        """The later entry of a name counts."""
        if path in self.folders:
            raise InvalidImage("an entry of a layer is a folder and something else")
        if path in self.others:
            (self.root / path).unlink()

    def _file(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
        self._count(0, entry.size)
        self._clear(path)
        content = archive.extractfile(entry)
        with (self.root / path).open("xb") as file:
            self.others.add(path)
            while content is not None and (piece := content.read(_PIECE_BYTES)):
                file.write(piece)
            if file.tell() != entry.size:
                raise InvalidImage("a layer ends within a file")
            os.fchmod(file.fileno(), entry.mode & 0o777 | 0o400)
            file.flush()
            seconds = min(max(int(entry.mtime), 0), _LATEST_TIME)
            os.utime(file.fileno(), (seconds, seconds))  # compiled Python is compared with its source by this

    def _hard_link(self, entry: tarfile.TarInfo, path: str) -> None:
        target = "/".join(_parts(entry.linkname))
        if target == path:
            return
        if target not in self.others:
            raise InvalidImage("a hard link of a layer leads to nothing in it")
        self._clear(path)
        os.link(self.root / target, self.root / path, follow_symlinks=False)
        self.others.add(path)


def too_large() -> InvalidImage:
    """More than an image may be."""
    return InvalidImage(f"it is larger than {MAX_IMAGE_BYTES} bytes, or has more than {MAX_ENTRIES} files")


def _parts(name: str) -> tuple[str, ...]:
    """A path from the root of the image, whether or not it begins with a slash."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or len(parts) > _MAX_DEPTH or any("\0" in part for part in parts):
        raise InvalidImage(f"a layer has the path {name[:200]!r}")
    return parts
