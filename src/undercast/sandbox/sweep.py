"""Takes away what a killed platform left on this host: processes, cgroups, folders.

Detached mounts, loop devices and namespaces go by themselves when their last process does.
"""

import contextlib
import os
import shutil
import signal
from pathlib import Path

from undercast.sandbox.limits import Cgroups, leftovers
from undercast.sandbox.waiting import until

_LIMIT_S = 5.0


async def sweep(cgroups: Cgroups, folder: Path) -> None:
    """Kill and remove everything that is in our cgroups and in our folder of runtime files."""
    groups = list(leftovers(cgroups))
    for group in groups:
        for name, text in (("cgroup.freeze", "0"), ("freezer.state", "THAWED")):
            with contextlib.suppress(OSError):
                (group / name).write_text(text)
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    await until(lambda: all(_removed(group) for group in groups), _LIMIT_S)
    shutil.rmtree(folder / "tmp", ignore_errors=True)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
