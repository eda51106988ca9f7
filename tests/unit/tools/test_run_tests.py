"""A failure of the crowded suite is asked again alone: once, and only where there are few."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

RUN = (
    "import sys; from pathlib import Path; from tools.run_tests import run; sys.exit(run(Path(sys.argv[1]), '-n', '0'))"
)
ROOT = Path(__file__).resolve().parents[3]
HEARS = """
import signal

def test_hears():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
GOES = "def test_goes():\n    pass\n"
STAYS = "def test_stays():\n    assert False\n"
ONCE = """
from pathlib import Path

def test_once():
    mark = Path(__file__).with_suffix(".mark")
    if not mark.exists():
        mark.touch()
        raise AssertionError
"""
KILLED = ONCE.replace("test_once", "test_nothing_is_lost_in_a_kill").replace('".mark"', '".killed"')
MANY = "import pytest\n\n@pytest.mark.parametrize('n', range(4))\ndef test_many(n):\n    assert False\n"


def suite(folder: Path, *files: str) -> tuple[int, list[str]]:
    """(exit code, what was told of failures beside others) of a suite of these files."""
    folder.joinpath("pytest.ini").write_text("[pytest]\nmarkers =\n    slow\n")
    for number, text in enumerate(files):
        folder.joinpath(f"test_{number}.py").write_text(text)
    command = [sys.executable, "-c", RUN, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("FAILED BESIDE OTHERS")]


@pytest.mark.parametrize(
    ("files", "code", "told"),
    [
        ([GOES, ONCE], 0, ["FAILED BESIDE OTHERS, passed alone: test_1.py::test_once"]),
        (
            [STAYS, ONCE],
            1,
            [
                "FAILED BESIDE OTHERS, and alone: test_0.py::test_stays",
                "FAILED BESIDE OTHERS, passed alone: test_1.py::test_once",
            ],
        ),
        ([MANY], 1, []),
        ([KILLED], 1, []),
    ],
    ids=["fails once", "fails", "many fail", "loses something once"],
)
def test_the_verdict(tmp_path: Path, files: list[str], code: int, told: list[str]) -> None:
    """What failed twice, or with many others, is a failure; what passed alone is told."""
    assert suite(tmp_path, *files) == (code, told)


def test_a_suite_in_the_background_hears_ctrl_c(tmp_path: Path) -> None:
    """Its shell has it ignored there (bash(1), "SIGNALS")."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert suite(tmp_path, HEARS) == (0, [])
    finally:
        signal.signal(signal.SIGINT, before)
