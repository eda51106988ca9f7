"""Gives memory back to the machine once a busy time is over.

Garbage in cycles (an exception, its traceback, the body in its frames) waits for a full collection, which a calm
collector seldom makes; and glibc keeps what was freed below a block that is still in use. Neither is a leak, and both
stay for good in a process that has nothing to do. Linux with glibc only: elsewhere nothing is trimmed.
Linux: malloc_trim(3), mallinfo(3).
"""

import ctypes
import gc
import sys
from collections.abc import Callable


class Memory:
    """Asked now and then; acts once behind the start and behind each busy time.

    `done` counts what was done, and never runs backwards.
    """

    def __init__(self, done: Callable[[], int]) -> None:
        self._done = done
        self._seen = -1
        self._given_at = -1
        self._is_first = True

    async def look(self) -> None:
        """Give back, when something was done since the last time and nothing since the last look."""
        now, before = self._done(), self._seen
        self._seen = now
        if now == before and now != self._given_at:
            self._given_at = now
            give_back(settles=self._is_first)
            self._is_first = False


def give_back(*, settles: bool = False) -> None:
    """Collect, and return free pages. Holds the loop for some 20 to 60 ms: for an idle moment only.

    `settles`: the garbage of the start goes, too, which was frozen with all that the start made; what lives is frozen
    again.
    """
    if settles:
        gc.unfreeze()
    gc.collect()
    if settles:
        gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


_MEMBERS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of malloc.h, in bytes but for the counts."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in _MEMBERS)


def in_use() -> dict[str, int]:
    """What is held, without the holes in between: Python's blocks, and bytes of malloc(3) (0 where glibc < 2.33).

    Resident memory says less: a block that lives keeps the pages around it. What grows here with every request leaks.
    """
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None) if sys.platform == "linux" else None
    if mallinfo is None:
        return {"python_blocks": sys.getallocatedblocks(), "malloc_bytes": 0}
    mallinfo.restype = _Mallinfo2
    found = mallinfo()
    return {"python_blocks": sys.getallocatedblocks(), "malloc_bytes": found.uordblks + found.hblkhd}
