"""Life and death of sandboxes: processes, freezing, reset, and every way for the platform to die."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.conftest import PYTHON, Make, close_pipes, read_to_end, run
from tests.security.tables import descendants, launchers
from undercast.sandbox.driver import ExitStatus, ProcessSpec, SandboxError, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.waiting import until

SLEEP = ProcessSpec(argv=("/bin/sleep", "600"), environment={})


async def test_output_and_exit_code_arrive(make: Make) -> None:
    """Standard output and error are separate; the exit code is the program's."""
    output = await run(await make(), "/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    assert (output.stdout, output.stderr, output.exited) == ("out\n", "err\n", ExitStatus(code=7))


async def test_a_signal_ends_a_process(make: Make) -> None:
    """Who is killed has no exit code."""
    process = await (await make()).spawn(SLEEP)
    process.signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        assert await process.exited == ExitStatus(signal=signal.SIGTERM)
    process.signal(signal.SIGTERM)
    close_pipes(process)


async def test_the_telemetry_pipe_has_the_number_in_its_variable(make: Make) -> None:
    """_LAMBDA_TELEMETRY_LOG_FD names a descriptor that runtime clients write framed records to."""
    script = 'eval "echo record >&$_LAMBDA_TELEMETRY_LOG_FD"'
    process = await (await make()).spawn(ProcessSpec(argv=("/bin/sh", "-c", script), environment={}, telemetry=True))
    assert process.telemetry is not None
    assert await read_to_end(process.telemetry) == b"record\n"
    close_pipes(process)


async def test_a_program_that_cannot_run_says_why(make: Make) -> None:
    """Runtime.InvalidEntrypoint needs to be told from Runtime.ExitError."""
    sandbox = await make()
    with pytest.raises(SandboxError, match="ENOENT"):
        await sandbox.spawn(ProcessSpec(argv=("/var/task/bootstrap",), environment={}))
    with pytest.raises(SandboxError, match="EACCES"):
        await sandbox.spawn(ProcessSpec(argv=("/var/task/hello.txt",), environment={}))
    with pytest.raises(SandboxError, match="ENOENT"):
        await sandbox.spawn(ProcessSpec(argv=("/bin/true",), environment={}, cwd="/nowhere"))
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


async def test_a_full_sandbox_says_so_and_can_be_reset(make: Make) -> None:
    """The limit of 1,024 processes holds for us too; a reset makes room."""
    sandbox = await make(memory_mb=10240)
    source = """
import os, time
try:
    while os.fork():
        pass
except OSError:
    os.write(1, b"full")
time.sleep(600)
"""
    bomb = await sandbox.spawn(ProcessSpec(argv=(str(PYTHON), "-I", "-S", "-c", source), environment={}))
    assert await until(lambda: _drain(bomb.stdout) == b"full", 30)
    with pytest.raises(SandboxError, match="EAGAIN"):
        await sandbox.spawn(SLEEP)
    await sandbox.kill_processes()
    close_pipes(bomb)
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


async def test_orphans_are_reaped_and_killed_with_the_rest(make: Make) -> None:
    """A reset kills what the function has left behind, daemons too; /tmp stays."""
    sandbox = await make()
    script = "echo kept > /tmp/kept; for i in 1 2 3; do setsid sleep 600 >/dev/null 2>&1 & done; (exit 0) & exit 0"
    await run(sandbox, "/bin/sh", "-c", script)
    waiting = await sandbox.spawn(SLEEP)
    await sandbox.kill_processes()
    assert await waiting.exited == ExitStatus(signal=signal.SIGKILL)
    output = await run(sandbox, "/bin/sh", "-c", "cat /tmp/kept; echo /proc/[0-9]*")
    kept, *processes = output.stdout.split()
    assert (kept, len(processes)) == ("kept", 1)  # the shell: `echo` is its own, and init is hidden
    await sandbox.kill_processes()
    close_pipes(waiting)


async def test_a_reset_before_the_first_process_leaves_a_sandbox_that_works(make: Make) -> None:
    """The process that waits for its program is killed like any other; the next one is forked in its place."""
    sandbox = await make()
    await sandbox.kill_processes()
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


async def test_a_spare_is_kept_of_the_last_kinds_only(
    driver: NamespaceDriver, folder: Path, elsewhere: frozenset[int]
) -> None:
    """Each costs as much as an idle environment."""
    for port in range(5001, 5006):
        await driver.warm(SandboxSpec(environment_id="", code_dir=folder, front_door_port=port))
    assert await until(lambda: _inits(elsewhere) == 3, 60)


async def test_what_is_put_into_a_spare_is_in_no_other(make: Make, folder: Path) -> None:
    """Two sandboxes of a kind, made ready before their functions were known, see their own code and layers only."""
    seen = []
    for number in range(2):
        for name in ("code", "upper", "lower"):
            (folder / f"{name}{number}").mkdir()
            (folder / f"{name}{number}/{name}").write_text(str(number))
        layers = (folder / f"lower{number}", folder / f"upper{number}")
        sandbox = await make(code_dir=folder / f"code{number}", layers=layers)
        script = "ls /var/task /opt /tmp; cat /var/task/* /opt/*; for f in /var/task/x /opt/x; do echo x > $f; done"
        output = await run(sandbox, "/bin/sh", "-c", script + "; cat /proc/mounts")
        listing, _, mounts = output.stdout.partition(f"{number}" * 3)
        seen.append(listing.split())
        assert output.stderr.count("Read-only file system") == 2
        places = [line.split()[1] for line in mounts.splitlines()]
        assert places.count("/var/task") == 1
        assert not [place for place in places if place.startswith("/.host")]
    assert seen == [["/opt:", "lower", "upper", "/tmp:", "/var/task:", "code"]] * 2


async def test_frozen_processes_do_not_run_and_go_on_after_thaw(make: Make) -> None:
    """Between invocations the environment is frozen, children and daemons included."""
    sandbox = await make()
    busy = "while :; do echo; done"
    process = await sandbox.spawn(
        ProcessSpec(argv=("/bin/sh", "-c", f"setsid sh -c '{busy}' & {busy}"), environment={})
    )
    assert await until(lambda: len(_drain(process.stdout)) > 0, 5)
    for _ in range(3):
        sandbox.freeze()
        await asyncio.sleep(0.1)  # without a freezer the first process of the sandbox stops the others
        _drain(process.stdout)
        await asyncio.sleep(0.1)
        assert _drain(process.stdout) == b""
        sandbox.thaw()
        assert await until(lambda: len(_drain(process.stdout)) > 0, 5)
    sandbox.freeze()
    await sandbox.kill_processes()
    close_pipes(process)


async def test_a_frozen_sandbox_can_be_destroyed_twice(make: Make) -> None:
    """Destroying thaws where it must."""
    sandbox = await make()
    process = await sandbox.spawn(SLEEP)
    sandbox.freeze()
    await sandbox.destroy()
    await sandbox.destroy()
    assert sandbox.died.done()
    assert await process.exited == ExitStatus(signal=signal.SIGKILL)
    with pytest.raises(SandboxError):
        await sandbox.spawn(SLEEP)
    close_pipes(process)


async def test_a_sandbox_without_code_folder_is_refused_and_leaves_nothing(make: Make, folder: Path) -> None:
    """The error names the step; the fixture looks for what is left."""
    with pytest.raises(SandboxError, match="missing"):
        await make(code_dir=folder / "missing")


async def test_many_sandboxes_at_once(make: Make) -> None:
    """Twenty are made, used and destroyed together."""
    sandboxes = await asyncio.gather(*(make() for _ in range(20)))
    outputs = await asyncio.gather(*(run(sandbox, "/bin/cat", "hello.txt") for sandbox in sandboxes))
    assert {output.stdout for output in outputs} == {"hello"}
    assert len({sandbox.environment_id for sandbox in sandboxes}) == 20
    await asyncio.gather(*(sandbox.destroy() for sandbox in sandboxes))


async def test_the_death_of_a_launcher_ends_its_sandboxes_and_the_next_start_works(
    make: Make, elsewhere: frozenset[int]
) -> None:
    """A killed launcher takes its sandboxes with it, frozen ones too; a new one is started when it is needed."""
    sandbox, frozen = await make(), await make()
    processes = [await sandbox.spawn(SLEEP), await frozen.spawn(SLEEP)]
    frozen.freeze()
    making = launchers(os.getpid(), elsewhere)
    assert making
    for pid in making:
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        await asyncio.gather(sandbox.died, frozen.died)
        assert {await process.exited for process in processes} == {ExitStatus(signal=signal.SIGKILL)}
    for process in processes:
        close_pipes(process)
    await asyncio.gather(sandbox.destroy(), frozen.destroy())
    assert (await run(await make(), "/bin/cat", "hello.txt")).stdout == "hello"


_PLATFORM = """
import asyncio, sys
from pathlib import Path
from undercast.sandbox.driver import ProcessSpec, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver

async def main(folder):
    driver = NamespaceDriver(folder / "killed")
    await driver.start()
    for number in range(4):
        sandbox = await driver.create(SandboxSpec(environment_id=str(number), code_dir=folder / "code"))
        await sandbox.spawn(ProcessSpec(argv=("/bin/sleep", sys.argv[2]), environment={}))
        if number % 2:
            sandbox.freeze()
    print("made", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("launchers_too", [False, True])
async def test_the_death_of_the_platform_leaves_no_sandbox(make: Make, folder: Path, launchers_too: bool) -> None:
    """SIGKILL of the platform, or of platform and launchers at once: after 2 s no process is left; the next start
    removes what else there is."""
    mark = f"6{os.getpid()}"
    platform = subprocess.Popen(
        [sys.executable, "-c", _PLATFORM, str(folder), mark], stdout=subprocess.PIPE, env={"PYTHONPATH": "src"}
    )
    assert platform.stdout is not None
    assert await asyncio.to_thread(platform.stdout.readline) == b"made\n"
    pids = launchers(platform.pid)
    assert pids
    assert len(_sleepers(mark)) == 4
    for pid in (platform.pid, *(pids if launchers_too else ())):
        os.kill(pid, signal.SIGKILL)
    platform.wait()
    platform.stdout.close()
    assert await until(lambda: not _sleepers(mark), 2)
    again = NamespaceDriver(folder / "killed")
    noted = folder / "killed" / "namespace" / "cgroups"
    parents = noted.read_text().split() if noted.exists() else []
    await again.start()
    sandbox = await again.create(SandboxSpec(environment_id="again", code_dir=folder / "code"))
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"
    await again.stop()
    assert not [parent for parent in parents if Path(parent).exists()]


def _inits(elsewhere: frozenset[int]) -> int:
    names = []
    for pid in descendants(os.getpid(), elsewhere):
        with contextlib.suppress(OSError):
            names.append(Path(f"/proc/{pid}/comm").read_text().strip())
    return names.count("undercast-init")


def _sleepers(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == f"/bin/sleep\0{mark}\0".encode():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def _drain(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 20)
    except BlockingIOError:
        return b""
