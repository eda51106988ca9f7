"""A machine that gives no more: what cannot be made fails alone, and says what to do; everybody else lives on."""

import asyncio
import contextlib
import errno
import itertools
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import lacking
from tests.security.conftest import PREFIXES, Make, close_pipes, run
from tests.security.tables import launchers
from undercast.sandbox.driver import ProcessSpec, SandboxError, SandboxSpec
from undercast.sandbox.drivers.launchers import Kind
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.tmpdisk import TmpDisk

SLEEP = ProcessSpec(argv=("/bin/sleep", "600"), environment={})
PIDS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


def _another(folder: Path) -> SandboxSpec:
    """Of a kind that none stands ready of, by the launcher that `make` uses."""
    return SandboxSpec(environment_id="another", code_dir=folder, prefixes=PREFIXES, front_door_port=5555)


@contextlib.contextmanager
def _no_more_processes(pid: int) -> Iterator[None]:
    """Have every fork of this process fail with EAGAIN: a cgroup's limit as root, whom the user's does not bind."""
    if os.geteuid() != 0:
        before = resource.prlimit(pid, resource.RLIMIT_NPROC)
        resource.prlimit(pid, resource.RLIMIT_NPROC, (1, before[1]))
        yield
        resource.prlimit(pid, resource.RLIMIT_NPROC, before)
        return
    group = next((place for place in PIDS if "pids" in _controllers(place)), None)
    if group is None:
        lacking("no cgroup limits processes here")
    group = group / f"undercast-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "pids.max").write_text("1")
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


def _controllers(place: Path) -> list[str]:
    if place.name == "pids":
        return ["pids"] if place.exists() else []
    control = place / "cgroup.subtree_control"
    return control.read_text().split() if control.exists() else []


async def test_a_launcher_that_cannot_fork_ends_nobody(
    make: Make, driver: NamespaceDriver, folder: Path, elsewhere: frozenset[int]
) -> None:
    """One function that uses up the machine's processes kills no other function in the middle of its invocation."""
    victim = await make()
    process = await victim.spawn(SLEEP)
    (launcher,) = launchers(os.getpid(), elsewhere)
    with _no_more_processes(launcher):
        with pytest.raises(SandboxError, match=r"Errno 11.*Resource temporarily unavailable; raise .*pids\.max"):
            await driver.create(_another(folder))
        with pytest.raises(SandboxError, match="Resource temporarily unavailable"):
            await victim.snapshot()
    assert not process.exited.done()
    assert (await run(victim, "/bin/cat", "hello.txt")).stdout == "hello"
    await (await driver.create(_another(folder))).destroy()
    assert launchers(os.getpid(), elsewhere) == [launcher]
    close_pipes(process)


async def test_a_spare_tmp_that_could_not_be_made_fails_no_later_start(make: Make, driver: NamespaceDriver) -> None:
    """The disk was full for a while, long ago: whoever takes the spare gets a new one."""
    failed: asyncio.Future[TmpDisk] = asyncio.get_running_loop().create_future()
    failed.set_exception(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    driver._disks._spare = asyncio.ensure_future(_of(failed))
    assert (await run(await make(), "/bin/sh", "-c", "echo room > /tmp/x; cat /tmp/x")).stdout == "room\n"
    if not driver._disks.limited:
        driver._disks._spare = None


async def _of(outcome: asyncio.Future[TmpDisk]) -> TmpDisk:
    return await outcome


async def test_a_process_with_too_many_variables_is_refused_and_leaves_nothing(make: Make) -> None:
    """A container image may have more than fit into an order; the sandbox takes the next one."""
    sandbox = await make()
    for _ in range(2):  # to the process that waits for its program, and to the one that forks
        large = {f"V{number}": "x" * 1000 for number in range(140)}
        with pytest.raises(SandboxError, match="/bin/true: its command and its variables are more than 131072 bytes"):
            await sandbox.spawn(ProcessSpec(argv=("/bin/true",), environment=large))
        assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


async def test_without_descriptors_no_process_is_started_and_none_is_lost(make: Make) -> None:
    """EMFILE in the platform between two pipes of a process."""
    sandbox = await make()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 3, limits[1]))
    try:
        with pytest.raises(SandboxError, match="Too many open files"):
            await sandbox.spawn(SLEEP)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


def _limit(room: int) -> int:
    """The number of descriptors that leaves room for this many more."""
    return next(itertools.islice((number for number in itertools.count() if not _is_open(number)), room, None))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


async def test_a_sandbox_that_the_platform_has_no_descriptors_for_leaves_nothing(
    driver: NamespaceDriver, folder: Path
) -> None:
    """EMFILE at each step of the making, up to the first that has enough: no descriptor, cgroup or uid is lost."""
    kind = Kind.of(_another(folder))
    await (await driver._plant(kind)).destroy()  # its launcher stays
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def state() -> tuple[object, ...]:
        groups = [group.name for parent in driver._cgroups.parents() for group in parent.iterdir() if group.is_dir()]
        uids = driver._next_uid - len(driver._free_uids)
        return sum(map(_is_open, range(min(limits[0], 4096)))), sorted(groups), uids, len(driver._sandboxes)

    before = state()
    for room in itertools.count():
        resource.setrlimit(resource.RLIMIT_NOFILE, (_limit(room), limits[1]))
        try:
            sandbox = await driver._plant(kind)
        except SandboxError as error:
            assert "too many open files" in str(error).lower(), room
        else:
            await sandbox.destroy()
            break
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert state() == before, room
    assert room > 4
    assert state() == before


async def test_an_interpreter_that_is_gone_fails_its_functions_and_nothing_else(
    make: Make, driver: NamespaceDriver, caplog: pytest.LogCaptureFixture
) -> None:
    """Its launcher cannot be started; the end of the platform takes everything down all the same."""
    sandbox = await make()
    with pytest.raises(SandboxError, match=r"the launcher for /nowhere/python3 cannot be started: .*No such file"):
        await make(python=Path("/nowhere/python3"))
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"
    parents = driver._cgroups.parents()
    await driver.stop()
    assert [parent for parent in parents if parent.exists()] == []
    assert "sweeps what is left" not in caplog.text


async def test_a_launcher_without_descriptors_ends_nobody(
    make: Make, driver: NamespaceDriver, folder: Path, elsewhere: frozenset[int]
) -> None:
    """Each order brings some: those that it cannot take fail, also that to put a function's files into its sandbox."""
    victim = await make()
    process = await victim.spawn(SLEEP)
    await driver.warm(_another(folder))
    await asyncio.gather(*driver._spares._ready.values())
    (launcher,) = launchers(os.getpid(), elsewhere)
    soft, hard = resource.prlimit(launcher, resource.RLIMIT_NOFILE)
    resource.prlimit(launcher, resource.RLIMIT_NOFILE, (3, hard))
    without_files = await driver.create(_another(folder))
    with pytest.raises(SandboxError, match="EMFILE: too many open files; raise"):
        await without_files.furnished()
    await without_files.destroy()
    with pytest.raises(SandboxError, match="the sandbox died while it was made"):
        await make(front_door_port=5556)
    resource.prlimit(launcher, resource.RLIMIT_NOFILE, (soft, hard))
    assert not process.exited.done()
    await (await driver.create(_another(folder))).destroy()
    assert launchers(os.getpid(), elsewhere) == [launcher]
    close_pipes(process)
