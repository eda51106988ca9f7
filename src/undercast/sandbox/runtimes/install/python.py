"""boto3 for Pythons that the SDK we ship does not run on, from PyPI; an old interpreter through uv, where uv is.

Each pin is the last release that runs on that Python.
AWS: Lambda Developer Guide, "Building Lambda functions with Python", "Runtime-included SDK versions".
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from undercast.sandbox.runtimes.install.downloads import InstallError, Progress, replacing
from undercast.sandbox.runtimes.python import sdk_folder

_LIMIT_S = 600
_OLD_TLS = "urllib3<1.27"
"""botocore asks for it below Python 3.10; pip reads that condition for its own Python, not for the target's."""
SDK: Mapping[tuple[int, ...], tuple[str, ...]] = MappingProxyType(
    {
        (2, 7): ("boto3==1.17.112", "futures==3.4.0", _OLD_TLS),
        (3, 6): ("boto3==1.23.10", _OLD_TLS),
        (3, 7): ("boto3==1.33.13", _OLD_TLS),
        (3, 8): ("boto3==1.37.38", _OLD_TLS),
        (3, 9): ("boto3==1.42.97", _OLD_TLS),
    }
)


def install_interpreter(version: tuple[int, ...], progress: Progress) -> None:
    """Have uv install a Python. Raises InstallError where there is no uv, or where it has no such Python."""
    dotted = ".".join(map(str, version))
    uv = shutil.which("uv")
    if uv is None:
        raise InstallError(f"Python {dotted} is not here: `pyenv install {dotted}`, or install uv and try again")
    progress(f"uv python install {dotted}", 0, 0)
    run_step([uv, "python", "install", dotted], f"uv could not install Python {dotted}; `pyenv install {dotted}` may")


def interpreters_dir() -> Path:
    """Where uv would install one, as it says itself; "/" where there is no uv to say so."""
    uv = shutil.which("uv")
    return Path(run_step([uv, "python", "dir"], "uv does not say where it installs").strip() if uv else "/")


def install_sdk(version: tuple[int, ...], installs: Path, progress: Progress) -> None:
    """Install boto3 for a Python version. Raises InstallError."""
    place = sdk_folder(installs, version)
    place.parent.mkdir(parents=True, exist_ok=True)
    packages = SDK[version]
    with replacing(place) as draft:
        progress(f"pip install {packages[0]}", 0, 0)
        dotted = ".".join(map(str, version))
        options = ["--target", str(draft), "--python-version", dotted, "--only-binary=:all:", "--no-compile"]
        run_step([*pip(), "install", "--quiet", *options, *packages], f"pip could not install {packages[0]}")
        shutil.rmtree(draft / "bin", ignore_errors=True)


def pip() -> list[str]:
    """The command: our own environment's pip, else that of PATH."""
    if (Path(sys.prefix) / "bin" / "pip").exists():
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found, "--disable-pip-version-check"]
    raise InstallError("there is no pip; install it (`python3 -m ensurepip`, or your system's python3-pip)")


def run_step(command: list[str], failure: str) -> str:
    """Run a program to its end; what it printed. Raises InstallError with what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise InstallError(f"{failure}: {error}") from error
    if done.returncode:
        raise InstallError(f"{failure}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
