"""What one frozen execution environment costs, how many 8 GiB would hold: projected from those that ran.

`make bench` leaves it out; `benchmarks/run.py --only density` makes hundreds of real environments, one per function,
and compares the machine before and after: PSS, kernel memory, processes, threads, descriptors, loop devices.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks import bench_lambda, peers
from benchmarks.figures import Round

_ROOM_MIB = 8 * 1024
_KERNEL = ("SReclaimable", "SUnreclaim", "KernelStack", "PageTables", "Percpu")
_SETTLE_S = 3.0


def density(subject: Any, runtime: str, environments: int) -> Round:
    """`subject` is a running Undercast that may have so many environments."""
    code, handler = bench_lambda.code_for(runtime)
    names = [subject.fresh("dense") for _ in range(environments + 1)]
    for name in names:
        subject.create(name, runtime, code, handler)
    first = names.pop()
    _invoke(subject, first)  # what all environments share is there
    time.sleep(_SETTLE_S)
    before = _machine(subject.pid)
    began = time.perf_counter()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: _invoke(subject, name), names))
    peers.say(f"{environments} environments in {time.perf_counter() - began:.1f} s")
    time.sleep(_SETTLE_S)
    after = _machine(subject.pid)
    each = {f"dense_{name}": (after[name] - before[name]) / environments for name in before}
    each["dense_mib"] = each["dense_pss_mib"] + each["dense_kernel_mib"]
    each["dense_ran"] = float(environments)
    each["dense_fit_8gib"] = (_ROOM_MIB - before["pss_mib"]) / each["dense_mib"]
    peers.say(f"8 GiB would hold {each['dense_fit_8gib']:.0f}: projected from {environments} that ran")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: _invoke(subject, name), names))  # each of them still answers
    return each


def _invoke(subject: Any, name: str) -> None:
    _, _, raw = subject.raw_request(name, bench_lambda.BODY)
    status, body = bench_lambda.RawConn(subject.host, subject.port, raw).call()
    if status != 200 or b"errorType" in body:
        raise RuntimeError(f"{name} answered {status} {body[:200]!r}")


def _machine(pid: int) -> Round:
    """The platform's processes, and the kernel's memory of the whole machine."""
    members = bench_lambda.children_of(pid)
    sizes = bench_lambda.memory_mib(members)
    kernel_kib = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        kernel_kib[name] = int(value.split()[0])
    return {
        "pss_mib": float(sizes["pss_mib"]),
        "kernel_mib": sum(kernel_kib.get(name, 0) for name in _KERNEL) / 1024,
        "processes": float(sizes["procs"]),
        "threads": float(sum(_count(f"/proc/{member}/task") for member in members)),
        "descriptors": float(_count(f"/proc/{pid}/fd")),
        "loop_devices": float(len(list(Path("/sys/block").glob("loop*/loop/backing_file")))),
    }


def _count(folder: str) -> int:
    with suppress(OSError):
        return len(list(Path(folder).iterdir()))
    return 0
