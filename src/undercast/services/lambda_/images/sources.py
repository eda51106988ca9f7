"""Where an image is read from on this machine: an OCI layout, as a folder or tar archive, or what `docker save` wrote.

Blocking. Files of a folder are opened without following links; nothing is believed until its digest is verified.
Sources: OCI image-spec 1.1 (image-layout.md), Docker Engine API ("Export an image": manifest.json).
"""

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from undercast.services.lambda_.images import manifest
from undercast.services.lambda_.images.entries import BROKEN, Entry
from undercast.services.lambda_.images.faults import ImageMissing, InvalidImage
from undercast.services.lambda_.images.manifest import Image, Layer

_MAX_MEMBERS = 50_000
_NO_ARCHIVE = "it is not a whole tar archive; a compressed one has to be unpacked first"


class Source(Protocol):
    """An image store that has what was asked for."""

    def manifest(self, architecture: str) -> bytes:
        """The manifest for an architecture (amd64). Raises ImageError."""
        ...

    def document(self, digest: str) -> bytes:
        """A config by its digest, which the caller verifies. Raises ImageError."""
        ...

    def layer(self, layer: Layer) -> IO[bytes]:
        """A layer as it is stored. Raises ImageError."""
        ...


def read_image(source: Source, architecture: str) -> tuple[Image, bytes]:
    """The image for an architecture (amd64), and its manifest. Raises ImageError."""
    document = source.manifest(architecture)
    top = manifest.parse(document)
    digest = manifest.config_digest(top)
    config = source.document(digest)
    if manifest.digest_of(config) != digest:
        raise InvalidImage("its config does not have the digest that its manifest gives")
    return manifest.image_of(manifest.digest_of(document), top, manifest.parse(config)), document


class Files(Protocol):
    """Files by their names."""

    def open(self, name: str) -> IO[bytes]:
        """Raises ImageMissing."""
        ...


class FolderFiles:
    """Those of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, name: str) -> IO[bytes]:
        """A regular file; a link could lead anywhere, a pipe would be waited for."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ImageMissing(f"{name} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InvalidImage(f"{name} is not a file")
        return os.fdopen(descriptor, "rb")


class ArchiveFiles:
    """Those in a tar archive, which stays open."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members: dict[str, tarfile.TarInfo] = {}
        for count, member in enumerate(archive):
            if count > _MAX_MEMBERS:
                raise InvalidImage(f"the archive has more than {_MAX_MEMBERS} files")
            self._members[member.name.removeprefix("./")] = member

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def open(self, name: str) -> IO[bytes]:
        """A file; older versions of `docker save` write a link for a layer that is there already."""
        member = self._members.get(name)
        if member is not None and member.issym():
            member = self._members.get(os.path.normpath(PurePosixPath(name).parent / member.linkname))
        found = self._archive.extractfile(member) if member is not None and member.isreg() else None
        if found is None:
            raise ImageMissing(f"the archive has no file {name[:200]}")
        return found


class LayoutSource:
    """An OCI layout."""

    def __init__(self, files: Files, tag: str) -> None:
        self._files = files
        self._tag = tag

    def manifest(self, architecture: str) -> bytes:
        """See `Source`."""
        document, tag = _read(self._files, "index.json"), self._tag
        for _ in range(4):  # an index may lead to an index
            digest = manifest.chosen(manifest.parse(document), architecture, tag)
            if digest is None:
                return document
            document, tag = self.document(digest), ""
            if manifest.digest_of(document) != digest:
                raise InvalidImage("a manifest does not have the digest that the index gives")
        raise InvalidImage("its indexes lead on and on")

    def document(self, digest: str) -> bytes:
        """See `Source`."""
        return _read(self._files, f"blobs/sha256/{digest}")

    def layer(self, layer: Layer) -> IO[bytes]:
        """See `Source`."""
        return self._files.open(f"blobs/sha256/{layer.digest}")


class DockerSource:
    """What `docker save` writes: names and layers in manifest.json. The OCI manifest is made here, and its digest."""

    def __init__(self, files: Files, tag: str) -> None:
        self._files = files
        entry = _entry(_read(files, "manifest.json"), tag)
        self._config = _read(files, _text(entry.get("Config")))
        names = entry.get("Layers")
        rootfs = manifest.parse(self._config).get("rootfs")
        diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        if not isinstance(names, list) or not isinstance(diff_ids, list) or len(names) != len(diff_ids):
            raise InvalidImage("manifest.json and the config do not have the same layers")
        pairs = zip(diff_ids, names, strict=True)
        self._names = {str(digest).removeprefix("sha256:"): _text(name) for digest, name in pairs}
        self._diff_ids = diff_ids

    def manifest(self, architecture: str) -> bytes:
        """See `Source`. Its layers are not compressed: their digests are those of the archives themselves."""
        config = {"mediaType": manifest.OCI_CONFIG, "digest": f"sha256:{manifest.digest_of(self._config)}"}
        layers = [{"mediaType": manifest.OCI_LAYER, "digest": digest} for digest in self._diff_ids]
        made: dict[str, Any] = {"schemaVersion": 2, "mediaType": manifest.OCI_MANIFEST}
        return manifest.encoded({**made, "config": config, "layers": layers})

    def document(self, digest: str) -> bytes:
        """See `Source`."""
        return self._config

    def layer(self, layer: Layer) -> IO[bytes]:
        """See `Source`."""
        return self._files.open(self._names[layer.diff_id])


def folder_source(folder: Path, tag: str) -> Source:
    """An OCI layout in a folder."""
    return LayoutSource(FolderFiles(folder), tag)


@contextlib.contextmanager
def archive_source(file: IO[bytes], tag: str) -> Iterator[Source]:
    """What is in a tar archive; newer versions of `docker save` write both forms. Raises ImageError."""
    try:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=Entry) as archive:
            files = ArchiveFiles(archive)
            if "index.json" in files:
                yield LayoutSource(files, tag)
            elif "manifest.json" in files:
                yield DockerSource(files, tag)
            else:
                raise InvalidImage("the archive has neither an index.json (OCI) nor a manifest.json (docker save)")
    except BROKEN as error:
        raise InvalidImage(_NO_ARCHIVE) from error


def name_in(archive: Path) -> str:
    """The one name that an archive gives its image (app:1). Raises InvalidImage where it has none, or several."""
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:", tarinfo=Entry) as opened:
            names = _names(ArchiveFiles(opened))
    except BROKEN as error:
        raise InvalidImage(_NO_ARCHIVE) from error
    if len(names) != 1:
        found = f"has several names ({', '.join(names)[:200]})" if names else "has no name of its own"
        raise InvalidImage(f"it {found}, so say which it gets: --name REPOSITORY:TAG")
    return names[0]


def _names(files: ArchiveFiles) -> list[str]:
    """Those of `docker save`, else those of the layout's entries. Podman puts `localhost/` before a name alone."""
    found: list[object] = []
    if "manifest.json" in files:
        listed = manifest.parse(b'{"all": %b}' % _read(files, "manifest.json"))["all"]
        for entry in listed if isinstance(listed, list) else ():
            tags = entry.get("RepoTags") if isinstance(entry, dict) else None
            found += tags if isinstance(tags, list) else ()
    elif "index.json" in files:
        found = manifest.names_of(manifest.parse(_read(files, "index.json")))
    names = (
        one.removeprefix("localhost/").removeprefix("docker.io/library/")
        for one in found
        if isinstance(one, str) and ":" in one
    )
    return list(dict.fromkeys(names))


def _entry(document: bytes, tag: str) -> dict[str, Any]:
    listed = manifest.parse(b'{"all": %b}' % document)["all"]
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    if tag:
        entries = [entry for entry in entries if _is_tagged(entry, tag)]
    if len(entries) != 1:
        raise InvalidImage("it holds several images, so the URI must name one: PATH:REPOSITORY:TAG" if entries
                           else "the archive has no such image")  # fmt: skip
    return entries[0]


def _is_tagged(entry: dict[str, Any], tag: str) -> bool:
    names = entry.get("RepoTags")
    return isinstance(names, list) and any(name == tag or str(name).endswith(f":{tag}") for name in names)


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise InvalidImage("manifest.json has something else where a file's name belongs")
    return found


def _read(files: Files, name: str) -> bytes:
    with files.open(name) as file:
        document = file.read(manifest.MAX_DOCUMENT_BYTES + 1)
    if len(document) > manifest.MAX_DOCUMENT_BYTES:
        raise InvalidImage(f"{name[:200]} is larger than {manifest.MAX_DOCUMENT_BYTES} bytes")
    return document
