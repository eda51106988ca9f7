"""Finds interpreters other than Python's on this machine, from a table of the places where people have them.

A program tells its version itself (`--version`, once, at most five seconds). Folders of version managers are only
looked into for the version that is wanted; their shims are passed over, for what a shim runs depends on the folder.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from undercast.core.record import record
from undercast.sandbox.runtimes.homes import UNMOVED, Homes
from undercast.sandbox.runtimes.lookup import Interpreter, is_program, prefixes_of

_ASK_LIMIT_S = 5.0


@record
class Places:
    """Where a language's interpreters are. Patterns are below the home folder unless absolute; {v} is the version."""

    program: str
    """Its name in a folder of PATH."""
    ask: tuple[str, ...]
    """Arguments with which it prints its version."""
    installs: tuple[tuple[str, str], ...]
    """Pattern of an installation's folder -> the program in it. See `Homes`."""


NODE = Places(
    program="node",
    ask=("--version",),
    installs=(
        (".nvm/versions/node/v{v}.*", "bin/node"),
        (".local/share/fnm/node-versions/v{v}.*", "installation/bin/node"),
        (".fnm/node-versions/v{v}.*", "installation/bin/node"),
        ("Library/Application Support/fnm/node-versions/v{v}.*", "installation/bin/node"),
        (".asdf/installs/nodejs/{v}.*", "bin/node"),
        (".local/share/mise/installs/node/{v}.*", "bin/node"),
        (".volta/tools/image/node/{v}.*", "bin/node"),
        (".nodenv/versions/{v}.*", "bin/node"),
        ("/usr/local/n/versions/node/{v}.*", "bin/node"),
        ("/opt/homebrew/opt/node@{v}", "bin/node"),
        ("/usr/local/opt/node@{v}", "bin/node"),
        (".cache/undercast/runtimes/nodejs/{v}.*", "bin/node"),
    ),
)
"""The last one is filled by `undercast runtimes install`."""

JAVA = Places(
    program="java",
    ask=("-version",),
    installs=(
        ("/usr/lib/jvm/*{v}*", "bin/java"),
        (".sdkman/candidates/java/{v}.*", "bin/java"),
        (".asdf/installs/java/*{v}.*", "bin/java"),
        (".local/share/mise/installs/java/*{v}*", "bin/java"),
        (".jdks/*{v}*", "bin/java"),
        ("/Library/Java/JavaVirtualMachines/*{v}*", "Contents/Home/bin/java"),
        ("/opt/homebrew/opt/openjdk@{v}", "bin/java"),
    ),
)

RUBY = Places(
    program="ruby",
    ask=("--version",),
    installs=(
        (".rbenv/versions/{v}.*", "bin/ruby"),
        (".rubies/ruby-{v}.*", "bin/ruby"),
        (".rvm/rubies/ruby-{v}.*", "bin/ruby"),
        (".asdf/installs/ruby/{v}.*", "bin/ruby"),
        (".local/share/mise/installs/ruby/{v}.*", "bin/ruby"),
        ("/opt/homebrew/opt/ruby@{v}", "bin/ruby"),
    ),
)

PLACES: Mapping[str, Places] = MappingProxyType({"nodejs": NODE, "java": JAVA, "ruby": RUBY})


class ProgramLookup:
    """Where interpreters may be; remembers what it found."""

    def __init__(self, search_path: tuple[str, ...], home: Path, moved: Mapping[str, str] = UNMOVED) -> None:
        self._search_path = search_path
        self._homes = Homes(home=home, moved=moved)
        self._found: dict[tuple[str, tuple[int, ...]], Interpreter] = {}
        self._versions: dict[tuple[Path, int], tuple[int, ...]] = {}

    def find(self, family: str, version: tuple[int, ...]) -> Interpreter | None:
        """An interpreter whose version begins with this one. Its own `version` is complete.

        Blocks while programs tell their versions. What is not found is looked for again the next time, for the user
        may have installed it.
        """
        found = self._found.get((family, version))
        if found is None or not found.path.exists():
            found = next(self._candidates(PLACES[family], version), None)
            if found is not None:
                self._found[family, version] = found
        return found

    def _candidates(self, places: Places, version: tuple[int, ...]) -> Iterator[Interpreter]:
        for path in self._paths(places, ".".join(map(str, version))):
            real = is_program(path)
            if real is None:
                continue
            told = self._version(real, places.ask)
            if told[: len(version)] == version:
                yield Interpreter(path=real, version=told, prefixes=prefixes_of(real))

    def _paths(self, places: Places, dotted: str) -> Iterator[Path]:
        for name in (places.program, f"{places.program}{dotted}"):  # Debian has ruby3.3 without a ruby
            yield from (Path(folder, name) for folder in self._search_path)
        for pattern, inside in places.installs:
            for install in self._homes.installs(pattern.format(v=dotted)):
                yield install / inside

    def _version(self, program: Path, ask: tuple[str, ...]) -> tuple[int, ...]:
        key = (program, program.stat().st_mtime_ns)
        if key not in self._versions:
            self._versions[key] = _told_version(program, ask)
        return self._versions[key]


def _told_version(program: Path, ask: tuple[str, ...]) -> tuple[int, ...]:
    """What the program says, or nothing when it does not run."""
    try:
        done = subprocess.run(
            [str(program), *ask], capture_output=True, text=True, timeout=_ASK_LIMIT_S, check=False, env={}, cwd="/"
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    told = re.search(r"\d+(?:\.\d+)*", done.stdout or done.stderr)
    if told is None or done.returncode:
        return ()
    numbers = tuple(int(number) for number in told[0].split("."))
    # Java 8 calls itself 1.8.
    return numbers[1:] if program.name == "java" and numbers[:1] == (1,) else numbers
