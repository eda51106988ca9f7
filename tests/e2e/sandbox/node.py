"""Node.js functions for tests: interpreters that the set-up installed, and AWS's own runtime client as reference.

The reference is aws-lambda-ric as published, with a stand-in for its C++ half; ours must give what it gives.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.conformance.sdks.programs import installed
from undercast.core.record import record
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.lookup import Interpreter
from undercast.sandbox.runtimes.node import NodeRuntime
from undercast.sandbox.runtimes.plan import RuntimePlan
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.table import RuntimeRow

MODULES = "node-runtimes/node_modules"
HERE = Path(__file__).parent / "node_reference"


class InstalledNodes(ProgramLookup):
    """The interpreters of the set-up, whatever else this machine has."""

    def find(self, family: str, version: tuple[int, ...]) -> Interpreter | None:
        """See ProgramLookup."""
        path = installed(f"{MODULES}/node-{version[0]}/bin/node").resolve()
        return Interpreter(path=path, version=(*version, 99, 0), prefixes=(path.parent.parent,))


@record
class ReferenceNode(NodeRuntime):
    """Functions run by AWS's client."""

    def plan(self, row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
        """See NodeRuntime."""
        plan = NodeRuntime.plan(self, row, function)
        options = [option.replace("index.js", "index.mjs") for option in plan.options]
        return replace(plan, options=("--require", "{runtime}/native.js", *options))


def reference_client(folder: Path, major: int) -> Path:
    """A client folder with AWS's client in it, as its image has it."""
    ric = installed(f"{MODULES}/ric-{3 if major < 24 else 4}")
    folder.mkdir()
    shutil.copy(HERE / "native.js", folder)
    if major < 24:
        shutil.copytree(ric / "dist", folder / "ric")
        shutil.copy(HERE / "index.mjs", folder)
        (folder / "ric" / "rapid-client.node").touch()
    else:
        shutil.copy(ric / "index.mjs", folder)
        (folder / "rapid-client.node").touch()
    return folder


def write_code(folder: Path, files: Mapping[str, str]) -> Path:
    """A function's folder."""
    folder.mkdir(mode=0o755, parents=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
