"""What in a folder has to be compiled before its function runs it, and the usual command.

AWS: Lambda Developer Guide, "Deploy Go Lambda functions with .zip file archives", "Deploy Java Lambda functions with
.zip or JAR file archives", "Deploy transpiled TypeScript code in Lambda with .zip file archives", "Building Lambda
functions with Rust".
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from undercast.deploy.folder_zip import files_of

_GO, _RUST, _JAVA, _TYPESCRIPT = ".go", ".rs", ".java", ".ts"


class Uncompiled(NamedTuple):
    """A file that the function cannot run as it is, and the options of `undercast watch` that build it."""

    file: Path
    options: str


def uncompiled(runtime: str, folder: Path) -> Uncompiled | None:
    """None where the function runs what is in the folder, or nothing is known of it."""
    family = next((one for one in _FAMILIES if runtime.startswith(one.runtimes)), None)
    if family is None:
        return None
    found = next((path for path in files_of(folder) if _is_source(path, family.suffixes)), None)
    return None if found is None else Uncompiled(found.relative_to(folder), family.options(runtime, folder, found))


class _Family(NamedTuple):
    runtimes: tuple[str, ...]
    suffixes: tuple[str, ...]
    options: Callable[[str, Path, Path], str]


def _is_source(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix in suffixes and not path.name.endswith(".d.ts") and "node_modules" not in path.parts


def _native(runtime: str, folder: Path, found: Path) -> str:
    if found.suffix == _RUST:
        return "--build 'cargo build --release && mkdir -p out && cp target/release/NAME out/bootstrap' --output out"
    name = "main" if runtime == "go1.x" else "bootstrap"
    return f"--build 'CGO_ENABLED=0 go build -o {name} .'"


def _java(runtime: str, folder: Path, found: Path) -> str:
    if (folder / "pom.xml").is_file():
        libraries = "dependency:copy-dependencies -DoutputDirectory=target/classes/lib"
        return f"--build 'mvn -q compile {libraries}' --output target/classes"
    return "--build 'javac -d out $(find . -name \"*.java\")' --output out"


def _typescript(runtime: str, folder: Path, found: Path) -> str:
    return "--build 'npx tsc --outDir dist' --output dist"


_FAMILIES = (
    _Family(("provided", "go1.x"), (_GO, _RUST), _native),
    _Family(("java",), (_JAVA,), _java),
    _Family(("nodejs",), (_TYPESCRIPT, ".mts", ".cts"), _typescript),
)
