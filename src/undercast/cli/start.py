"""`undercast start`: run the platform in the foreground until SIGTERM or Ctrl-C."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.app import CannotStart, Platform, serve
from undercast.cli import environment, log_lines
from undercast.cli.output import fail, styled


def start(values: Mapping[str, Any], begin: float) -> None:
    """Start the platform with the values of `start_options` and stay in the foreground.

    `begin` is what `time.perf_counter` said when the command was called.
    """
    options = environment.StartOptions(
        port=values["port"],
        host=values["host"],
        data=values["data"],
        ephemeral=values["ephemeral"],
        driver=values["driver"],
        iam=values["iam"],
        durability=values["durability"],
        profile=values["profile"],
        max_environments=values["max_environments"],
        host_names=tuple(values["host_name"]),
        forward_ports=_ports(values["forward_ports"]),
        idle_timeout_s=values["idle_timeout"],
    )

    def ready(platform: Platform) -> None:
        took = (time.perf_counter() - begin) * 1000
        if platform.driver.notice:
            print(platform.driver.notice, file=sys.stderr)
        if not platform.loopback:
            print(_beyond_loopback(options.host_names), file=sys.stderr)
        where = f"driver {platform.driver.name}  data {platform.config.data_dir}"
        print(f"{styled('ready', '32')} {platform.url}  {where}  {took:.0f} ms", flush=True)

    log_lines.install()
    try:
        serve(environment.config_from(options), ready)
    except CannotStart as error:
        fail(error.what, error.fix)


def _beyond_loopback(host_names: Sequence[str]) -> str:
    """Who may call, and what to do where nobody can yet."""
    names = ", ".join(host_names) or "no name (add one: --host-name NAME)"
    return (
        f"beyond loopback: answers to this machine's addresses and {names}; takes only keys that it issued "
        "(make one while it listens on loopback: aws iam create-user, aws iam create-access-key)"
    )


def _ports(text: str) -> tuple[int, ...]:
    try:
        ports = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        ports = (-1,)
    if not all(0 < port < 65536 for port in ports):
        fail(f"--forward-ports {text!r} is not a list of port numbers", "for example: --forward-ports 5432,6379")
    return ports
