"""S3 through boto3: what a client waits for, and what the server takes of the processor for each request.

`floor_s3.py` answers the same client without doing the work: what it takes is boto3's own, and a server's cost is what
is above it. AWS: none.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import bench_lambda, peers
from benchmarks.figures import Round

FLOOR = [sys.executable, str(peers.HERE / "floor_s3.py")]
SMALL_BYTES, LARGE_BYTES = 1024, 8 << 20
LARGE_REQUESTS = 20


def measured(subject: Any, name: str, objects: int) -> Round:
    """Times (ms, p50), MiB/s and the server's CPU (ms per request): put and get of 1 KiB, put of 8 MiB."""
    subject.args.ops = objects
    result = bench_lambda.sec_s3(subject)
    small, large = result["1KiB"], result["8MiB"]
    found = {
        f"put1k_{name}": small["put"]["p50"],
        f"get1k_{name}": small["get"]["p50"],
        f"put8m_{name}": large["put_mib_s"],
        f"get8m_{name}": large["get_mib_s"],
        f"put8m_ms_{name}": large["put"]["p50"],
    }
    return found | _processor(subject, name, objects)


@contextmanager
def boto3_alone(port: int) -> Iterator[None]:
    """The floor, serving on a port."""
    with peers.serving([*FLOOR, "--port", str(port)], port):
        yield


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
