"""Java: which JVM serves an identifier, how it is started, and what is missing where it cannot be."""

from pathlib import Path

import pytest

from tests.fakes_sandbox import a_function
from undercast.core.errors import ServiceError
from undercast.sandbox.runtimes import programs
from undercast.sandbox.runtimes.java import JavaRuntime, client_folder
from undercast.sandbox.runtimes.plan import RuntimePlan
from undercast.sandbox.runtimes.programs import JAVA, Places, ProgramLookup
from undercast.sandbox.runtimes.table import RUNTIMES
from undercast.sandbox.variables import Roots

PEM = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def only_this_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' JVMs are shell scripts; this machine's own are not looked at."""
    monkeypatch.setattr(programs, "is_program", lambda path: path.resolve() if path.exists() else None)
    installs = tuple(entry for entry in JAVA.installs if not entry[0].startswith("/"))
    here = Places(program=JAVA.program, ask=JAVA.ask, installs=installs)
    monkeypatch.setattr(programs, "PLACES", {"java": here})


def install(home: Path, folder: str, told: str) -> None:
    """A JVM that tells its version where JVMs tell it: on standard error."""
    program = home / folder / "bin/java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
    program.chmod(0o755)


def plan(home: Path, runtime: str, **changes: object) -> RuntimePlan:
    """The plan of a function on a machine with this home folder."""
    java = JavaRuntime(
        lookup=ProgramLookup((), home),
        runtimes_dir=home / "data",
        installs_dir=home / "installs",
        ca_bundle=home / "ca",
    )
    return java.plan(RUNTIMES[runtime], a_function(runtime=runtime, code_dir=home, **changes))


def install_client(home: Path) -> None:
    """What `undercast runtimes install` brings."""
    client_folder(home / "installs").mkdir(parents=True)
    (client_folder(home / "installs") / "client.jar").touch()


@pytest.mark.parametrize(
    ("folder", "told", "version"),
    [
        (".sdkman/candidates/java/17.0.9-tem", 'openjdk version "17.0.9" 2023-10-17', (17, 0, 9)),
        (".jdks/temurin-25", 'openjdk version "25" 2025-09-16 LTS', (25,)),
        (".asdf/installs/java/corretto-8.392.08.1", 'openjdk version "1.8.0_392"', (8, 0)),
    ],
)
def test_jvms_are_found_by_what_they_tell(tmp_path: Path, folder: str, told: str, version: tuple[int, ...]) -> None:
    """Version managers' folders; Java 8 calls itself 1.8."""
    install(tmp_path, folder, told)
    found = ProgramLookup((), tmp_path).find("java", version[:1])
    assert found is not None
    assert found.version == version


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """First the JVM, then AWS's client."""
    with pytest.raises(ServiceError, match="openjdk-21-jre-headless"):
        plan(tmp_path, "java21")
    install(tmp_path, ".jdks/temurin-25", 'openjdk version "25.0.3"')
    with pytest.raises(ServiceError, match="`undercast runtimes install java21`"):
        plan(tmp_path, "java21")


def test_a_younger_jvm_serves_and_an_older_one_never(tmp_path: Path) -> None:
    """java11 on 17; not java21 on 17."""
    install_client(tmp_path)
    install(tmp_path, ".jdks/temurin-17", 'openjdk version "17.0.9"')
    made = plan(tmp_path, "java11")
    assert made.notice == "java11 runs on Java 17.0.9: Java 11 is not installed here"
    with pytest.raises(ServiceError, match="No Java 21 or younger"):
        plan(tmp_path, "java21")


def test_heap_compiler_and_certificates(tmp_path: Path) -> None:
    """85 % of the memory, one compiler from Java 17 on, and the bundle that AWS's names need."""
    install_client(tmp_path)
    (tmp_path / "ca").write_text(PEM)
    install(tmp_path, ".jdks/temurin-17", 'openjdk version "17.0.9"')
    made = plan(tmp_path, "java17", memory_mb=512)
    argv = made.argv(Roots())
    assert "-XX:MaxHeapSize=445644k" in argv
    assert "-XX:TieredStopAtLevel=1" in argv
    assert "-Djavax.net.ssl.trustStore=/var/runtime/cacerts" in argv
    assert argv[-3:] == (
        "/var/runtime/lib/*",
        "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
        "app.handler",
    )
    assert made.runtime_dir is not None
    assert (made.runtime_dir / "lib/client.jar").exists()
    assert (made.runtime_dir / "cacerts").read_bytes()[:12] == bytes.fromhex("feedfeed0000000200000001")
