"""`undercast reset`: empty a running platform, as `POST /_undercast/reset` does."""

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
            fail(f"this would empty the platform at {url} (data {folder})", "to do so: undercast reset --yes")
        typer.confirm(f"Empty the platform at {url} (data {folder})?", abort=True)
    with working("emptying the platform"):
        change(url, "/_undercast/reset", {})
    print(f"{url} is empty")
