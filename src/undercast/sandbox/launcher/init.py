"""The first process of a sandbox: makes it, then starts, reaps and kills the processes in it.

It has no more rights than they have (its uid, no capability, the same filter), but cannot be looked into. When it ends,
the kernel kills the whole sandbox; it ends when the control plane closes its link.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import socket
from typing import Any

from undercast.sandbox.launcher import frames, kernel
from undercast.sandbox.launcher.places import furnish, limit_user, write_id_maps
from undercast.sandbox.launcher.rehearsal import Pages
from undercast.sandbox.launcher.spawn import PRESTART_PIPES, start, start_ahead, start_runner
from undercast.sandbox.launcher.zygote import Become

_CAP_SYS_ADMIN = 1 << 21
_RUNNER = 0
"""The control plane's number for the process that waits for its program."""


class Init:
    """Process 1 of one sandbox."""

    def __init__(
        self, config: dict[str, Any], pages: Pages | None, request: dict[str, Any], descriptors: list[int]
    ) -> None:
        """`pages` are what a runtime touches; None: the launcher is no zygote."""
        self._config = config
        self._pages = pages
        self._uid = request["uid"]
        self._order = request
        self._link = socket.socket(fileno=descriptors[0])
        self._runner = descriptors[1]
        ahead = 2 + (PRESTART_PIPES if "prestart" in request else 0)
        self._ahead, self._groups = descriptors[2:ahead], descriptors[ahead:]
        self._processes: dict[int, int] = {}
        """pid -> the control plane's number for the process."""

    def serve(self) -> Become | None:
        """Make the sandbox and serve it. Returns only in a forked runtime."""
        try:
            become = self._make()
        except OSError as error:
            frames.send(self._link, {"error": str(error)})
            os._exit(1)
        return become or self._loop()

    def _make(self) -> Become | None:
        """All sandboxes are alike up to here: one can stand ready before its function is known."""
        kernel.die_with_parent()
        kernel.set_name("undercast-init")
        # Ignored in the launcher: a runner that ended now would be gone, and its exit with it, before `_loop` looks.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for group in self._groups:
            os.write(group, b"0")
            os.close(group)
        kernel.sethostname("sandbox")
        kernel.bring_loopback_up()
        listeners = _listen(self._order["listen"])
        quotas = furnish(self._order["binds"], self._order.get("root", ""))
        mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        pidfd = kernel.pidfd_open(os.getpid())
        self._confine(quotas)
        runner = self._start_runner([self._link, *listeners.values()])
        if isinstance(runner, Become):
            return runner
        self._processes[runner] = _RUNNER
        passed = [pidfd, mounts, *(listener.fileno() for listener in listeners.values())]
        frames.send(self._link, {"planted": list(listeners), "runner": runner}, passed)
        for descriptor in (pidfd, mounts, self._runner, *self._ahead):
            os.close(descriptor)
        for listener in listeners.values():
            listener.close()
        return None

    def _start_runner(self, ours: list[socket.socket]) -> Become | int:
        if "prestart" in self._order:
            return start_ahead(self._runner, ours, self._order["prestart"], self._ahead)
        return start_runner(self._runner, ours, self._pages)

    def _confine(self, quotas: int) -> None:
        """Give up every right, for good. The order matters: each step needs what the next one takes."""
        uid = self._uid
        if not self._config["rootless"]:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            kernel.keep_capabilities()
            os.setresuid(uid, uid, uid)
            # Needed where only the privileged may make user namespaces; all others are gone already.
            kernel.set_capabilities(_CAP_SYS_ADMIN)
            kernel.set_dumpable(True)  # else /proc/self/uid_map belongs to root
        outer_uid, outer_gid = os.getuid(), os.getgid()
        kernel.unshare(kernel.CLONE_NEWUSER)
        write_id_maps(f"{self._config['inside_uid']} {outer_uid} 1", f"{self._config['inside_gid']} {outer_gid} 1")
        limit_user(quotas)
        kernel.drop_all_capabilities()
        kernel.set_dumpable(False)
        kernel.die_with_parent()
        resource.setrlimit(resource.RLIMIT_NPROC, (1024, 1024))
        # More than functions get (`spawn`): it is the limit, too, of descriptors on their way through sockets. The
        # kernel counts those by user, and functions could use up what init needs. unix(7), ETOOMANYREFS.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        # Not 0: the program of a core_pattern that is a pipe is called, as root, but where the limit is 1 (core(5)).
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        kernel.forbid_new_privileges()
        kernel.install_filter(bytes.fromhex(self._config["filter"]))

    def _loop(self) -> Become | None:
        woken, wake = socket.socketpair()
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _noticed)
        self._reap()  # a runner that has ended before there was somebody to notice
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == woken.fileno():
                    woken.recv(512)
                    self._reap()
                    continue
                request = frames.receive(self._link)
                if request is None:
                    os._exit(0)
                become = self._answer(*request)
                if become is not None:
                    # Their numbers are the runtime's pipes now; closing with these objects would close a pipe.
                    for ours in (woken, wake, self._link):
                        ours.detach()
                    return become

    def _answer(self, message: dict[str, Any], descriptors: list[int]) -> Become | None:
        operation = message["op"]
        if operation == "spawn":
            outcome = message["error"] if "error" in message else start(message, descriptors)
            if isinstance(outcome, Become):
                return outcome
            if isinstance(outcome, int):
                self._processes[outcome] = message["serial"]
                frames.send(self._link, {"started": message["serial"], "pid": outcome})
            else:
                frames.send(self._link, {"failed": message["serial"], "error": outcome})
        elif operation == "connect":
            self._connect(message["serial"], message["port"])
        elif operation == "signal":
            # Only children that are not reaped yet, so that the number cannot mean another process.
            if message["pid"] in self._processes:
                os.kill(message["pid"], message["number"])
        elif operation == "signal-all":
            _signal_all(message["number"])
        elif operation == "kill-all":
            _signal_all(signal.SIGKILL)
            self._reap(0)
            frames.send(self._link, {"empty": True})
        return None

    def _connect(self, serial: int, port: int) -> None:
        """Begin a connection from inside and pass it out; never wait, for whoever listens may not accept."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
            number = connection.connect_ex(("127.0.0.1", port))
            if number in (0, errno.EINPROGRESS):
                frames.send(self._link, {"connected": serial}, [connection.fileno()])
            else:
                frames.send(self._link, {"failed": serial, "error": errno.errorcode.get(number, "EIO")})

    def _reap(self, flags: int = os.WNOHANG) -> None:
        """Report whoever has ended; without WNOHANG wait for the last one."""
        while True:
            try:
                pid, status = os.waitpid(-1, flags)
            except ChildProcessError:
                return
            if pid == 0:
                return
            serial = self._processes.pop(pid, None)
            if serial is not None:
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
                number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
                frames.send(self._link, {"exited": serial, "code": code, "signal": number})


def _noticed(number: int, frame: object) -> None:
    """Nothing to do here: the wake-up descriptor has told the loop."""


def _signal_all(number: int) -> None:
    try:
        os.kill(-1, number)  # everything in this pid namespace but ourselves
    except ProcessLookupError:
        return


def _listen(wanted: list[list[Any]]) -> dict[str, socket.socket]:
    listeners = {}
    for name, kind, address, port in wanted:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        listener.bind((address, port))
        if kind == "tcp":
            listener.listen(128)
        listeners[name] = listener
    return listeners
