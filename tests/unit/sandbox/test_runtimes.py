"""The table of runtimes, the lookup of interpreters, and plans."""

import platform
from dataclasses import dataclass
from pathlib import Path

import pytest

import undercast.sandbox
from tests.fakes_sandbox import a_function
from undercast.core.errors import ServiceError
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.homes import MOVED, Homes
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.machine import mismatch
from undercast.sandbox.runtimes.plan import RuntimePlan, Runtimes
from undercast.sandbox.runtimes.programs import PLACES
from undercast.sandbox.runtimes.python import PythonRuntime, sdk_folder
from undercast.sandbox.runtimes.table import RUNTIMES, RuntimeRow
from undercast.sandbox.variables import Roots

CLIENT = Path(undercast.sandbox.__file__).parent / "client"
ELF = b"\x7fELF"


def install(prefix: Path, version: str, *, program: bytes = ELF) -> Path:
    """A fake interpreter: its program and its library."""
    program_path = prefix / "bin" / f"python{version}"
    program_path.parent.mkdir(parents=True, exist_ok=True)
    program_path.write_bytes(program)
    library = prefix / "lib" / f"python{version}"
    library.mkdir(parents=True)
    (library / "os.py").write_text("")
    return program_path


def runtimes(tmp_path: Path, *search: str) -> Runtimes:
    """Runtimes that look in the test's folder."""
    lookup = PythonLookup(search, tmp_path / "home")
    return Runtimes(lookup, PythonRuntime(runtimes_dir=tmp_path / "runtimes", client_dir=CLIENT))


@pytest.mark.parametrize(
    "identifier",
    ["go1.x", "nodejs12.x", "nodejs4.3", "nodejs6.10", "python2.7", "python3.8", "java11", "provided", "provided.al2"],
)
def test_deprecated_identifiers_are_known(identifier: str) -> None:
    """The seeds use them (X9)."""
    assert identifier in RUNTIMES


def test_pyenv_interpreter_is_found_newest_patch_first(tmp_path: Path) -> None:
    """3.9.18 before 3.9.2."""
    for patch in ("3.9.2", "3.9.18"):
        install(tmp_path / "home/.pyenv/versions" / patch, "3.9")
    found = PythonLookup((), tmp_path / "home").find((3, 9))
    assert found is not None
    assert found.path == (tmp_path / "home/.pyenv/versions/3.9.18/bin/python3.9").resolve()
    assert found.prefixes == (found.path.parent.parent,)


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("PYENV_ROOT", "versions/3.9.18"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.9.18-linux-x86_64-gnu"),
        ("ASDF_DATA_DIR", "installs/python/3.9.18"),
        ("MISE_DATA_DIR", "installs/python/3.9.18"),
        ("XDG_DATA_HOME", "uv/python/cpython-3.9.18-linux-x86_64-gnu"),
        ("XDG_DATA_HOME", "mise/installs/python/3.9.18"),
    ],
)
def test_a_python_is_found_where_its_version_manager_was_moved_to(tmp_path: Path, variable: str, folder: str) -> None:
    """Before another one at the usual place of the same manager; a relative folder is nobody's."""
    moved, home = tmp_path / "moved", tmp_path / "home"
    install(moved / folder, "3.9")
    install(home / MOVED[variable] / folder.replace("3.9.18", "3.9.19"), "3.9")
    for root, patch in ((str(moved), "3.9.18"), ("moved", "3.9.19")):
        hit = PythonLookup((), home, {variable: root}).find((3, 9))
        assert hit is not None
        assert patch in str(hit.path)


@pytest.mark.parametrize(
    ("family", "variable", "program"),
    [
        ("nodejs", "NVM_DIR", "versions/node/v22.9.0/bin/node"),
        ("nodejs", "FNM_DIR", "node-versions/v22.9.0/installation/bin/node"),
        ("nodejs", "VOLTA_HOME", "tools/image/node/22.9.0/bin/node"),
        ("nodejs", "NODENV_ROOT", "versions/22.9.0/bin/node"),
        ("nodejs", "N_PREFIX", "n/versions/node/22.9.0/bin/node"),
        ("nodejs", "ASDF_DATA_DIR", "installs/nodejs/22.9.0/bin/node"),
        ("java", "SDKMAN_DIR", "candidates/java/22.9.0-tem/bin/java"),
        ("java", "MISE_DATA_DIR", "installs/java/temurin-22.9.0/bin/java"),
        ("ruby", "RBENV_ROOT", "versions/22.9.0/bin/ruby"),
        ("ruby", "rvm_path", "rubies/ruby-22.9.0/bin/ruby"),
        ("ruby", "XDG_DATA_HOME", "mise/installs/ruby/22.9.0/bin/ruby"),
    ],
)
def test_a_program_is_looked_for_where_its_version_manager_was_moved_to(
    tmp_path: Path, family: str, variable: str, program: str
) -> None:
    """Each manager's own variable, and XDG's where it keeps to that."""
    wanted = tmp_path / program
    wanted.parent.mkdir(parents=True)
    wanted.touch()
    homes, seen = Homes(home=tmp_path / "home", moved={variable: str(tmp_path)}), []
    for pattern, inside in PLACES[family].installs:
        seen += [folder / inside for folder in homes.installs(pattern.format(v="22"))]
    assert wanted in seen


def test_an_interpreter_that_is_installed_meanwhile_is_found(tmp_path: Path) -> None:
    """Nothing found is not remembered."""
    lookup = PythonLookup((), tmp_path / "home")
    assert lookup.find((3, 5)) is None
    install(tmp_path / "home/.pyenv/versions/3.5.10", "3.5")
    assert lookup.find((3, 5)) is not None


def test_shims_are_no_interpreters(tmp_path: Path) -> None:
    """pyenv's shims are shell scripts."""
    shims = tmp_path / "shims"
    install(tmp_path / "other", "3.9", program=b"#!/bin/sh\n")
    shims.mkdir()
    (shims / "python3.9").write_text("#!/usr/bin/env bash\n")
    assert PythonLookup((str(shims), str(tmp_path / "other/bin")), tmp_path).find((3, 9)) in (None, _system(tmp_path))


def _system(tmp_path: Path) -> object:
    return PythonLookup((), tmp_path).find((3, 9))


def test_virtual_environment_leads_to_its_interpreter(tmp_path: Path) -> None:
    """The venv itself is never visible to a function."""
    real = install(tmp_path / "base", "3.9")
    venv = tmp_path / "venv/bin"
    venv.mkdir(parents=True)
    (venv / "python3.9").symlink_to(real)
    found = PythonLookup((str(venv),), tmp_path).find((3, 9))
    assert found is not None
    assert found.path == real.resolve()


def test_deprecated_python_is_served_by_the_next_younger(tmp_path: Path) -> None:
    """python3.6 on a machine that has 3.9 only."""
    install(tmp_path / "home/.pyenv/versions/3.9.1", "3.9")
    code = tmp_path / "code"
    code.mkdir()
    lookup = PythonLookup((), tmp_path / "home")
    if lookup.find((3, 6)) or lookup.find((3, 7)) or lookup.find((3, 8)):
        pytest.skip("this machine's system has an older Python")
    plan = runtimes(tmp_path).plan(a_function(runtime="python3.6", code_dir=code))
    assert str(plan.python).endswith("3.9.1/bin/python3.9")
    assert plan.execution_env == "AWS_Lambda_python3.6"
    assert plan.notice == "python3.6 runs on Python 3.9: Python 3.6 is not installed here"


def test_missing_python_names_the_fix(tmp_path: Path) -> None:
    """InvalidRuntimeException, with what to install."""
    with pytest.raises(ServiceError, match=r"pyenv install 2\.7") as raised:
        runtimes(tmp_path).plan(a_function(runtime="python2.7"))
    assert (raised.value.code, raised.value.status) == ("InvalidRuntimeException", 502)


@pytest.mark.parametrize("runtime", ["dotnet8", "cobol74"])
def test_what_cannot_run_says_so(tmp_path: Path, runtime: str) -> None:
    """Never an empty success."""
    with pytest.raises(ServiceError, match=runtime):
        runtimes(tmp_path).plan(a_function(runtime=runtime))


def test_bootstrap_of_function_comes_before_the_layers(tmp_path: Path) -> None:
    """/var/task/bootstrap, else /opt/bootstrap, else InvalidEntrypoint."""
    code, layer = tmp_path / "code", tmp_path / "layer"
    code.mkdir()
    layer.mkdir()
    plans = runtimes(tmp_path)
    function = a_function(runtime="provided.al2", code_dir=code, layers=(layer,))
    assert plans.plan(function).fault is not None
    (layer / "bootstrap").write_text("")
    assert plans.plan(function).argv(Roots()) == ("/opt/bootstrap", "app.handler")
    (code / "bootstrap").write_text("")
    assert plans.plan(function).argv(Roots(task="/real")) == ("/real/bootstrap", "app.handler")


@pytest.mark.parametrize(
    "variable", ["LD_PRELOAD", "PYTHONPATH", "PYTHONHASHSEED", "MALLOC_ARENA_MAX", "AWS_LAMBDA_EXEC_WRAPPER"]
)
def test_startup_variables_demand_a_fresh_interpreter(tmp_path: Path, variable: str) -> None:
    """A forked interpreter has read them already."""
    install(tmp_path / "home/.pyenv/versions/3.9.1", "3.9")
    code = tmp_path / "code"
    code.mkdir()
    plans = runtimes(tmp_path)
    assert plans.plan(a_function(runtime="python3.9", code_dir=code)).forkable
    function = a_function(runtime="python3.9", code_dir=code, environment={variable: "/opt/wrapper"})
    assert not plans.plan(function).forkable


def test_libraries_of_the_function_demand_a_fresh_interpreter(tmp_path: Path) -> None:
    """/var/task/lib is on LD_LIBRARY_PATH, which the loader reads once."""
    install(tmp_path / "home/.pyenv/versions/3.9.1", "3.9")
    (tmp_path / "code/lib").mkdir(parents=True)
    assert not runtimes(tmp_path).plan(a_function(runtime="python3.9", code_dir=tmp_path / "code")).forkable


def test_an_interpreter_that_layers_cover_is_told(tmp_path: Path) -> None:
    """/opt is the layers' inside; an interpreter of the host's /opt is gone there."""

    @dataclass(frozen=True)
    class InOpt:
        """A language whose interpreter lies in /opt."""

        def plan(self, row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
            """See Family."""
            return RuntimePlan(program="/opt/node/bin/node", prefixes=(Path("/opt/node"),))

    python = PythonRuntime(runtimes_dir=tmp_path, client_dir=CLIENT)
    plans = Runtimes(PythonLookup((), tmp_path), python, {"nodejs": InOpt()})
    with_layer = a_function(runtime="nodejs22.x", code_dir=tmp_path, layers=(tmp_path,))
    assert "lies in /opt, which the function's layers cover" in plans.plan(with_layer).notice
    assert plans.plan(a_function(runtime="nodejs22.x", code_dir=tmp_path)).notice == ""


def test_wrapper_starts_the_interpreter(tmp_path: Path) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER gets the runtime's command as arguments."""
    install(tmp_path / "home/.pyenv/versions/3.9.1", "3.9")
    function = a_function(
        runtime="python3.9", code_dir=tmp_path, environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}
    )
    plan: RuntimePlan = runtimes(tmp_path).plan(function)
    argv = plan.argv(Roots())
    assert argv == ("/opt/wrapper", "/var/lang/bin/python3.9", "/var/runtime/bootstrap.py")


def test_runtime_folder_is_built_once(tmp_path: Path) -> None:
    """The same content has the same name; boto3 from Python 3.10 on."""
    python = PythonRuntime(runtimes_dir=tmp_path / "runtimes", client_dir=CLIENT)
    install(tmp_path / "old", "3.9")
    install(tmp_path / "new", "3.12")
    lookup = PythonLookup((str(tmp_path / "old/bin"), str(tmp_path / "new/bin")), tmp_path)
    old, new = lookup.find((3, 9)), lookup.find((3, 12))
    assert old is not None
    assert new is not None
    folder = python.folder(old)
    assert python.folder(old) == folder
    assert not (folder / "boto3").exists()
    assert (python.folder(new) / "boto3/__init__.py").exists()
    assert (folder / "bootstrap.py").exists()
    assert len(list((tmp_path / "runtimes").iterdir())) == 2


def elf(machine: int) -> bytes:
    """The first bytes of a 64-bit little-endian program."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + machine.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("content", "machine", "named"),
    [
        (elf(183), "x86_64", "it is built for arm64 and this machine is x86_64"),
        (elf(62), "aarch64", "it is built for x86_64 and this machine is arm64"),
        (elf(62), "x86_64", ""),
        (elf(183), "aarch64", ""),
        (b"#!/bin/sh\n", "x86_64", ""),
    ],
)
def test_a_program_of_the_other_architecture_is_known_by_its_header(
    tmp_path: Path, content: bytes, machine: str, named: str
) -> None:
    """e_machine; a script runs on both, and so does what an emulator of binfmt_misc takes."""
    (tmp_path / "bootstrap").write_bytes(content)
    assert mismatch(tmp_path / "bootstrap", machine, tmp_path / "none").endswith(named)
    assert bool(mismatch(tmp_path / "bootstrap", machine, tmp_path / "none")) == bool(named)
    for emulator in ("qemu-aarch64", "qemu-x86_64"):
        (tmp_path / emulator).touch()
    assert mismatch(tmp_path / "bootstrap", machine, tmp_path) == ""


@pytest.mark.parametrize(("runtime", "name", "kind"), [
    ("provided.al2023", "bootstrap", "Runtime.InvalidEntrypoint"),
    ("go1.x", "main", "PathError"),
])  # fmt: skip
def test_a_native_program_of_the_other_architecture_fails_at_init_by_name(
    tmp_path: Path, runtime: str, name: str, kind: str
) -> None:
    """An arm64 function is accepted anywhere; what cannot run says why."""
    here, other = ("x86_64", 183) if platform.machine() == "x86_64" else ("arm64", 62)
    (tmp_path / name).write_bytes(elf(other))
    fault = runtimes(tmp_path).plan(a_function(runtime=runtime, handler="main", code_dir=tmp_path)).fault
    assert fault is not None
    assert (fault.error_type, fault.text.startswith(f"fork/exec /var/task/{name}: exec format error")) == (kind, True)
    assert fault.text.endswith(f"this machine is {here}")


def test_sdk_of_an_old_python_is_taken_once_it_is_installed(tmp_path: Path) -> None:
    """`undercast runtimes install python3.8` while the platform runs: the plan is old then, the next has the SDK."""
    install(tmp_path / "home/.pyenv/versions/3.8.20", "3.8")
    lookup, installs = PythonLookup((), tmp_path / "home"), tmp_path / "installs"
    python = PythonRuntime(runtimes_dir=tmp_path / "runtimes", client_dir=CLIENT, installs_dir=installs)
    planned = Runtimes(lookup, python)
    function = a_function(runtime="python3.8", code_dir=tmp_path)
    before = planned.plan(function)
    assert before.runtime_dir is not None and not before.is_old
    for version in ("1.37.38", "1.37.39"):
        package = sdk_folder(installs, (3, 8)) / f"boto3-{version}.dist-info"
        package.mkdir(parents=True)
        after = planned.plan(function)
        assert before.is_old and not after.is_old
        assert after.runtime_dir is not None and (after.runtime_dir / package.name).is_dir()
    assert not (before.runtime_dir / package.name).exists()
