"""The /tmp of sandboxes: on disk, of the size that EphemeralStorage says, never charged as memory.

As root each is an ext4 in a sparse file behind a loop device, mounted nowhere: descriptors keep all three alive, so the
kernel frees them with the last process, however it ends. Elsewhere it is a folder, and the driver watches its size.
AWS: Developer Guide, "Configure ephemeral storage for Lambda functions". Sources: loop(4), fsopen(2).
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from undercast.sandbox.launcher import kernel
from undercast.sandbox.trees import remove_tree

_MIB = 1024 * 1024
_BLOCK = 4096
_DEFAULT_MB = 512
_FORMAT_LIMIT_S = 60.0
_TOOLS = "/usr/sbin:/sbin:/usr/bin:/bin"
_LOOP_CONTROL = "/dev/loop-control"
_LOOP_CTL_GET_FREE, _LOOP_CTL_REMOVE, _LOOP_CONFIGURE = 0x4C82, 0x4C81, 0x4C0A
_LOOP_FLAGS_AT, _LOOP_CONFIG_BYTES, _LO_FLAGS_AUTOCLEAR = 60, 304, 4
_EXT4_IOC_SHUTDOWN, _WITHOUT_FLUSH = 0x8004587D, 2
_ATTEMPTS = 20
_REFILL_AFTER_S = 0.2


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
            _discard(self.mount)
            self.mount = -1
        if self.folder is not None:
            remove_tree(self.folder)
            self.folder = None


class TmpDisks:
    """Makes them: copies a formatted template, which is nearly all hole, and mounts it. One of the usual size is ready.

    A mount takes 0.7 ms, but 5 ms on a host that has been idle.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.limited = False
        """Whether the file system itself ends at the limit."""
        self._spare: asyncio.Task[TmpDisk] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Make the folder, empty, and find out what works here."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        if os.geteuid() == 0:
            try:
                (await asyncio.to_thread(self._make, _DEFAULT_MB)).close()
            except OSError:
                return
            self.limited = True

    async def take(self, name: str, size_mb: int, uid: int) -> TmpDisk:
        """One for a sandbox. Raises OSError."""
        if self.limited:
            if size_mb == _DEFAULT_MB and self._spare is not None:
                spare, self._spare = self._spare, None
                try:
                    return await asyncio.shield(spare)
                except asyncio.CancelledError:
                    self._spare = self._spare or spare
                    raise
                except OSError:
                    pass  # it may have failed long ago, for want of room that there is now
            return await asyncio.to_thread(self._make, size_mb)
        place = self._folder / name
        place.mkdir(mode=0o700)
        if uid != os.getuid():
            os.chown(place, uid, uid)
        return TmpDisk(folder=str(place.resolve()))

    def refill_soon(self) -> None:
        """Have a spare made when the start that took the last one is over."""
        asyncio.get_running_loop().call_later(_REFILL_AFTER_S, self.refill)

    def refill(self) -> None:
        """Have a spare made."""
        if self.limited and self._spare is None and not self._stopped:
            self._spare = asyncio.ensure_future(asyncio.to_thread(self._make, _DEFAULT_MB))

    async def stop(self) -> None:
        """Free the spare, and have no other."""
        self._stopped = True
        spare, self._spare = self._spare, None
        if spare is not None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread((await spare).close)

    def _make(self, size_mb: int) -> TmpDisk:
        template = self._folder / f"template-{size_mb}"
        if not template.exists():
            _format(template, size_mb)
        image = self._folder / f"{uuid.uuid4()}.img"
        try:
            _copy_sparse(template, image)
            return TmpDisk(mount=_mount_image(image))
        finally:
            image.unlink(missing_ok=True)


def _format(template: Path, size_mb: int) -> None:
    """An empty ext4 with exactly `size_mb` for files: what is more is reserved for root, and nobody is root there."""
    part = template.with_suffix(f".{uuid.uuid4()}")
    try:
        # Room for the file system's own tables, which is about 2 %.
        with part.open("wb") as file:
            file.truncate((size_mb + size_mb // 32 + 16) * _MIB)
        # uninit_bg and lazy_itable_init leave the tables unwritten, so that the template stays small.
        features = "^has_journal,^resize_inode,^metadata_csum,uninit_bg"
        _run("mkfs.ext4", "-qF", "-m0", f"-b{_BLOCK}", "-O", features, "-E", "lazy_itable_init=1,nodiscard", str(part))
        free = _prepared_free_blocks(part)
        # One block more than the limit: a single file of that size needs it for its extents.
        _run("tune2fs", "-r", str(free - size_mb * _MIB // _BLOCK - 1), str(part))
        part.replace(template)
    finally:
        part.unlink(missing_ok=True)


def _prepared_free_blocks(image: Path) -> int:
    mount = _mount_image(image)
    try:
        place = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mount)
        try:
            os.rmdir("lost+found", dir_fd=place)
            os.fchmod(place, 0o1777)
            os.fsync(place)
            return os.fstatvfs(place).f_bavail
        finally:
            os.close(place)
    finally:
        os.close(mount)


def _mount_image(image: Path) -> int:
    """Mount it nowhere and return the mount's descriptor. The loop device lives as long as the mount."""
    backing = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            path, loop = _free_loop_device()
            try:
                configuration = bytearray(_LOOP_CONFIG_BYTES)
                struct.pack_into("=II", configuration, 0, backing, _BLOCK)
                struct.pack_into("=I", configuration, _LOOP_FLAGS_AT, _LO_FLAGS_AUTOCLEAR)
                fcntl.ioctl(loop, _LOOP_CONFIGURE, bytes(configuration))
                return kernel.detached_mount("ext4", path, ("noinit_itable", "nobarrier"))
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            finally:
                os.close(loop)
        raise OSError("every free loop device was taken by somebody else")
    finally:
        os.close(backing)


def _free_loop_device() -> tuple[str, int]:
    control = os.open(_LOOP_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
    finally:
        os.close(control)
    path = f"/dev/loop{number}"
    return path, os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _discard(mount: int) -> None:
    """Unmount without writing back what nobody will read."""
    try:
        place = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mount)
        try:
            fcntl.ioctl(place, _EXT4_IOC_SHUTDOWN, struct.pack("=I", _WITHOUT_FLUSH))
        finally:
            os.close(place)
    except OSError:
        pass  # an older kernel: the unmount writes it back
    finally:
        os.close(mount)


def _copy_sparse(source: Path, target: Path) -> None:
    """Copy the parts that hold data, a few hundred KiB of any size."""
    with source.open("rb") as reading, target.open("xb") as writing:
        size = os.fstat(reading.fileno()).st_size
        os.ftruncate(writing.fileno(), size)
        place = 0
        while place < size:
            try:
                start = os.lseek(reading.fileno(), place, os.SEEK_DATA)
            except OSError:
                return  # ENXIO: no more data
            place = os.lseek(reading.fileno(), start, os.SEEK_HOLE)
            os.pwrite(writing.fileno(), os.pread(reading.fileno(), place - start, start), start)


def _run(*arguments: str) -> None:
    command = (shutil.which(arguments[0], path=_TOOLS) or arguments[0], *arguments[1:])
    limit_s, nothing = _FORMAT_LIMIT_S, subprocess.DEVNULL
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=limit_s, stdin=nothing, env={})
    except subprocess.CalledProcessError as error:
        raise OSError(errno.EIO, f"{arguments[0]}: {error.stderr.decode(errors='replace').strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise OSError(errno.ETIMEDOUT, str(error)) from error
