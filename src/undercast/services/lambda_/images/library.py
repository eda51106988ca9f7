"""All images of the platform: found by ImageUri, loaded under a name, unpacked, and removed when nothing has them.

Layers are kept unpacked, each once under the digest of its archive; the root of an image is made of them where packages
are unpacked, too. A function is Pending until its root is there.
AWS: Lambda Developer Guide, "Create a Lambda function using a container image"; texts as AWS answers CreateFunction.
"""

import asyncio
import contextlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.services.lambda_.code import CodeStore, Package
from undercast.services.lambda_.errors import invalid, user_error
from undercast.services.lambda_.images import compose, rows, sources, unpack
from undercast.services.lambda_.images.faults import (
    DENIED,
    ImageDenied,
    ImageError,
    ImageMissing,
    InvalidImage,
    UnsupportedImage,
    reason_of,
)
from undercast.services.lambda_.images.manifest import MACHINES, Image, Layer
from undercast.services.lambda_.images.pulling import Pull
from undercast.services.lambda_.images.reference import LocalImage, NamedImage, parse_uri
from undercast.services.lambda_.images.registry import RegistrySource
from undercast.services.lambda_.images.use import ImageUse
from undercast.store.blobs import BlobStore
from undercast.store.database import Database, Tx
from undercast.store.files import sync_folder

T = TypeVar("T")

_WORK = ".work"
_AT_ONCE = 2
"""Lookups, and images that are unpacked: who looks for one does not wait for another's layers."""
LOOKUP_LIMIT_S, PULL_LIMIT_S = 60.0, 3600.0
"""For all that a registry is asked to find an image, and to get its layers."""


@record
class Shelf:
    """What the library is built on."""

    folder: Path
    root: Path | None
    """Folders and archives below it may be named by an ImageUri (`start --image-root`)."""
    loopback: bool
    """Whether only this machine's users reach the platform: then registries of this machine may be named, too."""
    code: CodeStore
    blobs: BlobStore
    database: Database
    clock: PlatformClock
    ids: Ids


class Images:
    """One per platform."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._looking, self._busy = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(2 * _AT_ONCE, thread_name_prefix="images")
        """Its own: what a registry or a disk is slow with holds nobody else up."""
        self._pinned: Counter[str] = Counter()
        """Layers that are needed by what is under way."""

    async def accept(self, ctx: RequestContext, uri: str, architecture: str) -> Package:
        """The image that a function asks for. Raises AWS's error where it cannot be had."""
        try:
            image, manifest, resolved = await self._found(ctx, uri, MACHINES[architecture])
        except ImageError as error:
            raise _refused(uri, error) from error
        if image.architecture != MACHINES[architecture]:
            raise _refused(uri, InvalidImage(f"it is for {image.architecture}, the function for {architecture}"))
        use = ImageUse(uri=uri, resolved_uri=resolved, image=image)
        return Package(await self._shelf.blobs.put(manifest), 0, image=use)

    async def prepare(self, use: ImageUse) -> None:
        """Have its root file system on disk. Raises ImageError, or OSError."""
        code, image = self._shelf.code, use.image
        with self._pin(image.layers):
            if not code.present(image.digest):
                await self._fetch(use)
                folders = [self._layer(layer) for layer in image.layers]
                synced = self._shelf.blobs.survives_power_cuts
                await code.make(
                    image.digest, lambda scratch, final: compose.compose(folders, scratch, final, synced=synced)
                )

    async def restore(self, digest: str) -> None:
        """Its root was deleted by hand. Raises ServiceError where it cannot be made again."""
        use = self._shelf.database.read_now(lambda tx: rows.use_of(tx, digest))
        if use is None:
            return
        try:
            await self.prepare(use)
        except ImageError as error:
            raise ServiceError("ServiceException", reason_of(error), 500) from error

    async def load(self, name: str, archive: Path, architecture: str) -> Image:
        """Keep what is in an archive under a name, in place of what had it. Raises ImageError."""

        def read(pull: Pull) -> tuple[Image, bytes]:
            with archive.open("rb") as file, sources.archive_source(file, "") as source:
                return sources.read_image(source, architecture)

        async with self._looking:
            image, manifest = await self._in_thread(read, None)
        try:
            await self._keep(name, archive, image, manifest)
        finally:
            await self.collect()
        return image

    async def _keep(self, name: str, archive: Path, image: Image, manifest: bytes) -> None:
        with self._pin(image.layers):
            await self._unpack(LocalImage(kind="archive", scheme="", path=str(archive), tag=""), image)
            draft = await self._shelf.blobs.put(manifest)
            loaded = rows.Loaded(name=name, image=image, loaded_at=self._shelf.clock.now())

            def keep(tx: Tx) -> None:
                earlier = rows.find(tx, (name,))
                self._shelf.blobs.acquire(tx, draft)
                rows.put(tx, loaded)
                if earlier is not None:
                    self._shelf.blobs.release(tx, earlier.image.digest)

            await self._shelf.database.write(keep)

    async def unload(self, name: str) -> bool:
        """Forget a name; functions that have the image keep it. False when there is no such name."""

        def forget(tx: Tx) -> bool:
            loaded = rows.find(tx, (name,))
            if loaded is not None:
                rows.delete(tx, name)
                self._shelf.blobs.release(tx, loaded.image.digest)
            return loaded is not None

        done = await self._shelf.database.write(forget)
        await self.collect()
        return done

    def listed(self) -> list[rows.Loaded]:
        """What was loaded, by name."""
        return self._shelf.database.read_now(rows.listed)

    def scratch(self) -> Path:
        """A name for something that does not stay."""
        work = self._shelf.folder / _WORK
        work.mkdir(parents=True, exist_ok=True, mode=0o700)
        return work / self._shelf.ids.hex(16)

    async def collect(self) -> None:
        """Remove layers that neither a name nor a function version has."""
        if not self._shelf.folder.is_dir():
            return
        wanted = self._shelf.database.read_now(rows.wanted_layers)
        for folder in await asyncio.to_thread(lambda: list(self._shelf.folder.iterdir())):
            if folder.name != _WORK and folder.name not in wanted and (gone := self._renamed(folder)) is not None:
                await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)

    def _renamed(self, folder: Path) -> Path | None:
        """Where a layer is that nobody wants yet; without its name, and in one step, for others work beside this."""
        if self._pinned[folder.name] or folder.name in self._shelf.database.read_now(rows.wanted_layers):
            return None
        gone = self.scratch()
        try:
            folder.rename(gone)
        except OSError:
            return None
        return gone

    def close(self) -> None:
        """No more work; what runs has nobody who waits for it."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def sweep(self) -> None:
        """At start: what a killed platform left."""
        await asyncio.to_thread(shutil.rmtree, self._shelf.folder / _WORK, ignore_errors=True)
        await self.collect()

    async def _found(self, ctx: RequestContext, uri: str, architecture: str) -> tuple[Image, bytes, str]:
        reference = parse_uri(uri)
        if reference is None:
            forms = "oci:PATH, oci-archive:PATH, docker-archive:PATH"
            raise InvalidImage(f"it is neither an image of a registry nor {forms}")
        if isinstance(reference, LocalImage):
            if not ctx.cause.is_from_outside:
                raise ImageDenied("functions, and what they cause, may not name files of this machine")
            image, manifest = await self._looked_up(reference, architecture)
            return image, manifest, reference.resolved(image.digest)
        loaded = self._shelf.database.read_now(lambda tx: rows.find(tx, reference.names))
        if loaded is not None and reference.digest in ("", loaded.image.digest):
            manifest = await self._shelf.blobs.read_all(loaded.image.digest)
            return loaded.image, manifest, reference.resolved(loaded.image.digest)
        if reference.is_ecr:
            name = f"{reference.repository}:{reference.tag}"
            raise ImageMissing(f"Load it into the platform: undercast images load ARCHIVE --name {name}")
        if not ctx.cause.is_from_outside:
            raise ImageDenied("functions, and what they cause, may not have the platform pull an image")
        image, manifest = await self._looked_up(reference, architecture)
        return image, manifest, reference.resolved(image.digest)

    async def _looked_up(self, reference: LocalImage | NamedImage, architecture: str) -> tuple[Image, bytes]:
        def read(pull: Pull) -> tuple[Image, bytes]:
            with self._source(reference, pull) as source:
                return sources.read_image(source, architecture)

        async with self._looking:
            return await self._in_thread(read, LOOKUP_LIMIT_S if isinstance(reference, NamedImage) else None)

    async def _in_thread(self, work: Callable[[Pull], T], limit_s: float | None) -> T:
        """Blocking work, which ends with whoever waits for it. Raises ImageMissing where a registry is too slow."""
        pull = Pull()
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, pull)
        try:
            await asyncio.wait((future,), timeout=limit_s)
            if not future.done():
                raise ImageMissing(f"the registry takes longer than {limit_s} s")
            return future.result()
        finally:
            pull.end()
            future.cancel()

    @contextlib.contextmanager
    def _source(self, reference: LocalImage | NamedImage, pull: Pull) -> Iterator[sources.Source]:
        """Blocking."""
        if isinstance(reference, NamedImage):
            yield RegistrySource(reference, pull, loopback=self._shelf.loopback)
            return
        path = self._allowed(reference)
        if reference.kind == "folder":
            yield sources.folder_source(path, reference.tag)
            return
        file = sources.FolderFiles(path.parent).open(path.name)
        with file, sources.archive_source(file, reference.tag) as source:
            yield source

    def _allowed(self, reference: LocalImage) -> Path:
        """The path without links. Raises ImageError unless it lies below the root."""
        if reference.scheme == "":
            return Path(reference.path)  # our own copy of what was loaded
        if self._shelf.root is None:
            raise ImageDenied("No folder is opened for images: undercast start --image-root DIR")
        path = Path(reference.path)
        try:
            real, root = path.resolve(strict=True), self._shelf.root.resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise ImageMissing(f"{reference.path} cannot be found") from error
        if not path.is_absolute() or ".." in path.parts or not real.is_relative_to(root):
            raise ImageDenied(f"Images lie below {root} (undercast start --image-root DIR)")
        return real

    async def _fetch(self, use: ImageUse) -> None:
        """Unpack the layers that are missing, from where the image came from."""
        if all(self._layer(layer).is_dir() for layer in use.image.layers):
            return
        reference = parse_uri(use.uri)
        if reference is None or (isinstance(reference, NamedImage) and reference.is_ecr):
            raise ImageMissing(f"layers of {use.uri} are gone: load the image again")
        await self._unpack(reference, use.image)

    async def _unpack(self, reference: LocalImage | NamedImage, image: Image) -> None:
        def work(pull: Pull) -> None:
            room, synced = unpack.Room(), self._shelf.blobs.survives_power_cuts
            with self._source(reference, pull) as source:
                for layer in image.layers:
                    if (folder := self._layer(layer)).is_dir():
                        index = unpack.Index.read(folder)
                        room.take(index.entries, index.size_bytes)
                    else:
                        with source.layer(layer) as stored:
                            target = unpack.Target(scratch=self.scratch(), final=folder, synced=synced)
                            unpack.unpack(stored, layer, target, room)
            if synced and image.layers:  # also the names that others have just given, and that of the folder itself
                sync_folder(self._shelf.folder)
                sync_folder(self._shelf.folder.parent)

        async with self._busy:
            await self._in_thread(work, PULL_LIMIT_S if isinstance(reference, NamedImage) else None)

    def _layer(self, layer: Layer) -> Path:
        return self._shelf.folder / layer.diff_id

    @contextlib.contextmanager
    def _pin(self, layers: tuple[Layer, ...]) -> Iterator[None]:
        names = [layer.diff_id for layer in layers]
        self._pinned.update(names)
        try:
            yield
        finally:
            self._pinned.subtract(names)
            self._pinned += Counter()  # forget those at zero


def _refused(uri: str, error: ImageError) -> ServiceError:
    """AWS's text, and what we know besides."""
    if isinstance(error, ImageDenied):
        return user_error("AccessDeniedException", f"{DENIED} {error}", 403)
    if isinstance(error, UnsupportedImage):
        text = f"The image manifest, config or layer media type for the source image {uri} is not supported."
    elif isinstance(error, ImageMissing):
        text = f"Source image {uri} does not exist. Provide a valid source image."
    else:
        text = f"Source image {uri} is not valid. Provide a valid source image."
    return invalid(f"{text} ({error})" if str(error) else text)
