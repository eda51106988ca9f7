"""`undercast stop`: ask a platform to end, and wait until its process is gone."""

import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from undercast.cli import environment
from undercast.cli.client import DEFAULT_URL, DataOption, ask, nothing_on
from undercast.cli.output import fail, working
from undercast.store.folder import ending_of, holder, killed


def stop(
    data: DataOption = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait while it does not get on.", min=0)] = 15.0,
) -> None:
    """Stop a platform, found as every command finds it, and wait for its end: as long as it gets on."""
    folder = data or _folder()
    pid = holder(folder)
    if pid is None:
        fail(*nothing_on(folder, "name its data folder: undercast stop --data DIR"))
    with working(f"stopping the platform (pid {pid})"):
        if not _ends(pid, folder, wait):
            part = ending_of(folder)
            at = f", at the end of {part}" if part else ""
            fail(f"the platform (pid {pid}) has not got on for {wait:.0f} s{at}", f"look, or end it: kill -9 {pid}")
    if killed(folder) == pid:
        fail(
            f"the platform (pid {pid}) was killed before it had stopped",
            f"the next start goes on with what the folder has: undercast start --data {folder}",
        )
    print(f"stopped (pid {pid})")


class Left(NamedTuple):
    """How far a stop is: its part, and the processes there still are, the platform itself among them."""

    part: str
    processes: int


def _ends(pid: int, folder: Path, wait_s: float) -> bool:
    """Send SIGTERM; whether the process goes. That it gave its folder back says too little.

    Watched before the signal goes, and looked at once more in between: a pid that is free may be another's at once.
    """
    from undercast.sandbox.polling import process_tree  # imported here: `undercast --help` has no use for it

    def left() -> Left:
        return Left(ending_of(folder), len(process_tree([pid])))

    try:
        gone, before = _watch(pid), left()
        if holder(folder) == pid:
            os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    return goes(gone, left, before, wait_s)


def goes(gone: Callable[[float], bool], left: Callable[[], Left], before: Left, wait_s: float) -> bool:
    """Wait so many seconds, and as many again whenever a stop has got on: it is at another of its parts, or there are
    fewer processes. Hundreds of environments take their time.

    As the platform itself does (`app/ending.py`).
    """
    while not gone(wait_s):
        now = left()
        if now.part == before.part and now.processes >= before.processes:
            return False
        part = f" ({now.part})" if now.part else ""
        print(f"still stopping{part}, processes left: {now.processes}", file=sys.stderr)
        before = now
    return True


def _watch(pid: int) -> Callable[[float], bool]:
    """Waits so many seconds; whether the process has ended. Raises ProcessLookupError when it is not there.

    Linux: pidfd_open(2). macOS: kqueue(2), EVFILT_PROC.
    """
    if sys.platform == "darwin":
        queue = select.kqueue()
        end = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        queue.control([end], 0)
        return lambda seconds: bool(queue.control(None, 1, seconds))
    descriptor = os.pidfd_open(pid)
    return lambda seconds: bool(select.select([descriptor], [], [], seconds)[0])


def _folder() -> Path:
    """The folder of the platform at AWS_ENDPOINT_URL, on the default folder, or at the default port."""
    url = environment.endpoint()
    if url is None:
        folder = environment.default_data_dir()
        if holder(folder) is not None:
            return folder
    url = url or DEFAULT_URL
    answer = ask(url, "/_undercast/status")
    folder = Path(answer["data"])
    if holder(folder) != answer["pid"]:
        fail(f"the platform at {url} is not a process of this machine that you may end", "stop it where it runs")
    return folder
