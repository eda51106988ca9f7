"""What this machine can carry: INITs at once, and the memory of all execution environments.

Memory that holds copies of files is free: the kernel gives it to who asks. A machine that has read many files has
little other, and a burst would wait for environments that there is room for.
Linux: proc(5), /proc/meminfo (MemAvailable); elsewhere sysconf(3), on macOS of the machine's whole memory.
"""

import os
import re
import sys
from pathlib import Path

from undercast.core.config import Config
from undercast.sandbox.admission import Limits

_MEMINFO = Path("/proc/meminfo")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)
_LARGEST_MB = 10_240
"""The largest memory setting of a function."""
_LEAST_MB = 1024
_UNKNOWN_BYTES = 2 << 30


def machine_limits(config: Config, meminfo: Path = _MEMINFO) -> Limits:
    """At most 2 x cores INITs at once; environments may take half of the memory that is free now.

    A count that the user gives is the limit by itself: frozen environments hold far less than their setting.
    """
    return Limits(
        inits=2 * (os.cpu_count() or 1),
        # taskset, or a container's cpuset, leaves us fewer than the machine has.
        cores=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        environments=config.max_environments,
        memory_mb=(config.max_environments or 0) * _LARGEST_MB or max(_LEAST_MB, free_bytes(meminfo) // 2 // 2**20),
    )


def free_bytes(meminfo: Path = _MEMINFO) -> int:
    """Memory that programs can have now."""
    try:
        available = _AVAILABLE.search(meminfo.read_text())
    except OSError:
        available = None
    if available is not None:
        return int(available[1]) * 1024
    for pages in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):
        if pages in os.sysconf_names:
            return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN_BYTES
