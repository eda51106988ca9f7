"""Layers of images as hostile input, and how they become one root. AWS gives the limit of 10 GB; the rest is OCI's."""

import gzip
import io
import random
import stat
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.images import entry, files, layer, sha256, zstd
from undercast.sandbox.image_files import resolved
from undercast.services.lambda_.images import entries, unpack
from undercast.services.lambda_.images.compose import compose
from undercast.services.lambda_.images.compression import Compression
from undercast.services.lambda_.images.faults import InvalidImage
from undercast.services.lambda_.images.manifest import Layer
from undercast.services.lambda_.images.unpack import Room, Target

Entry = tuple[tarfile.TarInfo, bytes]
ZSTD = b"\x28\xb5\x2f\xfd"
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello"


class Ground:
    """A folder for layers and roots."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._serial = 0

    def unpacked(self, content: bytes, stored: bytes | None = None, room: Room | None = None) -> Path:
        """A layer on disk; `stored` is its compressed form. Raises InvalidImage, and then leaves nothing."""
        how: Compression = "" if stored is None else "zstd" if stored.startswith(ZSTD) else "gzip"
        self._serial += 1
        sent = content if stored is None else stored
        described = Layer(digest=sha256(sent), diff_id=sha256(content), compression=how)
        target = self.folder / f"layer{self._serial}"
        place = Target(scratch=self.folder / "scratch", final=target)
        unpack.unpack(io.BytesIO(sent), described, place, room or Room())
        return target

    def root(self, *layers: bytes) -> Path:
        """The root that layers make."""
        folders = [self.unpacked(one) for one in layers]
        compose(folders, self.folder / "scratch", self.folder / "root")
        return self.folder / "root"


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """Beside a file that no layer may reach."""
    (tmp_path / "victim").write_text("safe")
    (tmp_path / "inner").mkdir()
    return Ground(tmp_path / "inner")


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    """A symbolic or hard link."""
    return entry(name, type=kind, linkname=target)


def folder(name: str, mode: int = 0o755) -> Entry:
    """A directory."""
    return entry(name, type=tarfile.DIRTYPE, mode=mode)


HOSTILE = {
    "a path with ..": layer(entry("../victim", b"x")),
    "a path with .. inside": layer(entry("a/../../victim", b"x")),
    "through a link": layer(link("out", "../.."), entry("out/victim", b"x")),
    "through an absolute link": layer(link("out", "/"), entry("out/tmp/x", b"x")),
    "a folder where a link is": layer(link("out", ".."), folder("out"), entry("out/victim", b"x")),
    "a hard link out of it": layer(link("in", "../victim", tarfile.LNKTYPE)),
    "a hard link through a link": layer(link("out", "/"), link("in", "out/etc/passwd", tarfile.LNKTYPE)),
    "a hard link to nothing": layer(link("in", "etc/passwd", tarfile.LNKTYPE)),
    "a whiteout of ..": layer(entry("a/.wh...")),
    "a whiteout of itself": layer(entry("a/.wh..")),
    "a link to nothing at all": layer(link("in", "")),
    "a name that no file system takes": layer(entry("x" * 300, b"x")),
    "a path that is deep": layer(entry("d/" * 300 + "x", b"x")),
    "no archive": b"x" * 2048,
    "an archive that is cut short": files({"a": b"x" * 5000})[:3000],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_layer_is_refused_and_leaves_nothing(ground: Ground, name: str) -> None:
    """Nothing is written outside, and nothing stays inside."""
    with pytest.raises(InvalidImage):
        ground.unpacked(HOSTILE[name])
    assert list(ground.folder.iterdir()) == []
    assert (ground.folder.parent / "victim").read_text() == "safe"


def test_an_absolute_path_means_the_image_s_root(ground: Ground) -> None:
    """As for `tar -x`: leading slashes and dots are nothing."""
    root = ground.root(layer(entry("/a/b", b"1"), entry("./a/c", b"2"), entry("//a///d", b"3")))
    assert sorted(path.name for path in (root / "a").iterdir()) == ["b", "c", "d"]


def test_devices_pipes_and_privileges_are_left_out(ground: Ground) -> None:
    """A sandbox could not use them; set-user-ID bits go too."""
    devices = [entry(f"dev/{name}", type=kind) for name, kind in (("c", tarfile.CHRTYPE), ("b", tarfile.BLKTYPE))]
    unpacked = ground.unpacked(layer(*devices, entry("p", type=tarfile.FIFOTYPE), entry("su", b"x", mode=0o6755)))
    assert sorted(path.name for path in (unpacked / "tree").rglob("*")) == ["dev", "su"]
    assert stat.S_IMODE((unpacked / "tree/su").stat().st_mode) == 0o755


def test_times_and_modes_are_kept(ground: Ground) -> None:
    """Compiled Python is compared with its source by time; a folder stays one that we can delete."""
    tree = ground.unpacked(layer(entry("a", b"x", mode=0o640), folder("d", 0o000))) / "tree"
    assert ((tree / "a").stat().st_mtime, stat.S_IMODE((tree / "a").stat().st_mode)) == (1_700_000_000, 0o640)
    assert stat.S_IMODE((tree / "d").stat().st_mode) == 0o700


@pytest.mark.parametrize("wrong", ["digest", "diff_id"])
def test_both_digests_are_verified(ground: Ground, wrong: str) -> None:
    """That of what was sent, and that of the archive (OCI: rootfs.diff_ids)."""
    content = files({"a": b"x"})
    stored = gzip.compress(content)
    digests = {"digest": sha256(stored), "diff_id": sha256(content), wrong: "0" * 64}
    described = Layer(digest=digests["digest"], diff_id=digests["diff_id"], compression="gzip")
    target = Target(scratch=ground.folder / "scratch", final=ground.folder / "layer")
    with pytest.raises(InvalidImage, match="does not have its digest"):
        unpack.unpack(io.BytesIO(stored), described, target, Room())
    assert list(ground.folder.iterdir()) == []


def test_a_layer_that_another_image_has_made_meanwhile_is_there(ground: Ground) -> None:
    """Two images with a common new layer, deployed at once: who comes second leaves it as it is."""
    content = files({"a": b"x"})
    described = Layer(digest=sha256(content), diff_id=sha256(content), compression="")
    for name in ("first", "second"):
        target = Target(scratch=ground.folder / name, final=ground.folder / "layer")
        unpack.unpack(io.BytesIO(content), described, target, Room())
    assert [path.name for path in ground.folder.iterdir()] == ["layer"]
    assert (ground.folder / "layer/tree/a").read_bytes() == b"x"


def test_gzip_members_follow_each_other(ground: Ground) -> None:
    """pigz and others write several."""
    content = files({"a": b"1" * 100_000})
    stored = gzip.compress(content[:5000]) + gzip.compress(content[5000:])
    assert (ground.unpacked(content, stored) / "tree/a").read_bytes() == b"1" * 100_000


def test_work_on_small_gzip_members_is_bounded(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """zlib copies what is behind a member: it is given little at first. And there is an end of members."""
    given: list[int] = []

    class Counted:
        def __init__(self, window: int) -> None:
            self.inner: Any = decompressobj(window)

        def decompress(self, data: bytes, limit: int) -> bytes:
            given.append(len(data))
            return bytes(self.inner.decompress(data, limit))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    decompressobj = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Counted)
    content = files({"a": bytes(range(256)) * 20})
    pieces = [content[at : at + 1] for at in range(len(content))]
    stored = b"".join(gzip.compress(piece, mtime=0) for piece in pieces)
    ground.unpacked(content, stored)
    assert sum(given) < 600 * len(pieces)
    monkeypatch.setattr(entries, "MAX_MEMBERS", len(pieces) - 1)
    with pytest.raises(InvalidImage, match="more than"):
        ground.unpacked(content, stored)


CUT_SHORT = {
    "nothing": b"",
    "gzip's magic": b"\x1f\x8b",
    "most of gzip": gzip.compress(files({"a": b"x"}), mtime=0)[:-6],
    "zstd's magic": ZSTD,
    "most of zstd": zstd(files({"a": b"x"}), checksum_flag=1)[:-3],
    "a frame and a half": zstd(files({"a": b"x"})) + ZSTD,
    "no zstd": ZSTD + b"\xff" * 100,
}


@pytest.mark.parametrize("stored", CUT_SHORT.values(), ids=CUT_SHORT)
def test_a_layer_that_is_cut_short_is_refused(ground: Ground, stored: bytes) -> None:
    """Nothing of it is kept."""
    with pytest.raises(InvalidImage):
        ground.unpacked(files({"a": b"x"}), stored)


def test_zstd_is_read(ground: Ground) -> None:
    """RFC 8878: frames follow each other; what is in skippable ones (podman's table of contents) is no content."""
    content = files({"a": random.Random(1).randbytes(3 << 20) + bytes(3 << 20)})
    stored = zstd(content[:5000]) + SKIPPABLE + zstd(content[5000:], checksum_flag=1) + SKIPPABLE
    assert (ground.unpacked(content, stored) / "tree/a").read_bytes() == content[512 : 512 + (6 << 20)]


def test_zstd_is_read_in_pieces(ground: Ground) -> None:
    """However well it was packed: what tarfile is given at once never grows with it."""
    content = bytes(64 << 20)
    stream = entries.Forward(io.BytesIO(zstd(content)), compression="zstd", limit_bytes=len(content))
    pieces = []
    while piece := stream._next():
        pieces.append(len(piece))
    assert (sum(pieces), max(pieces)) == (len(content), 256 << 10)
    assert stream.digests[1] == sha256(content)


def test_zstd_that_wants_more_memory_than_its_tool_gives_is_refused(ground: Ground) -> None:
    """A frame says how much of what was unpacked it refers to: `zstd -d` stops at 128 MiB, too."""
    content = files({"a": b"x"})
    stored = zstd(content, window_log=27, content_size_flag=0)
    assert (ground.unpacked(content, stored) / "tree/a").read_bytes() == b"x"
    with pytest.raises(InvalidImage, match="too much memory"):
        ground.unpacked(content, zstd(content, window_log=28, content_size_flag=0))


def test_work_on_small_zstd_frames_is_bounded(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for gzip."""
    monkeypatch.setattr(entries, "MAX_MEMBERS", 100)
    content = files({"a": b"x"})
    with pytest.raises(InvalidImage, match="more than 100 pieces"):
        ground.unpacked(content, zstd(content) + 100 * SKIPPABLE)


@pytest.mark.parametrize("packed", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_bomb_is_refused_before_it_is_written(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, packed: Callable[[bytes], bytes]
) -> None:
    """A file counts by its size in the header; what lies between files counts by its bytes."""
    monkeypatch.setattr(unpack, "MAX_IMAGE_BYTES", 1 << 20)
    monkeypatch.setattr(unpack, "_HEADERS_BYTES", 1 << 20)
    large = files({"a": bytes(4 << 20)})
    with pytest.raises(InvalidImage, match="larger than"):
        ground.unpacked(large, packed(large))
    padded = files({"a": b"x"}) + bytes(4 << 20)
    with pytest.raises(InvalidImage, match="larger than"):
        ground.unpacked(padded, packed(padded))


def test_layers_share_the_room_of_their_image(ground: Ground) -> None:
    """127 layers of 10 GB each would fill the disk before anybody adds them up: the last is not there."""
    room = Room(size_bytes=1 << 20, entries=4)
    ground.unpacked(files({"a": bytes(600 << 10)}), room=room)
    with pytest.raises(InvalidImage, match="larger than"):
        ground.unpacked(files({"b": bytes(600 << 10)}), room=room)
    room = Room(size_bytes=1 << 20, entries=3)
    ground.unpacked(files({"a": b"", "b": b""}), room=room)
    with pytest.raises(InvalidImage, match="files"):
        ground.unpacked(files({"c": b"", "d": b""}), room=room)
    assert sorted(path.name for path in ground.folder.iterdir()) == ["layer1", "layer3"]


def test_number_of_files_is_limited(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of folders that are only implied."""
    monkeypatch.setattr(unpack, "MAX_ENTRIES", 20)
    ground.unpacked(files({f"{number}": b"" for number in range(20)}))
    with pytest.raises(InvalidImage, match="files"):
        ground.unpacked(files({f"{number}/x": b"" for number in range(20)}))


def test_header_that_claims_much_is_refused(ground: Ground) -> None:
    """tarfile would read all of it into memory."""
    claim = tarfile.TarInfo("pax")
    claim.type, claim.size = tarfile.XHDTYPE, 1 << 40
    with pytest.raises(InvalidImage, match="header"):
        ground.unpacked(claim.tobuf(tarfile.GNU_FORMAT) + bytes(4096))


@pytest.mark.parametrize("major", ["0", "1"])
def test_sparse_files_are_refused(ground: Ground, major: str) -> None:
    """Their maps may claim any size, and tarfile reads one without an end for ever."""
    sparse = tarfile.TarInfo("s")
    sparse.pax_headers = {"GNU.sparse.major": major, "GNU.sparse.minor": "0", "GNU.sparse.size": "5"}
    if major == "0":
        sparse.pax_headers = {"GNU.sparse.map": "0,5", "GNU.sparse.size": "5"}
    with pytest.raises(InvalidImage, match="sparse"):
        ground.unpacked(sparse.tobuf(tarfile.PAX_FORMAT) + bytes(1024))


# The root


def test_upper_layers_hide_lower_ones(ground: Ground) -> None:
    """Whiteouts, opaque folders, a file where a folder was, a folder where a link was."""
    lower = layer(
        entry("keep", b"1"), entry("gone", b"1"), entry("changed", b"1"), entry("a/one", b"1"), entry("b/old", b"1"),
        entry("c/inner/x", b"1"), link("d", "keep"), link("e", "/nowhere"),
    )  # fmt: skip
    upper = layer(
        entry(".wh.gone"), entry("changed", b"2"), entry("a/two", b"2"), entry("b/.wh..wh..opq"), entry("b/new", b"2"),
        entry("c", b"2"), folder("d"), entry("e/x", b"2"), entry(".wh.never"), entry(".wh..wh.plnk"),
    )  # fmt: skip
    root = ground.root(lower, upper)
    found = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    places = {"etc/hosts", "etc/resolv.conf", "etc/undercast-ca-certificates.crt"}
    assert found - places == {"keep", "changed", "a/one", "a/two", "b/new", "c", "e/x"}
    assert (root / "changed").read_bytes() == (root / "c").read_bytes() == b"2"
    assert (root / "d").is_dir()
    assert not (root / "d").is_symlink()


def test_whiteout_does_not_reach_through_a_link(ground: Ground) -> None:
    """A link of a lower layer leads nowhere here."""
    (ground.folder / "out").write_text("safe")
    ground.root(layer(link("l", str(ground.folder))), layer(entry("l/.wh.out")))
    assert (ground.folder / "out").read_text() == "safe"


def test_layers_share_their_files_with_the_root(ground: Ground) -> None:
    """Hard links: an image takes the disk once."""
    root = ground.root(files({"a": b"x"}))
    assert (root / "a").samefile(ground.folder / "layer1/tree/a")


def test_places_of_mounts_are_no_links(ground: Ground) -> None:
    """What is mounted at /proc or /etc/hosts may not end up where an image says."""
    hostile = layer(link("proc", "/"), link("dev", ".."), link("etc", "/host"), link("tmp", "proc"))
    root = ground.root(hostile)
    assert all((root / name).is_dir() and not (root / name).is_symlink() for name in ("proc", "dev", "etc", "tmp"))
    assert (root / "etc/hosts").read_bytes() == b""


def test_paths_are_looked_up_as_the_image_s_processes_would(ground: Ground) -> None:
    """Absolute links, .. and loops stay below the root."""
    root = ground.root(
        layer(entry("a/b/file", b"x"), link("abs", "/a/b"), link("up", "../../../../a"), link("loop", "loop"))
    )
    assert resolved(root, "/abs/file") == root / "a/b/file"
    assert resolved(root, "/up/b/../b") == root / "a/b"
    assert resolved(root, "/../../a") == root / "a"
    assert resolved(root, "/loop") is None
    assert resolved(root, "/abs/none") is None
