"""The documents' commands work: each shell block of each page is run in a copy of the checkout, each option is there.

`make` targets are only looked up (`make test` runs this test), but for `make demo`, which is run.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from tests import images
from tests.e2e.functions import create_function
from tests.e2e.golang import build
from tests.machine import find, lacking, program
from tests.platform import RunningPlatform, running
from undercast.cli.commands import app

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"'[^']*'")
FENCE = re.compile(r"^\s*```(.*)$", re.MULTILINE)
COMMANDS: Any = get_command(app)
INLINE = re.compile(r"`undercast ([a-z][^`]*)`")
ALONE = re.compile(rf"`((?:{'|'.join(COMMANDS.commands)}) (?:[^`]* )?--[^`]*)`")
NOT_OURS = (".venv", ".cache", "node_modules", ".git", ".hypothesis")
FOLDERS = {"src/undercast_cache/README.md": "."}
"""Where a reader stands; else in the folder of the page."""
NOT_RUN = {
    "console": "commands on a project of the reader's own: their options are looked up",
    "text": "what a command prints, or a drawing",
    "json": "a file of the reader's editor",
    "yaml": "a file of the reader's own",
}
"""The languages of blocks that nobody types, and what they are; all others are `sh`, and are run."""
SESSIONS = {
    "README.md": "test_the_readmes_first_session_works",
    "docs/edit-and-debug.md": "test_the_page_on_edit_and_run_mounts_a_folder",
    "docs/images.md": "test_the_page_on_images_loads_one_and_reads_one_in_place",
}
"""Pages that start a platform of their own, or take what a reader has: the test that types their blocks."""
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
    """What a reader of the page types, but for `make`."""
    return "\n".join(line for block in blocks(name) for line in commands(block) if not line.startswith("make "))


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
@pytest.mark.parametrize("name", pages())
def test_every_block_of_a_page_is_run_or_is_nothing_to_type(name: str) -> None:
    """A fence without a language would be neither: `sh` is run below, the others are in NOT_RUN."""
    fences = FENCE.findall((ROOT / name).read_text(encoding="utf-8"))
    assert len(fences) % 2 == 0
    assert set(fences[::2]) <= {"sh", *NOT_RUN}
    assert set(fences[1::2]) <= {""}
    assert fences.count("sh") == len(blocks(name))


def test_every_page_that_starts_a_platform_has_a_test_of_its_own() -> None:
    """`undercast start` in a block of any other page would go on for ever."""
    starting = {name for name in pages() if any("undercast start" in block for block in blocks(name))}
    assert starting == SESSIONS.keys()
    assert [test for test in SESSIONS.values() if not callable(globals().get(test))] == []


@pytest.mark.parametrize("name", [name for name in pages() if scripts(name) and name not in SESSIONS])
def test_every_other_command_in_the_documents_works(name: str, checkout: Path, platform: RunningPlatform) -> None:
    """The blocks of a page, one after the other in one shell, against a platform with an account for the page."""
    program("go")  # the examples have a half in Go
    account = f"{pages().index(name) + 700_000_000_000}"
    folder = checkout / FOLDERS.get(name, str(Path(name).parent))
    typed(scripts(name), folder, AWS_ENDPOINT_URL=platform.url, AWS_ACCESS_KEY_ID=account)


def options_of(words: Sequence[str]) -> set[str]:
    """The whole names of the options of the command that such words name. Raises KeyError where there is none."""
    command: Any = COMMANDS
    for word in words:
        if isinstance(command, TyperGroup) and not word.startswith("-"):
            command = command.commands[word]
    return {"--help", *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}


def named(name: str) -> list[list[str]]:
    """The words of each `undercast` in a sentence or a console block; what is quoted is another program's.

    In a sentence a command with options may stand alone, as `start --port 1`.
    """
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [line for block in CONSOLE.findall(text) for line in block.splitlines()]
    typed = [QUOTED.sub("", line).removeprefix("undercast ") for line in lines if line.startswith("undercast ")]
    return [line.split() for line in (*INLINE.findall(text), *ALONE.findall(text), *typed)]


@pytest.mark.parametrize("name", [name for name in pages() if named(name)])
def test_every_command_that_a_page_names_has_the_options_that_it_names(name: str) -> None:
    """`undercast stop --data DIR` in a sentence or a table."""
    for words in named(name):
        options = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert options <= options_of(words), f"{name}: undercast {' '.join(words)}"


def test_an_option_and_a_command_are_known_by_their_whole_names() -> None:
    """Not by how they begin; the README's short form is read, too."""
    assert {"--data", "--yes"} <= options_of(["reset", "--yes"])
    assert options_of(["start"]).isdisjoint({"--log", "--hot-reload"})
    for words in (["star"], ["images", "lo"]):
        with pytest.raises(KeyError):
            options_of(words)
    assert ["start", "--log-payloads"] in named("README.md")


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
    if find("go"):
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


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder that functions may read from, as Lambda's user; pytest's own folders are private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


@contextmanager
def started(name: str, home: Path) -> Iterator[RunningPlatform]:
    """A platform with the options of the page's `undercast start`, of a user with that home folder."""
    command = next(line for block in blocks(name) for line in commands(block) if line.startswith("undercast start"))
    options = [word.replace("~", str(home)) for word in shlex.split(command)[2:]]
    with running(home / "data", options) as platform:
        yield platform


def test_the_page_on_edit_and_run_mounts_a_folder(home: Path) -> None:
    """`undercast start` in one terminal, `undercast watch` in another: a save is in the next invoke."""
    name = "docs/edit-and-debug.md"
    watch = next(line for block in blocks(name) for line in commands(block) if line.startswith("undercast watch"))
    words = [word.replace("~", str(home)) for word in shlex.split(watch)[1:]]
    code = Path(words[2])
    code.mkdir(parents=True)
    (code / "app.py").write_text("def handler(event, context):\n    return 'first'\n")
    with started(name, home) as platform:
        create_function(platform, "000000000000", words[1], "def handler(event, context):\n    return 'zip'\n")
        command = [sys.executable, "-m", "undercast", *words, "--data", str(platform.data)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == f"watching {code} for {words[1]}: mounted as it is; Ctrl-C ends\n"
                assert process.stdout.readline().endswith("the next invoke runs it\n")
                for text in ("first", "second"):
                    (code / "app.py").write_text(f"def handler(event, context):\n    return {text!r}\n")
                    answer = platform.client("lambda").invoke(FunctionName=words[1])
                    assert json.load(answer["Payload"]) == text
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)


@pytest.mark.timeout(300)
def test_the_page_on_images_loads_one_and_reads_one_in_place(home: Path) -> None:
    """All of its commands, with an archive of `docker save` in the working folder and in ~/images."""
    name = "docs/images.md"
    source = Path(__file__).parents[1] / "services" / "lambda_" / "image_function"
    image = images.TestImage(
        layers=[images.files({"main": build(source, home / "main").read_bytes()})], process={"Entrypoint": ["/main"]}
    )
    (home / "images").mkdir()
    archive = images.write_archive(home / "images" / "app.tar", images.docker_files(image, "app:1"))
    shutil.copy(archive, home / "app.tar")
    others = [line for line in scripts(name).splitlines() if not line.startswith("undercast start")]
    with started(name, home) as platform:
        if platform.driver != "namespace":
            lacking("container images need the namespace driver")
        typed("\n".join(others), home, AWS_ENDPOINT_URL=platform.url, UNDERCAST_DATA=str(platform.data), HOME=str(home))
        functions = platform.client("lambda")
        functions.get_waiter("function_active_v2").wait(FunctionName="in-place", WaiterConfig={"Delay": 1})
        assert json.loads((home / "answer.json").read_text())["args"] == ["/main"]
        answer = functions.invoke(FunctionName="in-place", Payload=b"{}")
        assert json.load(answer["Payload"])["args"] == ["/main"]
