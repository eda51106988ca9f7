"""Node.js: where interpreters are found, which one serves an identifier, and how its process is started."""

from pathlib import Path

import pytest

import undercast.sandbox
from tests.fakes_sandbox import a_function
from undercast.core.errors import ServiceError
from undercast.sandbox.runtimes import programs
from undercast.sandbox.runtimes.node import NodeRuntime
from undercast.sandbox.runtimes.plan import RuntimePlan
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.table import RUNTIMES
from undercast.sandbox.variables import Roots

CLIENT = Path(undercast.sandbox.__file__).parent / "client"


@pytest.fixture(autouse=True)
def scripts_are_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' interpreters are shell scripts that tell a version."""
    monkeypatch.setattr(programs, "is_program", lambda path: path.resolve() if path.exists() else None)


def install(folder: Path, version: str, *, code: int = 0) -> Path:
    """An interpreter that says it is this version."""
    program = folder / "bin/node"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho v{version}\nexit {code}\n")
    program.chmod(0o755)
    return program


def plan(home: Path, runtime: str, *search: str, **changes: object) -> RuntimePlan:
    """The plan of a function on a machine with this home folder."""
    node = NodeRuntime(
        lookup=ProgramLookup(search, home),
        runtimes_dir=home / "data",
        client_dir=CLIENT / "node",
        installs_dir=home / ".cache/undercast/runtimes",
    )
    return node.plan(RUNTIMES[runtime], a_function(runtime=runtime, code_dir=home, **changes))


def test_a_program_may_carry_its_version_in_its_name(tmp_path: Path) -> None:
    """Debian's package ruby3.3 brings no `ruby`."""
    (tmp_path / "ruby3.3").write_text("#!/bin/sh\necho ruby 3.3.8\n")
    (tmp_path / "ruby3.3").chmod(0o755)
    lookup = ProgramLookup((str(tmp_path),), tmp_path / "home")
    found = lookup.find("ruby", (3, 3))
    assert found is not None
    assert (found.path, found.version) == (tmp_path / "ruby3.3", (3, 3, 8))
    assert lookup.find("ruby", (3, 4)) is None


@pytest.mark.parametrize(
    "folder",
    [
        ".nvm/versions/node/v22.5.1",
        ".local/share/fnm/node-versions/v22.5.1/installation",
        ".asdf/installs/nodejs/22.5.1",
        ".local/share/mise/installs/node/22.5.1",
        ".volta/tools/image/node/22.5.1",
        ".cache/undercast/runtimes/nodejs/22.5.1",
    ],
)
def test_version_managers_are_looked_into(tmp_path: Path, folder: str) -> None:
    """nvm, fnm, asdf, mise, volta, and what `undercast runtimes install` has put there."""
    program = install(tmp_path / folder, "22.5.1")
    found = ProgramLookup((), tmp_path).find("nodejs", (22,))
    assert found is not None
    assert (found.path, found.version, found.prefixes) == (program, (22, 5, 1), (program.parent.parent,))


def test_path_comes_first_when_it_has_the_version(tmp_path: Path) -> None:
    """PATH's node is 20: it serves nodejs20.x and not nodejs22.x; of two installations the newer one serves."""
    on_path = install(tmp_path / "usr", "20.9.0")
    for version in ("22.5.1", "22.11.0"):
        install(tmp_path / f".nvm/versions/node/v{version}", version)
    lookup = ProgramLookup((str(on_path.parent),), tmp_path)
    twenty, younger = lookup.find("nodejs", (20,)), lookup.find("nodejs", (22,))
    assert twenty is not None
    assert younger is not None
    assert (twenty.path, younger.version) == (on_path, (22, 11, 0))


def test_a_program_that_does_not_run_is_none(tmp_path: Path) -> None:
    """Broken installations are passed over."""
    install(tmp_path / ".nvm/versions/node/v22.9.0", "22.9.0", code=1)
    install(tmp_path / ".nvm/versions/node/v22.8.0", "22.8.0")
    found = ProgramLookup((), tmp_path).find("nodejs", (22,))
    assert found is not None
    assert found.version == (22, 8, 0)


def test_what_is_installed_meanwhile_is_found(tmp_path: Path) -> None:
    """Nothing found is not remembered."""
    lookup = ProgramLookup((), tmp_path)
    assert lookup.find("nodejs", (12,)) is None
    install(tmp_path / ".nvm/versions/node/v12.22.1", "12.22.1")
    assert lookup.find("nodejs", (12,)) is not None


def test_a_missing_version_names_the_command_that_installs_it(tmp_path: Path) -> None:
    """A supported identifier never runs on another version."""
    install(tmp_path / ".nvm/versions/node/v24.1.0", "24.1.0")
    with pytest.raises(ServiceError, match=r"`undercast runtimes install nodejs22\.x`") as raised:
        plan(tmp_path, "nodejs22.x")
    assert raised.value.code == "InvalidRuntimeException"


@pytest.mark.parametrize("runtime", ["nodejs", "nodejs4.3", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs18.x"])
def test_a_deprecated_identifier_runs_on_the_nearest_younger(tmp_path: Path, runtime: str) -> None:
    """X9. The log says so."""
    for version in ("20.1.0", "24.1.0"):
        install(tmp_path / f".nvm/versions/node/v{version}", version)
    made = plan(tmp_path, runtime)
    assert made.version_label == "nodejs:20.1.0.undercast"
    assert made.notice.startswith(f"{runtime} runs on Node.js 20.1.0")
    assert made.execution_env == f"AWS_Lambda_{runtime}"


def test_heap_path_and_flags_are_those_of_awss_runtime(tmp_path: Path) -> None:
    """The heap follows MemorySize; require of ES modules and their detection are off unless NODE_OPTIONS asks.

    AWS: Lambda Developer Guide, "Building Lambda functions with Node.js", disabled experimental features.
    """
    install(tmp_path / ".nvm/versions/node/v22.12.0", "22.12.0")
    made = plan(tmp_path, "nodejs22.x", memory_mb=512)
    assert made.argv(Roots())[1:] == (
        "--expose-gc",
        "--max-semi-space-size=25",
        "--max-old-space-size=461",
        "--no-experimental-require-module",
        "--no-experimental-detect-module",
        "/var/runtime/index.js",
    )
    assert made.variables["NODE_PATH"] == (
        "{opt}/nodejs/node22/node_modules:{opt}/nodejs/node_modules:{runtime}/node_modules:{runtime}:{task}"
    )
    asked = {"NODE_OPTIONS": "--experimental-require-module --experimental-detect-module"}
    assert not any("experimental" in word for word in plan(tmp_path, "nodejs22.x", environment=asked).options)


def test_the_sdk_is_version_2_up_to_16_and_version_3_from_18(tmp_path: Path) -> None:
    """AWS: "Runtime-included SDK versions". It is visible in the sandbox once it is installed."""
    for version in ("16.1.0", "18.1.0"):
        install(tmp_path / f".nvm/versions/node/v{version}", version)
    installs = tmp_path / ".cache/undercast/runtimes/sdk"
    assert plan(tmp_path, "nodejs16.x").prefixes == (tmp_path / ".nvm/versions/node/v16.1.0",)
    before = plan(tmp_path, "nodejs16.x")
    assert not before.is_old
    (installs / "nodejs-2/node_modules").mkdir(parents=True)
    (installs / "nodejs-3/node_modules").mkdir(parents=True)
    assert before.is_old
    assert not plan(tmp_path, "nodejs16.x").is_old
    for runtime, sdk in (("nodejs16.x", "nodejs-2"), ("nodejs18.x", "nodejs-3")):
        made = plan(tmp_path, runtime)
        assert installs / sdk in made.prefixes
        assert made.runtime_dir is not None
        assert (made.runtime_dir / "node_modules").readlink() == installs / sdk / "node_modules"


def test_wrapper_gets_the_command(tmp_path: Path) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER."""
    install(tmp_path / ".nvm/versions/node/v18.1.0", "18.1.0")
    argv = plan(tmp_path, "nodejs18.x", environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}).argv(Roots())
    assert argv[:2] == ("/opt/wrap", "/var/lang/bin/node")
    assert argv[-1] == "/var/runtime/index.js"
