"""Starts one process in a sandbox, from its init process.

The child inherits every restriction of init. Descriptors: 0 is /dev/null, 1 and 2 are pipes, 3 the telemetry pipe.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from typing import Any

from undercast.sandbox.launcher import kernel
from undercast.sandbox.launcher.zygote import Become

_REPORT = 1023
"""Highest number under RLIMIT_NOFILE: out of the way, and closed by the exec."""
_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD)


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
        return _child(message, pipes, report)
    os.close(report)
    for descriptor in pipes:
        os.close(descriptor)
    # Closed by the exec, or by the forked runtime at once.
    reason = os.read(failure, 4096)
    os.close(failure)
    if not reason:
        return pid
    os.waitpid(pid, 0)
    return reason.decode()


def _child(message: dict[str, Any], pipes: list[int], report: int) -> Become:
    argv, environment = message["argv"], message["environment"]
    try:
        _own_descriptors(pipes, report)
        os.setsid()
        os.chdir(message["cwd"])
        if not message["zygote"]:
            for number in _RESET:
                signal.signal(number, signal.SIG_DFL)
            os.execve(argv[0], argv, environment)
    except OSError as error:
        os.write(_REPORT, _reason(error).encode())
        os._exit(127)
    kernel.set_dumpable(True)
    os.close(_REPORT)
    return Become(argv, environment)


def _reason(error: OSError) -> str:
    return f"{errno.errorcode.get(error.errno or 0, 'EIO')}: {error}"


def _own_descriptors(pipes: list[int], report: int) -> None:
    signal.set_wakeup_fd(-1)
    os.dup2(report, _REPORT, inheritable=False)
    null = os.open("/dev/null", os.O_RDONLY)
    # Out of the way first: a source may have the number of another's target.
    sources = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 16) for descriptor in (null, *pipes)]
    for target, source in enumerate(sources):
        os.dup2(source, target)
    kernel.close_range(len(pipes) + 1, _REPORT - 1)
