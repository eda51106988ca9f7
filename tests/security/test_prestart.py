"""A runtime that was started before its function was known is like any other process of its sandbox."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.security.conftest import close_pipes, read_to_end
from undercast.sandbox.driver import Prestart, ProcessSpec, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver

SCRIPT = 'read -r line <&4; exec 4<&-; echo $$; ls /proc/self/fd; ls /var/task; echo "$line"; cat /proc/self/status'
AHEAD = Prestart(command=("/bin/sh", "-c", SCRIPT), options=("ahead",), environment=(("PATH", "/usr/bin:/bin"),))


@pytest.fixture
def spec(folder: Path) -> SandboxSpec:
    """A sandbox whose kind has a shell in it."""
    (folder / "code").mkdir()
    (folder / "code/app.txt").touch()
    return SandboxSpec(environment_id="ahead", code_dir=folder / "code", prestart=AHEAD)


def _process(**environment: str) -> ProcessSpec:
    variables = {"PATH": "/usr/bin:/bin", **environment}
    return ProcessSpec(argv=AHEAD.command, environment=variables, telemetry=True)


async def test_it_becomes_the_functions_by_one_line(driver: NamespaceDriver, spec: SandboxSpec) -> None:
    """The code is there when the line comes; it has no right and no descriptor but those of every runtime."""
    await driver.warm(spec)
    sandbox = await driver.create(spec)
    process = await sandbox.spawn(_process(NAME="mine"))
    lines = (await read_to_end(process.stdout)).decode().splitlines()
    assert (await process.exited).code == 0
    close_pipes(process)
    assert int(lines[0]) == process.pid
    place = lines.index("app.txt")
    assert lines[1:place] == ["0", "1", "2", "3", "4"]  # the last one is what `ls` reads the folder by
    assigned = json.loads(lines[place + 1])
    assert assigned["cwd"] == "/var/task"
    assert assigned["environment"] == {"PATH": "/usr/bin:/bin", "NAME": "mine", "_LAMBDA_TELEMETRY_LOG_FD": "3"}
    status = dict(line.split(":\t", 1) for line in lines[place + 2 :] if ":\t" in line)
    assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]) == (
        "0" * 16,
        "0" * 16,
        "1",
        "2",
    )


async def test_one_that_does_not_fit_is_killed_and_a_fresh_process_started(
    driver: NamespaceDriver, spec: SandboxSpec
) -> None:
    """Another command, or another value of what is read at the start, is not this process's."""
    await driver.warm(spec)
    sandbox = await driver.create(spec)
    process = await sandbox.spawn(replace(_process(), argv=("/bin/sh", "-c", "ls /proc | grep -c '^[0-9]'")))
    # The shell, and the two of its pipe: the one that waited is gone, or about to be.
    assert int(await read_to_end(process.stdout)) <= 4
    assert (await process.exited).code == 0
    close_pipes(process)


async def test_one_that_cannot_be_executed_is_no_harm(driver: NamespaceDriver, spec: SandboxSpec) -> None:
    """The spare is a sandbox without a runtime, in which one is started when it is wanted."""
    missing = replace(AHEAD, command=("/nowhere/node",))
    await driver.warm(replace(spec, prestart=missing))
    sandbox = await driver.create(replace(spec, prestart=missing))
    process = await sandbox.spawn(replace(_process(), argv=("/bin/echo", "fresh")))
    assert await read_to_end(process.stdout) == b"fresh\n"
    close_pipes(process)


async def test_a_spare_that_nobody_takes_leaves_nothing(driver: NamespaceDriver, spec: SandboxSpec) -> None:
    """The fixture compares processes and descriptors before and after."""
    await driver.warm(spec)
    sandbox = await driver.create(spec)
    await sandbox.destroy()
    assert sandbox.died.done()
