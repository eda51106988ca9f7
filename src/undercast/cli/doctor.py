"""`undercast doctor`: what this machine can isolate and run, what degrades, and the fix."""

import asyncio
from typing import Annotated

import typer

from undercast.cli.output import show, working


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check this machine: isolation, limits, runtimes, tools."""
    from undercast.app import examine
    from undercast.cli.environment import StartOptions, config_from

    options = StartOptions(
        port=0,
        host="127.0.0.1",
        data=None,
        ephemeral=True,
        driver="auto",
        iam="enforce",
        durability="process",
        profile="current",
        max_environments=None,
        host_names=(),
        forward_ports=(),
        idle_timeout_s=600,
    )
    with working("making a sandbox to see what holds"):
        found = asyncio.run(examine(config_from(options)))
    show(found, as_json)
