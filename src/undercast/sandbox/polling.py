"""Memory and disk use of processes by looking, for hosts where the kernel does not count and limit it for us.

Best effort: what grows and goes between two looks is not seen. Linux reads /proc, other systems ask `ps`, once for all
sandboxes. Rounds over many sandboxes and walks through folders belong into a thread: `look`, `folder_exceeds`.
Source: proc(5) (status: RssAnon, RssShmem; task/children).
"""

import contextlib
import errno
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

LOOK_EVERY_S = 0.025
WALK_EVERY_S = 0.25
_PS_LIMIT_S = 5.0
_KIB = 1024
_MEMORY_FILES = ("/memfd:", "/dev/shm/")
_BLOCK = 4096


class Asked(NamedTuple):
    """What to look at: these processes and all their descendants. `without`: not counted itself. 0 is no limit."""

    roots: tuple[int, ...]
    limit_bytes: int
    without: int = -1


class Seen(NamedTuple):
    """Process id -> bytes of anonymous and shared memory, and whether together they are beyond the limit."""

    tree: dict[int, int]
    over: bool

    @property
    def used_bytes(self) -> int:
        """Of all together."""
        return sum(self.tree.values())


def look(asked: Sequence[Asked]) -> list[Seen]:
    """One round over sandboxes."""
    listing = None if sys.platform == "linux" or not asked else _ps_listing()
    seen = []
    for one in asked:
        tree = _linux_tree(one.roots) if listing is None else tree_of_listing(listing, one.roots)
        tree.pop(one.without, None)
        seen.append(Seen(tree, bool(one.limit_bytes) and exceeds(tree, one.limit_bytes)))
    return seen


def process_tree(roots: Iterable[int]) -> dict[int, int]:
    """pid -> bytes of anonymous and shared memory, of these processes and all their descendants."""
    return _linux_tree(roots) if sys.platform == "linux" else _ps_tree(roots)


def exceeds(tree: dict[int, int], limit_bytes: int) -> bool:
    """Whether the processes of a tree use more than this, what they share counted once."""
    if sum(tree.values()) <= limit_bytes:
        return False
    return sys.platform != "linux" or sum(_own_part(pid, size) for pid, size in tree.items()) > limit_bytes


def weigh(asked: Asked) -> Seen:
    """One sandbox with the memory that is in no process: open files of memfd_create(2) and of /dev/shm.

    They need not be mapped, and are in nobody's resident size then. Those that are count once.
    """
    if sys.platform != "linux" or not asked.limit_bytes:
        return Seen({}, over=False)
    tree = _linux_tree(asked.roots)
    tree.pop(asked.without, None)
    anonymous = 0
    for pid in tree:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            anonymous += _linux_memory(pid, ("RssAnon:",))
    left = asked.limit_bytes - sum(_memory_files(tree).values())
    over = anonymous > left
    if over and left > 0:  # what forks share is in the size of each
        anonymous = sum(_own_part(pid, 0, ("Pss_Anon:",)) for pid in tree)
    return Seen(tree, over=over and anonymous > left)


def folder_exceeds(folder: str, limit_bytes: int) -> bool:
    """Whether the files of a folder take more disk space than this. The walk ends as soon as that is sure.

    So does more files than blocks: a file system of that size would have no inode left for them. And a folder whose
    path is too long to be opened: what is in it cannot be measured.
    """
    left_bytes, left_files = float(limit_bytes), limit_bytes // _BLOCK
    for size in _file_bytes(folder):
        left_bytes, left_files = left_bytes - size, left_files - 1
        if left_bytes < 0 or left_files < 0:
            return True
    return False


def processes_with(variable: str) -> list[int]:
    """Processes that were started with this environment entry: daemons that left their parents and their group."""
    wanted = b"\0" + variable.encode() + b"\0"
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in b"\0" + place.read_bytes():
                found.append(int(place.parent.name))
    return found


def pid_of(pidfd: int) -> int:
    """The process behind a pidfd, as we see it; -1 when it has ended."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    return -1


def _linux_tree(roots: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid in found:
            continue
        try:
            found[pid] = _linux_memory(pid, ("RssAnon:", "RssShmem:"))
            for thread in Path(f"/proc/{pid}/task").iterdir():
                children = (thread / "children").read_text()
                waiting += [int(child) for child in children.split()]
        except (OSError, ValueError):
            continue  # it has ended meanwhile
    return found


def _linux_memory(pid: int, kinds: tuple[str, ...]) -> int:
    size = 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(kinds):
            size += int(line.split()[1]) * _KIB
    return size


def _memory_files(pids: Iterable[int]) -> dict[tuple[int, int], int]:
    """Device and inode -> bytes of the memory files that these processes have open."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if str(Path(entry.path).readlink()).startswith(_MEMORY_FILES):
                        status = entry.stat()
                        found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found


def _own_part(pid: int, otherwise: int, kinds: tuple[str, ...] = ("Pss_Anon:", "Pss_Shmem:")) -> int:
    """Forked processes share memory until they write to it: the kernel's proportional size, which costs more to ask."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return otherwise
    return sum(int(line.split()[1]) for line in lines if line.startswith(kinds)) * _KIB


def _ps_tree(roots: Iterable[int]) -> dict[int, int]:
    return tree_of_listing(_ps_listing(), roots)


def _ps_listing() -> str:
    return subprocess.run(
        ["ps", "-axo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True, timeout=_PS_LIMIT_S
    ).stdout


def tree_of_listing(listing: str, roots: Iterable[int]) -> dict[int, int]:
    """The same from the output of `ps -axo pid=,ppid=,rss=`."""
    rows = [tuple(int(word) for word in line.split()) for line in listing.splitlines()]
    found: dict[int, int] = {}
    waiting = set(roots)
    while waiting:
        found |= {pid: rss * _KIB for pid, _, rss in rows if pid in waiting}
        waiting = {pid for pid, parent, _ in rows if parent in waiting and pid not in found}
    return found


def _file_bytes(folder: str) -> Iterator[float]:
    """Without recursion: folders may be nested deeper than Python calls."""
    top = os.path.realpath(folder)
    waiting = [top]
    while waiting:
        place = waiting.pop()
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                yield math.inf
            continue
        try:
            if _is_within(top, descriptor):
                for entry in os.scandir(descriptor):
                    with contextlib.suppress(OSError):
                        yield entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(f"{place}/{entry.name}")
        finally:
            os.close(descriptor)


def _is_within(top: str, descriptor: int) -> bool:
    """Whether what was opened is in the folder: its owner may have put a link in the place of a folder on the way."""
    if sys.platform != "linux":
        return True  # there functions are processes of the same user, who can look there themselves
    place = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    return place == top or place.startswith(f"{top}/")
