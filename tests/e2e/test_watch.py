"""`undercast watch` as a user runs it: a process beside a running platform, files saved in between."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform, running
from tests.services.lambda_.queues import until

ACCOUNT = "000000000000"
LIMIT_S = 60.0
LAYERED = "from common import TEXT\ndef handler(event, context):\n    return TEXT\n"


def constant(text: str) -> str:
    """A handler's source."""
    return f"def handler(event, context):\n    return {text!r}\n"


class Watch:
    """The running command and what it tells."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def next(self) -> dict[str, Any]:
        """Whatever it tells next."""
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def told(self, event: str) -> dict[str, Any]:
        """The next line of this kind; the command's own limit is the test's."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found: dict[str, Any] = json.loads(line)
            if found["event"] == event:
                return found
        raise AssertionError(f"it ended without {event!r}")


@contextmanager
def watching(platform: RunningPlatform, *words: str) -> Iterator[Watch]:
    """The command until Ctrl-C, which must end it with status 0."""
    command = [sys.executable, "-m", "undercast", "watch", *words, "--data", str(platform.data), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watch = Watch(process)
    try:
        yield watch
        process.send_signal(signal.SIGINT)
        watch.told("stopped")
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()


def answer(platform: RunningPlatform, name: str) -> Any:
    """What the function answers now."""
    return json.loads(platform.client("lambda").invoke(FunctionName=name)["Payload"].read())


@pytest.fixture
def folder() -> Iterator[Path]:
    """A project."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


def test_each_save_is_in_the_next_invoke(platform: RunningPlatform, folder: Path) -> None:
    """By UpdateFunctionCode; a save that changes nothing sends nothing; a broken file is the function's error."""
    create_function(platform, ACCOUNT, "watched", constant("zip"))
    (folder / "app.py").write_text(constant("first"))
    with watching(platform, "watched", str(folder)) as watch:
        assert watch.told("watching")["how"] == "upload"
        assert watch.told("updated")["files"] == []
        assert answer(platform, "watched") == "first"
        (folder / "app.py").write_text(constant("first"))
        (folder / "app.py").write_text(constant("second"))
        assert watch.told("updated")["files"] == [str(folder / "app.py")]
        assert answer(platform, "watched") == "second"
        (folder / "app.py").write_text("def handler(\n")
        watch.told("updated")
        assert answer(platform, "watched")["errorType"] == "Runtime.UserCodeSyntaxError"
        (folder / "app.py").write_text(constant("third"))
        watch.told("updated")
        assert answer(platform, "watched") == "third"


def test_a_layer_is_published_at_each_save(platform: RunningPlatform, folder: Path) -> None:
    """The function gets the new version in the place of the one before."""
    create_function(platform, ACCOUNT, "layered", LAYERED)
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(LAYERED)
    (folder / "layer" / "python").mkdir(parents=True)
    common = folder / "layer" / "python" / "common.py"
    common.write_text("TEXT = 'first'\n")
    with watching(platform, "layered", str(folder / "code"), "--layer", f"watch-common={folder / 'layer'}") as watch:
        watch.told("watching")
        watch.told("updated")
        assert answer(platform, "layered") == "first"
        common.write_text("TEXT = 'second'\n")
        assert watch.told("updated")["folders"] == [str(folder / "layer")]
        assert answer(platform, "layered") == "second"
    layers = platform.client("lambda").get_function_configuration(FunctionName="layered")["Layers"]
    assert [layer["Arn"].split(":", 6)[6] for layer in layers] == ["watch-common:2"]


def test_a_folder_below_the_root_is_mounted(folder: Path) -> None:
    """Then the next invoke runs what was saved without waiting for the command."""
    with running(options=["--hot-reload-root", str(folder)]) as platform:
        create_function(platform, ACCOUNT, "mounted", constant("zip"))
        (folder / "app.py").write_text(constant("first"))
        with watching(platform, "mounted", str(folder)) as watch:
            assert watch.told("watching")["how"] == "hot-reload"
            watch.told("updated")
            assert answer(platform, "mounted") == "first"
            for text in ("second", "third", "fourth"):
                (folder / "app.py").write_text(constant(text))
                assert answer(platform, "mounted") == text
            assert watch.told("changed")["files"] == [str(folder / "app.py")]
        assert answer(platform, "mounted") == "fourth"


def test_mistakes_are_told_before_it_watches(platform: RunningPlatform, folder: Path) -> None:
    """A function that is not there, a folder that is not there, a layer without a name."""
    for words, text in (
        (["nobody", str(folder)], "Function not found"),
        (["nobody", str(folder / "nowhere")], "is not a folder"),
        (["nobody", str(folder), "--layer", "x"], "is not NAME=DIR"),
        (["nobody", str(folder), "--output", "out"], "--output is for what --build makes"),
    ):
        command = [sys.executable, "-m", "undercast", "watch", *words, "--data", str(platform.data)]
        (folder / "app.py").write_text("")
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert (ended.returncode, text in ended.stderr) == (1, True), ended.stderr


def test_a_folder_that_is_too_large_to_send_has_another_way(platform: RunningPlatform, folder: Path) -> None:
    """Code can be mounted; a layer cannot, and is published from S3."""
    create_function(platform, ACCOUNT, "large", constant("zip"))
    for name in ("code", "layer", "projects/large"):
        (folder / name).mkdir(parents=True)
    (folder / "code" / "app.py").write_text(constant("code"))
    (folder / "layer" / "data").write_bytes(os.urandom(51 * 2**20))
    (folder / "projects" / "large" / "data").hardlink_to(folder / "layer" / "data")
    for words, fix in (
        ([str(folder / "code"), "--layer", f"big={folder / 'layer'}"], "--layer-name big --content S3Bucket="),
        ([str(folder / "projects/large")], f"undercast start --hot-reload-root {folder / 'projects'}\n"),
    ):
        command = [sys.executable, "-m", "undercast", "watch", "large", *words, "--data", str(platform.data)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert (ended.returncode, "has more than 50 MB as a zip" in ended.stderr) == (1, True), ended.stderr
        assert fix in ended.stderr


def test_its_lines_are_in_the_order_in_which_things_happen(platform: RunningPlatform, folder: Path) -> None:
    """What is watched, what changed, what came of it; a function that is not there is told before all else."""
    create_function(platform, ACCOUNT, "told", constant("zip"))
    (folder / "app.py").write_text(constant("first"))
    command = [sys.executable, "-m", "undercast", "watch", "told", str(folder), "--data", str(platform.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert next(lines) == f"watching {folder} for told: sent at each save; Ctrl-C ends\n"
            assert next(lines).endswith(" ms: the next invoke runs it\n")
            for name in ("a", "b", "c", "d"):
                (folder / "new").mkdir(exist_ok=True)
                (folder / "new" / name).write_text(name)
            assert next(lines).startswith("changed ")
            assert next(lines).endswith(" ms: the next invoke runs it\n")
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=LIMIT_S)[0].splitlines()
    assert rest[-1] == "stopped; told keeps its code"


def test_a_build_makes_the_code(platform: RunningPlatform, folder: Path) -> None:
    """Run in DIR first and at each change; while it fails, with what it says, the code of before runs on."""
    create_function(platform, ACCOUNT, "built", constant("zip"))
    source = folder / "app.src"
    source.write_text(constant("first"))
    build = "grep -q handler app.src && mkdir -p out && cp app.src out/app.py"
    with watching(platform, "built", str(folder), "--build", build, "--output", "out") as watch:
        assert watch.told("watching")["folder"] == str(folder / "out")
        assert watch.told("building")["command"] == build
        watch.told("updated")
        assert answer(platform, "built") == "first"
        source.write_text("nothing")
        failed = watch.told("failed")
        assert failed["error"] == f"the build exited with 1: {build}"
        assert answer(platform, "built") == "first"
        source.write_text(constant("second"))
        following = watch.next()
        assert (following["event"], following["files"]) == ("changed", [str(source)])
        watch.told("updated")
        assert answer(platform, "built") == "second"


def test_a_build_that_fails_at_first_leaves_the_code_alone(folder: Path) -> None:
    """Also where its folder is to be mounted: it is, once it has been built."""
    with running(options=["--hot-reload-root", str(folder)]) as platform:
        create_function(platform, ACCOUNT, "unbuilt", constant("zip"))
        build = "echo compiling app.src; test -s app.src && mkdir -p out && cp app.src out/app.py"
        (folder / "app.src").write_text("")
        with watching(platform, "unbuilt", str(folder), "--build", build, "--output", "out") as watch:
            assert watch.told("watching")["how"] == "hot-reload"
            assert watch.told("failed")["output"] == "compiling app.src\n"
            assert answer(platform, "unbuilt") == "zip"
            (folder / "app.src").write_text(constant("built"))
            assert watch.told("built")["how"] == "hot-reload"
            until(lambda: answer(platform, "unbuilt") == "built")


def test_code_that_has_to_be_compiled_is_told_at_once(platform: RunningPlatform, folder: Path) -> None:
    """With the options that build it."""
    create_function(platform, ACCOUNT, "typed", constant("zip"))
    functions = platform.client("lambda")
    functions.update_function_configuration(FunctionName="typed", Runtime="nodejs22.x", Handler="index.handler")
    (folder / "index.ts").write_text("export const handler = async (): Promise<string> => 'x'\n")
    with watching(platform, "typed", str(folder)) as watch:
        told = watch.told("uncompiled")
        assert (told["file"], told["options"]) == ("index.ts", "--build 'npx tsc --outDir dist' --output dist")
