"""`undercast stop`: ask a platform to end, and wait for it."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from undercast.cli import environment
from undercast.cli.client import DataOption, ask
from undercast.cli.output import fail, working
from undercast.store.folder import holder

POLL_S = 0.05


def stop(
    data: DataOption = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for its end.")] = 15.0,
) -> None:
    """Stop a platform: that of a data folder, or the one at AWS_ENDPOINT_URL."""
    folder = data or _folder()
    pid = holder(folder)
    if pid is None:
        fail(f"no platform runs on {folder}", "name its data folder: undercast stop --data DIR")
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + wait
    with working(f"stopping the platform (pid {pid})"):
        while holder(folder) == pid:
            if time.monotonic() > end:
                fail(f"the platform (pid {pid}) has not ended after {wait:.0f} s", f"look, or end it: kill -9 {pid}")
            time.sleep(POLL_S)
    print(f"stopped (pid {pid})")


def _folder() -> Path:
    """The folder of the platform at AWS_ENDPOINT_URL; the default folder when that is not set."""
    url = environment.endpoint()
    if url is None:
        return environment.default_data_dir()
    answer = ask(url, "/_undercast/status")
    folder = Path(answer["data"])
    if holder(folder) != answer["pid"]:
        fail(f"the platform at {url} is not a process of this machine that you may end", "stop it where it runs")
    return folder
