"""`undercast runtimes`: the list for programs, and what install says of what it cannot do."""

import json
import subprocess
import sys

import pytest

from undercast.sandbox.runtimes.table import RUNTIMES


def undercast(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, run."""
    command = [sys.executable, "-m", "undercast", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_list_is_json_by_identifier() -> None:
    """State, interpreter, version and fix of every identifier."""
    listed = json.loads(undercast("runtimes", "list", "--json").stdout)
    assert set(listed) == set(RUNTIMES)
    assert listed["provided.al2023"]["state"] == "ready"
    own = listed[f"python3.{sys.version_info.minor}"]
    assert own["state"] == "ready"
    assert own["version"] == f"3.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("cobol74",), "there is no runtime cobol74; `undercast runtimes list` has all"),
        (("go1.x",), "go1.x needs nothing"),
        (("python3.9", "--package", "x"), "--package is for Node.js runtimes"),
        (("dotnet8",), "Undercast does not serve it yet"),
    ],
)
def test_what_cannot_be_installed_is_an_error_that_says_why(words: tuple[str, ...], told: str) -> None:
    """Exit status 1 and one line."""
    done = undercast("runtimes", "install", *words)
    assert done.returncode == 1
    assert told in done.stderr
