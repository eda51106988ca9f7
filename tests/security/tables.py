"""The machine's tables that a sandbox could leave something in."""

import os
from pathlib import Path

FOLDERS = f"undercast-test-{os.getpid()}-"
"""How the folders of this run begin: other runs on this machine have disks of their own."""


def machine_tables() -> dict[str, object]:
    """Our descendants, our descriptors by kind, mounts, bound loop devices, and our cgroups."""
    return {
        "processes": descendants(os.getpid()),
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


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)] if Path(f"/proc/{child}").exists() else []
    return sorted(found)


def _descriptors() -> list[str]:
    """What is open, without the numbers that the kernel gives to pipes and sockets."""
    kinds = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            kinds.append(str(path.readlink()).partition(":[")[0])
        except OSError:
            continue
    return sorted(kind for kind in kinds if not kind.startswith("/proc/"))
