"""The data folder: one platform's state, held by one process at a time.

The lock is flock(2) on a file that also holds the owner's pid: the kernel drops it however the process ends.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from undercast.store.errors import FolderInUse, NewerData, StoreError

LAYOUT = 1
_PREFIX = "undercast-ephemeral-"
_ENDING = "ending"
_BEING_MADE_S = 60.0
"""A folder without a lock is younger than this while another platform makes it."""

_LOOKED_AT_S = 0.2
"""Commands that look for a platform hold the lock for some microseconds, on a busy machine for longer."""


class DataFolder:
    """Paths of everything that is kept, valid after `lock`."""

    def __init__(self, path: Path, *, ephemeral: bool = False) -> None:
        self.path = path
        self.ephemeral = ephemeral
        self._lock: int | None = None

    @classmethod
    def temporary(cls) -> "DataFolder":
        """A new folder that `unlock` removes (--ephemeral); removes those that killed platforms left."""
        for path in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
            _remove_abandoned(path)
        return cls(Path(tempfile.mkdtemp(prefix=_PREFIX)), ephemeral=True)

    @property
    def state_db(self) -> Path:
        """Every service's rows, the outbox, durable edges."""
        return self.path / "state.db"

    @property
    def journal_db(self) -> Path:
        """Log events, invocation edges, metrics."""
        return self.path / "journal.db"

    @property
    def requests_log(self) -> Path:
        """One line per request."""
        return self.path / "requests.log"

    @property
    def blobs(self) -> Path:
        """Contents of objects and packages."""
        return self.path / "blobs"

    @property
    def code(self) -> Path:
        """Unpacked function code."""
        return self.path / "code"

    @property
    def runtimes(self) -> Path:
        """What functions see as /var/runtime and /var/lang, by runtime."""
        return self.path / "runtimes"

    @property
    def ca(self) -> Path:
        """The local certificate authority."""
        return self.path / "ca"

    @property
    def token(self) -> Path:
        """The file whose content authorises changes under /_undercast/."""
        return self.path / "token"

    @property
    def address(self) -> Path:
        """The file that says where the platform that holds this folder is reached; see `address_of`."""
        return self.path / "address"

    @property
    def run(self) -> Path:
        """Sockets and marks of the running process; empty after a clean stop."""
        return self.path / "run"

    def lock(self) -> None:
        """Take the folder and lay it out. Raises FolderInUse, NewerData, or StoreError when it cannot be made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"Cannot use {self.path}: {error.strerror}. Choose another folder with --data.") from error
        try:
            self._take(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor

    def unlock(self) -> None:
        """Give the folder back; an ephemeral one is removed."""
        if self._lock is None:
            return
        if self.ephemeral:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.address.unlink(missing_ok=True)
            (self.run / _ENDING).unlink(missing_ok=True)
            os.ftruncate(self._lock, 0)
        os.close(self._lock)
        self._lock = None

    def tell_ending(self, part: str) -> None:
        """Say what part of a stop is under way, for `ending_of`."""
        with contextlib.suppress(OSError):  # a full disk ends nothing later
            (self.run / _ENDING).write_text(part)

    def _take(self, descriptor: int) -> None:
        try:
            _flock(descriptor)
        except BlockingIOError:
            pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise FolderInUse(
                f"{self.path} is in use by the platform with pid {pid}. Stop it (undercast stop --data {self.path}), "
                "or start with another folder (--data DIR, --ephemeral)."
            ) from None
        self._check_layout()
        # A killed platform's; the new one writes its own once it listens, and when it stops.
        for path in (self.address, self.run / _ENDING):
            path.unlink(missing_ok=True)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        for folder in (self.blobs, self.code, self.ca, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        self._keep_private()

    def _keep_private(self) -> None:
        """Nobody else reads the files that hold secrets, in a folder that was there before and others may enter, too.

        SQLite gives its journals the mode of the database; the folder itself may be the user's, for other things.
        """
        for path in (self.state_db, self.journal_db, self.requests_log):
            path.touch(mode=0o600)
            for found in self.path.glob(path.name + "*"):
                found.chmod(0o600)

    def _check_layout(self) -> None:
        mark = self.path / "layout"
        found = mark.read_text().strip() if mark.exists() else ""
        if not found:
            mark.write_text(f"{LAYOUT}\n")
        elif not found.isdigit() or int(found) > LAYOUT:
            raise NewerData(
                f"{self.path} has layout {found}; this program knows {LAYOUT}. Install the version that wrote it, or "
                "start with another folder (--data)."
            )


def _flock(descriptor: int) -> None:
    """Take the lock. Raises BlockingIOError when it is held for longer than `holder` does, who only looks."""
    end = time.monotonic() + _LOOKED_AT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
        time.sleep(_LOOKED_AT_S / 20)


def holder(path: Path) -> int | None:
    """The pid of the process that holds the folder, or None when nobody does."""
    pid, is_held = _last(path)
    return pid if is_held else None


def killed(path: Path) -> int | None:
    """The pid of the process that held the folder last and ended without giving it back; None for none such."""
    pid, is_held = _last(path)
    return None if is_held else pid


def _last(path: Path) -> tuple[int | None, bool]:
    """The pid that is written down, and whether its process holds the folder."""
    try:
        descriptor = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return None, False
    try:
        is_held = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            is_held = True
        text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return (int(text) if text.isdigit() else None), is_held
    finally:
        os.close(descriptor)


def ending_of(path: Path) -> str:
    """What part of its stop the platform on the folder has come to; "" before and behind it."""
    try:
        return (path / "run" / _ENDING).read_text()
    except OSError:
        return ""


def address_of(path: Path) -> str | None:
    """Where the platform that holds the folder is reached; None when none does, or while it is starting."""
    if holder(path) is None:
        return None
    try:
        return (path / "address").read_text().strip() or None
    except OSError:
        return None


def temporary_folders() -> list[Path]:
    """Those of this machine's --ephemeral platforms that run and that this user may read."""
    found = sorted(Path(tempfile.gettempdir()).glob(_PREFIX + "*"))
    return [path for path in found if address_of(path) is not None]


def _is_young(path: Path) -> bool:
    """Whether a platform may just be making it."""
    try:
        return time.time() - path.stat().st_mtime <= _BEING_MADE_S
    except FileNotFoundError:
        return True  # it is gone already


def _remove_abandoned(path: Path) -> None:
    """Remove an ephemeral folder of ours that nobody holds."""
    try:
        descriptor = os.open(path / "lock", os.O_RDWR)
    except FileNotFoundError:
        if not _is_young(path):
            shutil.rmtree(path, ignore_errors=True)
        return
    except OSError:
        return  # another user's
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who has made its lock and not taken it yet has written no pid either.
        if os.fstat(descriptor).st_size or not _is_young(path):
            shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
