"""AWS's own clients of the Extensions API, unmodified: aws-lambda-go's SIGTERM option, and the Rust crate.

AWS: aws-lambda-go, lambda.WithEnableSIGTERM; the crate lambda-extension of aws-lambda-rust-runtime.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.golang import build
from tests.e2e.sandbox.conftest import Stage
from tests.e2e.sandbox.test_extensions import HANDLER, ended, layer, logged
from tests.fakes_sandbox import a_function
from tests.machine import program, without

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "sdks" / "rust"


@pytest.fixture(scope="session")
def rust_extension() -> Path:
    """The extension of rust_extension/, as tools/setup_sdks.sh has built it; else built once for all runs."""
    command = [program("cargo"), "build", "--release", "--locked", "--target-dir", str(CACHE)]
    done = subprocess.run(
        command, cwd=HERE / "rust_extension", env=dict(os.environ), capture_output=True, text=True, timeout=540
    )
    if done.returncode and "failed to download" in done.stderr:
        without("a part of the set-up", "the Rust extension's crates are neither here nor to be had, so it")
    assert done.returncode == 0, done.stderr
    return CACHE / "release" / "rust_extension"


async def test_go_function_that_asks_for_sigterm(stage: Stage) -> None:
    """It registers an internal extension for no event; then SIGTERM comes before SIGKILL."""
    code = stage.folder / "go"
    code.mkdir(mode=0o755)
    build(HERE / "go_sigterm", code / "bootstrap").chmod(0o755)
    function = a_function(name="go", runtime="provided.al2023", handler="bootstrap", code_dir=code, memory_mb=256)
    assert await stage.value(function, b"1") == 1
    assert await stage.value(function, b"2") == 2
    await ended(stage, function)
    assert any(line.startswith("EXTENSION\tName: ") and "State: Ready" in line for line in stage.log.messages)
    assert "farewell\n" in stage.log.messages


@pytest.mark.timeout(600)
async def test_rust_extension_reads_events_and_telemetry(stage: Stage, rust_extension: Path) -> None:
    """AWS's crate parses each event and each telemetry record into its types; what it cannot parse ends it."""
    function = stage.function(
        HANDLER.replace("return event", "print('line'); return event"),
        layers=layer(stage, {"rust-extension": rust_extension}),
        memory_mb=512,
        timeout_s=10,
    )
    for number in range(2):
        assert await stage.value(function, str(number).encode()) == number
    await logged(stage, r"^\[rust\] INVOKE ")
    await ended(stage, function)
    told = [line.partition("telemetry ")[2] for line in stage.log.messages if line.startswith("[rust] telemetry")]
    assert [record.partition(" ")[0].partition("(")[0] for record in told] == [
        "PlatformInitStart",
        "PlatformTelemetrySubscription",
        "PlatformInitRuntimeDone",
        "PlatformExtension",
        "PlatformInitReport",
        *(["PlatformStart", "Function", "PlatformRuntimeDone", "PlatformReport"] * 2),
    ]
    assert "[rust] SHUTDOWN spindown\n" in stage.log.messages
