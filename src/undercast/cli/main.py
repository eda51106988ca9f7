"""The `undercast` command. One file per command; this one only lists them.

Commands are imported when they run, so that `start` does not pay for what `invoke` needs.
"""

import typer

from undercast import __version__
from undercast.cli import doctor, env, invoke, logs, start, status, stop, trace

app = typer.Typer(
    name="undercast",
    help="Run AWS Lambda applications on this machine: no Docker, no AWS account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("start")(start.start)
app.command("stop")(stop.stop)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("env")(env.env)
app.command("logs")(logs.logs)
app.command("invoke")(invoke.invoke)
app.command("trace")(trace.trace)


@app.command("version")
def version() -> None:
    """Print the version."""
    print(f"undercast {__version__}")


def main() -> None:
    """Entry point of the console script."""
    app()
