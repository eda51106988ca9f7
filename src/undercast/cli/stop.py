"""`undercast stop`: ask the platform that holds a data folder to end, and wait for it."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from undercast.cli import environment
from undercast.cli.client import running_pid
from undercast.cli.output import fail, working

POLL_S = 0.05


def stop(
    data: Annotated[Path | None, typer.Option(help="Data folder of the platform to stop.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for its end.")] = 15.0,
) -> None:
    """Stop the platform that uses the data folder."""
    folder = data or environment.default_data_dir()
    pid = running_pid(folder)
    if pid is None:
        fail(f"no platform runs on {folder}", "name its data folder: undercast stop --data DIR")
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + wait
    with working(f"stopping the platform (pid {pid})"):
        while running_pid(folder) == pid:
            if time.monotonic() > end:
                fail(f"the platform (pid {pid}) has not ended after {wait:.0f} s", f"look, or end it: kill -9 {pid}")
            time.sleep(POLL_S)
    print(f"stopped (pid {pid})")
