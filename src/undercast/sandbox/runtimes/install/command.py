"""What `undercast runtimes install ID` does for each language; idempotent, so that it repairs and updates, too."""

from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.debugging.programs import debugpy_folder
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

    def install(self, identifier: str, packages: tuple[str, ...] = ()) -> None:
        """Whatever of the runtime is not on this machine. `packages` are further ones of npm. Raises InstallError.

        Two debuggers are installed the same way: debugpy and delve.
        """
        if identifier in ("debugpy", "delve") and not packages:
            self._debugger(identifier)
            return
        row = RUNTIMES.get(identifier)
        if row is None:
            raise InstallError(f"there is no runtime {identifier}; `undercast runtimes list` has all")
        if packages and row.family != "nodejs":
            raise InstallError("--package is for Node.js runtimes")
        if row.family == "nodejs":
            self._node(row, packages)
        elif row.family == "python":
            self._python(row)
        elif row.family == "java":
            self._java(row)
        elif row.family == "ruby":
            raise InstallError(f"no registry has Ruby itself: {install_hint(row)}")
        elif row.family in ("go", "provided"):
            raise InstallError(f"{identifier} needs nothing: the package brings its own program")
        else:
            raise InstallError(f"{identifier} cannot be installed: Undercast does not serve it yet")

    def _debugger(self, name: str) -> None:
        if name == "debugpy":
            debuggers.install_debugpy(debugpy_folder(self.installs), self.progress)
        else:
            debuggers.install_delve(self.installs / "delve", self.progress)

    def _node(self, row: RuntimeRow, packages: tuple[str, ...]) -> None:
        major = max(row.version[0], _OLDEST_NODE)
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
