"""What `undercast runtimes install ID` does for each language; idempotent, so that it repairs and updates, too."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.debugging.programs import debugpy_folder
from undercast.sandbox.rootfs import hidden_place
from undercast.sandbox.runtimes.install import debuggers, java, node, python
from undercast.sandbox.runtimes.install.downloads import InstallError, Progress
from undercast.sandbox.runtimes.java import client_folder
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.node import FIRST_WITH_SDK_3, sdk_folder
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.python import sdk_folder as python_sdk
from undercast.sandbox.runtimes.survey import install_hint
from undercast.sandbox.runtimes.table import RUNTIMES, RuntimeRow

_OLDEST_NODE = 12


@record
class Installer:
    """Installs for one user."""

    pythons: PythonLookup
    programs: ProgramLookup
    installs: Path
    progress: Progress

    def check(self, identifiers: Sequence[str], packages: tuple[str, ...] = ()) -> None:
        """Before anything is fetched: raises InstallError for one that cannot be installed, or could not be used."""
        for identifier in identifiers:
            row = self._row(identifier, packages)
            for place in self._places(row):
                if hidden := hidden_place(place):
                    raise InstallError(f"{hidden}, with HOME or its own variable set to another folder")

    def install(self, identifier: str, packages: tuple[str, ...] = ()) -> None:
        """Whatever of the runtime is not on this machine. `packages` are further ones of npm. Raises InstallError.

        Two debuggers are installed the same way: debugpy and delve.
        """
        row = self._row(identifier, packages)
        if row is None:
            self._debugger(identifier)
        elif row.family == "nodejs":
            self._node(row, packages)
        elif row.family == "python":
            self._python(row)
        else:
            self._java(row)

    @staticmethod
    def _row(identifier: str, packages: tuple[str, ...]) -> RuntimeRow | None:
        """None for a debugger. Raises InstallError for what cannot be installed."""
        if identifier in ("debugpy", "delve") and not packages:
            return None
        row = RUNTIMES.get(identifier)
        if row is None:
            raise InstallError(f"there is no runtime {identifier}; `undercast runtimes list` has all")
        if packages and row.family != "nodejs":
            raise InstallError("--package is for Node.js runtimes")
        if row.family == "ruby":
            raise InstallError(f"no registry has Ruby itself: {install_hint(row)}")
        if row.family in ("go", "provided"):
            raise InstallError(f"{identifier} needs nothing: the package brings its own program")
        if row.family not in ("nodejs", "python", "java"):
            raise InstallError(f"{identifier} cannot be installed: Undercast does not serve it yet")
        return row

    def _places(self, row: RuntimeRow | None) -> Iterator[Path]:
        """Of what a sandbox sees where it lies: an interpreter that is there, or will be, Node.js's SDK, a debugger."""
        if row is None or row.family == "nodejs":
            yield self.installs
        if row is None:
            return
        if row.family == "java":  # whose client is copied, and which is not fetched itself
            versions = (row.version, *row.nearest)
            found = next((hit for one in versions if (hit := self.programs.find("java", one))), None)
        elif row.family == "python":
            found = self.pythons.find(row.version)
            if found is None:
                yield python.interpreters_dir()
        else:
            found = self.programs.find("nodejs", (_node_major(row),))
        if found is not None:
            yield found.path

    def _debugger(self, name: str) -> None:
        if name == "debugpy":
            debuggers.install_debugpy(debugpy_folder(self.installs), self.progress)
        else:
            debuggers.install_delve(self.installs / "delve", self.progress)

    def _node(self, row: RuntimeRow, packages: tuple[str, ...]) -> None:
        major = _node_major(row)
        if self.programs.find("nodejs", (major,)) is None:
            node.install_interpreter(major, self.installs, self.progress)
        found = self.programs.find("nodejs", (major,))
        if found is None:
            raise InstallError(f"Node.js {major} was installed, but does not run on this machine")
        place = sdk_folder(self.installs, row)
        if packages or not (place / "node_modules").is_dir():
            sdk = node.SDK_3 if row.version[0] >= FIRST_WITH_SDK_3 else node.SDK_2
            node.install_sdk(place, (*sdk, *packages), found, self.progress)

    def _java(self, row: RuntimeRow) -> None:
        if not client_folder(self.installs).is_dir():
            java.install_client(self.installs, self.progress)
        if not any(self.programs.find("java", version) for version in (row.version, *row.nearest)):
            raise InstallError(
                f"AWS's runtime client is installed, but no Java {row.version[0]} or younger: install one (your "
                f"system's openjdk-{max(row.version[0], 17)}-jre-headless, sdkman or mise)"
            )

    def _python(self, row: RuntimeRow) -> None:
        if self.pythons.find(row.version) is None:
            python.install_interpreter(row.version, self.progress)
        if row.version in python.SDK and not python_sdk(self.installs, row.version).is_dir():
            python.install_sdk(row.version, self.installs, self.progress)


def _node_major(row: RuntimeRow) -> int:
    return max(row.version[0], _OLDEST_NODE)
