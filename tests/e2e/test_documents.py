"""The documents' commands work: each shell block of each page is run in a copy of the checkout, each option is there.

`make` targets are only looked up (`make test` runs this test), but for `make demo`, which is run.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.platform import RunningPlatform

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`undercast ([a-z]+)((?: [^`]+)?)`")
NOT_OURS = (".venv", ".cache", "node_modules", ".git", ".hypothesis")
FOLDERS = {"src/undercast_cache/README.md": "."}
"""Where a reader stands; else in the folder of the page."""
COPIED = ("src", "examples", "tools", "Makefile", "README.md", "pyproject.toml", "requirements.lock")


def pages() -> list[str]:
    """Every page of the checkout."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in NOT_OURS)
        found += [str((Path(folder) / name).relative_to(ROOT)) for name in sorted(files) if name.endswith(".md")]
    return found


def blocks(name: str) -> list[str]:
    return BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))


def commands(block: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in block.splitlines())
    return [line for line in lines if line]


def scripts(name: str) -> str:
    """What a reader of the page types, but for `make` and for the README's session, which has its own test."""
    typed = [block for block in blocks(name) if "undercast start" not in block]
    return "\n".join(line for block in typed for line in commands(block) if not line.startswith("make "))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy that a page's commands may write into, with this checkout's virtual environment."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("build", "__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    yield tmp_path


def typed(script: str, folder: Path, **variables: str) -> str:
    """Run it as a reader would; its output."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        **variables,
    }
    done = subprocess.run(
        ["sh", "-e"],
        input=script,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [name for name in pages() if "make " in "".join(blocks(name))])
def test_every_make_target_in_the_documents_exists(name: str) -> None:
    """`make -n` fails on a target that is not there."""
    named = [command for block in blocks(name) for command in commands(block) if command.startswith("make ")]
    for command in named:
        subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in pages() if scripts(name)])
def test_every_other_command_in_the_documents_works(name: str, checkout: Path, platform: RunningPlatform) -> None:
    """The blocks of a page, one after the other in one shell, against a platform with an account for the page."""
    if shutil.which("go") is None and not (Path(sys.executable).parent / "go").exists():
        pytest.skip("the examples have a half in Go, and there is no go here")
    account = f"{pages().index(name) + 700_000_000_000}"
    folder = checkout / FOLDERS.get(name, str(Path(name).parent))
    typed(scripts(name), folder, AWS_ENDPOINT_URL=platform.url, AWS_ACCESS_KEY_ID=account)


@cache
def help_of(*command: str) -> str:
    """What --help says, on a terminal wide enough for any option."""
    done = subprocess.run(
        [sys.executable, "-m", "undercast", *command, "--help"],
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("name", [name for name in pages() if INLINE.search((ROOT / name).read_text(encoding="utf-8"))])
def test_every_command_that_a_page_names_has_the_options_that_it_names(name: str) -> None:
    """`undercast stop --data DIR` in a sentence or a table."""
    for command, rest in INLINE.findall((ROOT / name).read_text(encoding="utf-8")):
        assert re.search(rf"\b{command}\b", help_of()), f"{name}: there is no undercast {command}"
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in help_of(command), f"{name}: undercast {command} has no {option}"


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


def test_the_readmes_first_session_works(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The block under "Use it": start, env, the AWS CLI, status, stop, in one shell."""
    block = next(block for block in blocks("README.md") if "undercast start &" in block)
    port = free_port()
    script = block.replace("undercast start &", f"undercast start --port {port} &\n{_WAIT.format(port=port)}")
    data = str(tmp_path_factory.mktemp("state") / "data")
    said = typed(f"unset AWS_ENDPOINT_URL\n{script}", checkout, UNDERCAST_DATA=data)
    assert "make_bucket: my-bucket" in said
    assert "stopped" in said


_WAIT = """for i in $(seq 100); do
    curl -s http://localhost:{port}/_undercast/health >/dev/null && break
    sleep 0.1
done"""
