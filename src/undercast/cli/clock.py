"""`undercast clock`: the platform's clock, and moving it forward: retries, TTLs and schedules come due at once."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from undercast.cli.client import DataOption, ask, change, locate
from undercast.cli.output import fail, show

app = typer.Typer(help="The platform's clock.", invoke_without_command=True)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def clock(context: typer.Context, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the platform's clock, or move it: `undercast clock advance 6h`."""
    if context.invoked_subcommand is None:
        _show(ask(locate(data), "/_undercast/status")["clock"], as_json)
        return
    context.obj = (data, as_json)


@app.command(context_settings={"ignore_unknown_options": True})
def advance(
    context: typer.Context,
    duration: Annotated[str, typer.Argument(help="How far: 90s, 15m, 6h, 2d, 1h30m.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move the clock forward. It never goes back."""
    outer_data, outer_json = context.obj
    if seconds_of(duration.removeprefix("-")) is not None and duration.startswith("-"):
        fail("the clock never goes back", "undercast clock advance 90s, 15m, 6h, 2d, 1h30m")
    seconds = seconds_of(duration)
    if seconds is None:
        fail(f"{duration} is no duration", "numbers with s, m, h or d: 90s, 15m, 6h, 2d, 1h30m")
    url = locate(data or outer_data)
    change(url, "/_undercast/clock", {"advance_s": seconds})
    _show(ask(url, "/_undercast/status")["clock"], as_json or outer_json)


def seconds_of(duration: str) -> float | None:
    """The seconds of "90s", "6h" or "1h30m"; None for anything else."""
    if not _DURATION.fullmatch(duration):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def _show(clock: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(clock, True)
        return
    now = datetime.fromtimestamp(clock["now"], UTC).isoformat(timespec="seconds")
    print(f"{now}  {clock['ahead_s']:.0f} s ahead of this machine")
