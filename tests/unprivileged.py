"""Runs commands as a user with no rights at all: nobody, with an interpreter that nobody may execute."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.machine import program, without

NOBODY = "65534"
ROOT = Path(__file__).resolve().parents[1]


def as_nobody(*command: str) -> list[str]:
    """The command as nobody."""
    return ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", *command]


def environment() -> dict[str, str]:
    """What the interpreter needs to find this checkout and its packages."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    # Not UNDERCAST_REQUIRE_TOOLS: the programs of root's home are not nobody's.
    asked = {name: os.environ[name] for name in ("UNDERCAST_REQUIRE_NAMESPACE",) if name in os.environ}
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{packages}",
        **asked,
    }


def run_tests(*arguments: str, timeout_s: float) -> None:
    """Run tests of this suite as nobody: all have to pass, and at least one has to run."""
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", *arguments)
    done = subprocess.run(
        as_nobody(interpreter(), *command),
        env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout, done.stdout


def interpreter() -> str:
    """One of our version that nobody may execute, with our packages."""
    program("setpriv")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        if Path(candidate).exists() and _serves(candidate, environment()):
            return candidate
    return without("python3 of the system", f"{version} that nobody may run with this checkout's packages")


def _serves(candidate: str, variables: Mapping[str, str]) -> bool:
    check = [candidate, "-c", "import os, sys, pytest, undercast; sys.exit(not os.access(sys.executable, os.X_OK))"]
    done = subprocess.run(as_nobody(*check), env=variables, cwd="/", capture_output=True, timeout=60, check=False)
    return done.returncode == 0
