"""`undercast runtimes`: which of Lambda's runtimes this machine has, and what installs the others."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undercast.cli import environment
from undercast.cli.output import fail, show, table

if TYPE_CHECKING:
    from undercast.sandbox.runtimes.lookup import PythonLookup
    from undercast.sandbox.runtimes.programs import ProgramLookup
    from undercast.sandbox.runtimes.survey import Alike

app = typer.Typer(help="Lambda's runtimes on this machine.", no_args_is_help=True)
_MB = 1024 * 1024
_USED = (
    "a platform that is running uses an interpreter for functions that it has not run yet, and AWS's SDK for "
    "JavaScript in environments that it starts from now on."
)
_A_LINE = 3
"""Identifiers of `runtimes list`."""


@app.command("list")
def list_runtimes(
    names: Annotated[list[str] | None, typer.Argument(help="Identifiers, or how they begin: python, nodejs22.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, each identifier by itself.")] = False,
) -> None:
    """List the runtime identifiers: the interpreter found, its version, and what installs a missing one.

    Those that stand alike share a line; the ones that are named have each its own.
    """
    from undercast.sandbox.runtimes.families import installs_dir
    from undercast.sandbox.runtimes.survey import Alike, alike, survey

    states = survey(*_lookups(), installs_dir(Path.home()))
    if names:
        for name in names:
            if not any(state.identifier.startswith(name) for state in states):
                fail(f"there is no runtime {name}", "`undercast runtimes list` has all")
        states = tuple(state for state in states if state.identifier.startswith(tuple(names)))
    if as_json:
        show({state.identifier: asdict(state) for state in states}, True)
        return
    groups = [Alike(identifiers=(one.identifier,), state=one) for one in states] if names else alike(states)
    rows = [row for group in groups for row in _rows(group)]
    table(("Runtime", "State", "Version", "Interpreter", "To install"), rows, "there are no runtimes")


@app.command("install")
def install(
    identifiers: Annotated[
        list[str], typer.Argument(help="Runtime identifiers, such as nodejs22.x; debugpy or delve.", show_default=False)
    ],
    package: Annotated[list[str] | None, typer.Option("--package", help="Another npm package beside the SDK.")] = None,
) -> None:
    """Install what runtimes need and this machine has not: interpreter, AWS's SDK, runtime client.

    One that cannot be installed ends it; those before it are.
    """
    from undercast.sandbox.runtimes.families import installs_dir
    from undercast.sandbox.runtimes.install.command import Installer
    from undercast.sandbox.runtimes.install.downloads import InstallError

    pythons, programs = _lookups()
    meter = _Meter()
    installer = Installer(
        pythons=pythons, programs=programs, installs=installs_dir(Path.home()), progress=meter.progress
    )
    try:
        installer.check(identifiers, tuple(package or ()))
        for identifier in identifiers:
            installer.install(identifier, tuple(package or ()))
            meter.end()
            print(f"{identifier} is installed; {_USED}")
    except InstallError as error:
        meter.end()
        fail(str(error))


def _rows(group: "Alike") -> Iterator[tuple[str, ...]]:
    """One, and as many as its further identifiers need."""
    state = group.state
    cells = (state.state, state.version, state.interpreter, state.fix)
    for start in range(0, len(group.identifiers), _A_LINE):
        yield (" ".join(group.identifiers[start : start + _A_LINE]), *(("",) * len(cells) if start else cells))


def _lookups() -> "tuple[PythonLookup, ProgramLookup]":
    """This machine, as a platform of this user sees it."""
    from undercast.sandbox.runtimes.lookup import PythonLookup
    from undercast.sandbox.runtimes.programs import ProgramLookup

    search = environment.search_path(), Path.home(), environment.moved_homes()
    return PythonLookup(*search), ProgramLookup(*search)


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
