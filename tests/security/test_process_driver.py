"""The portable driver: no isolation, but the same behaviour towards environments."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import uvloop

from tests.security.conftest import PYTHON, Output, close_pipes, finish, run, run_python
from tests.security.tables import left_over, machine_tables, others
from undercast.core.config import Config
from undercast.sandbox import polling
from undercast.sandbox.driver import ExitStatus, ProcessSpec, Sandbox, SandboxError, SandboxSpec
from undercast.sandbox.drivers.choice import choose_driver
from undercast.sandbox.drivers.process import ProcessDriver
from undercast.sandbox.waiting import until

MIB = 1024 * 1024


@pytest.fixture
async def plain(folder: Path) -> AsyncIterator[ProcessDriver]:
    """A started process driver; when the test is over nothing of it is left."""
    elsewhere = others()
    before = machine_tables(elsewhere)
    driver = ProcessDriver(folder / "run")
    await driver.start()
    yield driver
    await driver.stop()
    assert not (folder / "run/process").exists()
    left = functools.partial(left_over, before)
    assert await until(lambda: not left(machine_tables(elsewhere)), 30), left(machine_tables(elsewhere))


async def _make(driver: ProcessDriver, folder: Path, memory_mb: int = 128, tmp_mb: int = 512) -> Sandbox:
    code = folder / "code"
    code.mkdir(exist_ok=True)
    name = f"e{len(list((folder / 'run/process').iterdir()))}"
    return await driver.create(
        SandboxSpec(environment_id=name, code_dir=code, memory_mb=memory_mb, tmp_mb=tmp_mb, layers=_layers(folder))
    )


def _layers(folder: Path) -> tuple[Path, ...]:
    layers = []
    for number in range(2):
        layer = folder / f"layer{number}"
        layer.mkdir(exist_ok=True)
        (layer / "same").write_text(str(number))
        layers.append(layer)
    return tuple(layers)


async def test_folders_are_real_and_the_environment_is_complete(
    plain: ProcessDriver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What AWS has under fixed names is somewhere else here; nothing of our own environment gets in."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the user's own")
    sandbox = await _make(plain, folder)
    script = (
        f"pwd; cat {sandbox.opt_root}/same; touch {sandbox.tmp_root}/x; env | grep -c AWS_; ls /proc/self/fd | wc -l"
    )
    output = await run(sandbox, "/bin/sh", "-c", script)
    # The second line is the upper layer's file, which has no line end, and the number of AWS variables.
    assert output.stdout.split() == [str(folder / "code"), "10", "4"]


_STRANGERS = """
import os

def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

own = {0, 1, 2, int(os.environ["_LAMBDA_TELEMETRY_LOG_FD"])}
os.fstat(max(own))
print([os.readlink(f"/dev/fd/{number}") for number in {*map(int, os.listdir("/dev/fd"))} - own if is_open(number)])
"""
"""What a process has open besides what it is to have; the folder that is read is closed again."""


def test_nothing_is_inherited(folder: Path) -> None:
    """Neither what the platform was given itself, nor uvloop's copies of the standard streams."""
    given = os.open(folder / "given", os.O_WRONLY | os.O_CREAT)
    os.set_inheritable(given, True)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            output = runner.run(_strangers(folder))
    finally:
        os.close(given)
    assert (output.stdout, output.stderr) == ("[]\n", "")


async def _strangers(folder: Path) -> Output:
    driver = ProcessDriver(folder / "run")
    await driver.start()
    try:
        sandbox = await _make(driver, folder)
        argv = (str(PYTHON), "-I", "-S", "-c", _STRANGERS)
        return await finish(await sandbox.spawn(ProcessSpec(argv=argv, environment={}, cwd="/", telemetry=True)))
    finally:
        await driver.stop()


async def test_what_was_seen_before_a_reset_ends_nothing_behind_it(
    plain: ProcessDriver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that took long saw too much memory; meanwhile everything was killed, and another program runs."""
    sandbox = await _make(plain, folder)
    began, may_end = threading.Event(), threading.Event()
    look = polling.look

    def long_look(asked: Sequence[polling.Asked]) -> list[polling.Seen]:
        began.set()
        may_end.wait(20)
        return [polling.Seen({}, over=True) for _ in asked]

    monkeypatch.setattr(polling, "look", long_look)
    assert await asyncio.to_thread(began.wait, 10)
    monkeypatch.setattr(polling, "look", look)
    await sandbox.kill_processes()
    runs = asyncio.create_task(run(sandbox, "/bin/sh", "-c", "echo begun; sleep 0.5; echo ended"))
    await asyncio.sleep(0.2)
    may_end.set()
    assert (await runs).stdout.split() == ["begun", "ended"]


async def test_each_sandbox_has_a_runtime_api_port_of_its_own(plain: ProcessDriver, folder: Path) -> None:
    """Without a private loopback the address differs; it is in AWS_LAMBDA_RUNTIME_API."""
    first, second = await _make(plain, folder), await _make(plain, folder)
    assert first.runtime_api != second.runtime_api
    assert {"runtime", "xray", "xray-udp"} == set(first.listeners)
    assert first.listeners["xray"].getsockname() == first.listeners["xray-udp"].getsockname()


async def test_memory_beyond_the_limit_kills(plain: ProcessDriver, folder: Path) -> None:
    """Best effort: resident memory is looked at; never RLIMIT_AS, under which Go does not start."""
    sandbox = await _make(plain, folder, memory_mb=64)
    told = asyncio.Event()
    sandbox.on_oom(told.set)
    output = await run_python(sandbox, "import time; x = bytearray(b'x') * (100 << 20); time.sleep(60)")
    assert (output.exited, told.is_set()) == (ExitStatus(signal=signal.SIGKILL), True)
    assert sandbox.memory().oom_kills == 1
    assert sandbox.memory().peak_bytes >= 64 * MIB


async def test_tmp_beyond_the_limit_kills(plain: ProcessDriver, folder: Path) -> None:
    """Best effort: the folder is measured."""
    sandbox = await _make(plain, folder, tmp_mb=8)
    output = await run(sandbox, "/bin/sh", "-c", f"head -c 20000000 /dev/zero > {sandbox.tmp_root}/big; sleep 60")
    assert output.exited == ExitStatus(signal=signal.SIGKILL)


async def test_folders_nested_deeper_than_python_calls_are_removed(plain: ProcessDriver, folder: Path) -> None:
    """What a function writes must not keep its sandbox from its end.

    Written from outside: the watch kills a function whose folder it cannot measure, before or after the last level.
    """
    sandbox = await _make(plain, folder)
    nest = f"import os\nos.chdir({sandbox.tmp_root!r})\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", nest], check=True, timeout=60)
    await sandbox.destroy()
    assert not Path(sandbox.tmp_root).exists()


async def test_frozen_processes_and_their_children_do_not_run(plain: ProcessDriver, folder: Path) -> None:
    """SIGSTOP reaches children that have left the process group."""
    sandbox = await _make(plain, folder)
    busy = "while :; do echo; done"
    spec = ProcessSpec(argv=("/bin/sh", "-c", f"setsid sh -c '{busy}' & {busy}"), environment={}, cwd="/")
    process = await sandbox.spawn(spec)
    assert await until(lambda: len(_drain(process.stdout)) > 0, 5)
    sandbox.freeze()
    await asyncio.sleep(0.1)  # without a freezer the first process of the sandbox stops the others
    _drain(process.stdout)
    await asyncio.sleep(0.1)
    assert _drain(process.stdout) == b""
    sandbox.thaw()
    assert await until(lambda: len(_drain(process.stdout)) > 0, 5)
    await sandbox.kill_processes()
    assert await process.exited == ExitStatus(signal=signal.SIGKILL)
    close_pipes(process)


async def test_a_daemon_does_not_outlive_its_sandbox(plain: ProcessDriver, folder: Path) -> None:
    """Its parent is gone and its session is its own; it is found by the address that is in its environment."""
    sandbox = await _make(plain, folder)
    script = f"setsid sleep 600 >/dev/null 2>&1 & echo $! > {sandbox.tmp_root}/pid; exit 0"
    await run(sandbox, "/bin/sh", "-c", script, AWS_LAMBDA_RUNTIME_API=sandbox.runtime_api)
    pid = int((Path(sandbox.tmp_root) / "pid").read_text())
    os.kill(pid, 0)
    await sandbox.destroy()
    assert await until(lambda: not Path(f"/proc/{pid}").exists(), 5)


async def test_a_missing_program_is_told(plain: ProcessDriver, folder: Path) -> None:
    """The same text as in the namespace driver."""
    sandbox = await _make(plain, folder)
    with pytest.raises(SandboxError, match="ENOENT"):
        await sandbox.spawn(ProcessSpec(argv=("/nowhere/bootstrap",), environment={}, cwd="/"))


async def test_a_start_that_is_cancelled_leaves_no_process(plain: ProcessDriver, folder: Path) -> None:
    """The thread that starts it cannot be stopped: it is killed when it is there. `plain` looks for what is left."""
    sandbox = await _make(plain, folder)
    spec = ProcessSpec(argv=("/bin/sleep", "600"), environment={}, cwd="/")
    starts = [asyncio.create_task(sandbox.spawn(spec)) for _ in range(8)]
    await asyncio.sleep(0)
    for start in starts:
        start.cancel()
    ends = await asyncio.gather(*starts, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)


async def test_a_start_that_is_refused_is_told(plain: ProcessDriver, folder: Path) -> None:
    """What no program can be given is an error of its own, and not an endless wait."""
    sandbox = await _make(plain, folder)
    with pytest.raises(ValueError, match="null"):
        await sandbox.spawn(ProcessSpec(argv=("/bin/true",), environment={"A": "a\0b"}, cwd="/"))


async def test_the_configuration_chooses_the_driver(folder: Path) -> None:
    """--driver auto takes what works and says so."""
    assert choose_driver(Config(data_dir=folder, driver="process"), folder).name == "process"
    assert choose_driver(Config(data_dir=folder, driver="namespace"), folder).name == "namespace"
    driver = choose_driver(Config(data_dir=folder), folder / "run")
    await driver.start()
    assert (driver.name == "namespace") == (driver.notice == "")
    assert driver.capabilities().driver == driver.name
    await driver.stop()


def _drain(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 20)
    except BlockingIOError:
        return b""
