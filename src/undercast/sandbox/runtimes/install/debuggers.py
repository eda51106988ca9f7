"""debugpy from PyPI and delve from the Go module proxy, for `undercast runtimes install debugpy` and `... delve`.

One debugpy serves all Pythons from 3.8 on: of its wheels the one without compiled parts.
Sources: debugpy on PyPI; github.com/go-delve/delve, "Installation".
"""

import shutil
from pathlib import Path

from undercast.sandbox.runtimes.install.downloads import InstallError, Progress, replacing
from undercast.sandbox.runtimes.install.python import pip, run_step

DEBUGPY = "debugpy==1.8.22"
DELVE = "github.com/go-delve/delve/cmd/dlv@v1.27.2"


def install_debugpy(place: Path, progress: Progress) -> None:
    """Raises InstallError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as draft:
        progress(f"pip install {DEBUGPY}", 0, 0)
        options = ["--target", str(draft), "--platform", "any", "--only-binary=:all:", "--no-deps", "--no-compile"]
        run_step([*pip(), "install", "--quiet", *options, DEBUGPY], f"pip could not install {DEBUGPY}")
        shutil.rmtree(draft / "bin", ignore_errors=True)


def install_delve(place: Path, progress: Progress) -> None:
    """Built by this machine's Go. Raises InstallError."""
    go = shutil.which("go")
    if go is None:
        raise InstallError("delve is built by Go, and no `go` is in PATH: https://go.dev/dl, or install dlv yourself")
    place.parent.mkdir(parents=True, exist_ok=True)
    with replacing(place) as draft:
        progress(f"go install {DELVE}", 0, 0)
        settings = (f"GOBIN={draft}", "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
        run_step(["env", *settings, go, "install", DELVE], f"go could not install {DELVE}")
