"""Rounds over sandboxes whose memory and /tmp the kernel does not limit: looked at in a thread, judged on the loop.

A look takes as long as there are processes and files. What it saw says nothing of processes that were started after
everything was killed, so a sandbox that was emptied meanwhile is not judged by it.
"""

import asyncio
from collections.abc import Container, Sequence
from typing import Protocol

from undercast.sandbox import polling


class Watched(Protocol):
    """A sandbox of either driver."""

    frozen: bool
    emptied: int
    """How often everything in it was killed so far."""

    @property
    def asked(self) -> polling.Asked:
        """What there is to look at."""
        ...

    @property
    def watched_tmp(self) -> tuple[str, int] | None:
        """Folder and limit of a /tmp that the kernel does not limit."""
        ...

    def judge(self, seen: polling.Seen) -> None:
        """Kill everything when it uses more memory than it may."""
        ...

    def kill_all(self) -> None:
        """End what runs in it now."""
        ...


async def look(running: Sequence[Watched], there: Container[object]) -> None:
    """One round over the memory of running sandboxes; `there` has those that are not destroyed."""
    if not running:
        return
    before = [sandbox.emptied for sandbox in running]
    seen = await asyncio.to_thread(polling.look, [sandbox.asked for sandbox in running])
    for sandbox, one, emptied in zip(running, seen, before, strict=True):
        if not sandbox.frozen and sandbox in there and sandbox.emptied == emptied:
            sandbox.judge(one)


async def weigh(running: Sequence[Watched], there: Container[object]) -> None:
    """One round over the memory that is in no process."""
    for sandbox in running:
        emptied = sandbox.emptied
        seen = await asyncio.to_thread(polling.weigh, sandbox.asked)
        if seen.over and not sandbox.frozen and sandbox in there and sandbox.emptied == emptied:
            sandbox.judge(seen)


async def measure(running: Sequence[Watched], there: Container[object]) -> None:
    """One round over their folders: a walk takes its time, so one after the other."""
    for sandbox in running:
        emptied, watched = sandbox.emptied, sandbox.watched_tmp
        over = watched is not None and await asyncio.to_thread(polling.folder_exceeds, *watched)
        if over and sandbox in there and sandbox.emptied == emptied:
            sandbox.kill_all()
