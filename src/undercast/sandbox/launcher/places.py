"""The file system of one sandbox: what it does not share with others, laid over the template.

`furnish` runs in the first process of a sandbox, while the host's tree is at /.host; `Placing` later in the launcher.
Sources: proc(5) (hidepid), mount_namespaces(7), setns(2), mount_setattr(2).
"""

from __future__ import annotations

import os
from typing import Any

from undercast.sandbox.launcher import kernel

HOST = "/.host"
IMAGE = "/.image"
SHM_MB = 128
"""Until the function's memory is known."""
_SHM_FILES = 16_384
"""Each costs the kernel some 1 KiB beside its content; by default there may be one for every two pages of the host."""
_WRITABLE = kernel.MS_NOSUID | kernel.MS_NODEV
_MASKED = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


_QUOTAS = {"max_user_namespaces": b"0", "max_inotify_instances": b"16", "max_inotify_watches": b"8192"}
"""Of the sandbox's user namespace: none below it, whatever the filter of system calls lets through; and not all of the
128 instances, and some 100,000 watches, that a user has by default, for without root the functions' user is the one who
runs the platform. namespaces(7), inotify(7)."""


def furnish(binds: list[list[str]], image: str = "") -> int:
    """Everything that does not depend on the function; then the root is read-only and the host's tree is gone.

    Returns the folder for `limit_user`.

    `image` is the host's path of a root file system that takes the place of the template; it has all the places.
    """
    root = _begin_image(image) if image else ""
    # Processes of other credentials (the init process) are not listed.
    kernel.mount("proc", root + "/proc", "proc", _MASKED, "hidepid=invisible")
    quotas = os.open(root + "/proc/sys/user", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    kernel.bind(root + "/proc/sys", root + "/proc/sys")
    kernel.read_only(root + "/proc/sys")
    kernel.mount("tmpfs", root + "/dev/shm", "tmpfs", _WRITABLE, f"mode=1777,size={SHM_MB}m,nr_inodes={_SHM_FILES}")
    for source, target in binds:
        if not root:
            make_place(HOST + source, target)
        kernel.bind_read_only(HOST + source, root + target)
    if root:
        _enter_image(root)
    else:
        kernel.read_only("/")
        kernel.unmount(HOST)
    return quotas


def limit_user(quotas: int) -> None:
    """In the new user namespace, while we have every right in it: namespaces(7), "The /proc/sys/user directory"."""
    for name, value in _QUOTAS.items():
        quota = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=quotas)
        os.write(quota, value)
        os.close(quota)
    os.close(quotas)


def _begin_image(image: str) -> str:
    """The image's files with what every sandbox has of the template: devices, and names by our resolver."""
    kernel.bind_read_only(HOST + image, IMAGE)
    kernel.bind("/dev", IMAGE + "/dev")
    for path in ("/etc/hosts", "/etc/resolv.conf"):
        kernel.bind_read_only(path, IMAGE + path)
    return IMAGE


def _enter_image(root: str) -> None:
    """pivot_root(2), NOTES: with "." twice the old root lies over the new one, until it is taken away."""
    kernel.read_only(root + "/dev")
    os.chdir(root)
    kernel.pivot_root(".", ".")
    kernel.unmount(".")
    os.chdir("/")


class Placing:
    """Puts the code, layers and /tmp of a function into a sandbox that stands ready, from outside."""

    def __init__(self, home: int) -> None:
        """`home` is our own mount namespace."""
        self._home = home

    def place(self, order: dict[str, Any], descriptors: list[int]) -> None:
        """The first descriptor is the sandbox's mount namespace, the second its /tmp. Raises OSError."""
        trees: list[tuple[int, str]] = []
        try:
            for source, target in order["binds"]:
                trees.append((kernel.read_only_tree(HOST + source), target))
            if order["layers"]:
                trees.append((_merged(order["layers"]), "/opt"))
            if order["tmp"]:
                trees.append((kernel.writable_tree(HOST + order["tmp"]), "/tmp"))
            kernel.enter(descriptors[0], kernel.CLONE_NEWNS)
            try:
                _put(trees + [(descriptor, "/tmp") for descriptor in descriptors[1:]], order["shm_mb"])
            finally:
                self._return()
        finally:
            for descriptor, _ in trees:
                os.close(descriptor)

    def forget(self) -> None:
        """In a sandbox's own process: it must not have the way back."""
        os.close(self._home)

    def _return(self) -> None:
        try:
            kernel.enter(self._home, kernel.CLONE_NEWNS)
        except OSError:
            os._exit(1)  # a launcher in a sandbox's mounts would make the next one of them


def _put(trees: list[tuple[int, str]], shm_mb: int) -> None:
    for descriptor, target in trees:
        kernel.move_mount(descriptor, target)
    if shm_mb != SHM_MB:
        kernel.mount("tmpfs", "/dev/shm", "tmpfs", kernel.MS_REMOUNT | _WRITABLE, f"size={shm_mb}m")


def _merged(layers: list[str]) -> int:
    """Layers over each other. Mounted for a moment at our own /opt: fsconfig(2) takes paths of 255 bytes only."""
    lower = ":".join(HOST + path.replace("\\", "\\\\").replace(":", "\\:") for path in layers)
    kernel.mount("overlay", "/opt", "overlay", kernel.MS_RDONLY | _WRITABLE, "lowerdir=" + lower)
    try:
        return kernel.tree("/opt")
    finally:
        kernel.unmount("/opt")


def make_place(source: str, target: str) -> None:
    """Make the folder or file that a bind of the source needs as its place."""
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
        return
    os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
    if not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o644))


def write_id_maps(uid_map: str, gid_map: str) -> None:
    """Give our new user namespace its ids. setgroups must be denied first: user_namespaces(7)."""
    for name, text in (("setgroups", "deny"), ("uid_map", uid_map), ("gid_map", gid_map)):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
