"""Deployment packages: what is unpacked, and what is refused. Nothing is ever written outside the folder."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.lambda_.conftest import World, zip_of
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.services.lambda_ import package
from undercast.services.lambda_.package import Entry, UnsafePackage, link_target

BROKEN = "Could not unzip uploaded file. Please check your file, then try to upload again."


def entry(name: str, content: bytes = b"x", mode: int = 0o100644, **fields: int) -> bytes:
    """A package with one entry of exactly this name and mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        for field, value in fields.items():
            setattr(info, field, value)
        archive.writestr(info, content)
    return buffer.getvalue()


def two(first: tuple[str, bytes, int], second: tuple[str, bytes, int]) -> bytes:
    """A package with two entries in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content, mode in (first, second):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def flipped(data: bytes, at: int) -> bytes:
    """The same with one byte changed."""
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


LINK, FILE, FOLDER = 0o120777, 0o100644, 0o040755
GOOD = zip_of({"app.py": "x = 1\n" * 100, "lib/tool.py": "y"})

UNSAFE = {
    "not a zip": b"hello",
    "empty file": b"",
    "truncated": GOOD[:-30],
    "no directory": GOOD[: len(GOOD) // 2],
    "content changed": flipped(GOOD, 45),
    "directory changed": flipped(GOOD, GOOD.index(b"PK\x01\x02") + 16),
    "parent folder": entry("../escape.py"),
    "parent folder inside": entry("lib/../../escape.py"),
    "absolute": entry("/etc/passwd"),
    "drive": entry("C:/boot.ini"),
    "backslash": entry("..\\escape.py"),
    "link to an absolute path": entry("link", b"/etc/passwd", LINK),
    "link out of the tree": entry("lib/link", b"../../etc/passwd", LINK),
    "link that climbs behind a name": entry("link", b"lib/../../etc", LINK),
    "empty link": entry("link", b"", LINK),
    "file below a link": two(("lib", b".", LINK), ("lib/x.py", b"x", FILE)),
    "file below a file": two(("lib", b"x", FILE), ("lib/x.py", b"x", FILE)),
    "character device": entry("null", b"", stat.S_IFCHR | 0o666),
    "block device": entry("sda", b"", stat.S_IFBLK | 0o666),
    "named pipe": entry("pipe", b"", stat.S_IFIFO | 0o666),
    "socket": entry("socket", b"", stat.S_IFSOCK | 0o666),
    "long name": entry("x" * 300),
    "long path": entry("/".join(["d" * 100] * 40)),
    "bzip2": entry("x", compress_type=zipfile.ZIP_BZIP2),
    "lzma": entry("x", compress_type=zipfile.ZIP_LZMA),
    "overlong link": entry("link", b"a" * 5000, LINK),
}


@pytest.mark.parametrize("data", UNSAFE.values(), ids=UNSAFE)
async def test_corrupt_or_unsafe_package_is_refused(world: World, data: bytes) -> None:
    """AWS's answer to a package that it cannot unzip; nothing stays on disk."""
    with pytest.raises(ServiceError) as caught:
        await world.functions.code.accept(data)
    assert (caught.value.code, caught.value.message) == ("InvalidParameterValueException", BROKEN)
    assert not (world.folder / "code").exists()


async def test_encrypted_package_is_refused(world: World) -> None:
    """Flag bit 0 of the local and central header."""
    data = bytearray(entry("x"))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ServiceError, match="Could not unzip"):
        await world.functions.code.accept(bytes(data))


async def test_package_without_files_is_refused(world: World) -> None:
    """ "Uploaded file must be a non-empty zip"."""
    with pytest.raises(ServiceError) as caught:
        await world.functions.code.accept(zip_of({}))
    assert caught.value.message == "Uploaded file must be a non-empty zip"


@pytest.mark.parametrize("size", [package.MAX_UNZIPPED_BYTES, 10 * package.MAX_UNZIPPED_BYTES])
async def test_bomb_is_refused_by_its_declared_size(world: World, size: int) -> None:
    """250 MB unpacked is the limit; the directory says it before anything is inflated."""
    data = bytearray(GOOD)
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<L", size)
    with pytest.raises(ServiceError) as caught:
        await world.functions.code.accept(bytes(data))
    assert caught.value.message == "Unzipped size must be smaller than 262144000 bytes"


async def test_bomb_that_lies_about_its_size_is_refused(world: World) -> None:
    """It inflates to 100 MB and declares 10 bytes: reading stops at what was declared."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(100_000_000))
    data = bytearray(buffer.getvalue())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<L", 10)
    with pytest.raises(ServiceError, match="Could not unzip"):
        await world.functions.code.accept(bytes(data))


async def test_directory_of_millions_of_entries_is_refused_unread(world: World) -> None:
    """zipfile would hold every entry in memory: the size of the directory is looked at first."""
    data = bytearray(GOOD + bytes(package.MAX_DIRECTORY_BYTES + 1))
    end = GOOD[GOOD.rindex(b"PK\x05\x06") :]
    record = bytearray(end)
    record[12:16] = struct.pack("<L", package.MAX_DIRECTORY_BYTES + 1)
    with pytest.raises(ServiceError, match="Could not unzip") as caught:
        await world.functions.code.accept(bytes(data + record))
    assert "directory of the archive" in str(caught.value.__cause__)


async def test_streamed_package_stops_at_the_limit(world: World) -> None:
    """A package from S3 that never ends is not stored whole first."""
    pieces = 0

    async def endless() -> object:
        nonlocal pieces
        while True:
            pieces += 1
            yield bytes(16 * 1024 * 1024)

    with pytest.raises(ServiceError, match="Unzipped size must be smaller"):
        await world.functions.code.accept(BodyStream(endless(), None))  # type: ignore[arg-type]
    assert pieces <= 16
    assert list((world.folder / "code" / ".work").iterdir()) == []


async def unpacked(world: World, data: bytes) -> Path:
    """Where a package that was accepted is."""
    draft = (await world.functions.code.accept(data)).draft
    await world.database.write(lambda tx: world.functions.blobs.acquire(tx, draft))
    await world.functions.code.unpack(draft.id)
    return world.functions.code.folder(draft.id)


async def test_run_bits_and_inner_links_are_kept(world: World) -> None:
    """Binaries run, node_modules/.bin points to them, and no mode is wider than it should be."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content, mode in (
            ("bin/run", b"plain", 0o100755),
            ("secret.txt", b"s", 0o100600),
            ("setuid", b"s", 0o104777),
            ("bootstrap", b"\x7fELF....", 0o100644),
            ("script.sh", b"#!/bin/sh\n", 0),
            ("data", b"d", 0),
            ("bin/link", b"../lib/real", LINK),
            ("lib/real", b"r", FILE),
            ("empty/", b"", FOLDER),
        ):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    old = os.umask(0o077)
    try:
        folder = await unpacked(world, buffer.getvalue())
    finally:
        os.umask(old)
    modes = {name: (folder / name).stat().st_mode & 0o7777 for name in (path.name for path in folder.iterdir())}
    assert modes == {
        "bin": 0o755, "lib": 0o755, "empty": 0o755, "secret.txt": 0o644, "setuid": 0o755, "bootstrap": 0o755,
        "script.sh": 0o755, "data": 0o644,
    }  # fmt: skip
    assert (folder / "bin/run").stat().st_mode & 0o111
    assert (folder / "bin/link").read_bytes() == b"r"
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_last_of_two_entries_with_one_name_counts(world: World) -> None:
    """As `unzip -o` does; a link is replaced, never written through."""
    folder = await unpacked(world, two(("x", b"y", LINK), ("x", b"second", FILE)))
    assert (folder / "x").read_bytes() == b"second"
    assert not (folder / "x").is_symlink()


async def test_folder_appears_whole_or_not_at_all(world: World) -> None:
    """A package that turns out to be unreadable leaves nothing behind."""
    draft = await world.functions.blobs.put(UNSAFE["content changed"])
    await world.database.write(lambda tx: world.functions.blobs.acquire(tx, draft))
    with pytest.raises(UnsafePackage):
        await world.functions.code.unpack(draft.id)
    assert not world.functions.code.present(draft.id)
    assert list((world.folder / "code" / ".work").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("a", "b", True),
        ("a", "./b/c", True),
        ("d/a", "../b", True),
        ("d/e/a", "../../b", True),
        ("a", "..", False),
        ("d/a", "../..", False),
        ("a", "b/..", False),
        ("a", "/b", False),
        ("a", "", False),
        ("a", "b\0c", False),
    ],
)
def test_link_target_must_stay_inside(path: str, target: str, inside: bool) -> None:
    """Only leading ".." as deep as the link itself lies."""
    link = Entry(path=path, kind="link", mode=0o777, index=0)
    check: Callable[[], str] = lambda: link_target(target.encode(), link)  # noqa: E731
    if inside:
        assert check() == target
    else:
        with pytest.raises(UnsafePackage):
            check()
