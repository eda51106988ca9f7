"""Finds Python interpreters on this machine.

Looks at names only and runs nothing: pythonX.Y that is a real program, never a version manager's shim and never the
platform's own virtual environment (links are followed to the interpreter behind it).
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.runtimes.homes import UNMOVED, Homes

_PROGRAM_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_SYSTEM = ("/usr", "/bin", "/lib")
_INSTALLS = (
    ".pyenv/versions/{v}.*",
    ".local/share/uv/python/cpython-{v}.*",
    ".asdf/installs/python/{v}.*",
    ".local/share/mise/installs/python/{v}.*",
)


@record
class Interpreter:
    """One interpreter. `prefixes` are the folders it needs besides /usr, /bin and /lib*."""

    path: Path
    version: tuple[int, ...]
    prefixes: tuple[Path, ...]


class PythonLookup:
    """Where interpreters may be; remembers what it found."""

    def __init__(self, search_path: tuple[str, ...], home: Path, moved: Mapping[str, str] = UNMOVED) -> None:
        self._search_path = search_path
        self._homes = Homes(home=home, moved=moved)
        self._found: dict[tuple[int, ...], Interpreter] = {}

    def find(self, version: tuple[int, ...]) -> Interpreter | None:
        """The interpreter of exactly this major and minor version. A missing one is looked for again each time."""
        found = self._found.get(version)
        if found is None:
            found = next(self._candidates(version), None)
            if found is not None:
                self._found[version] = found
        return found

    def _candidates(self, version: tuple[int, ...]) -> Iterator[Interpreter]:
        name = "python" + ".".join(map(str, version))
        for path in self._paths(name, version):
            real = is_program(path)
            if real is not None and _is_version(real, version):
                yield Interpreter(path=real, version=version, prefixes=prefixes_of(real))

    def _paths(self, name: str, version: tuple[int, ...]) -> Iterator[Path]:
        if sys.version_info[:2] == version:
            yield Path(sys.base_prefix, "bin", name)
        yield from (Path(folder, name) for folder in self._search_path)
        for pattern in _INSTALLS:
            for install in self._homes.installs(pattern.format(v=".".join(map(str, version)))):
                yield install / "bin" / name
        yield from (Path(folder, name) for folder in ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"))


def is_program(path: Path) -> Path | None:
    """The real file behind the path, when it is a binary program."""
    try:
        real = path.resolve(strict=True)
        with real.open("rb") as file:
            return real if file.read(4) in _PROGRAM_MAGIC else None
    except OSError:
        return None


def _is_version(real: Path, version: tuple[int, ...]) -> bool:
    """Whether the standard library beside the program is this version's."""
    dotted = ".".join(map(str, version))
    return any((real.parent.parent / folder / f"python{dotted}" / "os.py").exists() for folder in ("lib", "lib64"))


def prefixes_of(real: Path) -> tuple[Path, ...]:
    """The folder that an interpreter in PREFIX/bin needs; none when it is one of the system's."""
    prefix = real.parent.parent
    return () if str(prefix) == "/usr" or str(prefix).startswith(tuple(f"{root}/" for root in _SYSTEM)) else (prefix,)
