"""`undercast stop`: ask a platform to end, and wait until its process is gone."""

import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from undercast.cli import environment
from undercast.cli.client import DEFAULT_URL, DataOption, ask
from undercast.cli.output import fail, working
from undercast.store.folder import holder


def stop(
    data: DataOption = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait while none of its processes ends.", min=0)] = 15.0,
) -> None:
    """Stop a platform, found as every command finds it, and wait for its end: as long as it gets on."""
    folder = data or _folder()
    pid = holder(folder)
    if pid is None:
        fail(f"no platform runs on {folder}", "name its data folder: undercast stop --data DIR")
    with working(f"stopping the platform (pid {pid})"):
        if not _ends(pid, folder, wait):
            fail(f"the platform (pid {pid}) has not got on for {wait:.0f} s", f"look, or end it: kill -9 {pid}")
    print(f"stopped (pid {pid})")


def _ends(pid: int, folder: Path, wait_s: float) -> bool:
    """Send SIGTERM; whether the process goes. That it gave its folder back says too little.

    Watched before the signal goes, and looked at once more in between: a pid that is free may be another's at once.
    """
    try:
        gone, before = _watch(pid), _processes(pid)
        if holder(folder) == pid:
            os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    return goes(gone, lambda: _processes(pid), before, wait_s)


def goes(gone: Callable[[float], bool], left: Callable[[], int], before: int, wait_s: float) -> bool:
    """Wait so many seconds, and as many again whenever there is less left: hundreds of environments take their time.

    As the platform itself does (`app/ending.py`).
    """
    while not gone(wait_s):
        if (now := left()) >= before:
            return False
        print(f"still stopping, processes left: {now}", file=sys.stderr)
        before = now
    return True


def _processes(pid: int) -> int:
    """How many there are, itself among them."""
    from undercast.sandbox.polling import process_tree  # imported here: `undercast --help` has no use for it

    return len(process_tree([pid]))


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
