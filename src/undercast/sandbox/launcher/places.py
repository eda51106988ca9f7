"""The file system of one sandbox: what it does not share with others, laid over the template.

Runs in the sandbox's first process, in its own mount namespace, while the host's tree is still at /.host.
Sources: proc(5) (hidepid), mount_namespaces(7).
"""

from __future__ import annotations

import os
from typing import Any

from undercast.sandbox.launcher import kernel

HOST = "/.host"
_WRITABLE = kernel.MS_NOSUID | kernel.MS_NODEV
_MASKED = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def private_places() -> None:
    """A new /proc, of the new pid namespace."""
    # Processes of other credentials (the init process) are not listed.
    kernel.mount("proc", "/proc", "proc", _MASKED, "hidepid=invisible")
    kernel.bind("/proc/sys", "/proc/sys")
    kernel.read_only("/proc/sys")


def furnish(order: dict[str, Any], descriptors: list[int]) -> None:
    """Put code, layers, /dev/shm and /tmp in place, then take away the host's tree."""
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", _WRITABLE, f"mode=1777,size={order['shm_mb']}m")
    for source, target in order["binds"]:
        make_place(HOST + source, target)
        kernel.bind_read_only(HOST + source, target)
    if order["layers"]:
        lower = ":".join(HOST + path.replace("\\", "\\\\").replace(":", "\\:") for path in order["layers"])
        kernel.mount("overlay", "/opt", "overlay", kernel.MS_RDONLY | _WRITABLE, "lowerdir=" + lower)
    if descriptors:
        kernel.move_mount(descriptors[0], "/tmp")
        os.close(descriptors[0])
    else:
        kernel.bind(HOST + order["tmp"], "/tmp")
    kernel.read_only("/")
    kernel.unmount(HOST)


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
