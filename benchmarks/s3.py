"""S3 through boto3: what a client waits for, and what the server takes of the processor for each request.

`floor_s3.py` answers the same client without doing the work: what it takes is boto3's own, and a server's cost is what
is above it. AWS: none.
"""

import os
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import bench_lambda, peers
from benchmarks.figures import Round
from benchmarks.turns import Works, times_in_turn

FLOOR = [sys.executable, str(peers.HERE / "floor_s3.py")]
SMALL_BYTES, LARGE_BYTES = 1024, 8 << 20
LARGE_REQUESTS = 20
WARM_UP, LARGE_WARM_UP = 10, 1


def measured(subjects: Sequence[Any], objects: int) -> Round:
    """Times (ms, p50) and MiB/s of servers in turn, and their CPU (ms per request): 1 KiB and 8 MiB, put and get."""
    small = times_in_turn({one.name: _works(one, "1k", SMALL_BYTES) for one in subjects}, objects, WARM_UP)
    large = times_in_turn({one.name: _works(one, "8m", LARGE_BYTES) for one in subjects}, LARGE_REQUESTS, LARGE_WARM_UP)
    found = {name: statistics.median(times) for name, times in small.items()}
    mib = LARGE_BYTES / 2**20
    found |= {name: mib * len(times) / (sum(times) / 1000) for name, times in large.items()}
    for one in subjects:
        found[f"put8m_ms_{one.name}"] = statistics.median(large[f"put8m_{one.name}"])
        found |= _processor(one, one.name, objects)
    return found


def _works(subject: Any, size: str, length: int) -> Works:
    s3, bucket, data = subject.client("s3"), subject.fresh("bench-bucket"), os.urandom(length)
    s3.create_bucket(Bucket=bucket)

    def put(number: int) -> object:
        return s3.put_object(Bucket=bucket, Key=f"k{number}", Body=data)

    def get(number: int) -> None:
        if s3.get_object(Bucket=bucket, Key=f"k{number}")["Body"].read() != data:
            raise RuntimeError(f"{subject.name} gave another object back")

    return {f"put{size}": put, f"get{size}": get}


def _processor(subject: Any, name: str, objects: int) -> Round:
    if not subject.pid:
        return {}
    s3, bucket = subject.client("s3"), subject.fresh("bench-cpu")
    s3.create_bucket(Bucket=bucket)
    small, large = os.urandom(SMALL_BYTES), os.urandom(LARGE_BYTES)

    def put(data: bytes) -> Callable[[int], object]:
        return lambda number: s3.put_object(Bucket=bucket, Key=f"k{number}", Body=data)

    def get(number: int) -> object:
        return s3.get_object(Bucket=bucket, Key=f"k{number}")["Body"].read()

    works = (("put1k", put(small), objects), ("get1k", get, objects), ("put8m", put(large), LARGE_REQUESTS))
    found = {}
    for kind, work, count in works:
        before = _cpu_ms(subject.pid)
        for number in range(count):
            work(number)
        found[f"cpu_{kind}_{name}"] = (_cpu_ms(subject.pid) - before) / count
    return found


def _cpu_ms(pid: int) -> float:
    """What a server and its children have run so far: nanoseconds from the scheduler, which ticks do not round."""
    total = 0
    for process in bench_lambda.children_of(pid):
        for thread in Path(f"/proc/{process}/task").glob("*"):
            try:
                total += int((thread / "schedstat").read_text().split()[0])
            except OSError:  # it ended meanwhile
                continue
    return total / 1e6
