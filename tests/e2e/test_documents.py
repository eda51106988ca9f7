"""The documents' commands work: the README's session and `make demo` are run, every make target exists."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "examples/s3-pipeline/README.md")


def blocks(name: str) -> list[str]:
    return BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))


def commands(block: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in block.splitlines())
    return [line for line in lines if line]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_in_the_documents_exists(name: str) -> None:
    """`make -n` fails on a target that is not there."""
    named = [command for block in blocks(name) for command in commands(block) if command.startswith("make ")]
    for command in named:
        subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)


def test_the_documents_use_only_commands_that_are_run_here() -> None:
    """A new kind of command in a document needs its test."""
    known = re.compile(r"make |python build\.py|\.venv/bin/undercast |eval |\.venv/bin/aws s3 ")
    strange = [
        line for name in DOCUMENTS for block in blocks(name) for line in commands(block) if not known.match(line)
    ]
    assert strange == []


def test_make_demo_shows_log_and_result() -> None:
    """The first command of the README, on this machine: exit 0, the log, the transformed object."""
    # `make test` hands its own flags down, which make the inner make talk about folders.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Grün & Söhne" in done.stdout
    assert "REPORT RequestId:" in done.stdout
    assert done.stdout.rstrip().endswith("done")
    if shutil.which("go") or (Path(sys.executable).parent / "go").exists():
        assert "pipeline-go-out/orders.json" in done.stdout


def test_the_readmes_first_session_works(tmp_path: Path) -> None:
    """The block under "Use it": start, env, the AWS CLI, status, stop, in one shell."""
    block = next(block for block in blocks("README.md") if "undercast start &" in block)
    port = free_port()
    folder = tmp_path / "data"
    script = block.replace("undercast start &", f"undercast start --port {port} &\n{_WAIT}")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "UNDERCAST_DATA": str(folder),
        "AWS_ENDPOINT_URL": f"http://localhost:{port}",
        "AWS_REGION": "us-east-1",
    }
    done = subprocess.run(
        ["sh", "-e"], input=script, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "make_bucket: my-bucket" in done.stdout
    assert "stopped" in done.stdout


_WAIT = """for i in $(seq 100); do curl -s "$AWS_ENDPOINT_URL/_undercast/health" >/dev/null && break; sleep 0.1; done"""
