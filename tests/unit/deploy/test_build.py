"""A user's build: when it is run, and what is told of its failure."""

import os
import signal
from pathlib import Path

import pytest

from undercast.deploy.build import Build, BuildFailed
from undercast.deploy.sources import uncompiled

COPY = "echo run >> ../runs; cat main.go > bootstrap"


def project(folder: Path) -> Path:
    """A source, which `COPY` builds."""
    source = folder / "project"
    source.mkdir()
    (source / "main.go").write_text("first")
    return source


def runs(folder: Path) -> int:
    return (folder / "runs").read_text().count("run")


def test_what_a_build_wrote_is_no_reason_for_another(tmp_path: Path) -> None:
    """Its output lies in the folder that is watched; what somebody saves there is one."""
    source = project(tmp_path)
    build = Build(command=COPY, source=source)
    assert build.is_due()
    build.run()
    assert (build.is_due(), runs(tmp_path), (source / "bootstrap").read_text()) == (False, 1, "first")
    (source / "main.go").write_text("second version")
    assert build.is_due()
    build.run()
    assert (build.is_due(), (source / "bootstrap").read_text()) == (False, "second version")


def test_what_is_saved_while_it_runs_is_built_too(tmp_path: Path) -> None:
    """A run saves a source, as somebody at an editor would: in the first round, and in each that follows."""
    source = project(tmp_path)
    edit = "test -e ../saved || { touch ../saved; printf '%s' \"$(cat ../text)\" > main.go; }"
    build = Build(command=f"{COPY}; {edit}", source=source)
    for number in (1, 2, 3):
        (tmp_path / "saved").unlink(missing_ok=True)
        (tmp_path / "text").write_text(f"saved meanwhile: {'x' * number}")
        build.run()
        assert (source / "bootstrap").read_text() == f"saved meanwhile: {'x' * number}"
        assert (runs(tmp_path), build.is_due()) == (2 * number, False)


def test_an_output_that_was_there_before_is_run_for_again_once(tmp_path: Path) -> None:
    """It might have been saved; that the next run writes it, too, tells."""
    source = project(tmp_path)
    (source / "bootstrap").write_text("of yesterday")
    build = Build(command=COPY, source=source)
    build.run()
    assert runs(tmp_path) == 2
    build.run()
    assert (runs(tmp_path), build.is_due()) == (3, False)


def test_a_failure_has_its_output_and_waits_for_a_change(tmp_path: Path) -> None:
    """Standard output and error, as they came."""
    source = project(tmp_path)
    build = Build(command="echo compiling; echo 'main.go:3: no' >&2; exit 7", source=source)
    with pytest.raises(BuildFailed, match="exited with 7: echo compiling") as raised:
        build.run()
    assert raised.value.output == "compiling\nmain.go:3: no\n"
    assert not build.is_due()


def test_of_much_output_the_end_is_told(tmp_path: Path) -> None:
    """64 KiB."""
    build = Build(
        command="head -c 100000 /dev/zero | tr '\\0' x; echo; echo the error; exit 1", source=project(tmp_path)
    )
    with pytest.raises(BuildFailed) as raised:
        build.run()
    assert (len(raised.value.output), raised.value.output.endswith("x\nthe error\n")) == (65536, True)


def test_a_helper_that_goes_on_holds_nothing_up(tmp_path: Path) -> None:
    """Gradle's daemon keeps what it was started with."""
    build = Build(command="sleep 1000 & echo $! > ../helper", source=project(tmp_path))
    try:
        build.run()
    finally:
        os.kill(int((tmp_path / "helper").read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("runtime", "files", "options"),
    [
        ("provided.al2023", ["go.mod", "main.go", "bootstrap"], "--build 'CGO_ENABLED=0 go build -o bootstrap .'"),
        ("go1.x", ["main.go"], "--build 'CGO_ENABLED=0 go build -o main .'"),
        ("java21", ["A.java"], "--output out"),
        ("java21", ["pom.xml", "src/A.java"], "--output target/classes"),
        ("nodejs22.x", ["src/index.ts"], "--build 'npx tsc --outDir dist' --output dist"),
        ("provided.al2", ["src/main.rs"], "--output out"),
    ],
)
def test_what_is_not_compiled_is_told_with_its_build(
    tmp_path: Path, runtime: str, files: list[str], options: str
) -> None:
    """The usual command of the language."""
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = uncompiled(runtime, tmp_path)
    assert found is not None
    assert found.options.endswith(options)


@pytest.mark.parametrize(
    ("runtime", "name"),
    [
        ("python3.12", "tool.go"),
        ("nodejs22.x", "index.mjs"),
        ("nodejs22.x", "types.d.ts"),
        ("nodejs22.x", "node_modules/x/index.ts"),
        ("provided.al2023", "bootstrap"),
        ("java21", "lib/a.jar"),
    ],
)
def test_what_runs_as_it_is_needs_no_build(tmp_path: Path, runtime: str, name: str) -> None:
    """Nor what is no code of the function's language."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("")
    assert uncompiled(runtime, tmp_path) is None
