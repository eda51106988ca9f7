"""What `undercast doctor` says of this machine's runtimes."""

import sys
from pathlib import Path

import pytest

from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.survey import summary, survey
from undercast.sandbox.runtimes.table import LATER, RUNTIMES

OURS = f"python3.{sys.version_info.minor}"


def an_interpreter(folder: Path, dotted: str) -> str:
    """A program with its standard library, as an installation has them."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / f"python{dotted}").mkdir(parents=True)
    (folder / "lib" / f"python{dotted}" / "os.py").touch()
    program = folder / "bin" / f"python{dotted}"
    program.write_bytes(b"\x7fELF")
    return str(program)


def test_each_identifier_is_an_interpreter_or_a_fix(tmp_path: Path) -> None:
    """Found ones by path, the nearest younger one for a deprecated identifier, a command for a missing one."""
    program = an_interpreter(tmp_path / ".pyenv/versions/3.8.18", "3.8")
    found = summary(survey(PythonLookup((), tmp_path), ProgramLookup((), tmp_path), tmp_path))
    assert found[OURS].startswith("/")
    assert found["python3.8"] == f"{program} (undercast runtimes install python3.8 (for AWS's SDK))"
    assert found["python3.6"].startswith(f"{program} (3.8; its own version: uv python install 3.6")
    assert found["nodejs4.3"] == "missing: undercast runtimes install nodejs4.3"
    assert found["nodejs22.x"] == "missing: undercast runtimes install nodejs22.x"
    assert "uv python install 2.7" in found["python2.7"]
    assert "bootstrap" in found["provided.al2023"]


def test_every_identifier_of_aws_is_in_it(tmp_path: Path) -> None:
    """A family that cannot run yet is one entry."""
    found = summary(survey(PythonLookup((), tmp_path), ProgramLookup((), tmp_path), tmp_path))
    known = {name for name, row in RUNTIMES.items() if row.family not in LATER}
    assert set(found) == known | {f"{family}*" for family in LATER}


def test_what_is_installed_is_no_longer_proposed(tmp_path: Path) -> None:
    """The SDK of an old Python."""
    program = an_interpreter(tmp_path / ".pyenv/versions/3.8.18", "3.8")
    (tmp_path / "installs/sdk/python3.8").mkdir(parents=True)
    fresh = PythonLookup((), tmp_path)
    states = {state.identifier: state for state in survey(fresh, ProgramLookup((), tmp_path), tmp_path / "installs")}
    if states["python3.8"].interpreter != program:
        pytest.skip("this machine's system has a Python 3.8")
    assert (states["python3.8"].state, states["python3.8"].fix) == ("ready", "")
