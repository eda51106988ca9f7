"""The user's own build of a folder, run before its code is sent: `undercast watch --build`.

A build writes files, often into the folder that is watched. What it wrote is no reason for another one; what somebody
saved while it ran is. AWS: none; `sam sync --watch` builds at each change.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from undercast.deploy.folder_zip import files_of

LIMIT_S = 3600.0
_SHOWN_BYTES = 64 * 1024
_GRACE_S = 5.0

Look = Mapping[Path, tuple[int, int]]
"""Time and size of each file."""


class BuildFailed(Exception):
    """The command has not ended well; `output` is what it wrote, of much the end."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


@dataclass(kw_only=True)
class Build:
    """See the module. `command` is a line for the shell, run in `source`."""

    command: str
    source: Path
    _seen: Look = field(default_factory=dict)
    """The folder behind the last build."""
    _written: set[Path] = field(default_factory=set)
    """Files that the last run made, and those that it changed as a run before had."""

    def is_due(self) -> bool:
        """Whether somebody else has changed the folder since the last build."""
        return _look(self.source) != self._seen

    def run(self) -> None:
        """Build, and again what was saved meanwhile. Raises BuildFailed, OSError.

        A file that a run has changed was saved, or is what the build writes: then the next run changes it, too.
        """
        saved: set[Path] = set()
        while True:
            before = _look(self.source)
            failure = _run(self.command, self.source)
            self._seen = _look(self.source)
            changed = {path for path, known in before.items() if self._seen.get(path) != known}
            self._written = changed & (self._written | saved) | (self._seen.keys() - before.keys())
            saved = changed - self._written
            if not saved:
                break
        if failure is not None:
            raise failure


def _look(folder: Path) -> Look:
    found: dict[Path, tuple[int, int]] = {}
    for path in files_of(folder):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        found[path] = status.st_mtime_ns, status.st_size
    return found


def _run(command: str, folder: Path) -> BuildFailed | None:
    """How it failed. Its output goes to a file: a helper that it leaves behind would hold a pipe open."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # what it has started, too
                process.wait(_GRACE_S)
        if status == 0:
            return None
        how = f"exited with {status}" if status is not None else f"has not ended after {LIMIT_S:.0f} s"
        return BuildFailed(f"the build {how}: {command}", _end_of(output.fileno()))


def _end_of(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, _SHOWN_BYTES, max(size - _SHOWN_BYTES, 0)).decode(errors="replace")
