"""Downloads of `undercast runtimes install`: bounded, checked against a digest, and whole or not there.

An installation is made in a draft folder beside its place and gets its name last, so that one that was broken off is no
installation. Proxies and certificates are those of the user's environment, as Python's urllib takes them.
"""

import base64
import hashlib
import json
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Progress = Callable[[str, int, int], None]
"""Told what is loaded, and how many bytes of how many; 0 of 0 for a step that has no size."""
_TIMEOUT_S = 60.0
_CHUNK_BYTES = 1 << 18
MAX_DOWNLOAD_BYTES = 400 * 1024 * 1024
MAX_DOCUMENT_BYTES = 100 * 1024 * 1024


class InstallError(Exception):
    """Something could not be installed; the text says what, and what to do."""


def read_json(url: str, accept: str) -> Mapping[str, Any]:
    """A registry's document. Raises InstallError."""
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "undercast"})
    with _reading(url), urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        text = response.read(MAX_DOCUMENT_BYTES + 1)
    if len(text) > MAX_DOCUMENT_BYTES:
        raise InstallError(f"{url} is too large")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise InstallError(f"{url} is no registry's document")
    return found


def download(url: str, target: Path, integrity: str, progress: Progress) -> None:
    """Load a file whose digest is known ("sha512-<base64>", as npm has it, or "sha256:<hex>"). Raises InstallError."""
    digest = hashlib.sha512() if integrity.startswith("sha512-") else hashlib.sha256()
    name = url.rsplit("/", 1)[-1]
    request = urllib.request.Request(url, headers={"User-Agent": "undercast"})
    with _reading(url), urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response, target.open("wb") as file:
        total = int(response.headers.get("Content-Length") or 0)
        done = 0
        while chunk := response.read(_CHUNK_BYTES):
            done += len(chunk)
            if done > MAX_DOWNLOAD_BYTES:
                raise InstallError(f"{url} is too large")
            digest.update(chunk)
            file.write(chunk)
            progress(name, done, max(total, done))
    told = {f"sha512-{base64.b64encode(digest.digest()).decode()}", f"sha256:{digest.hexdigest()}"}
    if integrity not in told:
        target.unlink()
        raise InstallError(f"{url} is not what its registry says: its digest differs")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an npm package without its outermost folder; nothing outside of the folder is written."""

    def inside(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        _, _, name = member.name.partition("/")
        if not name:
            return None
        changes: dict[str, Any] = {"name": name}
        if member.islnk():
            changes["linkname"] = member.linkname.partition("/")[2]
        return tarfile.data_filter(member.replace(**changes, deep=False), path)

    try:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter=inside)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InstallError(f"{archive.name} cannot be unpacked: {error}") from error


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """A draft folder that takes its place when the block has ended well; what was there before goes."""
    draft, old = place.with_name(f"{place.name}.draft"), place.with_name(f"{place.name}.old")
    for leftover in (draft, old):
        shutil.rmtree(leftover, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        _open_to_functions(draft)
        if place.exists():
            place.rename(old)
        draft.rename(place)
    finally:
        for leftover in (draft, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _open_to_functions(folder: Path) -> None:
    """A function's user is another one than the user whose umask made the files."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))


@contextmanager
def _reading(url: str) -> Iterator[None]:
    try:
        yield
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise InstallError(f"{url} cannot be read: {reason}. Is there a network, and a proxy to be set?") from error
