"""What a start promises: who finds the port open is answered, and what cannot be had is refused before the ready line.

AWS: none.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.machine import lacking
from tests.platform import READY, START_TIMEOUT_S, start, stop
from undercast.sandbox import polling

COMMAND = [sys.executable, "-m", "undercast", "start", "--ephemeral"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _first_answer(port: int, target: str) -> bytes:
    """What the first connection that is accepted gets."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.settimeout(START_TIMEOUT_S)
                connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionRefusedError:
            time.sleep(0.001)
    raise AssertionError("the port never opened")


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/_undercast/health", b"200", b'"status": "loading"'),
        ("/_undercast/status", b"200", b'"driver": '),
        ("/no-such-bucket/key", b"404", b"<Code>NoSuchBucket</Code>"),
        ("/2015-03-31/functions", b"403", b"MissingAuthenticationToken"),
    ],
)
def test_the_first_caller_gets_the_right_answer(target: str, status: bytes, text: bytes) -> None:
    """The port opens before services are loaded; who comes then waits for them."""
    port = _free_port()
    with subprocess.Popen(
        [*COMMAND, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            answer = _first_answer(port, target)
        finally:
            process.send_signal(signal.SIGTERM)
            printed, said = process.communicate(timeout=START_TIMEOUT_S)
    assert answer[9:12] == status, answer
    assert text in answer
    assert READY.fullmatch(printed.strip())
    # A start that is ended before it is over says no more; health alone is answered so early.
    assert re.match("driver (namespace$|process: )", said, re.MULTILINE) or target == "/_undercast/health"
    assert process.returncode == 0


def test_what_a_platform_was_given_is_not_passed_on(tmp_path: Path) -> None:
    """A shell's or a supervisor's descriptors: who reads such a pipe waits until its last writer is gone."""
    if sys.platform != "linux":
        lacking("the descriptors of another process are read from /proc")
    given = tmp_path / "given"
    prefix = ("/bin/sh", "-c", 'exec 9>"$0"; exec "$@"', str(given))
    platform = start(options=("--driver", "process"), prefix=prefix)
    try:
        platform.ask("/_undercast/status")  # its driver has begun by then, with the guard as a process of its own
        pid = platform.process.pid
        below = polling.process_tree([pid]).keys() - {pid}
        assert str(given) in _files_of(pid)
        assert below
        assert [one for one in below if str(given) in _files_of(one)] == []
    finally:
        stop(platform)


def _files_of(pid: int) -> set[str]:
    files = set()
    with suppress(FileNotFoundError):  # it has ended meanwhile
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):
                files.add(str(Path(entry.path).readlink()))
    return files


@pytest.mark.needs("unshare")
def test_a_driver_that_was_asked_for_and_is_refused_ends_the_start() -> None:
    """One line says why and one what to do; there was no ready line."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = [*COMMAND, "--port", "0", "--driver", "namespace"]
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *command],
        env=dict(os.environ), capture_output=True, text=True, timeout=START_TIMEOUT_S,
    )  # fmt: skip
    if "unshare:" in result.stderr:
        lacking(result.stderr)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "sysctl user.max_user_namespaces" in result.stderr
    assert "--driver auto" in result.stderr
    assert "Traceback" not in result.stderr
