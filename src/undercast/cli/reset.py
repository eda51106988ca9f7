"""`undercast reset`: empty a running platform, as `POST /_undercast/reset` does."""

import shlex
import sys
from typing import Annotated

import typer

from undercast.cli.client import DataOption, ask, change, locate
from undercast.cli.output import fail, working


def reset(
    data: DataOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
) -> None:
    """Remove every resource of every account and region: functions, buckets, queues, logs, ... The clock stays."""
    url = locate(data)
    folder = ask(url, "/_undercast/status")["data"]
    if not yes:
        if not sys.stdin.isatty():
            command = "undercast reset --yes" + (f" --data {shlex.quote(str(data))}" if data is not None else "")
            fail(f"this would empty the platform at {url} (data {folder})", f"to do so: {command}")
        typer.confirm(f"Empty the platform at {url} (data {folder})?", abort=True)
    with working("emptying the platform"):
        change(url, "/_undercast/reset", {})
    print(f"{url} is empty")
