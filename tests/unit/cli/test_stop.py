"""`undercast stop` says "stopped" of a process that is gone, not of one that has only given its folder back."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

HOLD = """
import signal, sys
from pathlib import Path
from undercast.store.folder import DataFolder

folder = DataFolder(Path(sys.argv[1]))
folder.lock()

def give_back(*_):
    folder.unlock()
    print("given back", flush=True)

signal.signal(signal.SIGTERM, give_back)
print("locked", flush=True)
sys.stdin.read()
"""
"""A platform whose last steps take as long as a test wants: it ends once its standard input does."""


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


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert line_of(process.stdout) == "locked\n"
        yield process
        process.kill()


def test_a_process_that_gave_its_folder_back_and_is_there_has_not_stopped(
    holding: subprocess.Popen[str], tmp_path: Path
) -> None:
    """It may still hold the port: who starts another one next would be refused."""
    said, error = stop(tmp_path, 0.5).communicate(timeout=60)
    assert line_of(holding.stdout) == "given back\n"
    assert (said, f"(pid {holding.pid}) has not ended" in error) == ("", True)


def test_what_has_stopped_is_gone(holding: subprocess.Popen[str], tmp_path: Path) -> None:
    """Gone by the time of the answer, though nobody has asked for its status yet."""
    with stop(tmp_path, 60) as stopping:
        assert line_of(holding.stdout) == "given back\n"
        assert stopping.poll() is None
        assert holding.stdin is not None
        holding.stdin.close()
        assert line_of(stopping.stdout) == f"stopped (pid {holding.pid})\n"
        assert holding.poll() == 0
