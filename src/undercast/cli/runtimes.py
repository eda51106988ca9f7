"""`undercast runtimes`: which of Lambda's runtimes this machine has, and what installs the others."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undercast.cli import environment
from undercast.cli.output import fail, show, table

if TYPE_CHECKING:
    from undercast.sandbox.runtimes.lookup import PythonLookup
    from undercast.sandbox.runtimes.programs import ProgramLookup

app = typer.Typer(help="Lambda's runtimes on this machine.", no_args_is_help=True)
_MB = 1024 * 1024


@app.command("list")
def list_runtimes(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every runtime identifier: the interpreter found, its version, and what installs a missing one."""
    from undercast.sandbox.runtimes.families import installs_dir
    from undercast.sandbox.runtimes.survey import survey

    states = survey(*_lookups(), installs_dir(Path.home()))
    if as_json:
        show({state.identifier: asdict(state) for state in states}, True)
        return
    rows = [(state.identifier, state.state, state.version, state.interpreter, state.fix) for state in states]
    table(("Runtime", "State", "Version", "Interpreter", "To install"), rows, "")


@app.command("install")
def install(
    identifier: Annotated[str, typer.Argument(help="A runtime identifier, such as nodejs22.x; debugpy or delve.")],
    package: Annotated[list[str] | None, typer.Option("--package", help="Another npm package beside the SDK.")] = None,
) -> None:
    """Install what a runtime needs and this machine has not: interpreter, AWS's SDK, runtime client."""
    from undercast.sandbox.runtimes.families import installs_dir
    from undercast.sandbox.runtimes.install.command import Installer
    from undercast.sandbox.runtimes.install.downloads import InstallError

    pythons, programs = _lookups()
    meter = _Meter()
    installer = Installer(
        pythons=pythons, programs=programs, installs=installs_dir(Path.home()), progress=meter.progress
    )
    try:
        installer.install(identifier, tuple(package or ()))
    except InstallError as error:
        meter.end()
        fail(str(error))
    meter.end()
    print(f"{identifier} is installed; a platform that is running uses it for functions that it has not run yet.")


def _lookups() -> "tuple[PythonLookup, ProgramLookup]":
    """This machine, as a platform of this user sees it."""
    from undercast.sandbox.runtimes.lookup import PythonLookup
    from undercast.sandbox.runtimes.programs import ProgramLookup

    search_path, home = environment.search_path(), Path.home()
    return PythonLookup(search_path, home), ProgramLookup(search_path, home)


class _Meter:
    """One line per step; on a terminal a download's line counts."""

    def __init__(self) -> None:
        self._step = ""
        self._live = sys.stderr.isatty()

    def progress(self, what: str, done: int, total: int) -> None:
        """See Progress."""
        if what != self._step:
            self.end()
            self._step = what
            print(what, end=" " if self._live else "\n", file=sys.stderr, flush=True)
        if self._live and total:
            print(f"\r{what} {done // _MB} of {total // _MB} MB", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Close the line of the last step."""
        if self._step and self._live:
            print(file=sys.stderr)
        self._step = ""
