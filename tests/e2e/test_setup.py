"""`make` on a machine that lacks something says in one line what, and touches nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOO_OLD = '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n'
NO_VENV = (
    '#!/bin/sh\ncase "$2" in\n*version_info\\ *) exit 0 ;;\n*ensurepip*) exit 1 ;;\n*) exec {python} "$@" ;;\nesac\n'
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (None, "Python 3.11 or newer is missing"),
        (TOO_OLD, "Python 3.9.2 is too old, 3.11 or newer is needed"),
        (NO_VENV, f"sudo apt install python3.{sys.version_info.minor}-venv"),
    ],
    ids=["no python", "too old", "no venv"],
)
def test_what_is_missing_is_named_with_its_fix(tmp_path: Path, script: str | None, expected: str) -> None:
    """Debian's Python comes without venv: the message is the package to install."""
    python = tmp_path / "python"
    if script is not None:
        python.write_text(script.format(python=sys.executable) if "{python}" in script else script)
        python.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(python)}
    done = subprocess.run(
        ["sh", str(ROOT / "tools" / "setup.sh")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("undercast: ")
    assert expected in line
