"""Takes away what a killed platform left on this host: processes, cgroups, folders.

Detached mounts, loop devices and namespaces go by themselves when their last process does. The folders of our cgroups
are written down, because the next start may live in another cgroup.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from undercast.sandbox.trees import remove_tree
from undercast.sandbox.waiting import until

_LIMIT_S = 5.0
_NOTE = "cgroups"


def note(folder: Path, parents: Iterable[Path]) -> None:
    """Write down in which folders our cgroups are."""
    (folder / _NOTE).write_text("".join(f"{parent}\n" for parent in parents))


async def sweep(folder: Path) -> None:
    """Kill and remove what is noted in the driver's folder, and empty that folder."""
    try:
        parents = [Path(line) for line in (folder / _NOTE).read_text().splitlines()]
    except FileNotFoundError:
        parents = []
    groups = [path for parent in parents if parent.is_dir() for path in parent.iterdir() if path.is_dir()]
    for group in groups:
        _kill(group)
    await until(lambda: not [group for group in (*groups, *parents) if not _removed(group)], _LIMIT_S)
    await asyncio.to_thread(remove_tree, folder)


def _kill(group: Path) -> None:
    for name, text in (("cgroup.freeze", "0"), ("freezer.state", "THAWED")):
        # Opened without O_CREAT: v1 has no such file in every hierarchy.
        with contextlib.suppress(OSError), (group / name).open("r+") as file:
            file.write(text)
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
