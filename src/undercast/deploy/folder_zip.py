"""A folder as deployment package: the same bytes for the same content, whenever it is made.

What belongs to a project and not to its function (version control, caches, a virtual environment) is left out.
AWS: Lambda Developer Guide, "Working with .zip file archives" (modes of files), "Lambda quotas" (50 MB by the API).
"""

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

MAX_ZIP_BYTES = 52_428_800
LEFT_OUT = frozenset({".git", ".hg", ".svn", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"})
_STORED_UP_TO = 16 * 1024 * 1024
"""Compressing takes longer than sending over loopback."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class TooLarge(Exception):
    """The folder does not fit into a request."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} has more than {MAX_ZIP_BYTES // 2**20} MB as a zip")
        self.folder = folder


def packed(folder: Path) -> bytes:
    """The archive. A file that goes away meanwhile is left out. Raises TooLarge, OSError."""
    files = [(path, status) for path in files_of(folder) if (status := _status(path)) is not None]
    total = sum(status.st_size for _, status in files)
    method = zipfile.ZIP_STORED if total <= _STORED_UP_TO else zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1) as archive:
        for path, status in files:
            _add(archive, path, str(path.relative_to(folder)), status.st_mode)
            if buffer.tell() > MAX_ZIP_BYTES:
                raise TooLarge(folder)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, path: Path, name: str, mode: int) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = archive.compression
    entry.external_attr = mode << 16
    try:
        content = os.fsencode(path.readlink()) if stat.S_ISLNK(mode) else path.read_bytes()
    except FileNotFoundError:
        return
    archive.writestr(entry, content)


def files_of(folder: Path) -> Iterator[Path]:
    """Files and links in an order of their own, folders that are links as links; without what is `LEFT_OUT`."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT and name not in links)
        yield from (Path(place, name) for name in sorted([*names, *links]))


def _status(path: Path) -> os.stat_result | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode) else None
