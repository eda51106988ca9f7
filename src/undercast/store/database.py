"""One SQLite file: short transactions inline on the event loop, long ones in one store thread.

A transaction is a synchronous function of a `Tx`; writers are serialised, so nothing interleaves. An inline write takes
some 15 microseconds and a hop to a thread five times that, which is why only what exceeds 2 ms goes there.
SQLite: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CoroutineType
from typing import Any, TypeVar

from undercast.core.config import Durability
from undercast.store.errors import StoreError
from undercast.store.group_sync import GroupSync
from undercast.store.transaction import Row, SqlValue, Tx

__all__ = ["Database", "Row", "SqlValue", "Tx"]

T = TypeVar("T")

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA mmap_size=0",
    "PRAGMA wal_autocheckpoint=0",
)
_CHECKPOINT_ROWS = 1024
"""Rows changed between two checkpoints: some 2,000 to 8,000 frames (pages) of the WAL, unless `open` is told more."""
_RESTART_FRAMES = 8192
"""From here on (32 MiB) writers wait while the WAL starts again: a passive checkpoint never catches a busy writer."""
_TRUNCATE_BYTES = 256 * 1024 * 1024
"""A file above this is cut, which is slow; a smaller one is written again from its beginning."""
_FOREIGN_WRITER_S = 10.0
_log = logging.getLogger(__name__)


class Database:
    """`write` and `read` run a function in a transaction. Made by `Database.open`, used from one event loop."""

    def __init__(self, path: Path, durability: Durability, checkpoint_rows: int = _CHECKPOINT_ROWS) -> None:
        self.path = path
        self.durability = durability
        self._checkpoint_rows = checkpoint_rows
        self._inline = _connect(path, cache_kib=8192, busy_s=0.0)
        self._threaded = _connect(path, cache_kib=2048, busy_s=_FOREIGN_WRITER_S)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"store-{path.stem}")
        self._thread_free = asyncio.Lock()
        self._writer = asyncio.Lock()
        """Held by a long write only: an inline one begins and ends within one step of the loop."""
        self._wal = path.with_name(path.name + "-wal")
        self._sync = GroupSync(self._wal) if durability == "power" else None
        self._commits = 0
        """Raised on the loop behind each COMMIT. Not `total_changes`, which grows before it."""
        self._folded_rows = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    @classmethod
    def open(
        cls, path: Path, *, durability: Durability = "process", checkpoint_rows: int = _CHECKPOINT_ROWS
    ) -> "Database":
        """Open or create the file. "process" survives SIGKILL, "power" also a power cut."""
        return cls(path, durability, checkpoint_rows)

    async def write(self, fn: Callable[[Tx], T], *, long: bool = False) -> T:
        """Run a function that changes rows; all of it or, on any exception, nothing.

        `long` runs it in the store thread: for what takes more than 2 ms. Other writers wait for it.
        """
        if long:
            result = await self._owned(self._write_in_thread(fn))
        else:
            if self._writer.locked():
                async with self._writer:
                    pass  # behind the long write; nothing else runs between this and our COMMIT
            try:
                result = self._write_inline(fn)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                result = await self._owned(self._write_after_foreigner(fn))
        if self._sync is not None:
            await self._sync.wait()
        return result

    async def read(self, fn: Callable[[Tx], T], *, long: bool = False) -> T:
        """Run a function that only reads, on one snapshot. `long` runs it in the store thread."""
        if long:
            return await self._owned(self._read_in_thread(fn))
        return self.read_now(fn)

    def read_now(self, fn: Callable[[Tx], T]) -> T:
        """`read` without await, for the event loop's own hot paths."""
        return _look(self._inline, fn)

    def read_row(self, fn: Callable[[Tx], T]) -> T:
        """`read_now` for a function of one statement, which is a snapshot by itself: half the cost."""
        tx = Tx(self._inline)
        try:
            return fn(tx)
        finally:
            tx.end()

    @property
    def commits(self) -> int | None:
        """Grows with every commit of this process: what was read at the same number is still so.

        None while a long write may commit at any moment: what is read then is not to be kept.
        """
        return None if self._writer.locked() else self._commits

    def write_now(self, fn: Callable[[Tx], T]) -> T:
        """`write` without await: only before anything else uses the database (migrations)."""
        result, tx = _run(self._inline, fn)
        self._commits += 1
        _tell_committed(tx)
        return result

    async def durable(self) -> None:
        """Return when everything committed so far survives what `durability` promises."""
        if self._sync is not None:
            await self._sync.wait()

    async def close(self) -> None:
        """Finish what runs, fold the WAL into the file and let go of it."""
        if self._closed:
            return
        self._closed = True
        while pending := [task for task in (*self._tasks, self._checkpoint) if task is not None and not task.done()]:
            await asyncio.wait(pending)
        try:
            await self._fold("TRUNCATE")
        finally:
            self.drop()

    def drop(self) -> None:
        """Let go of the file at once. For `close`, and for one that nobody has used yet."""
        self._closed = True
        self._threaded.close()
        self._inline.close()
        if self._sync is not None:
            self._sync.close()
        self._thread.shutdown()

    async def _owned(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that goes on when the caller is cancelled: a thread cannot be stopped while it holds a lock."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    def _write_inline(self, fn: Callable[[Tx], T]) -> T:
        result, tx = _run(self._inline, fn)
        self._committed(tx)
        return result

    async def _write_in_thread(self, fn: Callable[[Tx], T]) -> T:
        # The thread first: a writer that waited for a long read would make every inline write wait as well.
        async with self._thread_free, self._writer:
            result, tx = await asyncio.get_running_loop().run_in_executor(self._thread, _run, self._threaded, fn)
            self._committed(tx)  # under the lock, and also when the caller has been cancelled meanwhile
            return result

    async def _read_in_thread(self, fn: Callable[[Tx], T]) -> T:
        async with self._thread_free:
            return await asyncio.get_running_loop().run_in_executor(self._thread, _look, self._threaded, fn)

    async def _write_after_foreigner(self, fn: Callable[[Tx], T]) -> T:
        """Another program (a user's sqlite3 shell) is writing: wait for it in the thread, never on the loop."""
        async with self._thread_free, self._writer:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + _FOREIGN_WRITER_S
            while True:
                await loop.run_in_executor(self._thread, _run, self._threaded, _nothing)
                try:
                    return self._write_inline(fn)
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or loop.time() > deadline:
                        raise

    def _committed(self, tx: Tx) -> None:
        self._commits += 1
        if self._sync is not None:
            self._sync.note()
        rows = self._inline.total_changes + self._threaded.total_changes
        if rows - self._folded_rows > self._checkpoint_rows and not self._closed:
            self._begin_checkpoint(rows)
        _tell_committed(tx)

    def _begin_checkpoint(self, rows: int) -> None:
        if self._checkpoint is None or self._checkpoint.done():
            self._folded_rows = rows
            self._checkpoint = asyncio.create_task(self._run_checkpoint())

    async def _run_checkpoint(self) -> None:
        async with self._thread_free:
            if await self._fold("PASSIVE") < _RESTART_FRAMES:
                return
            await self._fold("PASSIVE")  # what came during the first, so that writers wait for little
            huge = self._wal.stat().st_size > _TRUNCATE_BYTES
            async with self._writer:
                await self._fold("TRUNCATE" if huge else "RESTART")

    async def _fold(self, mode: str) -> int:
        """Copy the WAL into the file, in the store thread; how many frames the WAL had, 0 when it was not possible."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, _checkpoint, self._threaded, mode)
        except sqlite3.OperationalError as error:  # the disk is full: the WAL has everything, and is folded later
            _log.warning("%s cannot be checkpointed: %s", self.path, error)
            return 0


def _connect(path: Path, *, cache_kib: int, busy_s: float) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, timeout=busy_s or 5.0, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        for pragma in (*_PRAGMAS, f"PRAGMA cache_size=-{cache_kib}", f"PRAGMA busy_timeout={int(busy_s * 1000)}"):
            connection.execute(pragma).close()
    except sqlite3.Error as error:
        raise StoreError(
            f"Cannot open {path}: {error}. Check its permissions, or choose another folder with --data."
        ) from error
    connection.row_factory = sqlite3.Row
    return connection


def _run(connection: sqlite3.Connection, fn: Callable[[Tx], T]) -> tuple[T, Tx]:
    connection.execute("BEGIN IMMEDIATE")
    tx = Tx(connection)
    try:
        result = fn(tx)
        if isinstance(result, CoroutineType):
            result.close()
            raise TypeError("a transaction is a synchronous function")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        tx.end()
    return result, tx


def _look(connection: sqlite3.Connection, fn: Callable[[Tx], T]) -> T:
    connection.execute("BEGIN")
    tx = Tx(connection)
    before = connection.total_changes
    try:
        result = fn(tx)
        if connection.total_changes != before:
            raise RuntimeError("a read has written; use Database.write")
    finally:
        tx.end()
        connection.execute("ROLLBACK")
    return result


def _checkpoint(connection: sqlite3.Connection, mode: str) -> int:
    _, frames, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    return int(frames)


def _nothing(tx: Tx) -> None:
    """Waits, by BEGIN IMMEDIATE, until the write lock is free."""


def _tell_committed(tx: Tx) -> None:
    """Each by itself: what one raises neither undoes the commit nor keeps others, such as a wake-up, from running."""
    for callback in tx.callbacks:
        try:
            callback()
        except Exception:
            _log.exception("a callback behind a commit failed")
