"""`undercast doctor`: what this machine can isolate and run, what degrades, and the fix."""

import asyncio
from typing import Annotated

import typer

from undercast.cli.output import show, working


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check this machine: isolation, limits, runtimes, tools."""
    from undercast.app.sandboxes import examine
    from undercast.cli.environment import config_from
    from undercast.cli.start_options import DEFAULTS

    with working("making a sandbox to see what holds"):
        found = asyncio.run(examine(config_from({**DEFAULTS, "port": 0, "ephemeral": True})))
    show(found, as_json)
