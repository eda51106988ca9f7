"""Java functions in real sandboxes, with AWS's runtime client as `undercast runtimes install java17` brings it."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.sdks.programs import installed
from tests.e2e.sandbox.conftest import CLIENT, DriverName, Stage, make_stage
from tests.fakes_sandbox import a_function
from tests.machine import program, without, without_namespaces
from undercast.core.config import Config
from undercast.sandbox.driver import SandboxError
from undercast.sandbox.drivers.choice import choose_driver
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.families import Ground, installs_dir, language_families
from undercast.sandbox.runtimes.java import client_folder
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.python import PythonRuntime

SOURCE = Path(__file__).parent / "java_function"
SEARCH = tuple(os.environ["PATH"].split(os.pathsep))


def installs() -> Path:
    """What the set-up has installed, AWS's Java client with it."""
    folder = installs_dir(installed("home"))
    if not client_folder(folder).is_dir():
        without("a part of the set-up", "AWS's Java runtime client")
    return folder


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function, compiled, with a library in lib/ as Maven's and Gradle's packages have it."""
    javac, jar = program("javac"), program("jar")
    folder = tmp_path_factory.mktemp("java")
    folder.chmod(0o755)
    client = os.pathsep.join(map(str, client_folder(installs()).glob("aws-lambda-java-*.jar")))
    sources = [str(SOURCE / f"example/{name}.java") for name in ("App", "Hooked")]
    subprocess.run([javac, "--release", "11", "-cp", client, "-d", str(folder), *sources], check=True)
    (folder / "lib").mkdir()
    other = tmp_path_factory.mktemp("other")
    subprocess.run([javac, "--release", "11", "-d", str(other), str(SOURCE / "Library.java")], check=True)
    subprocess.run([jar, "cf", str(folder / "lib/library.jar"), "-C", str(other), "."], check=True)
    return folder


@pytest.fixture
async def jvm(tmp_path: Path, driver_name: DriverName) -> AsyncIterator[Stage]:
    """A pool with this machine's Java."""
    others = language_families(
        Ground(
            lookup=ProgramLookup(SEARCH, Path.home()),
            runtimes_dir=tmp_path / "runtimes",
            client_dir=CLIENT,
            installs_dir=installs(),
        )
    )
    config = Config(data_dir=tmp_path, driver=driver_name)
    driver = choose_driver(config, tmp_path / "run")
    try:
        await driver.start()
    except SandboxError as error:
        without_namespaces(f"no {driver_name} driver here: {error}")
    made = make_stage(driver, config, PythonRuntime(runtimes_dir=tmp_path / "python", client_dir=CLIENT), others)
    await made.pool.start()
    yield made
    await made.pool.stop()
    await driver.stop()


def function(jvm: Stage, classes: Path, handler: str, **changes: object) -> FunctionVersion:
    """The compiled function under a handler's name."""
    code = jvm.folder / "code"
    if not code.exists():
        shutil.copytree(classes, code)
    settings = {"runtime": "java17", "timeout_s": 20, "memory_mb": 256, **changes}
    return a_function(name=f"j{len(handler)}", handler=handler, code_dir=code, **settings)


async def test_a_request_handler(jvm: Stage, driver_name: str, classes: Path) -> None:
    """Event, context, log, an exception with its frames, an exit, and a new JVM behind it."""
    made = function(jvm, classes, "example.App")
    first = await jvm.value(made, b'{"a": [1, "\xc3\xbc"]}')
    assert first["event"] == {"a": [1, "ü"]}
    assert (first["arn"], first["count"], first["runtime"]) == (made.arn, 1, "AWS_Lambda_java17")
    assert 0 < first["left"] <= 20_000
    if driver_name == "namespace":
        assert (first["home"], first["command"]) == ("/var/lang", "/var/lang/bin/java")
    await jvm.rested()
    assert (await jvm.value(made))["count"] == 2
    error = await jvm.error(made, b'{"do": "raise"}')
    assert (error["errorType"], error["errorMessage"]) == ("java.lang.IllegalStateException", "no such luck")
    assert error["stackTrace"][0] == "example.App.handleRequest(App.java:18)"
    await jvm.rested()
    assert (await jvm.error(made, b'{"do": "exit"}'))["errorMessage"].endswith("exit status 7")
    assert (await jvm.value(made))["count"] == 1
    log = jvm.log.messages
    assert "printed {a=[1, ü]}\n" in log
    assert "logged\nsecond line" in log


async def test_methods_with_objects_streams_and_libraries(jvm: Stage, classes: Path) -> None:
    """Class::method; POJOs by Jackson, streams as they are, /var/task/lib/*.jar on the class path."""
    older = function(jvm, classes, "example.App::older")
    assert await jvm.value(older, b'{"name": "x", "age": 3}') == {"name": "x", "age": 4}
    stream = function(jvm, classes, "example.App::stream")
    assert (await jvm.invoke(stream, b'{"a":1}')).payload == b'<{"a":1}>'
    assert await jvm.value(function(jvm, classes, "example.App::library")) == "in lib/*.jar"


async def test_a_missing_class(jvm: Stage, classes: Path) -> None:
    """An error of INIT, by AWS's client."""
    error = await jvm.error(function(jvm, classes, "example.Absent"))
    assert error == {"errorMessage": "Class not found: example.Absent", "errorType": "java.lang.ClassNotFoundException"}


async def test_an_old_identifier_runs_on_a_younger_java(jvm: Stage, classes: Path) -> None:
    """java11 where there is Java 17: the log says so."""
    made = function(jvm, classes, "example.App", runtime="java11")
    found = await jvm.value(made)
    assert found["runtime"] == "AWS_Lambda_java11"
    if found["java"] != "11":
        assert f"undercast: java11 runs on Java {found['java']}" in "".join(jvm.log.messages)


def test_java_reads_our_trust_store(tmp_path: Path) -> None:
    """Every certificate of the bundle, by keytool."""
    from undercast.sandbox.runtimes.truststore import PASSWORD, truststore

    keytool = program("keytool")
    bundle = next(
        (Path(name) for name in ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem") if Path(name).exists()),
        None,
    )
    if bundle is None:
        without("certificates", "a bundle of certificates")
    pem = bundle.read_text()
    store = tmp_path / "cacerts"
    store.write_bytes(truststore(pem + pem))
    listed = subprocess.run(
        [keytool, "-list", "-keystore", str(store), "-storepass", PASSWORD],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    assert listed.count("trustedCertEntry") == pem.count("BEGIN CERTIFICATE")
    assert json.dumps(listed).count("undercast-0,") == 1


async def test_snapstart_is_an_init_ahead_with_its_hooks(jvm: Stage, classes: Path) -> None:
    """A JVM has threads and is not copied: each environment has an INIT, the log says why, and no restore is claimed.

    AWS's client runs before-checkpoint hooks at the end of INIT, asks for restore/next, and then runs the others.
    """
    made = function(jvm, classes, "example.Hooked", version="1", snap_start=True)
    assert await jvm.pool.snapshot(made) == ""
    first, second = await asyncio.gather(jvm.value(made), jvm.value(made))
    assert first[1:] == second[1:] == ["init", "before", "after", "snap-start"]
    text = "".join(jvm.log.messages)
    assert "initialised ahead instead of being restored from a snapshot, because only Python runtimes can" in text
    assert "Restore Duration" not in text
