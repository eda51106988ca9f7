"""Removing what functions have written, however deep they nested it.

`shutil.rmtree` calls itself for each level and ends with a RecursionError at about a thousand; rm(1) does not.
Source: POSIX, rm ("shall be able to descend to arbitrary depths in a file hierarchy").
"""

import shutil
import subprocess
from pathlib import Path

_LIMIT_S = 60.0


def remove_tree(folder: Path | str) -> None:
    """Remove a folder and all below it; what cannot be removed stays. Blocks: for a thread."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", str(folder)], stderr=subprocess.DEVNULL, check=False, timeout=_LIMIT_S)
