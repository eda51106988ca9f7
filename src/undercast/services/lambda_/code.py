"""Function code on disk: unpacked once per sha256 under the data folder, shared by all functions that have it.

Unpacking happens in a thread, into a folder of its own that is renamed when it is whole: what has the final name is
complete. The zip itself stays a blob; the folder can always be made again from it.
"""

import asyncio
import contextlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, ParamSpec, TypeVar, cast
from weakref import WeakValueDictionary

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.services.lambda_ import package
from undercast.services.lambda_.images.use import ImageUse
from undercast.services.lambda_.package import Entry, UnsafePackage
from undercast.store.blobs import BlobDraft, BlobStore
from undercast.store.files import name_tree

P = ParamSpec("P")
T = TypeVar("T")

_WORK = ".work"
_FOLDER_MODE = 0o755
_RUN_MODE = 0o755
_PIECE_BYTES = 262_144
_SMALL_BYTES = 1024 * 1024
"""Packages up to this size are handled in memory."""
_UNPACKERS = 2


@record(kw_only=False)
class Package:
    """An archive that was checked and stored."""

    draft: BlobDraft
    unzipped_bytes: int
    folder: str = ""
    """Instead of an archive: where the code is on this machine (hot reload)."""
    image: ImageUse | None = None
    """Instead of an archive; `draft` is its manifest."""


class CodeStore:
    """Deployment packages: checked, kept, unpacked, removed."""

    def __init__(self, root: Path, blobs: BlobStore, ids: Ids) -> None:
        self._root = root
        self._blobs = blobs
        self._ids = ids
        self._busy = asyncio.Semaphore(_UNPACKERS)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._held: dict[str, int] = {}
        self._released: dict[str, asyncio.Event] = {}

    def folder(self, sha256: str) -> Path:
        """Where the code with this digest is, or will be."""
        return self._root / sha256

    def present(self, sha256: str) -> bool:
        """Whether the code is unpacked."""
        return self.folder(sha256).is_dir()

    async def accept(self, body: bytes | BodyStream) -> Package:
        """Check a package and store the zip. Raises AWS's error for one that is corrupt, unsafe or too large."""
        if isinstance(body, bytes):
            size = await self._in_thread(package.check, io.BytesIO(body))
            return Package(await self._blobs.put(body), size)
        with await self._spooled(body) as archive:
            size = await self._in_thread(package.check, archive)
            archive.seek(0)
            return Package(await self._blobs.put(_pieces(archive)), size)

    async def unpacked(self) -> frozenset[str]:
        """The digests of all code that is unpacked."""
        return await self._in_thread(_unpacked, self._root)

    async def unpack(self, sha256: str) -> None:
        """Make the folder from the blob unless it is there. Raises UnsafePackage when the archive cannot be used."""
        async with self._lock(sha256):
            if self.present(sha256):
                return
            with self._blobs.open(sha256) as archive:
                synced = self._blobs.survives_power_cuts
                await self._in_thread(_unpack, archive, self._scratch(), self.folder(sha256), synced=synced)

    async def make(self, sha256: str, build: Callable[[Path, Path], None]) -> None:
        """Make the folder by other means unless it is there; `build` gets a scratch folder and the final one."""
        async with self._lock(sha256):
            if not self.present(sha256):
                self._root.mkdir(parents=True, exist_ok=True)
                scratch = self._scratch()
                scratch.parent.mkdir(exist_ok=True)
                await self._in_thread(build, scratch, self.folder(sha256))

    def hold(self, sha256: str) -> None:
        """An invocation runs this code: the folder stays."""
        self._held[sha256] = self._held.get(sha256, 0) + 1

    def drop(self, sha256: str) -> None:
        """The invocation is over."""
        count = self._held[sha256] - 1
        if count:
            self._held[sha256] = count
            return
        del self._held[sha256]
        if (released := self._released.pop(sha256, None)) is not None:
            released.set()

    async def wait_released(self, sha256: str, timeout_s: float) -> None:
        """Return when no invocation runs this code, or after the timeout."""
        if sha256 in self._held:
            released = self._released.setdefault(sha256, asyncio.Event())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(released.wait(), timeout_s)

    async def remove(self, sha256: str, *, unless: Callable[[], bool]) -> None:
        """Delete the folder, unless a version has come to need it."""
        async with self._lock(sha256):
            if not unless():
                await self._in_thread(_remove, self.folder(sha256), self._scratch())

    async def sweep(self, wanted: frozenset[str]) -> None:
        """Delete what a killed platform left: half-unpacked folders and code that no function has."""
        await self._in_thread(_sweep, self._root, wanted)

    def _scratch(self) -> Path:
        return self._root / _WORK / self._ids.hex(16)

    def _lock(self, sha256: str) -> asyncio.Lock:
        lock = self._locks.get(sha256)
        if lock is None:
            lock = self._locks[sha256] = asyncio.Lock()
        return lock

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._busy:
            return await asyncio.to_thread(function, *args, **kwargs)

    async def _spooled(self, body: BodyStream) -> IO[bytes]:
        """A seekable copy: in memory while small. Raises when it is larger than any package may be."""
        work = self._root / _WORK
        work.mkdir(parents=True, exist_ok=True)
        copy = tempfile.SpooledTemporaryFile(max_size=_SMALL_BYTES, dir=str(work))  # noqa: SIM115 - the caller closes it
        size = 0
        try:
            async for piece in body:
                size += len(piece)
                if size >= package.MAX_UNZIPPED_BYTES:
                    raise package.unzipped_too_large()
                await asyncio.to_thread(copy.write, piece)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return cast(IO[bytes], copy)


async def _pieces(source: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := source.read(_PIECE_BYTES):
        yield piece


def _unpack(archive_file: IO[bytes], scratch: Path, destination: Path, *, synced: bool = False) -> None:
    """Blocking. What has the destination's name is whole; where it is `synced`, also behind a power cut."""
    scratch.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive_file) as archive:
            infos = archive.infolist()
            for entry in package.plan(infos):
                _create(scratch, entry, archive, infos[entry.index])
        scratch.chmod(_FOLDER_MODE)
        name_tree(scratch, destination, synced=synced)  # `present` trusts the name
    except (UnsafePackage, ServiceError, *package.ZIP_ERRORS) as error:
        if not package.blames_the_archive(error):
            raise
        raise UnsafePackage(str(error)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _create(root: Path, entry: Entry, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    path = root / entry.path
    _make_folders(root, path if entry.kind == "folder" else path.parent)
    if entry.kind == "folder":
        return
    with archive.open(info) as stream:
        if entry.kind == "link":
            path.symlink_to(package.link_target(stream.read(), entry))
            return
        with path.open("xb") as file:
            piece = stream.read(_PIECE_BYTES)
            os.fchmod(file.fileno(), _RUN_MODE if package.runnable(piece) else entry.mode)
            while piece:
                file.write(piece)
                piece = stream.read(_PIECE_BYTES)


def _make_folders(root: Path, folder: Path) -> None:
    """Like mkdir(parents=True), with a mode that no umask narrows."""
    if folder == root or folder.is_dir():
        return
    _make_folders(root, folder.parent)
    folder.mkdir()
    folder.chmod(_FOLDER_MODE)


def _remove(folder: Path, scratch: Path) -> None:
    """Away under its name at once, then piece by piece."""
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(scratch)
    shutil.rmtree(scratch, ignore_errors=True)


def _sweep(root: Path, wanted: frozenset[str]) -> None:
    shutil.rmtree(root / _WORK, ignore_errors=True)
    for name in _unpacked(root) - wanted:
        shutil.rmtree(root / name, ignore_errors=True)


def _unpacked(root: Path) -> frozenset[str]:
    return frozenset(path.name for path in root.iterdir() if path.name != _WORK) if root.is_dir() else frozenset()
