"""`undercast status`: what the running platform is busy with."""

from typing import Annotated

import typer

from undercast.cli.client import ask
from undercast.cli.output import show


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show environments, queues and deliveries of the running platform."""
    show(ask("/_undercast/status"), as_json)
