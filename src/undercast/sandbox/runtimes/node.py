"""Node.js functions: the interpreter, /var/runtime with our runtime client, NODE_PATH and the flags of AWS's runtime.

AWS's SDK is a folder of its own, filled by `undercast runtimes install`, at which /var/runtime/node_modules points.
AWS: Lambda Developer Guide, "Building Lambda functions with Node.js": runtime-included SDK versions, disabled
experimental features; "Using Lambda environment variables", NODE_PATH.
"""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.lang import lang_folder
from undercast.sandbox.runtimes.leftovers import used
from undercast.sandbox.runtimes.lookup import Interpreter
from undercast.sandbox.runtimes.plan import RuntimePlan, invalid_runtime, with_wrapper
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.table import RuntimeRow

FIRST_WITH_SDK_3 = 18
_NEAR_WORDS = "{row} runs on Node.js {found}: {wanted} is not installed here (`undercast runtimes install {row}`)"


@record
class NodeRuntime:
    """`runtimes_dir` is in the data folder, `client_dir` holds our client, `installs_dir` what the user installed."""

    lookup: ProgramLookup
    runtimes_dir: Path
    client_dir: Path
    installs_dir: Path
    _ready: dict[Path, Path] = field(default_factory=dict, compare=False)
    _building: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def interpreter(self, row: RuntimeRow) -> Interpreter | None:
        """The version of the row, else the nearest younger one where the row has such."""
        versions = (row.version, *row.nearest)
        return next((hit for version in versions if (hit := self.lookup.find("nodejs", version))), None)

    def plan(self, row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
        """How to start the function. Raises InvalidRuntimeException when there is no interpreter."""
        found = self.interpreter(row)
        if found is None:
            raise invalid_runtime(
                f"No Node.js {max(row.version[0], 12)} is installed for the runtime {row.identifier}. "
                f"Install it (`undercast runtimes install {row.identifier}`, or with nvm, fnm, mise or your system's "
                "packages) and try again"
            )
        sdk = sdk_folder(self.installs_dir, row)
        modules = sdk / "node_modules"
        command = ("{lang}/node", *_flags(row, found, function), "{runtime}/index.js")
        program, options = with_wrapper(command, function)
        dotted = ".".join(map(str, found.version))
        near = found.version[: len(row.version)] != row.version
        return RuntimePlan(
            program=program,
            options=options,
            variables={"NODE_PATH": _node_path(row)},
            execution_env=f"AWS_Lambda_{row.identifier}",
            runtime_dir=self._folder(sdk),
            lang_dir=lang_folder(self.runtimes_dir, {"bin/node": found.path}),
            prefixes=(*found.prefixes, *((sdk,) if sdk.is_dir() else ())),
            prestart=("--prestart", "4") if options == command[1:] and program == command[0] else (),
            telemetry=True,
            absent=None if modules.is_dir() else modules,
            version_label=f"nodejs:{dotted}.undercast",
            notice=_NEAR_WORDS.format(row=row.identifier, found=dotted, wanted=row.version[0]) if near else "",
        )

    def _folder(self, sdk: Path) -> Path:
        """What functions see as /var/runtime, made when it is missing. Blocks for a moment, once."""
        with self._building:
            if sdk not in self._ready:
                self._ready[sdk] = self._build(sdk)
            return self._ready[sdk]

    def _build(self, sdk: Path) -> Path:
        digest = hashlib.sha256(str(sdk).encode())
        for file in sorted(self.client_dir.rglob("*.js")):
            digest.update(file.read_bytes())
        folder = self.runtimes_dir / f"{sdk.name}-{digest.hexdigest()[:16]}"
        if folder.is_dir():
            return used(folder)
        # A folder that has its name is complete: what a killed platform left half done is a draft.
        draft = folder.with_name(f"{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(self.client_dir, draft)
        (draft / "node_modules").symlink_to(sdk / "node_modules")
        for path in (draft, *(path for path in draft.rglob("*") if path.is_dir() and not path.is_symlink())):
            path.chmod(0o755)
        draft.rename(folder)
        return folder


def sdk_folder(installs_dir: Path, row: RuntimeRow) -> Path:
    """The folder of the SDK that AWS's runtime includes; missing until it is installed."""
    return installs_dir / "sdk" / ("nodejs-3" if row.version[0] >= FIRST_WITH_SDK_3 else "nodejs-2")


def _node_path(row: RuntimeRow) -> str:
    version = row.version[0]
    layers = f"{{opt}}/nodejs/node{version}/node_modules:{{opt}}/nodejs/node_modules"
    return f"{layers}:{{runtime}}/node_modules:{{runtime}}:{{task}}"


def _flags(row: RuntimeRow, found: Interpreter, function: FunctionVersion) -> Iterator[str]:
    """Those of AWS's runtime: the heap is the function's memory; what Node.js has as experiment is off."""
    young = function.memory_mb // 10
    yield "--expose-gc"
    yield f"--max-semi-space-size={young // 2}"
    yield f"--max-old-space-size={function.memory_mb - young}"
    asked = function.environment.get("NODE_OPTIONS", "")
    if row.version[0] in (20, 22) and found.version >= (20, 17) and "--experimental-require-module" not in asked:
        yield "--no-experimental-require-module"
    if row.version[0] == 22 and "--experimental-detect-module" not in asked:
        yield "--no-experimental-detect-module"
