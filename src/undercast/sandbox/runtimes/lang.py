"""The folder that a function sees as /var/lang/bin, first in PATH: AWS's runtimes have their interpreter there.

Links to the interpreter that runs the function, under the names that the programs of layers and extensions call.
AWS: Lambda Developer Guide, "Defined runtime environment variables" (PATH begins with /var/lang/bin).
"""

import hashlib
import shutil
import threading
from pathlib import Path

from undercast.sandbox.runtimes.lookup import Interpreter

_building = threading.Lock()


def lang_folder(runtimes_dir: Path, interpreter: Interpreter, names: tuple[str, ...]) -> Path:
    """The folder with these names of the interpreter, made when it is missing. Called in threads."""
    told = "\n".join((str(interpreter.path), *names))
    folder = runtimes_dir / f"bin-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    with _building:
        if not folder.is_dir():
            _build(folder, interpreter.path, names)
    return folder


def _build(folder: Path, program: Path, names: tuple[str, ...]) -> None:
    # A folder that has its name is complete: what a killed platform left half done is a draft.
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name in names:
        (draft / name).symlink_to(program)
    draft.chmod(0o755)
    draft.rename(folder)
