"""`undercast start`: run the platform in the foreground until SIGTERM or Ctrl-C."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from undercast.cli import environment, log_lines
from undercast.cli.output import fail, styled
from undercast.core.config import Config


def start(  # noqa: PLR0913 - one parameter per option is how typer reads them
    port: Annotated[int, typer.Option(help="Port for HTTP and HTTPS; 0 takes a free one.", min=0, max=65535)] = 4566,
    host: Annotated[str, typer.Option(help="Address to listen on. Beyond loopback, only issued keys are accepted.")] = (
        "127.0.0.1"
    ),
    data: Annotated[Path | None, typer.Option(help="Data folder; default: the user's state directory.")] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Use a temporary data folder, removed at the end.")] = (
        False
    ),
    driver: Annotated[
        Literal["auto", "namespace", "process"], typer.Option(help="How functions are isolated.")
    ] = "auto",
    iam: Annotated[
        Literal["enforce", "strict", "off"],
        typer.Option(help="enforce: known roles are held to their policies; strict: unknown ones are refused too."),
    ] = "enforce",
    durability: Annotated[
        Literal["process", "power"], typer.Option(help="What an acknowledged write survives: SIGKILL, or power loss.")
    ] = "process",
    profile: Annotated[Literal["current", "2019"], typer.Option(help="Which era's limits and defaults.")] = "current",
    max_environments: Annotated[int | None, typer.Option(help="Most execution environments at once.", min=1)] = None,
    host_name: Annotated[list[str] | None, typer.Option(help="A further Host name to answer to.")] = None,
    forward_ports: Annotated[str, typer.Option(help="Ports that functions reach on any host, besides 80 and 443.")] = (
        "5432,3306,6379,27017"
    ),
    idle_timeout: Annotated[
        float, typer.Option(help="Seconds until an idle execution environment is shut down.", min=0.1)
    ] = 600,
) -> None:
    """Start the platform and stay in the foreground."""
    begin = time.perf_counter()
    options = environment.StartOptions(
        port=port,
        host=host,
        data=data,
        ephemeral=ephemeral,
        driver=driver,
        iam=iam,
        durability=durability,
        profile=profile,
        max_environments=max_environments,
        host_names=tuple(host_name or ()),
        forward_ports=_ports(forward_ports),
        idle_timeout_s=idle_timeout,
    )
    _run(environment.config_from(options), begin)


def _ports(text: str) -> tuple[int, ...]:
    try:
        ports = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        ports = (-1,)
    if not all(0 < port < 65536 for port in ports):
        fail(f"--forward-ports {text!r} is not a list of port numbers", "for example: --forward-ports 5432,6379")
    return ports


def _run(config: Config, begin: float) -> None:
    from undercast.app import CannotStart, Platform, serve

    def ready(platform: Platform) -> None:
        took = (time.perf_counter() - begin) * 1000
        if platform.driver.notice:
            print(platform.driver.notice, file=sys.stderr)
        where = f"driver {platform.driver.name}  data {platform.config.data_dir}"
        print(f"{styled('ready', '32')} {platform.url}  {where}  {took:.0f} ms", flush=True)

    log_lines.install()
    try:
        serve(config, ready)
    except CannotStart as error:
        fail(error.what, error.fix)
