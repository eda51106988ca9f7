"""Real sandboxes of both drivers. Whatever a test does in them, the machine's tables are the same afterwards."""

import asyncio
import contextlib
import functools
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.machine import without_namespaces
from tests.security.tables import FOLDERS, left_over, machine_tables, others
from undercast.sandbox.driver import ExitStatus, Sandbox, SandboxError, SandboxProcess, SandboxSpec
from undercast.sandbox.driver import ProcessSpec as Spec
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.waiting import until

PYTHON = Path(sys.executable).resolve()
PREFIXES = (Path(sys.base_prefix),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a process wrote and how it ended."""

    stdout: str
    stderr: str
    exited: ExitStatus


async def read_to_end(descriptor: int) -> bytes:
    """Read a non-blocking pipe until its writers have closed it."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(descriptor), "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        transport.close()


def close_pipes(process: SandboxProcess) -> None:
    """Close what the owner of a process has to close."""
    for descriptor in (process.stdout, process.stderr, process.telemetry):
        with contextlib.suppress(OSError):
            if descriptor is not None:
                os.close(descriptor)


async def run(sandbox: Sandbox, *argv: str, **environment: str) -> Output:
    """Run a program to its end."""
    spec = Spec(argv=argv, environment={"PATH": "/usr/bin:/bin", **environment}, cwd=sandbox.code_root)
    return await finish(await sandbox.spawn(spec))


async def finish(process: SandboxProcess) -> Output:
    """What it writes until its end."""
    stdout, stderr = await asyncio.gather(read_to_end(process.stdout), read_to_end(process.stderr))
    async with asyncio.timeout(60):
        exited = await process.exited
    close_pipes(process)
    return Output(stdout=stdout.decode(errors="replace"), stderr=stderr.decode(errors="replace"), exited=exited)


async def run_python(sandbox: Sandbox, source: str) -> Output:
    """Run a Python program in a fresh interpreter."""
    return await run(sandbox, str(PYTHON), "-I", "-S", "-c", source)


@pytest.fixture
def folder() -> AsyncIterator[Path] | Any:
    """A folder that every user may enter (pytest's own is 0700)."""
    path = Path(tempfile.mkdtemp(prefix=FOLDERS))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def elsewhere() -> frozenset[int]:
    """Processes of other tests' platforms."""
    return others()


@pytest.fixture
async def driver(folder: Path, elsewhere: frozenset[int]) -> AsyncIterator[NamespaceDriver]:
    """A started namespace driver; when the test is over nothing of it is left."""
    before = machine_tables(elsewhere)
    driver = NamespaceDriver(folder / "run")
    try:
        await driver.start()
    except SandboxError as error:
        without_namespaces(str(error))
    yield driver
    await driver.stop()
    left = functools.partial(left_over, before)
    assert await until(lambda: not left(machine_tables(elsewhere)), 30), left(machine_tables(elsewhere))


Make = Callable[..., Awaitable[Sandbox]]


@pytest.fixture
def make(driver: NamespaceDriver, folder: Path) -> Make:
    """Makes sandboxes; keyword arguments are members of SandboxSpec."""
    code = folder / "code"
    code.mkdir()
    (code / "hello.txt").write_text("hello")
    count = itertools.count()

    async def make_one(**members: Any) -> Sandbox:
        given = {"code_dir": code, "prefixes": PREFIXES, "environment_id": f"e{next(count)}", **members}
        sandbox = await driver.create(SandboxSpec(**given))
        await sandbox.furnished()
        return sandbox

    return make_one
