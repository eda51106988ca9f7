"""`undercast start`: run the platform in the foreground until SIGTERM or Ctrl-C."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.app.door import Door
from undercast.app.errors import CannotStart, EndedBadly
from undercast.app.serving import serve
from undercast.cli import environment, log_lines
from undercast.cli.output import fail, styled


def start(values: Mapping[str, Any], begin: float) -> None:
    """Start the platform with the values of `start_options` and stay in the foreground.

    `begin` is what `time.perf_counter` said when the command was called.
    """
    config = environment.config_from(values)

    def ready(door: Door) -> None:
        took = (time.perf_counter() - begin) * 1000
        if not door.loopback:
            print(_beyond_loopback(config.extra_hosts), file=sys.stderr)
        # What `auto` comes to is told by `notice`, behind this line.
        driver = "" if config.driver == "auto" else f"driver {config.driver}  "
        for number, function in enumerate(config.debug):
            print(f"debug {function} on 127.0.0.1:{config.debug_port + number}", file=sys.stderr)
        print(f"{styled('ready', '32')} {door.url}  {driver}data {door.config.data_dir}  {took:.0f} ms", flush=True)

    def notice(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    log_lines.install()
    try:
        serve(config, ready, notice)
    except CannotStart as error:
        fail(error.what, error.fix)
    except EndedBadly as error:
        fail(str(error), "the lines above say how; the next start goes on with what the data folder has")


def _beyond_loopback(host_names: Sequence[str]) -> str:
    """Who may call, and what to do where nobody can yet."""
    names = ", ".join(host_names) or "no name (add one: --host-name NAME)"
    return (
        f"beyond loopback: answers to this machine's addresses and {names}; takes only keys that it issued "
        "(make one while it listens on loopback: aws iam create-user, aws iam create-access-key)"
    )
