"""The /tmp of sandboxes: on disk, of the size that EphemeralStorage says, never charged as memory.

AWS: Developer Guide, "Configure ephemeral storage for Lambda functions".
"""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True, kw_only=True)
class TmpDisk:
    """One /tmp: a detached mount, or a folder of the host."""

    folder: str | None = None
    mount: int = -1

    @property
    def descriptors(self) -> list[int]:
        """What the launcher is given beside the order."""
        return [self.mount] if self.mount >= 0 else []

    def close(self) -> None:
        """Free it with all its content."""
        if self.mount >= 0:
            os.close(self.mount)
            self.mount = -1
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class TmpDisks:
    """Where they come from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self) -> None:
        """Make the folder, empty."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)

    async def stop(self) -> None:
        """Remove the folder."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    async def take(self, name: str, size_mb: int, uid: int) -> TmpDisk:
        """One for a sandbox."""
        place = self._folder / name
        place.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(place, uid, uid)
        return TmpDisk(folder=str(place.resolve()))
