"""The few file operations that durability hangs on.

Blocking: called in threads, or where a microsecond is known to do.
Linux: fsync(2); macOS: fsync(2) "F_FULLFSYNC".
"""

import os
import sys
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

    def sync_file(descriptor: int) -> None:
        """Have the device itself hold the bytes: macOS's fsync stops at its cache."""
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
else:

    def sync_file(descriptor: int) -> None:
        """Have the device hold the bytes."""
        os.fdatasync(descriptor)


def sync_folder(path: Path) -> None:
    """Have the device hold a folder's entries: what was renamed into it, what was removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Have the device hold a folder with everything in it; links lie in their folders."""
    for folder, _, names in os.walk(root, topdown=False):
        for path in (Path(folder, name) for name in names):
            if not path.is_symlink():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    sync_file(descriptor)
                finally:
                    os.close(descriptor)
        sync_folder(Path(folder))
