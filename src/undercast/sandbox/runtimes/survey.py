"""Which runtimes this machine has: what each identifier runs on, or what brings it.

Looks; runs only programs that have to tell their version. AWS: Lambda Developer Guide, "Lambda runtimes".
"""

from collections.abc import Callable, Mapping
from functools import partial

from undercast.sandbox.runtimes.lookup import Interpreter, PythonLookup
from undercast.sandbox.runtimes.programs import PLACES, ProgramLookup
from undercast.sandbox.runtimes.table import LATER, RUNTIMES, RuntimeRow

Find = Callable[[tuple[int, ...]], Interpreter | None]
_OWN = {"go": "the package's own binary", "provided": "the package's own bootstrap"}


def survey(python: PythonLookup, programs: ProgramLookup) -> Mapping[str, str]:
    """Identifier -> interpreter, or "missing: " and the fix; a family that cannot run yet is one entry."""
    found: dict[str, str] = {}
    for row in RUNTIMES.values():
        if row.family in _OWN:
            found[row.identifier] = _OWN[row.family]
        elif row.family == "python":
            fix = "uv python install {0}, pyenv install {0}, or the system's package python{0}"
            found[row.identifier] = _told(row, python.find, fix.format(_dotted(row.version)))
        elif row.family in PLACES:
            fix = f"undercast runtimes install {row.identifier}, or a version manager or the system's packages"
            found[row.identifier] = _told(row, partial(programs.find, row.family), fix)
        else:
            language = LATER.get(row.family, row.family)
            found[f"{row.family}*"] = f"{language} is not served yet: package a bootstrap for provided.al2023"
    return found


def _told(row: RuntimeRow, find: Find, fix: str) -> str:
    for version in (row.version, *row.nearest):
        if hit := find(version):
            instead = "" if version == row.version else f" (no {_dotted(row.version)} here: the next younger one)"
            return f"{hit.path}{instead}"
    return f"missing: {fix}"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
