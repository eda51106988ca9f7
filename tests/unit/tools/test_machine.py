"""What CI says this machine has is failed for when it is lacking; elsewhere it is skipped for."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import OPTIONAL, REQUIRED, lacking, makes_namespaces, program, without, without_namespaces
from undercast.sandbox.runtimes.table import RUNTIMES

ROOT = Path(__file__).resolve().parents[3]
ASKS_ITSELF = ("tests/machine.py", "tests/e2e/rows/test_cross_cutting.py", "tests/e2e/sandbox/test_go_rpc.py")
"""machine.py answers all others; the two look in another PATH than the test's: without docker, and of a sandbox."""

SKIPPED_FOR = {
    "only root mounts a disk of its own": "CI is root",
    "only root can become nobody; the other tests run without root already": "CI is root",
    "only root may ask what each process shares": "CI is root",
    "without root there is one uid": "CI is root",
    "without root this limit may not be hard": "CI is root",
    "the kernel limits memory here": "a case for machines that do not",
    "no filter for this machine": "seccomp knows x86-64 and arm64",
    "the wrapper's path /opt/bootstrap is there in the namespace driver only": "the other driver of a pair",
    "Node.js 24 has no callbacks": "the other case of a pair",
    "one version is enough: the listener is no Go": "the other case of a pair",
    "this machine has Node.js 24": "it tests how a missing one is told",
    "this machine's system has a Python 3.8": "it tests how a missing one is told",
    "this machine's system has an older Python": "it tests how a missing one is told",
}
"""What a test may skip for on CI's machine, too, and why that is right; all else is `lacking`, which fails there."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without any program, and without a word of CI."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    for name in ("UNDERCAST_REQUIRE_TOOLS", "UNDERCAST_REQUIRE_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_missing_program_skips_and_names_what_installs_it(bare: pytest.MonkeyPatch) -> None:
    """A user's machine need not have every language."""
    with pytest.raises(pytest.skip.Exception, match=r"^cargo is not installed; .* apt-get install cargo"):
        program("cargo")


def test_where_ci_requires_tools_a_missing_one_fails(bare: pytest.MonkeyPatch) -> None:
    """The failure names the tool and the command; what no machine has to have is skipped for there, too."""
    bare.setenv("UNDERCAST_REQUIRE_TOOLS", "1")
    for tool, install in REQUIRED.items():
        with pytest.raises(pytest.fail.Exception) as raised:
            without(tool)
        assert f"{tool} is not installed" in str(raised.value)
        assert install in str(raised.value)
    for tool in OPTIONAL:
        with pytest.raises(pytest.skip.Exception):
            without(tool)


def test_where_ci_requires_rights_a_missing_one_fails(bare: pytest.MonkeyPatch) -> None:
    """Namespaces, cgroups, mounts."""
    with pytest.raises(pytest.skip.Exception, match="no cgroups"):
        lacking("no cgroups")
    bare.setenv("UNDERCAST_REQUIRE_NAMESPACE", "1")
    with pytest.raises(pytest.fail.Exception, match="no cgroups"):
        lacking("no cgroups")


@pytest.mark.needs("unshare")
def test_where_namespaces_are_made_a_driver_that_refuses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in the launcher looks like a machine that has no namespaces: another program is asked."""
    for name in ("UNDERCAST_REQUIRE_TOOLS", "UNDERCAST_REQUIRE_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    outcome = pytest.fail.Exception if makes_namespaces() else pytest.skip.Exception
    with pytest.raises(outcome, match="refused"):
        without_namespaces("refused")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert not makes_namespaces()
    with pytest.raises(pytest.skip.Exception, match="refused"):
        without_namespaces("refused")


@pytest.mark.parametrize(("required", "told"), [("0", "1 skipped"), ("1", "1 error")])
def test_a_marked_test_needs_its_program(tmp_path: Path, required: str, told: str) -> None:
    """`@pytest.mark.needs`, by the hook of tests/conftest.py, in a run of its own."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    needs\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_setup\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.needs('cargo')\ndef test_it():\n    raise AssertionError('it ran')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        env={**os.environ, "PATH": "/nonexistent", "PYTHONPATH": str(ROOT), "UNDERCAST_REQUIRE_TOOLS": required},
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert told in done.stdout, done.stdout + done.stderr


def test_ci_requires_both_of_root_on_linux(tmp_path: Path) -> None:
    """`.ci/run` itself, with a `make` that tells what it was given."""
    for folder in (".ci", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".ci/run").write_text((ROOT / ".ci/run").read_text())
    for name, text in {"make": 'echo "$1 $UNDERCAST_REQUIRE_TOOLS $UNDERCAST_REQUIRE_NAMESPACE"', "id": "echo 0",
                       "uname": "echo Linux"}.items():  # fmt: skip
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("UNDERCAST_")}
    done = subprocess.run(
        ["bash", ".ci/run"],
        env={**variables, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["check 1 1", "sdks 1 1", "test 1 1"]


def calls() -> Iterator[tuple[str, str, str]]:
    """(file, name of what is called, first argument if it is a text) of every call in the tests."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                first = node.args[0] if node.args else None
                text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
                yield str(path.relative_to(ROOT)), ast.unparse(node.func), text


def test_no_test_looks_for_programs_by_itself() -> None:
    """A skip that CI cannot turn into a failure; and every tool that is asked for is in one of the tables."""
    found = list(calls())
    assert {file for file, name, _ in found if name == "shutil.which"} == set(ASKS_ITSELF)
    asked = {text for _, name, text in found if name in ("program", "without", "pytest.mark.needs") and text}
    assert {"go", "setpriv", "python3.12"} <= asked
    asked |= {identifier for identifier, row in RUNTIMES.items() if row.family == "python"}
    assert asked <= REQUIRED.keys() | OPTIONAL.keys()


def test_no_test_skips_by_itself_for_what_a_machine_lacks() -> None:
    """`lacking` and `without` fail where CI says that nothing is."""
    ours = ("tests/machine.py", "tests/conftest.py")
    found = {text for file, name, text in calls() if name.rpartition(".")[2] == "skip" and file not in ours}
    assert found == SKIPPED_FOR.keys()
