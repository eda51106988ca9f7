"""Which runtimes this machine has: what each identifier runs on, or what brings it.

Starts no function; an interpreter other than Python's is asked for its version.
AWS: Lambda Developer Guide, "Lambda runtimes".
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from undercast.core.record import record
from undercast.sandbox.rootfs import hidden_place
from undercast.sandbox.runtimes.java import client_folder
from undercast.sandbox.runtimes.lookup import Interpreter, PythonLookup
from undercast.sandbox.runtimes.node import sdk_folder as node_sdk
from undercast.sandbox.runtimes.programs import PLACES, ProgramLookup
from undercast.sandbox.runtimes.python import SDK_SINCE
from undercast.sandbox.runtimes.python import sdk_folder as python_sdk
from undercast.sandbox.runtimes.table import LATER, RUNTIMES, SELF_CONTAINED, RuntimeRow

_LACKS = {
    "no client": "found, but AWS's runtime client is missing",
    "no SDK": "ready, but for AWS's SDK, which functions may expect",
    "hidden": "found, but not usable",
}
_OWN = {"go": "the package's own binary", "provided": "the package's own bootstrap"}


@record
class RuntimeState:
    """One identifier on this machine."""

    identifier: str
    state: Literal["ready", "nearest", "missing", "unsupported", "no client", "no SDK", "hidden"]
    """`nearest`: served by another version, because its own is not installed. `no client`: its interpreter is there,
    AWS's runtime client is not. `no SDK`: runs functions that bring AWS's SDK or need none. `hidden`: lies in /tmp."""
    interpreter: str = ""
    version: str = ""
    fix: str = ""
    """What installs it, or what to do instead."""
    lacks_sdk: bool = False
    """AWS's SDK, which functions may expect, is missing: of `no SDK`, and of `nearest`."""


def survey(
    pythons: PythonLookup, programs: ProgramLookup, installs: Path, *, own_tmp: bool = True
) -> tuple[RuntimeState, ...]:
    """Every identifier of Lambda, in the table's order. Blocks while interpreters tell their versions.

    `own_tmp`: sandboxes have a /tmp of their own, as those of the namespace driver.
    """
    states = (_state(row, pythons, programs) for row in RUNTIMES.values())
    found = ((_hidden(state) if own_tmp else None) or _with_installed(state, installs) for state in states)
    return tuple(found)


def _hidden(state: RuntimeState) -> RuntimeState | None:
    place = hidden_place(Path(state.interpreter)) if state.interpreter.startswith("/") else ""
    return replace(state, state="hidden", fix=place) if place else None


def _with_installed(state: RuntimeState, installs: Path) -> RuntimeState:
    """What `undercast runtimes install` would add to an interpreter that is there: Java needs it, others may."""
    row = RUNTIMES[state.identifier]
    command = f"undercast runtimes install {row.identifier}"
    if state.state in ("missing", "unsupported") or row.family in _OWN:
        return state
    if row.family == "java" and not client_folder(installs).is_dir():
        return replace(state, state="no client", fix=f"{command} (for AWS's runtime client)")
    if row.family == "nodejs":
        lacks = not (node_sdk(installs, row) / "node_modules").is_dir()
    else:
        lacks = row.family == "python" and row.version < SDK_SINCE and not python_sdk(installs, row.version).is_dir()
    if not lacks:
        return state
    if state.state == "nearest":
        return replace(state, fix=f"{state.fix or command} (AWS's SDK is missing, too)", lacks_sdk=True)
    return replace(state, state="no SDK", fix=f"{command} (for AWS's SDK)", lacks_sdk=True)


def summary(states: tuple[RuntimeState, ...]) -> Mapping[str, str]:
    """Identifier -> one line for people; a family that cannot run yet is one entry."""
    found: dict[str, str] = {}
    for state in states:
        if state.state == "unsupported":
            found[f"{RUNTIMES[state.identifier].family}*"] = state.fix
        elif state.state == "missing":
            found[state.identifier] = f"missing: {state.fix}"
        else:
            more = f" ({state.version}; its own version: {state.fix})" if state.state == "nearest" else ""
            lack = _LACKS.get(state.state)
            found[state.identifier] = f"{state.interpreter}{more if lack is None else f' ({lack}: {state.fix})'}"
    return found


@record
class Alike:
    """Identifiers of one family that stand alike."""

    identifiers: tuple[str, ...]
    state: RuntimeState
    """The first one's; its fix speaks of NAME and VERSION where it is for several."""


def alike(states: tuple[RuntimeState, ...]) -> tuple[Alike, ...]:
    """What a person can look over: the identifiers in the table's order, those that stand alike together."""
    groups: dict[tuple[str, ...], list[RuntimeState]] = {}
    for state in states:
        key = (RUNTIMES[state.identifier].family, state.state, state.version, state.interpreter)
        groups.setdefault(key, []).append(state)
    return tuple(
        Alike(
            identifiers=tuple(one.identifier for one in group),
            state=group[0] if len(group) == 1 else replace(group[0], fix=_for_several(group[0])),
        )
        for group in groups.values()
    )


def _for_several(state: RuntimeState) -> str:
    dotted = ".".join(map(str, RUNTIMES[state.identifier].version))
    named = state.fix.replace(state.identifier, "NAME")
    return named.replace(dotted, "VERSION") if dotted else named


def _state(row: RuntimeRow, pythons: PythonLookup, programs: ProgramLookup) -> RuntimeState:
    if row.family in _OWN:
        return RuntimeState(identifier=row.identifier, state="ready", interpreter=_OWN[row.family])
    if row.family in LATER:
        fix = f"{LATER[row.family]} is not served: {SELF_CONTAINED}"
        return RuntimeState(identifier=row.identifier, state="unsupported", fix=fix)
    for version, hit in _hits(row, pythons, programs):
        # What is older than our runtime client is as near as it gets on the oldest version that it runs on.
        own = version == row.version or (row.obsolete and version == row.nearest[0])
        return RuntimeState(
            identifier=row.identifier,
            state="ready" if version == row.version else "nearest",
            interpreter=str(hit.path),
            version=".".join(map(str, hit.version)),
            fix="" if own else install_hint(row),
        )
    return RuntimeState(identifier=row.identifier, state="missing", fix=install_hint(row))


def _hits(
    row: RuntimeRow, pythons: PythonLookup, programs: ProgramLookup
) -> Iterator[tuple[tuple[int, ...], Interpreter]]:
    for version in (row.version, *row.nearest):
        hit = pythons.find(version) if row.family == "python" else programs.find(row.family, version)
        if hit is not None:
            yield version, hit


def install_hint(row: RuntimeRow) -> str:
    """The command that installs the row's own interpreter."""
    dotted = ".".join(map(str, row.version))
    if row.family == "java":
        return f"the system's openjdk-{row.version[0]}-jre-headless, sdkman or mise; undercast runtimes install java17"
    if row.family == "ruby":
        return f"rbenv install {dotted}, mise, asdf, or the system's package ruby"
    if row.family in PLACES:
        return f"undercast runtimes install {row.identifier}"
    return f"uv python install {dotted}, pyenv install {dotted}, or the system's package python{dotted}"
