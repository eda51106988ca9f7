"""Starts processes in a sandbox, from its init process; the first one, the runner, waits for what it is to run.

A child inherits every restriction of init. Descriptors: 0 is /dev/null, 1 and 2 are pipes, 3 the telemetry pipe.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import signal
import socket
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from undercast.sandbox.launcher import frames, kernel
from undercast.sandbox.launcher.zygote import Become, await_restore

_DESCRIPTORS = 1024
"""AWS: Lambda Developer Guide, "Lambda quotas" (File descriptors)."""
_REPORT = _DESCRIPTORS - 1
"""The highest number: out of the way, and closed by the exec."""
_HIGHEST = 0xFFFFFFFF
"""Of all that close_range(2) takes: a descriptor keeps its number where a lower limit is set behind it."""
PRESTART_PIPES = 4
"""Output, errors, telemetry, and the line with the function."""
_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD)


class Touchable(Protocol):
    """Memory that is needed soon."""

    def touch(self) -> None:
        """Take its page faults now."""


def start(message: dict[str, Any], pipes: list[int]) -> Become | int | str:
    """The pid; or in the forked runtime what it is to become; or why the program cannot be executed."""
    failure, report = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:  # EAGAIN: the sandbox has 1,024 processes
        for descriptor in (failure, report, *pipes):
            os.close(descriptor)
        return _reason(error)
    if pid == 0:
        os.close(failure)
        os.setsid()
        if message["zygote"]:
            return Become(lambda: _enter(message, pipes, report))
        _enter(message, pipes, report)
    os.close(report)
    for descriptor in pipes:
        os.close(descriptor)
    # Closed by the exec, or by the forked runtime at once.
    reason = os.read(failure, 4096)
    os.close(failure)
    if not reason:
        return pid
    os.waitpid(pid, 0)
    return str(json.loads(reason)["error"])


def start_runner(link: int, ours: Sequence[socket.socket], pages: Touchable | None) -> Become | int:
    """Fork the process that will be the sandbox's runtime: its pid; in itself what it is to become.

    The fork and the first touch of its memory are behind it when its program, function and environment come.
    """
    pid = os.fork()
    if pid != 0:
        return pid
    for other in ours:
        other.close()  # by its object, which would otherwise close a later descriptor of this number
    kernel.set_name("undercast-spare")
    os.dup2(link, _REPORT, inheritable=False)
    _close_from(3)
    os.setsid()
    if pages is None:
        _await_order()
    return Become(lambda: _await_order(pages))


def start_ahead(link: int, ours: Sequence[socket.socket], message: dict[str, Any], pipes: list[int]) -> int:
    """In place of a runner: execute the runtime now. Its last pipe brings it what a runner's order would."""
    pid = os.fork()
    if pid != 0:
        return pid
    for other in ours:
        other.close()
    os.dup2(link, _REPORT, inheritable=False)
    os.setsid()
    _enter({**message, "cwd": "/", "zygote": False}, pipes, _REPORT)
    os._exit(127)


def perform(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """Be the runtime of a rehearsal: silent, and gone when it ends."""
    try:
        pipes = [os.open("/dev/null", os.O_WRONLY) for _ in range(3)]
        message = {"argv": argv, "environment": environment, "cwd": "/var/task", "zygote": True}
        Become(lambda: _enter(message, pipes, os.open("/dev/null", os.O_WRONLY))).run(set())
    finally:
        os._exit(0)


def _await_order(pages: Touchable | None = None) -> dict[str, Any]:
    if pages is not None:
        pages.touch()
    link = socket.socket(fileno=_REPORT)
    request = frames.receive(link)
    link.detach()
    if request is None:
        os._exit(0)
    message, pipes = request
    return _enter(message, pipes, _REPORT)


def _enter(message: dict[str, Any], pipes: list[int], report: int) -> dict[str, Any]:
    """Take descriptors and folder, then execute the program; or return the order in the zygote's child."""
    try:
        if "error" in message:  # the pipes did not come
            raise OSError(errno.EMFILE, message["error"])
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
        _own_descriptors(pipes, report)
        os.chdir(message["cwd"])
        if not message["zygote"]:
            for number in _RESET:
                signal.signal(number, signal.SIG_DFL)
            _execute(message["argv"], message["environment"])
    except (OSError, ValueError) as error:  # ValueError: a null character, half of a surrogate pair
        os.write(_REPORT, json.dumps({"error": _reason(error)}).encode())
        os._exit(127)
    kernel.set_dumpable(True)
    os.close(_REPORT)
    if message.get("restore"):
        await_restore(message)
    return message


def _execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """As execvpe(3): a container image may name its program without a folder."""
    if "/" in argv[0]:
        os.execve(argv[0], argv, environment)
    for folder in environment.get("PATH", "").split(":"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            os.execve(f"{folder or '.'}/{argv[0]}", argv, environment)
    raise FileNotFoundError(errno.ENOENT, "executable file not found in $PATH", argv[0])


def _reason(error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    return f"{errno.errorcode.get(number or 0, 'EIO')}: {error}"


def _own_descriptors(pipes: list[int], report: int) -> None:
    signal.set_wakeup_fd(-1)
    if report != _REPORT:
        os.dup2(report, _REPORT, inheritable=False)
    null = os.open("/dev/null", os.O_RDONLY)
    # Out of the way first: a source may have the number of another's target.
    sources = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 16) for descriptor in (null, *pipes)]
    for target, source in enumerate(sources):
        os.dup2(source, target)
    _close_from(len(pipes) + 1)


def _close_from(first: int) -> None:
    """Only the report is left of what was inherited."""
    kernel.close_range(first, _REPORT - 1)
    kernel.close_range(_REPORT + 1, _HIGHEST)
