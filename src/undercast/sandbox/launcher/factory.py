"""Makes sandboxes: stands in the template root, and forks one init process for each.

Single-threaded, so that leaving a namespace concerns nobody else. It ends when the control plane does, and every init
with it. With `preload` it is the zygote of its interpreter: what it has imported, the forked runtime has too. A zygote
executes its interpreter again once it stands in its root, at the place where functions see it: so that all that says
where it is from (sys.prefix, a module's __file__, /proc/self/exe) says what it does in a fresh one.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from undercast.sandbox.launcher import frames, kernel
from undercast.sandbox.launcher.farewell import Groups
from undercast.sandbox.launcher.init import Init
from undercast.sandbox.launcher.operations import OPERATIONS, operate
from undercast.sandbox.launcher.places import HOST, IMAGE, Placing, make_place, write_id_maps
from undercast.sandbox.launcher.rehearsal import rehearse
from undercast.sandbox.launcher.zygote import Become, preload

_NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWNET


class Factory:
    """One launcher process."""

    def __init__(self, link: socket.socket, order: int | None = None) -> None:
        """`order` has, behind the exec, what came through the link before it."""
        self._link = link
        self._order = order
        self._config: dict[str, Any] = {}

    def serve(self) -> Become | None:
        """Answer requests until the control plane is gone. Returns in a forked runtime: what it is to become."""
        if self._order is not None:
            with open(self._order, "rb") as file:
                self._config = json.load(file)
        elif (first := frames.receive(self._link)) is not None:
            self._config = first[0]
        else:
            return None
        try:
            if self._order is None:
                self._stand()
            placing = Placing(os.open(f"{HOST}/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))
            if self._config["preload"]:
                preload()
            gc.collect()
            gc.freeze()
            pages = rehearse(self._config["python"]) if self._config["preload"] else None
        except (OSError, ImportError, SyntaxError) as error:
            frames.send(self._link, {"error": str(error)})
            return None
        frames.send(self._link, {"pid": os.getpid()})
        groups = Groups(self._config["cgroups"])
        while (request := frames.receive(self._link)) is not None:
            message, descriptors = request
            forked = False
            try:
                forked = self._obey(placing, groups, message, descriptors)
            except OSError as error:
                self._refuse(message, descriptors, str(error))
            if forked:
                self._link.close()
                placing.forget()
                return Init(self._config, pages, message, descriptors).serve()
            for descriptor in descriptors:
                os.close(descriptor)
        groups.end()
        return None

    def _obey(self, placing: Placing, groups: Groups, message: dict[str, Any], descriptors: list[int]) -> bool:
        """Carry out one order; True in the process that is to be a sandbox's first. Raises OSError."""
        if "error" in message:
            raise OSError(errno.EMFILE, message["error"])
        if message["op"] == "place":
            placing.place(message, descriptors)
            self._tell(self._link, {"done": message["serial"]})
        elif message["op"] in OPERATIONS:
            operate(self._link, message, descriptors)
        else:
            groups.add(message["group"])
            return kernel.fork(_NAMESPACES) == 0
        return False

    def _refuse(self, message: dict[str, Any], descriptors: list[int], reason: str) -> None:
        """One sandbox has failed. The others live as long as this process does: it goes on."""
        if "serial" in message:
            self._tell(self._link, {"done": message["serial"], "error": reason})
        elif descriptors:
            link = socket.socket(fileno=descriptors[0])
            self._tell(link, {"error": reason})
            link.detach()

    def _tell(self, link: socket.socket, answer: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the control plane is gone: the next read sees it
            frames.send(link, answer)

    def _stand(self) -> None:
        """Be in the template root, with the host's tree at HOST; a zygote does not return."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the control plane's to handle
        os.umask(0o022)
        if self._config["rootless"]:
            _become_root_of_user_namespace()
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        _build(self._config["root"], self._config["template"])
        kernel.pivot_root(self._config["root"], self._config["root"] + HOST)
        os.chdir("/")
        if self._config["preload"]:
            self._begin_again()

    def _begin_again(self) -> NoReturn:
        """Execute the interpreter where functions see it, as `python main.py LINK FOLDER ORDER`."""
        order = os.open("/", os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(order, json.dumps(self._config).encode())
        os.lseek(order, 0, os.SEEK_SET)
        for descriptor in (order, self._link.fileno()):
            os.set_inheritable(descriptor, True)
        major, minor = sys.version_info[:2]
        lang = self._config["lang"]
        program = f"{lang}/bin/python{major}.{minor}" if lang else self._config["python"]
        main, _, folder, *_ = sys.argv
        argv = [program, HOST + main, str(self._link.fileno()), HOST + folder, str(order)]
        # PEP 538: what Python has set for itself is no wish of ours.
        os.execve(program, argv, {name: text for name, text in os.environ.items() if name != "LC_CTYPE"})


def _become_root_of_user_namespace() -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    write_id_maps(f"0 {uid} 1", f"0 {gid} 1")


def _build(root: str, template: dict[str, Any]) -> None:
    """Lay out the file system that all sandboxes of this launcher share."""
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID, "mode=755,size=16m")
    for path in (HOST, IMAGE, *template["dirs"]):
        os.makedirs(root + path, 0o755, exist_ok=True)
    for path, text in template["files"].items():
        with open(root + path, "w") as file:
            file.write(text)
    for path, target in template["links"].items():
        os.symlink(target, root + path)
    for source, target in template["binds"]:
        make_place(source, root + target)
        kernel.bind_read_only(source, root + target)
    for device in template["devices"]:
        make_place(device, root + device)
        kernel.bind(device, root + device)
