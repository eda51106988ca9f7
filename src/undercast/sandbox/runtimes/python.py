"""The folder that a Python function sees as /var/runtime: the runtime client and AWS's SDK.

Built once per Python version and content, by hard links from the platform's own packages (copies across file
systems); a finished folder is never changed. The client is awslambdaric where it was built for that version.
AWS: Lambda Developer Guide, "Building Lambda functions with Python", "Runtime-included SDK versions".
"""

import hashlib
import os
import shutil
import sys
import threading
from dataclasses import field
from importlib import metadata
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.runtimes.lang import lang_folder
from undercast.sandbox.runtimes.leftovers import used
from undercast.sandbox.runtimes.lookup import Interpreter

_CLIENT = ("awslambdaric", "simplejson")
_HOOKS = ("snapshot-restore-py",)
_HOOKS_SINCE = (3, 9)
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
SDK_SINCE = (3, 10)
"""Below, the SDK that we ship has syntax that the interpreter cannot read: `undercast runtimes install` brings one."""
_LAYOUT = b"3"
"""Of the folder: a new number makes new folders."""
_OWN = ("bootstrap.py", "undercast_runtime_client.py", "undercast_transport.py", "runtime_client.py")
_COMPILED = "runtime_client."
"""awslambdaric's compiled module, for which ours stands in (ADR 68)."""


@record
class PythonRuntime:
    """`runtimes_dir` is in the data folder, which one platform has alone; `client_dir` holds our own client."""

    runtimes_dir: Path
    client_dir: Path
    installs_dir: Path | None = None
    """What the user installed: SDKs of Pythons that ours does not run on."""
    _ready: dict[tuple[Interpreter, tuple[str, ...]], Path] = field(default_factory=dict, compare=False)
    """By what the user has installed for it, too, which may come while the platform runs."""
    _building: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def folder(self, interpreter: Interpreter) -> Path:
        """The folder for this interpreter, built when it is missing. Blocks: 2,000 links, some 50 ms, once.

        Called in threads, by the first invocations of several functions at once.
        """
        key = (interpreter, _names(self._installed_sdk(interpreter)))
        ready = self._ready.get(key)
        if ready is None:
            with self._building:
                ready = self._ready.get(key) or self._build(interpreter)
                self._ready[key] = ready
        return ready

    def missing_sdk(self, interpreter: Interpreter) -> Path | None:
        """Where the SDK of a Python would be that ours does not run on, and nothing is installed yet."""
        if self.installs_dir is None or interpreter.version >= SDK_SINCE:
            return None
        folder = sdk_folder(self.installs_dir, interpreter.version)
        return None if folder.is_dir() else folder

    def lang_folder(self, interpreter: Interpreter) -> Path:
        """What its functions see as /var/lang."""
        dotted = ".".join(map(str, interpreter.version))
        programs = ("python", f"python{interpreter.version[0]}", f"python{dotted}")
        places = {f"bin/{name}": interpreter.path for name in programs}
        for folder in (interpreter.path.parent.parent / "lib", interpreter.path.parent.parent / "lib64"):
            for path in (folder / f"python{dotted}", *folder.glob(f"libpython{dotted}*.so*")):
                if path.exists():
                    places[f"{folder.name}/{path.name}"] = path
        return lang_folder(self.runtimes_dir, places)

    def _build(self, interpreter: Interpreter) -> Path:
        packages = self._packages(interpreter)
        sdk = self._installed_sdk(interpreter)
        folder = self.runtimes_dir / self._name(interpreter, packages, sdk)
        if folder.is_dir():
            return used(folder)
        # A folder that has its name is complete: what a killed platform left half done is a draft.
        draft = folder.with_name(f"{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name in packages:
            _install(metadata.distribution(name), draft)
        if sdk is not None:
            shutil.copytree(sdk, draft, dirs_exist_ok=True, copy_function=_link)
        for name in _OWN:
            shutil.copyfile(self.client_dir / name, draft / name)
        draft.chmod(0o755)
        draft.rename(folder)
        return folder

    def _installed_sdk(self, interpreter: Interpreter) -> Path | None:
        if self.installs_dir is None or interpreter.version >= SDK_SINCE:
            return None
        folder = sdk_folder(self.installs_dir, interpreter.version)
        return folder if folder.is_dir() else None

    def _packages(self, interpreter: Interpreter) -> tuple[str, ...]:
        client = _CLIENT if interpreter.version == sys.version_info[:2] else ()
        hooks = _HOOKS if interpreter.version >= _HOOKS_SINCE else ()
        return (*client, *hooks, *(_SDK if interpreter.version >= SDK_SINCE else ()))

    def _name(self, interpreter: Interpreter, packages: tuple[str, ...], sdk: Path | None) -> str:
        digest = hashlib.sha256(_LAYOUT)
        if sdk is not None:
            digest.update("".join(_names(sdk)).encode())
        for name in packages:
            digest.update(f"{name}=={metadata.version(name)};".encode())
        for name in _OWN:
            digest.update((self.client_dir / name).read_bytes())
        return f"python{'.'.join(map(str, interpreter.version))}-{digest.hexdigest()[:16]}"


def _names(sdk: Path | None) -> tuple[str, ...]:
    """What is in it: packages and their versions."""
    return () if sdk is None else tuple(sorted(path.name for path in sdk.iterdir()))


def _install(distribution: metadata.Distribution, target: Path) -> None:
    """Put a package's modules into the folder, with the byte code that its installer made for our own Python."""
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if file.parts[0] == ".." or file.parts[0].startswith(_COMPILED) or not source.exists():
            continue
        destination = target / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        _link(str(source), str(destination))


def _link(source: str, destination: str) -> None:
    """A second name for a file, or a copy across file systems."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)  # byte code is good for a source of the same time


def sdk_folder(installs_dir: Path, version: tuple[int, ...]) -> Path:
    """Where the SDK of a Python version is when the user has installed it."""
    return installs_dir / "sdk" / f"python{'.'.join(map(str, version))}"
