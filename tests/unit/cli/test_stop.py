"""`undercast stop` says "stopped" of a process that is gone, not of one that has only given its folder back."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import IO

import pytest

from undercast.cli.stop import Left, goes
from undercast.store.folder import DataFolder, holder, killed

HOLD = """
import os, signal, subprocess, sys
from pathlib import Path
from undercast.store.folder import DataFolder

folder = DataFolder(Path(sys.argv[1]))
folder.lock()
environments = [subprocess.Popen(["sleep", "600"]) for _ in range(int(sys.argv[2]))]

def give_back(*_):
    for part in sys.argv[3:]:
        folder.tell_ending(part)
        print(part, flush=True)
        if not os.read(0, 3):
            return
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
def held(folder: Path, environments: int = 0, parts: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder; at SIGTERM it is at each of the parts until it is told to go on."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(environments), *parts],
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


def test_a_stop_that_is_at_another_of_its_parts_gets_on(tmp_path: Path) -> None:
    """Without a process that ends: the answers in flight, the journal, the database take their time, too."""
    with held(tmp_path, parts=("the front door", "the database")) as holding, stop(tmp_path, 2) as stopping:
        assert holding.stdin is not None
        assert line_of(holding.stdout) == "the front door\n"
        assert line_of(stopping.stderr) == "still stopping (the front door), processes left: 1\n"
        holding.stdin.write("on\n")
        holding.stdin.flush()
        assert line_of(holding.stdout) == "the database\n"
        assert line_of(stopping.stderr) == "still stopping (the database), processes left: 1\n"
        _, error = stopping.communicate(timeout=60)
        assert f"the platform (pid {holding.pid}) has not got on for 2 s, at the end of the database" in error
        assert stopping.returncode == 1


def test_a_platform_that_is_killed_while_it_stops_has_not_stopped(tmp_path: Path) -> None:
    """By the user, or by a supervisor who waits no longer."""
    with held(tmp_path, parts=("the database",)) as holding, stop(tmp_path, 60) as stopping:
        assert line_of(holding.stdout) == "the database\n"
        holding.kill()
        said, error = stopping.communicate(timeout=60)
        assert (said, stopping.returncode) == ("", 1)
        assert f"the platform (pid {holding.pid}) was killed before it had stopped" in error


def test_a_killed_platform_is_told_from_one_that_never_was(tmp_path: Path) -> None:
    """Every command that is to find it says so, until the next one has the folder."""
    with held(tmp_path) as holding:
        holding.kill()
        holding.wait(60)
    for command in ("stop", "status"):
        told = subprocess.run(
            [sys.executable, "-m", "undercast", command, "--data", str(tmp_path)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert told.returncode == 1
        assert f"no platform runs on {tmp_path}: the last one (pid {holding.pid}) was killed\n" in told.stderr
        assert f"undercast start --data {tmp_path}" in told.stderr
    folder = DataFolder(tmp_path)
    folder.lock()
    folder.unlock()
    assert killed(tmp_path) is None


def lefts(*processes: int) -> list[Left]:
    """All at the same part."""
    return [Left("the driver", number) for number in processes]


@pytest.mark.parametrize(
    ("left", "ends"),
    [
        (lefts(300, 200, 100), True),
        (lefts(300, 200, 200), False),
        (lefts(400), False),
        (lefts(399, 400), False),
        ([Left("the journal", 400), Left("the database", 400)], True),
        ([Left("the journal", 400), Left("the journal", 400)], False),
    ],
)
def test_a_stop_is_given_up_when_nothing_ends_any_more(left: list[Left], ends: bool) -> None:
    """It is gone behind the last look."""
    waits: list[float] = []

    def gone(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > len(left)

    assert goes(gone, lambda: left[len(waits) - 1], Left("the driver", 400), 15.0) is ends
    assert waits == [15.0] * (len(left) + ends)


def test_an_address_that_names_another_process_stops_nothing(holding: subprocess.Popen[str], tmp_path: Path) -> None:
    """The platform at AWS_ENDPOINT_URL may run in a container, or elsewhere: its pid and folder are not ours."""

    class Status(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"data": str(tmp_path), "pid": holding.pid + 1}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told = subprocess.run(
            [sys.executable, "-m", "undercast", "stop"],
            env={**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        server.shutdown()
    assert (told.returncode, told.stdout, "is not a process of this machine" in told.stderr) == (1, "", True)
    assert holder(tmp_path) == holding.pid
