"""`undercast stop` says "stopped" of a process that is gone, not of one that has only given its folder back."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from undercast.cli.stop import goes

HOLD = """
import signal, subprocess, sys
from pathlib import Path
from undercast.store.folder import DataFolder

folder = DataFolder(Path(sys.argv[1]))
folder.lock()
environments = [subprocess.Popen(["sleep", "600"]) for _ in range(int(sys.argv[2]))]

def give_back(*_):
    for each in environments:
        each.kill()
        each.wait()
    folder.unlock()
    print("given back", flush=True)

signal.signal(signal.SIGTERM, give_back)
print("locked", flush=True)
sys.stdin.read()
"""
"""A platform whose last steps take as long as a test wants: it ends once its standard input does. At SIGTERM it ends so
many other processes."""


def stop(folder: Path, wait_s: float) -> subprocess.Popen[str]:
    """The command."""
    return subprocess.Popen(
        [sys.executable, "-m", "undercast", "stop", "--data", str(folder), "--wait", str(wait_s)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def line_of(pipe: IO[str] | None) -> str:
    """The next line."""
    assert pipe is not None
    return pipe.readline()


@contextmanager
def held(folder: Path, environments: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(environments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert line_of(process.stdout) == "locked\n"
        yield process
        process.kill()


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder, and has no other."""
    with held(tmp_path) as process:
        yield process


def test_a_process_that_gave_its_folder_back_and_is_there_has_not_stopped(
    holding: subprocess.Popen[str], tmp_path: Path
) -> None:
    """It may still hold the port: who starts another one next would be refused."""
    said, error = stop(tmp_path, 0.5).communicate(timeout=60)
    assert line_of(holding.stdout) == "given back\n"
    assert (said, f"(pid {holding.pid}) has not got on" in error) == ("", True)


def test_what_has_stopped_is_gone(holding: subprocess.Popen[str], tmp_path: Path) -> None:
    """Gone by the time of the answer, though nobody has asked for its status yet."""
    with stop(tmp_path, 60) as stopping:
        assert line_of(holding.stdout) == "given back\n"
        assert stopping.poll() is None
        assert holding.stdin is not None
        holding.stdin.close()
        assert line_of(stopping.stdout) == f"stopped (pid {holding.pid})\n"
        assert holding.poll() == 0


def test_a_stop_that_gets_on_is_waited_for(tmp_path: Path) -> None:
    """Longer than it may take without: hundreds of environments end one after the other."""
    with held(tmp_path, environments=3) as holding, stop(tmp_path, 3) as stopping:
        assert line_of(stopping.stderr) == "still stopping, processes left: 1\n"
        assert holding.stdin is not None
        holding.stdin.close()
        assert line_of(stopping.stdout) == f"stopped (pid {holding.pid})\n"


@pytest.mark.parametrize(
    ("left", "ends"), [([300, 200, 100], True), ([300, 200, 200], False), ([400], False), ([399, 400], False)]
)
def test_a_stop_is_given_up_when_nothing_ends_any_more(left: list[int], ends: bool) -> None:
    """It is gone behind the last look."""
    waits: list[float] = []

    def gone(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > len(left)

    assert goes(gone, lambda: left[len(waits) - 1], 400, 15.0) is ends
    assert waits == [15.0] * (len(left) + ends)
