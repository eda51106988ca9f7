"""Which runtimes this machine has: what each identifier runs on, or what brings it.

Looks and runs nothing. AWS: Lambda Developer Guide, "Lambda runtimes".
"""

from collections.abc import Mapping

from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.table import LATER, RUNTIMES, RuntimeRow

_OWN = {"go": "the package's own binary", "provided": "the package's own bootstrap"}


def survey(lookup: PythonLookup) -> Mapping[str, str]:
    """Identifier -> interpreter, or "missing: " and the fix; a family that cannot run yet is one entry."""
    found: dict[str, str] = {}
    for row in RUNTIMES.values():
        if row.family in LATER:
            found[f"{row.family}*"] = f"{LATER[row.family]} is not served yet: package a bootstrap for provided.al2023"
        elif row.family == "python":
            found[row.identifier] = _python(lookup, row)
        else:
            found[row.identifier] = _OWN[row.family]
    return found


def _python(lookup: PythonLookup, row: RuntimeRow) -> str:
    dotted = ".".join(map(str, row.version))
    for version in (row.version, *row.nearest):
        if hit := lookup.find(version):
            instead = "" if version == row.version else f" (no python{dotted} here: the next younger one)"
            return f"{hit.path}{instead}"
    return f"missing: uv python install {dotted}, pyenv install {dotted}, or the system's package python{dotted}"
