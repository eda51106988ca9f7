"""What a running platform holds of the machine: counted, because the kernel gives other numbers each time.

Namespaces and cgroups of the platform's own helpers (launcher, zygotes, the neighbour's sandbox) are in every count.
"""

import hashlib
import os
import time
from pathlib import Path

from tests.platform import RunningPlatform

PATIENCE_S = 30.0
LOOK_S = 0.25
LISTEN = "0A"
Tables = dict[str, int]


def machine_tables(platform: RunningPlatform) -> Tables:
    """Processes, descriptors, mounts, loop devices, cgroups and namespaces of a platform and its sandboxes.

    Sockets are counted by themselves: those towards sandboxes, which come from their namespaces, and not the clients'.
    """
    pid = platform.process.pid
    processes = _descendants(pid)
    open_files = [_link(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    files = [link for link in open_files if link and not link.startswith("socket:")]
    sockets = {link for link in open_files if link.startswith("socket:")}
    devices = [_read(path) for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    # The driver names its cgroups after its folder, so that a restart finds what a kill left.
    owner = "undercast-" + hashlib.sha256(str((platform.data / "run").resolve()).encode()).hexdigest()[:12]
    return {
        "processes": len(processes),
        "descriptors": len(files),
        "sockets": len(sockets - _connections_of_clients(platform)),
        "mounts": sum(str(platform.data) in line for line in _mounts(processes)),
        "loop devices": sum(str(platform.data) in name for name in devices),
        "cgroups": _folders_below("/sys/fs/cgroup", owner),
        "namespaces": len(
            {
                _link(Path(f"/proc/{one}/ns/{kind}"))
                for one in processes
                for kind in ("net", "mnt", "pid", "ipc", "user")
            }
        ),
    }


def _connections_of_clients(platform: RunningPlatform) -> set[str]:
    """What the tests' own clients hold open at the front door."""
    front_door = f":{int(platform.url.rpartition(':')[2]):04X}"
    found = set()
    for name in ("tcp", "tcp6"):
        for line in _read(Path(f"/proc/{platform.process.pid}/net/{name}")).splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(front_door) and fields[3] != LISTEN:
                found.add(f"socket:[{fields[9]}]")
    return found


def settled(platform: RunningPlatform) -> Tables:
    """The tables once they stay the same."""
    end = time.monotonic() + PATIENCE_S
    before: Tables = {}
    while (now := machine_tables(platform)) != before:
        assert time.monotonic() < end, f"the tables do not settle: {before}, then {now}"
        before = now
        time.sleep(4 * LOOK_S)
    return now


def await_same(platform: RunningPlatform, before: Tables) -> None:
    """Wait until the tables are as they were."""
    end = time.monotonic() + PATIENCE_S
    while (now := machine_tables(platform)) != before:
        assert time.monotonic() < end, f"before {before}, after {now}: {platform.ask('/_undercast/status')}"
        time.sleep(LOOK_S)


def one_environment(platform: RunningPlatform, name: str) -> None:
    """Have the neighbour begin again with one environment: on a busy machine it may have got a second one, no leak."""
    functions = platform.ask("/_undercast/status")["sandboxes"]["functions"]
    if sum(len(one["environments"]) for one in functions if one["function"].endswith(f":{name}")) > 1:
        client = platform.client("lambda")
        client.update_function_configuration(FunctionName=name, Description=f"since {time.monotonic()}")
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        client.invoke(FunctionName=name, Payload=b'{"n": 41}')


def _mounts(processes: set[int]) -> list[str]:
    """The mount tables of the host and of every process, each namespace once."""
    tables = {_link(Path(f"/proc/{one}/ns/mnt")): one for one in processes}
    lines = Path("/proc/self/mounts").read_text().splitlines()
    for one in tables.values():
        lines += _read(Path(f"/proc/{one}/mounts")).splitlines()
    return lines


def _folders_below(root: str, parent: str) -> int:
    """Folders in folders of this name. Others come and go: glob fails on those, os.walk does not."""
    return sum(len(folders) for folder, folders, _ in os.walk(root) if Path(folder).name == parent)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has just gone, or is another user's
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _descendants(pid: int) -> set[int]:
    """The process and everything below it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = _read(path).rpartition(")")[2].split()
        if fields:
            parents[int(path.parent.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found
