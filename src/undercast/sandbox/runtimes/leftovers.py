"""Folders of runtimes in the data folder that nothing uses any more: those of other versions of Undercast, or of what
is installed no longer.

Looked for at a start, when no sandbox of this data folder is left: what is old is put aside at once, under a name that
nobody asks for, and removed later. A folder is as old as its last use (`used`).
AWS: none.
"""

import contextlib
import os
from pathlib import Path

from undercast.sandbox.trees import remove_tree

KEPT_S = 30 * 86400.0
_OURS = ("python", "nodejs", "java-", "lang-")
"""How the folders of this version begin; it makes none like any other."""
_ASIDE = ".unused"
_DRAFT = ".draft"


def used(folder: Path) -> Path:
    """The folder, which is young again."""
    with contextlib.suppress(OSError):  # of another user, say: it is made anew when it is gone
        os.utime(folder)
    return folder


def put_aside(runtimes_dir: Path, now: float) -> None:
    """Before a function is started: whatever is not ours, half made, or was used too long ago gets another name."""
    if not runtimes_dir.is_dir():
        return
    for folder in tuple(runtimes_dir.iterdir()):
        with contextlib.suppress(OSError):
            is_young = folder.name.startswith(_OURS) and now - folder.stat().st_mtime < KEPT_S
            if folder.suffix != _ASIDE and (folder.suffix == _DRAFT or not is_young):
                folder.rename(folder.with_name(folder.name + _ASIDE))


def remove_unused(runtimes_dir: Path) -> None:
    """Those that were put aside. Blocks: for a thread."""
    for folder in tuple(runtimes_dir.glob(f"*{_ASIDE}")):
        remove_tree(folder)
