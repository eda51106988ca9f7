"""What `undercast doctor` says of this machine's runtimes."""

import sys
from pathlib import Path

import pytest

from undercast.cli.doctor import _runtimes
from undercast.sandbox.runtimes.lookup import Interpreter, PythonLookup
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
    found = summary(survey(PythonLookup((), tmp_path), ProgramLookup((), tmp_path), tmp_path, own_tmp=False))
    assert found[OURS].startswith("/")
    install = "undercast runtimes install python3.8 (for AWS's SDK)"
    assert found["python3.8"] == f"{program} (ready, but for AWS's SDK, which functions may expect: {install})"
    assert found["python3.6"].startswith(f"{program} (3.8; its own version: uv python install 3.6")
    assert found["nodejs4.3"] == "missing: undercast runtimes install nodejs4.3"
    assert found["nodejs22.x"] == "missing: undercast runtimes install nodejs22.x"
    assert "uv python install 2.7" in found["python2.7"]
    assert "bootstrap" in found["provided.al2023"]


def test_every_identifier_of_aws_is_in_it(tmp_path: Path) -> None:
    """A family that cannot run yet is one entry."""
    found = summary(survey(PythonLookup((), tmp_path), ProgramLookup((), tmp_path), tmp_path, own_tmp=False))
    known = {name for name, row in RUNTIMES.items() if row.family not in LATER}
    assert set(found) == known | {f"{family}*" for family in LATER}


def test_what_is_installed_is_no_longer_proposed(tmp_path: Path) -> None:
    """The SDK of an old Python."""
    program = an_interpreter(tmp_path / ".pyenv/versions/3.8.18", "3.8")
    (tmp_path / "installs/sdk/python3.8").mkdir(parents=True)
    fresh = PythonLookup((), tmp_path)
    states = {
        state.identifier: state
        for state in survey(fresh, ProgramLookup((), tmp_path), tmp_path / "installs", own_tmp=False)
    }
    if states["python3.8"].interpreter != program:
        pytest.skip("this machine's system has a Python 3.8")
    assert (states["python3.8"].state, states["python3.8"].fix) == ("ready", "")


def test_interpreters_that_lack_something_are_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Java without AWS's runtime client runs nothing; Node.js without AWS's SDK runs what needs none."""
    hits: dict[tuple[str, tuple[int, ...]], str]
    hits = {("java", (17,)): "/jvm/bin/java", ("nodejs", (20,)): "/usr/bin/node", ("nodejs", (22,)): "/tmp/n/bin/node"}

    def find(self: ProgramLookup, family: str, version: tuple[int, ...]) -> Interpreter | None:
        path = hits.get((family, version))
        return None if path is None else Interpreter(path=Path(path), version=version, prefixes=())

    monkeypatch.setattr(ProgramLookup, "find", find)
    programs, installs = ProgramLookup((), tmp_path), tmp_path / "installs"
    states = {one.identifier: one for one in survey(PythonLookup((), tmp_path), programs, installs)}
    assert (states["java17"].state, states["nodejs20.x"].state) == ("no client", "no SDK")
    assert states["java17"].fix == "undercast runtimes install java17 (for AWS's runtime client)"
    assert states["nodejs22.x"].state == "hidden"
    assert states["nodejs22.x"].fix.startswith("/tmp/n/bin/node lies in /tmp, of which each sandbox has its own")
    assert "AWS's SDK is missing, too" in states["nodejs18.x"].fix
    assert (states["nodejs18.x"].state, states["nodejs18.x"].lacks_sdk) == ("nearest", True)
    words = dict(_runtimes(tuple(states.values())))
    assert "nodejs18.x (20)" in words["runs on another version"]
    assert {"nodejs18.x", "nodejs20.x"} <= set(words["without AWS's SDK"].split(", "))
    told = summary(tuple(states.values()))
    assert told["java17"].startswith("/jvm/bin/java (found, but AWS's runtime client is missing: undercast runtimes")
    (installs / "sdk/nodejs-3/node_modules").mkdir(parents=True)
    states = {one.identifier: one for one in survey(PythonLookup((), tmp_path), programs, installs)}
    assert states["nodejs20.x"].state == "ready"
