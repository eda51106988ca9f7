"""Every command finds its platform by one rule: --data, AWS_ENDPOINT_URL, the default data folder, the default port."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import platform as platforms
from tests.e2e.functions import create_function
from tests.platform import RunningPlatform

ACCOUNT = "000000000000"
HELLO = "def handler(event, context):\n    print('hello')\n    return 'hello'\n"
NOWHERE = "http://localhost:1"


def undercast(*arguments: str, variables: Mapping[str, str], expect: int = 0) -> tuple[str, str]:
    """Run a command with nothing in its environment that names a platform but these variables."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "UNDERCAST_", "XDG_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "undercast", *arguments],
        env={**inherited, **variables}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder."""
    return tmp_path_factory.mktemp("state") / "data"


@pytest.fixture(scope="module")
def found(folder: Path) -> Iterator[RunningPlatform]:
    """A platform on that folder and a port that nobody knows, with a function that has run."""
    with platforms.running(folder) as running:
        create_function(running, ACCOUNT, "hello", HELLO)
        running.client("lambda").invoke(FunctionName="hello")
        yield running


WAYS = (
    "--data",
    "default folder",
    "AWS_ENDPOINT_URL",
    "--data before AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL before folder",
)


@pytest.fixture(params=WAYS)
def way(
    request: pytest.FixtureRequest, found: RunningPlatform, tmp_path: Path
) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Arguments and variables that lead to the platform."""
    by_folder = ["--data", str(found.data)]
    match request.param:
        case "--data":
            yield by_folder, {}
        case "default folder":
            yield [], {"UNDERCAST_DATA": str(found.data)}
        case "AWS_ENDPOINT_URL":
            yield [], {"AWS_ENDPOINT_URL": found.url}
        case "--data before AWS_ENDPOINT_URL":
            yield by_folder, {"AWS_ENDPOINT_URL": NOWHERE}
        case _:
            with platforms.running(tmp_path / "other"):
                yield [], {"AWS_ENDPOINT_URL": found.url, "UNDERCAST_DATA": str(tmp_path / "other")}


def test_every_command_finds_it(way: tuple[list[str], dict[str, str]], found: RunningPlatform) -> None:
    """The same rule for env, status, invoke, logs and trace."""
    arguments, variables = way
    assert f"AWS_ENDPOINT_URL={found.url}\n" in undercast("env", *arguments, variables=variables)[0]
    assert json.loads(undercast("status", "--json", *arguments, variables=variables)[0])["url"] == found.url
    assert undercast("invoke", "hello", *arguments, variables=variables)[0] == '"hello"\n'
    assert "hello\n" in undercast("logs", "hello", *arguments, variables=variables)[0]
    assert "nothing is known of x" in undercast("trace", "x", *arguments, variables=variables, expect=1)[1]


@pytest.mark.parametrize("way_to_it", ["AWS_ENDPOINT_URL", "default folder", "--data"])
def test_stop_finds_it_too(tmp_path: Path, way_to_it: str) -> None:
    """By the address, it is the platform there that says which process it is."""
    running = platforms.start(tmp_path / "data")
    ways: dict[str, tuple[list[str], dict[str, str]]] = {
        "AWS_ENDPOINT_URL": ([], {"AWS_ENDPOINT_URL": running.url}),
        "default folder": ([], {"UNDERCAST_DATA": str(running.data)}),
        "--data": (["--data", str(running.data)], {"AWS_ENDPOINT_URL": NOWHERE}),
    }
    arguments, variables = ways[way_to_it]
    assert f"stopped (pid {running.process.pid})" in undercast("stop", *arguments, variables=variables)[0]
    assert running.process.poll() == 0


_SEARCHED = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
"""Without root the tree is found by PYTHONPATH (`tests/unprivileged.py`)."""
AT_PORT = """
import sys
from undercast.cli import commands, stop
stop.DEFAULT_URL = sys.argv.pop(1)
commands.app()
"""


def test_stop_finds_the_platform_of_the_default_port(tmp_path: Path) -> None:
    """One with a folder of its own, where nothing says so; here that port is another one, which nobody else has."""
    running = platforms.start(tmp_path / "data")
    done = subprocess.run(
        [sys.executable, "-c", AT_PORT, running.url, "stop"],
        env={**_SEARCHED, "UNDERCAST_DATA": str(tmp_path / "nothing")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == f"stopped (pid {running.process.pid})\n", done.stderr
    assert running.process.poll() == 0


def test_a_killed_platforms_address_is_not_believed(tmp_path: Path) -> None:
    """The file is still there; nobody holds the folder."""
    running = platforms.start(tmp_path / "data")
    assert (running.data / "address").read_text().strip() == running.url
    running.kill()
    _, error = undercast("status", "--data", str(running.data), variables={}, expect=1)
    assert f"no platform runs on {running.data}" in error
    assert f"undercast start --data {running.data}" in error


def test_where_the_address_is_wrong_the_right_one_is_named(found: RunningPlatform) -> None:
    """A shell that still has the address of yesterday's platform."""
    variables = {"AWS_ENDPOINT_URL": NOWHERE, "UNDERCAST_DATA": str(found.data)}
    _, error = undercast("status", variables=variables, expect=1)
    assert f"one runs at {found.url}" in error


def test_where_another_address_is_asked_for_the_environment_is_not_blamed(found: RunningPlatform) -> None:
    """AWS_ENDPOINT_URL says nothing here: the address came from somewhere else."""
    code = "import sys; from undercast.cli.client import ask; ask(sys.argv[1], '/_undercast/status', 0.5)"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections as a platform does that is stopped
        for port, advice in ((silent.getsockname()[1], "takes connections and does not answer"), (1, "start one")):
            done = subprocess.run(
                [sys.executable, "-c", code, f"http://127.0.0.1:{port}"],
                env={**_SEARCHED, "UNDERCAST_DATA": str(found.data)},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert (done.returncode, advice in done.stderr) == (1, True), done.stderr
            assert "AWS_ENDPOINT_URL" not in done.stderr


def test_what_is_not_there_ends_with_status_1_and_a_way_on(found: RunningPlatform, tmp_path: Path) -> None:
    """Also in JSON: an empty graph with status 0 would say that all is well."""
    for command, fix in (
        (("trace", "nosuch", "--json"), "it takes the request id"),
        (("images", "remove", "nosuch:1"), "undercast images list"),
        (("images", "load", str(tmp_path / "none.tar")), f"docker save NAME -o {tmp_path / 'none.tar'}"),
        (("deliveries", "retry", "abc"), "undercast deliveries list"),
    ):
        out, error = undercast(*command, "--data", str(found.data), variables={}, expect=1)
        assert (out, fix in error) == ("", True), error


def test_log_times_are_the_platform_clocks(tmp_path: Path) -> None:
    """Behind an advance `logs --since` counts on that clock; `status` says how far it is ahead."""
    with platforms.running(tmp_path / "data") as running:
        create_function(running, ACCOUNT, "hello", HELLO)
        client = running.client("lambda")
        client.invoke(FunctionName="hello")
        running.advance(7200)
        recent = ("logs", "hello", "--since", "60", "--data", str(running.data))
        assert "hello" not in undercast(*recent, variables={})[0]
        client.invoke(FunctionName="hello")
        assert "hello" in undercast(*recent, variables={})[0]
        assert "7200 s ahead of this machine" in undercast("status", "--data", str(running.data), variables={})[0]
    assert "platform's clock" in undercast("logs", "--help", variables={})[0]


def test_beyond_loopback_start_says_who_may_call(tmp_path: Path) -> None:
    """No dead end: which names are answered, which keys count, where they come from; its own address is answered."""
    process = subprocess.Popen(
        [sys.executable, "-m", "undercast", "start", "--data", str(tmp_path), "--port", "0", "--host", "0.0.0.0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = platforms.READY.search(process.stdout.readline())
        assert ready is not None
        assert ready["url"].startswith("http://localhost:")
        address = ready["url"].replace("localhost", "0.0.0.0")
        assert json.loads(undercast("status", "--json", variables={"AWS_ENDPOINT_URL": address})[0])["data"] == str(
            tmp_path
        )
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert "--host-name NAME" in said
    assert "aws iam create-access-key" in said
