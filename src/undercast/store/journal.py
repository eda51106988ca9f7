"""The second file, for what is much and may lose its last moments: log events, invocation edges, metrics.

Rows wait in memory for at most 100 ms or 1,000 rows and are written by the store thread. SIGKILL may lose this batch;
SPECIFICATION.md says so. Readers see everything that was appended before them.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from undercast.store.database import Database
from undercast.store.transaction import SqlValue, Tx

T = TypeVar("T")
Batch = dict[str, list[Sequence[SqlValue]]]

BATCH_ROWS = 1000
BATCH_S = 0.1
_CHECKPOINT_ROWS = 8 * BATCH_ROWS
"""Some 4,000 frames: a page that eight batches have changed goes into the file once, and one fdatasync serves them."""
_log = logging.getLogger(__name__)


class Journal:
    """Appends without waiting. `database` is for migrations."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._batch: Batch = {}
        self._rows = 0
        self._appended = 0
        self._settled = 0
        """How many of the appended rows have been through the database, in their order."""
        self._lost = 0
        """The end of the last batch that could not be written."""
        self._failure: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._epoch = 0
        """How often `empty` was called."""

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open or create the file."""
        return cls(Database.open(path, checkpoint_rows=_CHECKPOINT_ROWS))

    def append(self, sql: str, params: Sequence[SqlValue]) -> None:
        """Write a row soon. Rows of one sql text keep their order; rows of different texts may be reordered."""
        self.extend(sql, (params,))

    def extend(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Write several rows of one statement soon, as `append` does."""
        batch = self._batch.get(sql)
        if batch is None:
            batch = self._batch[sql] = []
        batch.extend(rows)
        before = self._rows
        self._rows = after = before + len(rows)
        self._appended += len(rows)
        if before < BATCH_ROWS <= after:
            self._begin()
        elif before == 0:
            self._timer = asyncio.get_running_loop().call_later(BATCH_S, self._begin)

    @property
    def appended(self) -> int:
        """How many rows ever were."""
        return self._appended

    @property
    def settled(self) -> int:
        """How many of them, in their order, have been through the database."""
        return self._settled

    async def flush(self) -> None:
        """Return when everything appended before this call is in the file. Raises where its last row was lost."""
        goal = self._appended
        await self._settle(goal)
        if goal <= self._lost:
            raise sqlite3.OperationalError(f"a journal batch was lost: {self._failure}") from self._failure

    async def _settle(self, goal: int) -> None:
        """Return when so many rows have been written or lost. Raises what loses a batch meanwhile."""
        while self._settled < goal:
            self._begin()
            if self._flushing is not None:
                await asyncio.shield(self._flushing)

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Read in the store thread, behind what was appended; what was lost before stays lost and hinders nobody."""
        await self._settle(self._appended)
        return await self.database.read(fn, long=True)

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Change or delete rows in the store thread, behind what was appended."""
        await self._settle(self._appended)
        return await self.database.write(fn, long=True)

    def empty(self, fn: Callable[[Tx], None]) -> "asyncio.Task[None]":
        """Begin to delete what was appended until now, in memory and by `fn`; what is appended later stays."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._batch, self._rows = {}, 0
        self._epoch += 1
        return asyncio.create_task(self.database.write(fn, long=True))

    async def close(self) -> None:
        """Flush and let go of the file. A batch that cannot be written is told in the log."""
        try:
            with contextlib.suppress(sqlite3.OperationalError):
                await self.flush()
        finally:
            await self.database.close()

    def _begin(self) -> None:
        """Hand the batch to the store thread; while one is being written the next one gathers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is not None:
            return
        if not self._batch:
            self._settled = self._appended  # `empty` has dropped the rest
            return
        batch, self._batch, self._rows = self._batch, {}, 0
        self._flushing = asyncio.create_task(self._write_batch(batch, self._appended, self._epoch))
        self._flushing.add_done_callback(_tell)

    async def _write_batch(self, batch: Batch, end: int, epoch: int) -> None:
        try:
            await self._insert(batch, epoch)
        except BaseException as error:
            self._lost, self._failure = end, error
            raise
        finally:
            # In the task, not in a callback of it: whoever awaits the task must find the next one begun.
            self._flushing = None
            self._settled = end
            if self._batch and self._timer is None:
                self._begin()

    async def _insert(self, batch: Batch, epoch: int) -> None:
        try:
            await self.database.write(lambda tx: _insert(tx, batch), long=True)
        except sqlite3.IntegrityError:
            if epoch != self._epoch:
                return  # `empty` deletes before this second write: its rows would stay
            await self.database.write(lambda tx: _insert_what_fits(tx, batch), long=True)


class Backlog:
    """The bytes that one owner has appended and that are not in the file yet: memory that whoever sends them fills."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: deque[tuple[int, int]] = deque()
        """(row, its bytes)"""
        self._size = 0

    def takes(self, size: int, most: int) -> bool:
        """Whether a row of this size, which is to be appended next, still finds room."""
        while self._waiting and self._waiting[0][0] <= self._journal.settled:
            self._size -= self._waiting.popleft()[1]
        if self._size + size > most:
            return False
        self._size += size
        self._waiting.append((self._journal.appended + 1, size))
        return True


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a journal batch was lost: %s", error)


def _insert(tx: Tx, batch: Batch) -> None:
    for sql, rows in batch.items():
        tx.insert_many(sql, rows)


def _insert_what_fits(tx: Tx, batch: Batch) -> None:
    """Row by row, so that one refused row does not take the others along."""
    for sql, rows in batch.items():
        for row in rows:
            try:
                tx.execute(sql, row)
            except sqlite3.IntegrityError as error:
                _log.error("the journal refused a row of %r: %s", sql, error)
