"""The few file operations that durability hangs on.

Blocking: called in threads, or where a microsecond is known to do.
Linux: fsync(2); macOS: fsync(2) "F_FULLFSYNC".
"""

import os
import stat
import sys
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

    def sync_file(descriptor: int) -> None:
        """Have the device itself hold the bytes: macOS's fsync stops at its cache."""
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)

    sync_whole = sync_file
else:

    def sync_file(descriptor: int) -> None:
        """Have the device hold the bytes."""
        os.fdatasync(descriptor)

    def sync_whole(descriptor: int) -> None:
        """Have the device hold the mode and times, too, which fdatasync(2) may leave out."""
        os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """Have the device hold a folder's entries: what was renamed into it, what was removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path, *, linked: bool = True) -> None:
    """Have the device hold a folder with everything in it; symbolic links lie in their folders.

    Not `linked`: without the files that have another name besides, for whoever has synced them under that one.
    """
    for folder, _, names in os.walk(root, topdown=False):
        for path in (Path(folder, name) for name in names):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and (linked or status.st_nlink == 1):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    sync_whole(descriptor)
                finally:
                    os.close(descriptor)
        sync_folder(Path(folder))


def name_tree(scratch: Path, final: Path, *, synced: bool, linked: bool = True) -> None:
    """Give a folder the name that says that it is whole; where it is `synced`, also behind a power cut.

    Else the device could have the name before the content. `linked`: see `sync_tree`.
    """
    if synced:
        sync_tree(scratch, linked=linked)
    scratch.rename(final)
    if synced:
        sync_folder(final.parent)
