"""What the store can refuse. Each text says what to do.

These reach the user at start-up through the CLI; they are no AWS errors.
"""

import errno
import sqlite3


class StoreError(Exception):
    """The root of the store's own errors."""


class FolderInUse(StoreError):
    """Another process holds the data folder."""


class NewerData(StoreError):
    """The data was written by a newer version of the program."""


class BlobMissing(StoreError):
    """No blob has this id: it was released, or never stored."""


def is_disk_full(error: Exception) -> bool:
    """Whether a write failed for want of space."""
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorcode == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
