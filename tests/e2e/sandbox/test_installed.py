"""What `undercast runtimes install` has brought, seen by functions: AWS's SDKs in the versions of AWS's runtimes.

Installed by tools/setup_sdks.sh into a home folder of the tests' own.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.sdks.programs import installed
from tests.e2e.sandbox.conftest import CLIENT, Stage, make_stage
from tests.e2e.sandbox.node import write_code
from tests.fakes_sandbox import a_function
from tests.machine import without
from undercast.core.config import Config
from undercast.sandbox.drivers.process import ProcessDriver
from undercast.sandbox.runtimes.families import Ground, installs_dir, language_families
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.python import PythonRuntime


@pytest.fixture
async def equipped(tmp_path: Path) -> AsyncIterator[Stage]:
    """A pool whose user has installed runtimes."""
    installed("home/.ready")
    home = installed("home")
    installs = installs_dir(home)
    python = PythonRuntime(runtimes_dir=tmp_path / "runtimes", client_dir=CLIENT, installs_dir=installs)
    others = language_families(
        Ground(
            lookup=ProgramLookup((), home),
            runtimes_dir=tmp_path / "runtimes",
            client_dir=CLIENT,
            installs_dir=installs,
        )
    )
    driver = ProcessDriver(tmp_path / "run")
    await driver.start()
    made = make_stage(driver, Config(data_dir=tmp_path, driver="process"), python, others)
    await made.pool.start()
    yield made
    await made.pool.stop()
    await driver.stop()


SDKS = {
    "nodejs12.x": ("index.js", "2.1", "exports.handler = async () => require('aws-sdk').VERSION;"),
    "nodejs22.x": (
        "index.js",
        "3.",
        "exports.handler = async () => require('@aws-sdk/client-s3/package.json').version;",
    ),
    "nodejs22.x import": (
        "index.mjs",
        "function S3Client",
        "import { S3Client } from '@aws-sdk/client-s3';\n"
        "import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';\n"
        "export const handler = async () => `${typeof DynamoDBDocumentClient.from} ${S3Client.name}`;",
    ),
}


@pytest.mark.parametrize("case", SDKS)
async def test_the_sdk_of_nodes_runtimes(equipped: Stage, case: str) -> None:
    """Version 2 up to 16 and version 3 from 18 on, for require and for import."""
    file, begins, source = SDKS[case]
    code = write_code(equipped.folder / "node", {file: source})
    runtime = case.split()[0]
    found = await equipped.value(a_function(runtime=runtime, handler="index.handler", code_dir=code, timeout_s=20))
    assert found.startswith(begins)


async def test_a_function_brings_its_own_sdk(equipped: Stage) -> None:
    """/var/task comes before /var/runtime."""
    files = {
        "index.js": "exports.handler = async () => require('aws-sdk').VERSION;",
        "node_modules/aws-sdk/index.js": "exports.VERSION = 'mine';",
    }
    code = write_code(equipped.folder / "node", files)
    assert await equipped.value(a_function(runtime="nodejs12.x", handler="index.handler", code_dir=code)) == "mine"


@pytest.mark.parametrize(("runtime", "version"), [("python2.7", "1.17.112"), ("python3.8", "1.37.38")])
async def test_boto3_of_old_pythons(equipped: Stage, runtime: str, version: str) -> None:
    """The last release that runs on that Python; a client can be made of it."""
    if equipped.runtimes.find(tuple(map(int, runtime.removeprefix("python").split(".")))) is None:
        without(runtime)
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    return [boto3.__version__, boto3.client('s3').meta.service_model.service_name, boto3.__file__]\n"
    )
    found = await equipped.value(equipped.function(source, runtime=runtime, timeout_s=20))
    assert found[:2] == [version, "s3"]
    assert "/runtimes/python" in found[2]


async def test_a_missing_sdk_is_named_with_its_remedy(equipped: Stage) -> None:
    """An old Python without an installed SDK."""
    if equipped.runtimes.find((3, 7)) is None:
        without("python3.7")
    error = await equipped.error(equipped.function("import boto3\n", runtime="python3.7"))
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "`undercast runtimes install python3.7`" in "".join(equipped.log.messages)
