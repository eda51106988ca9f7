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


def test_the_list_for_people_is_short() -> None:
    """Each identifier once, those that stand alike on one line; a name gives its own line with its own fix."""
    _, *lines = undercast("runtimes", "list").stdout.splitlines()
    assert len(lines) < len(RUNTIMES)
    first_columns = [line.split("  ")[0] for line in lines]
    assert sorted(name for column in first_columns for name in column.split()) == sorted(RUNTIMES)
    assert any(line.split()[:4] == ["provided", "provided.al2", "provided.al2023", "ready"] for line in lines)
    _, line = undercast("runtimes", "list", "ruby2.5").stdout.splitlines()
    assert line.startswith("ruby2.5  ")
    assert "NAME" not in line


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_name_that_is_no_runtimes_is_an_error_with_the_fix(options: tuple[str, ...]) -> None:
    """Nothing on standard output, exit status 1; so is one of several."""
    done = undercast("runtimes", "list", "python3.12", "cobol", *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "undercast: there is no runtime cobol\n  `undercast runtimes list` has all\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("cobol74",), "there is no runtime cobol74; `undercast runtimes list` has all"),
        (("go1.x",), "go1.x needs nothing"),
        (("python3.9", "--package", "x"), "--package is for Node.js runtimes"),
        (("dotnet8",), "Undercast does not serve it yet"),
        (("debugpy", "cobol74"), "there is no runtime cobol74; `undercast runtimes list` has all"),
    ],
)
def test_what_cannot_be_installed_is_an_error_that_says_why(words: tuple[str, ...], told: str) -> None:
    """Exit status 1 and one line."""
    done = undercast("runtimes", "install", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
