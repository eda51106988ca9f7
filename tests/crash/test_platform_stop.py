"""SIGTERM under load loses nothing, and two platforms never share a data folder."""

import subprocess
from pathlib import Path

import pytest

from tests.crash.lives import Lives

STOP_LIMIT_S = 10


@pytest.mark.parametrize("driver", ["auto", "process"])
def test_sigterm_under_load_loses_nothing(tmp_path: Path, driver: str) -> None:
    """Requests in flight are answered or not begun; the status is 0, within ten seconds."""
    with Lives(tmp_path, 3, ("--driver", driver)) as lives:
        for _ in range(4):
            lives.stop_working(STOP_LIMIT_S)
        lives.judge()


def test_a_second_platform_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    """It names the pid of the first and what to do; after a SIGKILL of the first the folder is free at once."""
    with Lives(tmp_path, 4) as lives:
        first = lives.start()
        assert lives.ready_line(first)
        refused = subprocess.run(lives.command(), capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1
        assert f"in use by the platform with pid {first.pid}" in refused.stderr
        assert f"undercast stop --data {lives.data}" in refused.stderr
        first.kill()
        first.wait(60)
        with lives.alive() as second:
            assert second.process.poll() is None
