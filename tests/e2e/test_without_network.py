"""X11: the whole flow where there is no network at all and no `docker`: only a loopback, deploy to transformed object.

A network namespace of its own, as root and as an unprivileged user.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import find, lacking
from tests.unprivileged import ROOT, as_nobody, environment, interpreter

EXAMPLE = ROOT / "examples" / "s3-pipeline"
ALONE = """
import ctypes, errno, fcntl, os, shutil, socket, struct, sys

with socket.socket() as any_socket:  # ioctl(SIOCSIFFLAGS): a new namespace's loopback is down
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))
interfaces = [line.partition(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
assert interfaces == ["lo"], interfaces
with socket.socket() as outwards:
    assert outwards.connect_ex(("192.0.2.1", 443)) == errno.ENETUNREACH
assert shutil.which("docker") is None and shutil.which("podman") is None
ctypes.CDLL(None).prctl(47, 4, 0, 0, 0)  # PR_CAP_AMBIENT_CLEAR_ALL: what follows has its user's rights, no more
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def example() -> Iterator[Path]:
    """A copy of the example that any user may build in."""
    folder = Path(tempfile.mkdtemp(prefix="undercast-test-"))
    shutil.copytree(EXAMPLE, folder / "pipeline", ignore=shutil.ignore_patterns("build"))
    for path in (folder, folder / "pipeline"):
        path.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def path_without_docker(folder: Path, path: str) -> str:
    """The same commands but docker and podman: a folder that has one of them is replaced by links to the others."""
    kept = []
    for number, entry in enumerate(Path(part) for part in path.split(os.pathsep) if part):
        if not any((entry / name).exists() for name in ("docker", "podman")):
            kept.append(str(entry))
            continue
        links = folder / f"bin{number}"
        links.mkdir()
        for command in entry.iterdir():
            if command.name not in ("docker", "podman"):
                (links / command.name).symlink_to(command)
        kept.append(str(links))
    return os.pathsep.join(kept)


def demo(cut: list[str], python: str, folder: Path, variables: dict[str, str]) -> str:
    """What `make demo` runs, in a network namespace of its own."""
    done = subprocess.run(
        [*cut, python, "-c", ALONE, python, str(folder / "pipeline" / "demo.py")],
        env={**variables, "PATH": path_without_docker(folder, variables["PATH"])},
        cwd=folder, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    if "unshare:" in done.stderr:
        lacking(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("done")
    return done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.needs("unshare")
def test_the_whole_flow_needs_no_network(example: Path) -> None:
    """Python, and Go on an SDK that knows no endpoint: built, deployed, run, transformed, logged."""
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    go = find("go")
    if go is not None:  # a build takes its modules from the cache, which is filled once
        subprocess.run([go, "mod", "download"], cwd=EXAMPLE / "go", env=variables, check=True, timeout=100)
    said = demo(["unshare", "--net", "--"], sys.executable, example, variables)
    assert "pipeline-python-out/orders.json" in said
    assert "Grün & Söhne" in said
    assert go is None or "pipeline-go-out/orders.json" in said


@pytest.mark.needs("unshare")
def test_the_whole_flow_needs_no_network_without_root(example: Path) -> None:
    """The same as nobody, the Python half; tests/security/test_unprivileged.py has the isolation of nobody."""
    cut = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--"]
    if os.geteuid() == 0:
        said = demo(as_nobody(*cut), interpreter(), example, {**environment(), "HOME": str(example)})
    else:
        said = demo(cut, sys.executable, example, dict(os.environ))
    assert "pipeline-python-out/orders.json" in said
