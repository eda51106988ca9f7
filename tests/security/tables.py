"""The machine's tables that a sandbox could leave something in."""

import contextlib
import os
from collections import Counter
from pathlib import Path

FOLDERS = f"undercast-test-{os.getpid()}-"
"""How the folders of this run begin: other runs on this machine have disks of their own."""
Tables = dict[str, list[str]]


def others() -> frozenset[int]:
    """Children that are there before a test begins: platforms of other tests, whose sandboxes come and go."""
    return frozenset(_children(os.getpid()))


def machine_tables(elsewhere: frozenset[int] = frozenset()) -> Tables:
    """Our descendants but what is below `elsewhere`, our descriptors by kind, mounts, loop devices, namespaces."""
    return {
        "processes": [str(pid) for pid in descendants(os.getpid(), elsewhere)],
        "descriptors": _descriptors(),
        # Other programs mount things too; a mount of ours names our folder or a loop device of ours.
        "mounts": sorted(line for line in Path("/proc/self/mounts").read_text().splitlines() if "undercast" in line),
        "loop devices": sorted(str(path) for path in Path("/sys/block").glob("loop*/loop/backing_file") if _ours(path)),
        "namespaces": sorted(str(path.readlink()) for path in Path("/proc/self/ns").iterdir()),
    }


def _ours(backing_file: Path) -> bool:
    try:
        return FOLDERS in backing_file.read_text()
    except OSError:
        return False


def descendants(pid: int, elsewhere: frozenset[int] = frozenset()) -> list[int]:
    """Every process below this one; `elsewhere` and what is below it are left out."""
    found: list[int] = []
    for child in _children(pid):
        if child not in elsewhere and Path(f"/proc/{child}").exists():
            found += [child, *descendants(child)]
    return sorted(found)


def launchers(pid: int, elsewhere: frozenset[int] = frozenset()) -> list[int]:
    """The children of a process with a driver that make its sandboxes, by their program."""
    return [child for child in _children(pid) if child not in elsewhere and _runs(child, "sandbox/launcher/main.py")]


def _runs(pid: int, program: str) -> bool:
    with contextlib.suppress(OSError):
        return program in Path(f"/proc/{pid}/cmdline").read_text()
    return False


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError):  # it has ended since it was found
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _descriptors() -> list[str]:
    """What is open, without the numbers that the kernel gives to pipes and sockets."""
    kinds = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            kinds.append(str(path.readlink()).partition(":[")[0])
        except OSError:
            continue
    return sorted(kind for kind in kinds if not kind.startswith("/proc/"))


def left_over(before: Tables, after: Tables) -> Tables:
    """What is there now and was not before. What has gone meanwhile is no leak: other tests' clients are collected."""
    found = {name: sorted((Counter(rows) - Counter(before[name])).elements()) for name, rows in after.items()}
    return {name: rows for name, rows in found.items() if rows}
