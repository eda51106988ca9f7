"""What a platform process holds: memory, descriptors, threads, tasks, connections, children.

AWS: none.
"""

import time
from dataclasses import dataclass

import psutil

from tests.platform import RunningPlatform

SETTLE_S = 40.0
GIVEN_BACK_S = 5.0
"""An idle platform gives memory back within this time (`app.platform` looks every two seconds)."""
OWN = 2
"""Descriptors of the looks themselves: the connections of this one and of the one before it that is just closing."""
POOLED = 8
"""Threads that the pools (default executor, blobs) may still start: they grow with what ran at once, up to a size."""

BLOCKS = 60_000
"""Of Python's 630,000 blocks in use. Measured every 10,000 of 80,000 cases: 4,000 to 30,000 more than before, without
a trend; models of six services, of 6,000 to 80,000 blocks each, come and go. Six blocks kept by each case of the slice,
or a third of one by each of the whole fuzz, are too many."""
MALLOC_MIB = 8.0
"""Of malloc's 18 MiB in use: 0.3 more were measured over 80,000 cases, 3 over 204,000: SQLite's page caches fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """One look."""

    rss_mib: float
    python_blocks: int
    malloc_mib: float
    descriptors: int
    threads: int
    tasks: int
    connections: int
    children: int

    def kept_within(self, before: "Holdings", rss_mib: float) -> bool:
        """Whether nothing was left behind: memory within bounds, counts but for what `POOLED` and `OWN` explain."""
        counts = [self.descriptors, self.threads, self.tasks, self.connections, self.children]
        limits = [before.descriptors + OWN, before.threads + POOLED, before.tasks, before.connections, before.children]
        return (
            self.rss_mib <= before.rss_mib + rss_mib
            and self.python_blocks <= before.python_blocks + BLOCKS
            and self.malloc_mib <= before.malloc_mib + MALLOC_MIB
            and all(count <= limit for count, limit in zip(counts, limits, strict=True))
        )


def look(platform: RunningPlatform) -> Holdings:
    """What it holds now."""
    process = psutil.Process(platform.process.pid)
    status = platform.ask("/_undercast/status")
    return Holdings(
        rss_mib=process.memory_info().rss / 2**20,
        python_blocks=status["memory_in_use"]["python_blocks"],
        malloc_mib=round(status["memory_in_use"]["malloc_bytes"] / 2**20, 2),
        descriptors=process.num_fds(),
        threads=process.num_threads(),
        tasks=int(status["tasks"]),
        connections=int(status["connections"]),
        children=len(process.children(recursive=True)),
    )


def settled(platform: RunningPlatform, before: Holdings | None = None, rss_mib: float = 0.0) -> Holdings:
    """What it holds once idle: the same twice in a row, and within `before` if that is reached in time."""
    time.sleep(GIVEN_BACK_S)
    deadline = time.monotonic() + SETTLE_S
    last = look(platform)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = look(platform)
        quiet = (now.descriptors, now.tasks, now.children) == (last.descriptors, last.tasks, last.children)
        if now.kept_within(before, rss_mib) if before else quiet:
            return now
        last = now
    return last
