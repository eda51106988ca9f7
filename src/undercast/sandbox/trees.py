"""Removing what functions have written, however deep they nested it.

`shutil.rmtree` calls itself for each level and ends with a RecursionError at about a thousand; rm(1) does not. Without
root neither enters a folder that the function has locked: its owner, who we are then, opens it with chmod(1).
Source: POSIX, rm ("shall be able to descend to arbitrary depths in a file hierarchy").
"""

import os
import shutil
import subprocess
from pathlib import Path

_LIMIT_S = 60.0


def remove_tree(folder: Path | str) -> None:
    """Remove a folder and all below it; what cannot be removed stays. Blocks: for a thread."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        _run("rm", "-rf", "--", str(folder))
    if os.path.lexists(folder):
        _run("chmod", "-R", "u+rwX", "--", str(folder))
        _run("rm", "-rf", "--", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, stderr=subprocess.DEVNULL, check=False, timeout=_LIMIT_S)
