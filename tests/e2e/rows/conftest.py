"""What the seeds' rows run on: a platform without Docker, and the Go programs, built once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import platform as platforms
from tests.e2e.golang import build, zipped
from tests.e2e.rows.go_types import GoTypes, go_types

S1 = Path(__file__).parent / "s1_go"
MISBEHAVE = Path(__file__).parents[1] / "sandbox" / "go_function"


@pytest.fixture(scope="session")
def path_without_docker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PATH with the same programs in the same order, except docker (X11)."""
    folders = []
    for entry in filter(None, os.environ["PATH"].split(os.pathsep)):
        folder = Path(entry)
        if (folder / "docker").exists():
            folder = tmp_path_factory.mktemp("bin")
            for program in Path(entry).iterdir():
                if program.name != "docker":
                    (folder / program.name).symlink_to(program)
        folders.append(str(folder))
    return os.pathsep.join(folders)


@pytest.fixture(scope="session")
def platform(path_without_docker: str) -> Iterator[platforms.RunningPlatform]:
    """One platform for all rows."""
    running = platforms.start(environment={"PATH": path_without_docker})
    try:
        yield running
    finally:
        platforms.stop(running)


@pytest.fixture(scope="session")
def s1_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The S1 program as build.sh packs it: the static binary `s3_lambda` in the root."""
    return zipped(build(S1, tmp_path_factory.mktemp("s1") / "s3_lambda"), "s3_lambda")


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoTypes:
    """The events of aws-lambda-go."""
    return go_types(tmp_path_factory.mktemp("go_events"))


@pytest.fixture(scope="session")
def identity_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A program that calls STS during INIT."""
    return zipped(build(S1, tmp_path_factory.mktemp("identity") / "identity", "./identity"), "identity")


@pytest.fixture(scope="session")
def misbehave_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A program that does what its event asks for."""
    return zipped(build(MISBEHAVE, tmp_path_factory.mktemp("misbehave") / "misbehave"), "misbehave")
