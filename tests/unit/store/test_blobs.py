"""Blobs: content-addressed, counted, never without their row nor rows without them.

AWS: S3 User Guide, "Checking object integrity", for the digests.
"""

import asyncio
import contextlib
import gc
import hashlib
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from awscrt import checksums

from tests.fakes import FakeClock
from tests.state import State, open_state
from undercast.store import intake
from undercast.store.blobs import BlobStore, SweepResult
from undercast.store.errors import BlobMissing
from undercast.store.files import sync_folder
from undercast.store.intake import INLINE_BYTES

ROOT = Path(__file__).resolve().parents[3]
SMALL = b"small" * 10
LARGE = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    async with open_state(tmp_path, FakeClock()) as opened:
        yield opened


async def pieces(content: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def store(state: State, content: bytes) -> str:
    """The id of a stored blob; its draft is gone."""
    draft = await state.blobs.put(pieces(content))
    await state.database.write(lambda tx: state.blobs.acquire(tx, draft))
    return draft.id


def files(state: State) -> list[str]:
    return sorted(str(path.relative_to(state.blobs.folder)) for path in state.blobs.folder.rglob("*") if path.is_file())


def path_in_store(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest[:2]}/{digest[2:]}"


@pytest.mark.parametrize(
    "content", [b"", SMALL, b"x" * INLINE_BYTES, b"x" * (INLINE_BYTES + 1), LARGE, LARGE * 3 + b"z"]
)
@pytest.mark.parametrize("stream", [True, False])
async def test_content_comes_back_with_its_digests(state: State, content: bytes, stream: bool) -> None:
    """S3's ETag is the MD5 of a simple put; its default checksum is CRC64NVME."""
    names = ("md5", "sha1", "sha256", "crc32", "crc32c", "crc64nvme")
    draft = await state.blobs.put(pieces(content) if stream else content, digests=names)
    await state.database.write(lambda tx: state.blobs.acquire(tx, draft))
    assert await state.blobs.read_all(draft.id) == content
    assert draft.size_bytes == len(content)
    assert draft.digests == {
        "md5": hashlib.md5(content).hexdigest(),
        "sha1": hashlib.sha1(content).hexdigest(),
        "sha256": draft.id,
        "crc32": f"{zlib.crc32(content):08x}",
        "crc32c": f"{checksums.crc32c(content):08x}",
        "crc64nvme": f"{checksums.crc64nvme(content):016x}",
    }
    assert await state.blobs.audit() == ()


async def test_only_large_content_becomes_a_file(state: State) -> None:
    """Up to 32 KiB a blob is a row: one write, no fsync of its own."""
    await store(state, b"x" * INLINE_BYTES)
    assert files(state) == []
    await store(state, LARGE)
    assert files(state) == [path_in_store(LARGE)]


@pytest.mark.parametrize("content", [SMALL, LARGE])
@pytest.mark.parametrize(("start", "length"), [(0, 1), (3, 7), (10, None), (0, 10**9), (10**9, 5), (40, 0)])
async def test_read_gives_the_range(state: State, content: bytes, start: int, length: int | None) -> None:
    """GetObject with Range reads no more than it returns."""
    blob_id = await store(state, content)
    got = b"".join([piece async for piece in state.blobs.read(blob_id, start, length)])
    assert got == content[start:][:length]


@pytest.mark.parametrize("content", [SMALL, LARGE])
async def test_an_opened_blob_is_a_seekable_file(state: State, content: bytes) -> None:
    """A package is unpacked from where it lies, also while it is released."""
    blob_id = await store(state, content)
    with state.blobs.open(blob_id) as file:
        await state.database.write(lambda tx: state.blobs.release(tx, blob_id))
        file.seek(3)
        assert content[3:] == file.read()
    with pytest.raises(BlobMissing):
        state.blobs.open(blob_id)


@pytest.mark.parametrize("content", [SMALL, LARGE])
async def test_content_lives_until_its_last_reference(state: State, content: bytes) -> None:
    """CopyObject shares the content; deleting one of the two keeps the other."""
    blob_id = await store(state, content)
    await state.database.write(lambda tx: state.blobs.acquire_id(tx, blob_id))
    await state.database.write(lambda tx: state.blobs.release(tx, blob_id))
    assert await state.blobs.read_all(blob_id) == content
    await state.database.write(lambda tx: state.blobs.release(tx, blob_id))
    with pytest.raises(BlobMissing):
        state.blobs.read(blob_id)
    assert await state.blobs.audit() == ()
    assert files(state) == []


async def test_equal_contents_are_kept_once(state: State) -> None:
    """Two puts of the same bytes: one file, two references."""
    first, second = await store(state, LARGE), await store(state, LARGE)
    assert first == second
    assert files(state) == [path_in_store(LARGE)]
    await state.database.write(lambda tx: state.blobs.release(tx, first))
    assert await state.blobs.read_all(second) == LARGE


async def test_reader_gets_all_of_what_is_released_meanwhile(state: State) -> None:
    """A GetObject under way is not cut by a DeleteObject."""
    blob_id = await store(state, LARGE)
    reader = state.blobs.read(blob_id)
    first = await anext(reader)
    await state.database.write(lambda tx: state.blobs.release(tx, blob_id))
    assert await state.blobs.audit() == ()
    assert first + b"".join([piece async for piece in reader]) == LARGE
    assert files(state) == []


async def test_draft_outlives_the_release_of_its_twin(state: State) -> None:
    """The last object with this content is deleted while a put of the same content waits for its commit."""
    stored = await store(state, LARGE)
    draft = await state.blobs.put(LARGE)
    await state.database.write(lambda tx: state.blobs.release(tx, stored))
    await state.blobs.audit()
    await state.database.write(lambda tx: state.blobs.acquire(tx, draft))
    assert await state.blobs.read_all(draft.id) == LARGE
    assert await state.blobs.audit() == ()


async def test_draft_that_nobody_acquires_is_removed(state: State) -> None:
    """A put whose commit was refused leaves nothing."""
    draft = await state.blobs.put(LARGE)

    def refuses(tx: object) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        await state.database.write(refuses)
    assert files(state) == [path_in_store(LARGE)]
    del draft
    gc.collect()
    assert await state.blobs.audit() == ()
    assert files(state) == []


async def test_body_that_breaks_off_leaves_nothing(state: State) -> None:
    """A sender that goes away, a checksum that does not match: the error is the body's own."""

    async def broken() -> AsyncIterator[bytes]:
        yield LARGE
        yield LARGE
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await state.blobs.put(broken())
    assert files(state) == []


async def test_cancelled_put_leaves_nothing(state: State) -> None:
    """A request that is cancelled while a thread writes its block."""
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield LARGE
            reached.set()
            await asyncio.sleep(0)

    putting = asyncio.create_task(state.blobs.put(endless()))
    await reached.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert files(state) == []


async def test_release_and_acquire_of_unknown_content_are_errors(state: State) -> None:
    """A reference that is not counted is a bug of the caller."""
    with pytest.raises(BlobMissing):
        await state.database.write(lambda tx: state.blobs.release(tx, "0" * 64))
    with pytest.raises(BlobMissing):
        await state.database.write(lambda tx: state.blobs.acquire_id(tx, "0" * 64))


async def test_sweep_removes_what_a_crash_left(tmp_path: Path) -> None:
    """A draft that was being written, a file whose commit never came; what has a row stays."""
    async with open_state(tmp_path, FakeClock()) as state:
        kept = await store(state, LARGE)
        orphan = state.blobs.path_of("ab" + "0" * 62)
        orphan.parent.mkdir(exist_ok=True)
        orphan.write_bytes(LARGE)
        (state.blobs.folder / ".drafts" / "17").write_bytes(b"half")
    async with open_state(tmp_path, FakeClock()) as state:
        held = await state.blobs.put(LARGE + b"held")
        assert await state.blobs.sweep() == SweepResult(files_removed=1, drafts_removed=1, missing=())
        assert files(state) == sorted([path_in_store(LARGE), path_in_store(LARGE + b"held")])
        assert await state.blobs.read_all(kept) == LARGE
        assert await state.blobs.audit() == ()
        await state.database.write(lambda tx: state.blobs.acquire(tx, held))


async def test_a_sweep_that_is_cut_off_is_done_by_the_next(tmp_path: Path) -> None:
    """A shutdown does not wait for it: it ends wherever it is, and nothing that has a row is lost."""
    async with open_state(tmp_path, FakeClock()) as state:
        kept = await store(state, LARGE)
        for digit in "0123456789abcdef":
            orphan = state.blobs.path_of(digit + "b" + "0" * 62)
            orphan.parent.mkdir(exist_ok=True)
            orphan.write_bytes(LARGE)
        for turns in range(0, 40, 4):
            sweep = asyncio.create_task(state.blobs.sweep())
            for _ in range(turns):
                await asyncio.sleep(0)
            sweep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweep
        await state.blobs.sweep()
        assert files(state) == [path_in_store(LARGE)]
        assert await state.blobs.read_all(kept) == LARGE
        assert await state.blobs.audit() == ()


def lose_file(blobs: BlobStore, blob_id: str) -> None:
    blobs.path_of(blob_id).unlink()


def cut_file(blobs: BlobStore, blob_id: str) -> None:
    blobs.path_of(blob_id).write_bytes(b"cut")


def stray_file(blobs: BlobStore, blob_id: str) -> None:
    blobs.path_of(blob_id[:2] + "0" * 62).write_bytes(b"stray")


@pytest.mark.parametrize(
    ("breach", "text"), [(lose_file, "has no file"), (cut_file, "wrong size"), (stray_file, "has no row")]
)
async def test_audit_names_each_breach(state: State, breach: Callable[[BlobStore, str], None], text: str) -> None:
    """No blob without a row, no row without a blob."""
    blob_id = await store(state, LARGE)
    breach(state.blobs, blob_id)
    problems = await state.blobs.audit()
    assert len(problems) == 1
    assert text in problems[0]


FLAT = """
import asyncio, sys
from pathlib import Path

from tests.fakes import FakeClock
from tests.memory import Peak
from tests.state import open_state

MIB = 1024 * 1024

async def body(mib):
    for number in range(mib):
        yield number.to_bytes(1, "big") * MIB

async def through(state, mib):
    draft = await state.blobs.put(body(mib))
    await state.database.write(lambda tx: state.blobs.acquire(tx, draft))
    size = 0
    async for piece in state.blobs.read(draft.id):
        size += len(piece)
    assert size == draft.size_bytes == mib * MIB

async def main():
    async with open_state(Path(sys.argv[1]), FakeClock()) as state:
        await through(state, 8)
        peak = Peak()
        await through(state, 200)
        print(peak.grown_kib())

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc to read a peak of memory from")
def test_large_body_takes_flat_memory(tmp_path: Path) -> None:
    """200 MB in pieces of 1 MiB, in and out: the peak of a process that does nothing else hardly moves."""
    done = subprocess.run(
        [sys.executable, "-c", FLAT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 24 * 1024


async def test_power_durability_gives_the_same_store(tmp_path: Path) -> None:
    """fsync of the file and its folders comes before the commit; what is kept is the same."""
    async with open_state(tmp_path, FakeClock(), durability="power") as state:
        blob_id = await store(state, LARGE)
        await store(state, SMALL)
        await state.database.write(lambda tx: state.blobs.release(tx, blob_id))
        assert await state.blobs.audit() == ()
        assert files(state) == []


async def test_power_durability_has_files_and_names_on_the_device_before_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync(2): that a file is on the device does not say that the entry in its folder is; nor that of a new folder."""
    synced: list[Path] = []

    def sync(folder: Path) -> None:
        synced.append(folder)
        sync_folder(folder)

    monkeypatch.setattr(intake, "sync_folder", sync)
    async with open_state(tmp_path, FakeClock(), durability="power") as state:
        blob_id = await store(state, LARGE)
        assert synced == [state.blobs.folder / blob_id[:2], state.blobs.folder]


async def test_a_file_goes_only_when_the_commit_that_dropped_it_is_on_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut in between leaves a row without its file."""
    on_device = asyncio.Event()
    async with open_state(tmp_path, FakeClock(), durability="power") as state:
        blob_id = await store(state, LARGE)
        await store(state, SMALL)  # the draft of before is forgotten
        with monkeypatch.context() as patch:
            patch.setattr(state.database, "durable", on_device.wait)
            await state.database.write(lambda tx: state.blobs.release(tx, blob_id))
            for _ in range(20):
                await asyncio.sleep(0)
            assert files(state) == [path_in_store(LARGE)]
            on_device.set()
            await state.blobs.audit()
        assert files(state) == []
