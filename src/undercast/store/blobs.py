"""Content-addressed bodies: files under blobs/ab/cdef..., small ones as rows of state.db, both counted.

No row without its file: a file is in place before the commit that refers to it, and goes after the commit that drops
the last reference. A file without a row is what a crash may leave; `sweep` removes it.
"""

import asyncio
import io
import os
from collections import Counter, deque
from collections.abc import AsyncIterable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from undercast.core.body import Blocks, BodyStream
from undercast.core.record import record
from undercast.store.blob_reader import BlobReader, OpenBlob
from undercast.store.database import Database
from undercast.store.digests import digest_of
from undercast.store.errors import BlobMissing
from undercast.store.intake import INLINE_BYTES, Intake
from undercast.store.transaction import Row, Tx

T = TypeVar("T")

OFF_LOOP_BYTES = 256 * 1024
"""Bodies above this are hashed and written by a thread, in blocks of at least this size."""
_DRAFTS = ".drafts"
_BUFFER_BYTES = 1024 * 1024
_SPARE_BUFFERS = 4
"""Kept for the next body: fresh memory costs a page fault per 4 KiB, as long as its SHA-256."""


class Hold:
    """Keeps the file of a draft while the draft lives, acquired or not."""

    __slots__ = ("_blob_id", "_dropped")

    def __init__(self, blob_id: str, dropped: deque[str]) -> None:
        self._blob_id = blob_id
        self._dropped = dropped

    def __del__(self) -> None:
        # May run in any thread: a deque's append is atomic, the loop does the rest at the next put.
        self._dropped.append(self._blob_id)


@record
class BlobDraft:
    """A stored body that no row refers to yet. Dropped without `acquire`, it is removed."""

    id: str
    """SHA-256 of the content, hexadecimal."""
    size_bytes: int
    digests: Mapping[str, str]
    """Digest name -> hexadecimal, of what was asked for."""
    body: bytes | None = field(default=None, repr=False, compare=False)
    hold: Hold | None = field(default=None, repr=False, compare=False)


@record
class SweepResult:
    """What a sweep found: files and drafts that it removed, and ids whose file is gone (never expected)."""

    files_removed: int
    drafts_removed: int
    missing: tuple[str, ...]


class BlobStore:
    """`put` a body, then `acquire` it in the commit that refers to it."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self._database = database
        self.survives_power_cuts = database.durability == "power"
        """Whether what has its final name is on the device."""
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="blobs")
        self._holds: Counter[str] = Counter()
        self._dropped: deque[str] = deque()
        self._removals: set[asyncio.Task[None]] = set()
        self._spare: list[bytearray] = []
        self._drafts = folder / _DRAFTS
        self._drafts.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._leftovers = tuple(self._drafts.iterdir())
        self._serial = max((int(path.name) for path in self._leftovers), default=0)

    async def put(self, body: BodyStream | AsyncIterable[bytes] | bytes, *, digests: tuple[str, ...] = ()) -> BlobDraft:
        """Store a body, in flat memory however large it is. What the body raises is raised here; nothing is left."""
        self._drop_holds()
        content = await _in_memory(body) if isinstance(body, BodyStream) else body
        if isinstance(content, bytes) and len(content) <= INLINE_BYTES:
            return _small(content, digests, body.digests if isinstance(body, BodyStream) else {})
        blocks = body.blocks if isinstance(body, BodyStream) else None
        known = frozenset[str]() if blocks is None else blocks.digests
        intake = Intake(self._new_draft(), {"sha256", *digests} - known, () if blocks is None else blocks.lanes)
        try:
            found: Mapping[str, str] = {}
            if blocks is not None:
                await self._take_blocks(intake, blocks)
                found = blocks.finish()
            else:
                await self._take_in(intake, content if isinstance(content, bytes) else body)
            found = {**found, **intake.digests()}
            blob_id = found["sha256"]
            asked = {name: found[name] for name in digests}
            small = intake.inline_body()
            if small is not None:
                return BlobDraft(id=blob_id, size_bytes=intake.size_bytes, digests=asked, body=small)
            # The hold comes first: from here on nobody removes a file of this content.
            self._holds[blob_id] += 1
            hold = Hold(blob_id, self._dropped)
            await self._place(intake, blob_id)
            return BlobDraft(id=blob_id, size_bytes=intake.size_bytes, digests=asked, hold=hold)
        finally:
            intake.discard()

    def acquire(self, tx: Tx, draft: BlobDraft) -> None:
        """Count one reference to a draft, in the commit that holds the reference."""
        tx.execute(
            "INSERT INTO blob (id, size_bytes, refs, body) VALUES (?, ?, 1, ?)"
            " ON CONFLICT (id) DO UPDATE SET refs = blob.refs + 1",
            (draft.id, draft.size_bytes, draft.body),
        )

    def acquire_id(self, tx: Tx, blob_id: str) -> None:
        """Count a further reference to a stored blob (CopyObject). Raises BlobMissing."""
        if not tx.execute("UPDATE blob SET refs = refs + 1 WHERE id = ?", (blob_id,)):
            raise BlobMissing(blob_id)

    def release(self, tx: Tx, blob_id: str) -> None:
        """Drop one reference; with the last one the content goes, after the commit. Raises BlobMissing."""
        if tx.execute("UPDATE blob SET refs = refs - 1 WHERE id = ? AND refs > 1", (blob_id,)):
            return
        row = tx.one("SELECT body IS NULL AS is_file FROM blob WHERE id = ?", (blob_id,))
        if row is None:
            raise BlobMissing(blob_id)
        tx.execute("DELETE FROM blob WHERE id = ?", (blob_id,))
        if row["is_file"]:
            tx.after_commit(lambda: self._remove_soon(blob_id))

    def read(self, blob_id: str, start: int = 0, length: int | None = None) -> BlobReader:
        """The content in pieces of 256 KiB. It stays readable to its end even if it is released meanwhile.

        Call it without awaiting behind the read of the row that named the blob. Raises BlobMissing.
        """
        row = self._row(blob_id)
        stop = row["size_bytes"] if length is None else min(start + length, row["size_bytes"])
        if row["body"] is not None:
            return BlobReader.of(row["body"][start:stop])
        return BlobReader(OpenBlob(self.path_of(blob_id)), start, stop, self._threads)

    def read_row(self, blob_id: str) -> bytes:
        """The whole content of a blob of at most INLINE_BYTES. Raises BlobMissing."""
        body: bytes | None = self._row(blob_id)["body"]
        if body is None:
            raise BlobMissing(blob_id)
        return body

    async def read_all(self, blob_id: str) -> bytes:
        """The whole content, in memory. Raises BlobMissing."""
        return b"".join([piece async for piece in self.read(blob_id)])

    def open(self, blob_id: str) -> IO[bytes]:
        """The content as a seekable file, readable to its end even if it is released. Raises BlobMissing."""
        row = self._row(blob_id)
        return io.BytesIO(row["body"]) if row["body"] is not None else self.path_of(blob_id).open("rb")

    def path_of(self, blob_id: str) -> Path:
        """Where the file of a blob is, if it has one."""
        return self.folder / blob_id[:2] / blob_id[2:]

    async def sweep(self) -> SweepResult:
        """Remove what a crash left behind: drafts, and files that no row refers to. May run beside everything else."""
        self._drop_holds()
        leftovers, self._leftovers = self._leftovers, ()
        for path in leftovers:
            await self._in_thread(path.unlink)
        removed, missing = 0, list[str]()
        for digit in "0123456789abcdef":  # parts, so that a million blobs are never in memory at once
            rows = await self._database.read(partial(_files_of, prefix=digit), long=True)
            files = await self._in_thread(partial(self._listing, digit))
            for blob_id in files - rows:
                removed += await self._remove(blob_id)
            missing += [blob_id for blob_id in rows - files if self._lost(blob_id)]
        return SweepResult(files_removed=removed, drafts_removed=len(leftovers), missing=tuple(missing))

    async def audit(self) -> tuple[str, ...]:
        """One sentence for each breach of "no blob without a row or row without a blob". For tests and doctor."""
        self._drop_holds()
        await self._finish_removals()
        rows = await self._database.read(lambda tx: tx.all("SELECT id, size_bytes, refs, body FROM blob"), long=True)
        found = [problem for row in rows if (problem := self._problem_of(row))]
        known = {row["id"] for row in rows if row["body"] is None}
        files = {blob_id for digit in "0123456789abcdef" for blob_id in self._listing(digit)}
        found += [f"file {blob_id} has no row" for blob_id in files - known if not self._holds[blob_id]]
        return tuple(found)

    async def close(self) -> None:
        """Finish the removals. The database is still open."""
        self._drop_holds()
        await self._finish_removals()
        await asyncio.to_thread(self._threads.shutdown)  # one may hang in the file system: the loop goes on

    async def _take_in(self, intake: Intake, body: AsyncIterable[bytes] | bytes) -> None:
        if isinstance(body, bytes):
            await self._take_block(intake, body)
            return
        pieces: list[bytes] = []
        size = 0
        job: asyncio.Task[None] | None = None
        try:
            async for piece in body:
                pieces.append(piece)
                size += len(piece)
                if size <= OFF_LOOP_BYTES:
                    continue
                if job is not None:
                    await job
                # Threads hash and write this block while the loop receives the next one.
                job = asyncio.create_task(self._take_block(intake, b"".join(pieces)))
                pieces, size = [], 0
        finally:
            if job is not None:
                await asyncio.wait([job])
        if job is not None:
            job.result()
        await self._take_block(intake, b"".join(pieces))

    async def _take_blocks(self, intake: Intake, blocks: Blocks) -> None:
        """Threads hash and write one buffer while the loop receives into the other."""
        buffers = deque[bytearray]()
        job: asyncio.Task[None] | None = None
        try:
            filled = _BUFFER_BYTES
            while filled == _BUFFER_BYTES:
                if len(buffers) < 2:
                    buffers.appendleft(self._spare.pop() if self._spare else bytearray(_BUFFER_BYTES))
                buffer = memoryview(buffers[0])
                filled = await blocks.fill(buffer)
                if job is not None:
                    await job
                job = asyncio.create_task(self._take_block(intake, buffer[:filled]))
                buffers.rotate()
        finally:
            if job is not None:
                await asyncio.wait([job])
            if len(self._spare) < _SPARE_BUFFERS:
                self._spare += buffers
        if job is not None:
            job.result()

    async def _take_block(self, intake: Intake, block: bytes | memoryview) -> None:
        if len(block) <= OFF_LOOP_BYTES:
            intake.take(block)
        else:
            await asyncio.gather(*(self._in_thread(partial(lane, block)) for lane in intake.lanes))

    async def _place(self, intake: Intake, blob_id: str) -> None:
        final = self.path_of(blob_id)
        if self.survives_power_cuts or intake.size_bytes > OFF_LOOP_BYTES:
            await self._in_thread(lambda: intake.place(final, sync=self.survives_power_cuts))
        else:
            intake.place(final, sync=False)

    async def _in_thread(self, fn: Callable[[], T]) -> T:
        """Run in a thread and, even when the caller is cancelled, return only once the thread is done."""
        job = asyncio.get_running_loop().run_in_executor(self._threads, fn)
        try:
            return await asyncio.shield(job)
        finally:
            if not job.done():
                await asyncio.wait([job])

    def _new_draft(self) -> Path:
        self._serial += 1
        return self._drafts / str(self._serial)

    def _row(self, blob_id: str) -> Row:
        row = self._database.read_row(lambda tx: tx.one("SELECT size_bytes, body FROM blob WHERE id = ?", (blob_id,)))
        if row is None:
            raise BlobMissing(blob_id)
        return row

    def _has_row(self, blob_id: str) -> bool:
        query = "SELECT 1 FROM blob WHERE id = ?"
        return self._database.read_now(lambda tx: tx.one(query, (blob_id,))) is not None

    def _lost(self, blob_id: str) -> bool:
        """Whether a row still says that there is a file, and there is none."""
        return self._has_row(blob_id) and not self.path_of(blob_id).exists()

    def _drop_holds(self) -> None:
        while self._dropped:
            blob_id = self._dropped.popleft()
            self._holds[blob_id] -= 1
            if not self._holds[blob_id]:
                del self._holds[blob_id]
                if not self._has_row(blob_id):
                    self._remove_soon(blob_id)

    def _remove_soon(self, blob_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._remove_later(blob_id))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def _remove_later(self, blob_id: str) -> None:
        await self._database.durable()  # a file must not go before the commit that dropped it is on the disk
        await self._remove(blob_id)

    async def _remove(self, blob_id: str) -> bool:
        """Remove a file unless a draft holds it or a row refers to it; decided and renamed in one step of the loop."""
        path = self.path_of(blob_id)
        if self._holds[blob_id] or self._has_row(blob_id) or not path.exists():
            return False
        trash = self._new_draft()
        path.rename(trash)
        await self._in_thread(trash.unlink)  # slow for gigabytes
        return True

    async def _finish_removals(self) -> None:
        if self._removals:
            await asyncio.wait(tuple(self._removals))

    def _listing(self, prefix: str) -> set[str]:
        """The ids of all files that begin so."""
        with os.scandir(self.folder) as folders:
            names = [entry.name for entry in folders if entry.name.startswith(prefix)]
        return {name + file for name in names for file in os.listdir(self.folder / name)}  # noqa: PTH208 - only names

    def _problem_of(self, row: Row) -> str | None:
        if row["refs"] < 1:
            return f"row {row['id']} has {row['refs']} references"
        if row["body"] is not None:
            return (
                None if len(row["body"]) == row["size_bytes"] <= INLINE_BYTES else f"row {row['id']} has a wrong size"
            )
        path = self.path_of(row["id"])
        if not path.exists():
            return f"row {row['id']} has no file"
        return None if path.stat().st_size == row["size_bytes"] else f"file {row['id']} has a wrong size"


async def _in_memory(body: BodyStream) -> bytes | None:
    """What has come already, and what is small; None for what has to be streamed."""
    small = body.length is not None and body.length <= INLINE_BYTES
    return await body.read() if small else body.buffered


def _small(content: bytes, digests: tuple[str, ...], known: Mapping[str, str]) -> BlobDraft:
    """The draft of a body that becomes a row."""
    found = {name: known.get(name) or digest_of(name, content) for name in digests}
    blob_id = found.get("sha256") or known.get("sha256") or digest_of("sha256", content)
    return BlobDraft(id=blob_id, size_bytes=len(content), digests=found, body=content)


def _files_of(tx: Tx, prefix: str) -> set[str]:
    query = "SELECT id FROM blob WHERE id >= ? AND id < ? AND body IS NULL"
    return {row["id"] for row in tx.each(query, (prefix, prefix + "g"))}
