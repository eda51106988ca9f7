"""What is inside a deployment package, and whether it may be unpacked.

Pure: judges the central directory of a zip and returns the plan of files, folders and links. Nothing leaves the tree.
AWS: Lambda Developer Guide, "Working with .zip file archives", "Lambda quotas". .ZIP File Format Specification 4.4.
"""

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, Literal

from undercast.core.record import record
from undercast.services.lambda_.errors import invalid

MAX_ZIP_BYTES = 52_428_800
"""A direct upload (ZipFile)."""
MAX_UNZIPPED_BYTES = 262_144_000
MAX_ENTRIES = 200_000
"""Ours: a bound on the work that one package can cause."""
_MAX_LINK_BYTES = 4096
_MAX_COMPONENT_BYTES = 255
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_PIECE_BYTES = 262_144
_RUNNABLE = (b"\x7fELF", b"#!", b"\xcf\xfa\xed\xfe")
"""How a program or a script begins (ELF, interpreter line, Mach-O)."""

ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    ArithmeticError,
    LookupError,
)
"""What zipfile and zlib raise for archives that lie (NotImplementedError is a RuntimeError)."""
_OUR_DISK = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    }
)


def blames_the_archive(error: Exception) -> bool:
    """Whether an error of unpacking is the archive's; a disk that is full or refuses us is no fault of it."""
    return not (isinstance(error, OSError) and error.errno in _OUR_DISK)


MAX_DIRECTORY_BYTES = 16 * 1024 * 1024
"""Ours: of the central directory, which zipfile holds in memory whole."""
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_LONGEST_COMMENT = 65_535
_ZIP64 = 0xFFFF_FFFF

EntryKind = Literal["file", "folder", "link"]
BROKEN_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


@record
class Entry:
    """One thing to create. `path` is relative, with "/" and no "..". `index` is its place in the archive."""

    path: str
    kind: EntryKind
    mode: int
    index: int


class UnsafePackage(Exception):
    """The archive is corrupt, or would write outside its folder. The text is for the platform's log."""


def broken() -> Exception:
    """What the caller is told of a corrupt or unsafe package."""
    return invalid(BROKEN_ZIP)


def plan(infos: Iterable[zipfile.ZipInfo]) -> tuple[Entry, ...]:
    """What unpacking creates, parents included implicitly. Of two entries with one name the last counts.

    Raises UnsafePackage, or ServiceError where AWS has a text of its own.
    """
    entries: dict[str, Entry] = {}
    size = 0
    for index, info in enumerate(infos):
        if index >= MAX_ENTRIES:
            raise UnsafePackage(f"more than {MAX_ENTRIES} entries")
        size += info.file_size
        if size >= MAX_UNZIPPED_BYTES:
            raise unzipped_too_large()
        entry = _entry(info, index)
        if entry is not None:
            entries[entry.path] = entry
    if not entries:
        raise invalid("Uploaded file must be a non-empty zip")
    _refuse_paths_through_files(entries)
    return tuple(entries.values())


def unzipped_too_large() -> Exception:
    """Over 250 MB unpacked."""
    return invalid(f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")


def check(source: IO[bytes]) -> int:
    """Read the whole archive once, every checksum included, without writing anything. Blocking: off the loop.

    Returns its size when it is unpacked. Raises ServiceError in AWS's words.
    """
    try:
        _refuse_huge_directory(source)
        with zipfile.ZipFile(source) as archive:
            infos = archive.infolist()
            entries = plan(infos)
            for entry in entries:
                _read_through(archive, infos[entry.index], entry)
            return sum(infos[entry.index].file_size for entry in entries)
    except (UnsafePackage, *ZIP_ERRORS) as error:
        if not blames_the_archive(error):
            raise
        raise broken() from error


def link_target(data: bytes, link: Entry) -> str:
    """Where a link points, checked to stay inside the tree. Raises UnsafePackage.

    Only a leading run of ".." is allowed: behind another name it could climb out through a second link.
    """
    try:
        target = data.decode()
    except UnicodeDecodeError as error:
        raise UnsafePackage(f"the link {link.path} has no readable target") from error
    parts = target.split("/")
    depth = link.path.count("/")
    climbs = 0
    while climbs < len(parts) and parts[climbs] in ("..", "."):
        depth -= parts[climbs] == ".."
        climbs += 1
    if not target or "\0" in target or target.startswith("/") or depth < 0 or ".." in parts[climbs:]:
        raise UnsafePackage(f"the link {link.path} points out of the tree")
    return target


def runnable(head: bytes) -> bool:
    """Whether a file that begins so is a program: it gets its run bit even when the zip has none."""
    return head.startswith(_RUNNABLE)


def _refuse_huge_directory(source: IO[bytes]) -> None:
    """Judges by every end record that zipfile could take for the real one."""
    size = source.seek(0, os.SEEK_END)
    source.seek(max(0, size - _END_RECORD_BYTES - _LONGEST_COMMENT))
    tail = source.read()
    at = tail.find(_END_RECORD)
    while at >= 0 and at + _END_RECORD_BYTES <= len(tail):
        directory_bytes: int = struct.unpack_from("<L", tail, at + 12)[0]
        if directory_bytes == _ZIP64:
            directory_bytes = size
        if directory_bytes > MAX_DIRECTORY_BYTES and directory_bytes <= size:
            raise UnsafePackage(f"the directory of the archive has {directory_bytes} bytes")
        at = tail.find(_END_RECORD, at + 1)
    source.seek(0)


def _read_through(archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry) -> None:
    if entry.kind == "folder":
        return
    with archive.open(info) as stream:
        if entry.kind == "link":
            link_target(stream.read(_MAX_LINK_BYTES), entry)
        size = 0
        while piece := stream.read(_PIECE_BYTES):
            size += len(piece)
        if entry.kind == "file" and size != info.file_size:
            raise UnsafePackage(f"{entry.path} is shorter than the archive says")


def _entry(info: zipfile.ZipInfo, index: int) -> Entry | None:
    if info.flag_bits & _ENCRYPTED:
        raise UnsafePackage(f"{info.filename} is encrypted")
    if info.compress_type not in _METHODS:
        raise UnsafePackage(f"{info.filename} uses compression method {info.compress_type}")
    path = _safe_path(info.filename)
    unix = info.external_attr >> 16
    is_folder = info.filename.endswith("/")
    if not path:
        return None
    kind_bits = stat.S_IFMT(unix)
    if kind_bits == stat.S_IFLNK and not is_folder:
        if info.file_size > _MAX_LINK_BYTES:
            raise UnsafePackage(f"the link {path} has a target of {info.file_size} bytes")
        return Entry(path=path, kind="link", mode=0o777, index=index)
    if kind_bits == stat.S_IFDIR or is_folder:
        return Entry(path=path, kind="folder", mode=0o755, index=index)
    if kind_bits not in (0, stat.S_IFREG):
        raise UnsafePackage(f"{path} is neither file, folder nor link")
    return Entry(path=path, kind="file", mode=_file_mode(unix), index=index)


def _file_mode(unix: int) -> int:
    """Readable by all, as the sandbox's user is another one; run bits stay; never set-user-id or writable by others."""
    return 0o755 if unix & 0o111 else 0o644


def _safe_path(name: str) -> str:
    if "\0" in name or "\\" in name or name.startswith("/") or name[1:2] == ":":
        raise UnsafePackage(f"{name!r} is not a relative path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnsafePackage(f"{name!r} leads out of the tree")
    try:
        encoded = [part.encode() for part in parts]
    except UnicodeEncodeError as error:
        raise UnsafePackage(f"{name!r} is not a name") from error
    if any(len(part) > _MAX_COMPONENT_BYTES for part in encoded) or sum(map(len, encoded)) > 3000:
        raise UnsafePackage("a name is too long")
    return "/".join(parts)


def _refuse_paths_through_files(entries: Mapping[str, Entry]) -> None:
    """A file or link where another entry needs a folder: writing through it could leave the tree."""
    checked: set[str] = set()
    for path in entries:
        parent = path.rpartition("/")[0]
        while parent and parent not in checked:
            blocking = entries.get(parent)
            if blocking is not None and blocking.kind != "folder":
                raise UnsafePackage(f"{path} lies below the {blocking.kind} {parent}")
            checked.add(parent)
            parent = parent.rpartition("/")[0]
