"""The `undercast` command as typer sees it. One file per command; this one only lists them."""

import inspect
import time
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, Literal

import typer

from undercast import __version__
from undercast.cli import (
    clock,
    deliveries,
    doctor,
    env,
    images,
    invoke,
    logs,
    metrics,
    outbox,
    profile,
    reset,
    runtimes,
    status,
    stop,
    trace,
    watch,
)
from undercast.cli.start_options import OPTIONS, Option

app = typer.Typer(
    name="undercast",
    help="Run AWS Lambda applications on this machine: no Docker, no AWS account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _start() -> Callable[..., None]:
    """`start` with the options of the table; the platform is loaded once they are known to be right."""

    def start(**values: Any) -> None:
        import_module("undercast.cli.start").start(values, time.perf_counter())

    parameters = [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=_typed(option)
        )
        for option in OPTIONS
    ]
    vars(start)["__signature__"] = inspect.Signature(parameters)
    return start


def _typed(option: Option) -> Any:
    kind: Any = Literal[option.kind] if isinstance(option.kind, tuple) else option.kind
    kind = list[kind] if option.repeated else kind
    kind = kind if option.default is not None else kind | None
    return Annotated[kind, typer.Option(option.flag, help=option.help, min=option.least, max=option.most)]


def _flowing(command: Callable[..., None]) -> str:
    """Its docstring as paragraphs: lines end where the terminal's do."""
    return "\n\n".join(" ".join(part.split()) for part in (inspect.getdoc(command) or "").split("\n\n"))


app.command("start", help="Start the platform and stay in the foreground.")(_start())
for command in (
    stop.stop,
    status.status,
    doctor.doctor,
    env.env,
    logs.logs,
    metrics.metrics,
    invoke.invoke,
    profile.profile,
    trace.trace,
    watch.watch,
    outbox.outbox,
    reset.reset,
):
    app.command(command.__name__, help=_flowing(command))(command)
app.add_typer(runtimes.app, name="runtimes")
app.add_typer(clock.app, name="clock")
app.add_typer(images.app, name="images")
app.add_typer(deliveries.app, name="deliveries")


@app.command("version")
def version() -> None:
    """Print the version."""
    print(f"undercast {__version__}")
