"""Group commit: many commits share one fsync of the write-ahead log, which never blocks the event loop.

A commit under synchronous=NORMAL has written its frames; syncing the log behind it gives what FULL gives. A commit that
comes while a sync runs waits for the next one, so there is at most one sync at a time however many writers there are.
A sync that fails is final: Linux tells a write-back error once and takes the pages for clean, so that the next fsync
says nothing of frames that never reached the disk. Only a new start, which reads the log again, knows what is there.
PostgreSQL wiki, "Fsync Errors"; fsync(2), EIO.
SQLite: https://sqlite.org/pragma.html#pragma_synchronous
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from undercast.store.files import sync_file, sync_folder


class GroupSync:
    """Counts commits (`note`) and lets their writers wait until they are on the disk (`wait`)."""

    def __init__(self, wal: Path) -> None:
        # Safe to open beside SQLite: its locks are on the database and the -shm file, never on the log.
        self._descriptor = os.open(wal, os.O_RDWR | os.O_CREAT, 0o600)
        sync_folder(wal.parent)  # the database and its log may be new: syncing a file does not keep its name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-sync")
        self.syncs = 0
        self._noted = 0
        self._synced = 0
        self._round: asyncio.Task[None] | None = None
        self._failure: OSError | None = None

    def note(self) -> None:
        """A commit has been written."""
        self._noted += 1

    async def wait(self) -> None:
        """Return when every commit noted so far is on the disk. Raises OSError when the disk fails or failed before."""
        mine = self._noted
        while self._synced < mine:
            if self._failure is not None:
                text = "the log could not be synced before; start again to see what the disk holds"
                raise OSError(self._failure.errno, text) from self._failure
            if self._round is None or self._round.done():
                self._round = asyncio.create_task(self._sync())
            await asyncio.shield(self._round)

    async def _sync(self) -> None:
        noted = self._noted
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, sync_file, self._descriptor)
        except OSError as error:
            self._failure = error
            raise
        self._synced = noted
        self.syncs += 1

    def close(self) -> None:
        """Let go of the log."""
        self._thread.shutdown()
        os.close(self._descriptor)
