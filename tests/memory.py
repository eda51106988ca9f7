"""The most memory that a process takes while something is done, by the kernel's count.

getrusage(2)'s ru_maxrss is no measure of it: it never falls, so that an earlier peak hides what an act takes.
Linux: proc_pid_clear_refs(5) (5 sets VmHWM back to VmRSS), proc_pid_status(5).
"""

import re
from pathlib import Path

from tests.machine import lacking


class Peak:
    """Of a process (ours, unless told) from here on. Skips where there is no /proc."""

    def __init__(self, pid: int | None = None) -> None:
        self._folder = Path(f"/proc/{pid or 'self'}")
        if not (self._folder / "clear_refs").exists():
            lacking("no /proc here to read a process's peak of memory from")
        (self._folder / "clear_refs").write_text("5")
        self._before = self._kib("VmRSS")

    def grown_kib(self) -> int:
        """How far its resident memory has been above where it was in the beginning."""
        return self._kib("VmHWM") - self._before

    def _kib(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB$", (self._folder / "status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])
