"""Process 1 of a sandbox reports every end, also one that comes before it looks."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from undercast.sandbox.launcher import frames
from undercast.sandbox.launcher.init import Init


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="sandboxes' init runs on Linux only")
def test_a_runner_that_ends_before_init_looks_is_reported() -> None:
    """On a busy machine a short program is over before init has asked to be told of its children's ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    runner_end, other = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            ours.close()
            init = Init({}, None, {"uid": os.getuid()}, [theirs.detach(), other])
            runner = os.fork()
            if runner == 0:
                os._exit(7)
            os.waitid(os.P_PID, runner, os.WEXITED | os.WNOWAIT)
            init._processes[runner] = 0
            init._loop()
        os._exit(1)
    theirs.close()
    ours.settimeout(30)
    try:
        assert frames.receive(ours) == ({"exited": 0, "code": 7, "signal": None}, [])
    finally:
        ours.close()  # init ends with its link
        os.close(runner_end)
        os.close(other)
        os.waitpid(pid, 0)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="sandboxes' init runs on Linux only")
def test_a_signal_goes_to_children_that_are_there_only() -> None:
    """The number of one that was reaped may be another process's by now."""
    stranger = os.fork()
    if stranger == 0:
        while True:
            signal.pause()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    runner_end, other = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            ours.close()
            Init({}, None, {"uid": os.getuid()}, [theirs.detach(), other])._loop()
        os._exit(1)
    theirs.close()
    try:
        frames.send(ours, {"op": "signal", "pid": stranger, "number": signal.SIGKILL})
    finally:
        ours.close()  # init ends with its link, behind what came before
        os.close(runner_end)
        os.close(other)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert os.waitpid(stranger, os.WNOHANG) == (0, 0)
    os.kill(stranger, signal.SIGKILL)
    os.waitpid(stranger, 0)
