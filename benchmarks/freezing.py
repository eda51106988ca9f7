"""What a freeze and a thaw add to an invoke: calls that find the environment frozen against calls that do not.

The frozen ones come after a pause, and a pause costs any server something: its caches and its core have gone to others.
The floor, which freezes nothing, is asked the same way; the figure is what the platform's pause adds above that.
"""

import statistics
import time
from typing import Any

from benchmarks import bench_lambda

_PAUSE_S = 0.05
"""Longer than an idle environment stays thawed."""
_CALLS = 200


def pause_adds(subject: Any, function: str) -> tuple[float, float]:
    """Milliseconds that an invoke takes longer behind a pause: by the least of each kind, and by their p50."""
    _, _, raw = subject.raw_request(function, bench_lambda.BODY)
    connection = bench_lambda.RawConn(subject.host, subject.port, raw)
    times: dict[str, list[float]] = {"frozen": [], "warm": []}
    for _ in range(_CALLS):
        for kind, pause_s in (("frozen", _PAUSE_S), ("warm", 0.0)):
            time.sleep(pause_s)
            began = time.perf_counter()
            status, body = connection.call()
            times[kind].append((time.perf_counter() - began) * 1000)
            if status != 200:
                raise RuntimeError(f"{function} answered {status} {body[:200]!r}")
    least = min(times["frozen"]) - min(times["warm"])
    return least, statistics.median(times["frozen"]) - statistics.median(times["warm"])
