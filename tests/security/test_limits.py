"""Limits of one execution environment: memory, CPU, processes, descriptors, /tmp."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.machine import lacking
from tests.security.conftest import Make, run, run_python
from undercast.sandbox.drivers.namespace import NamespaceDriver

MIB = 1024 * 1024


def _needs(driver: NamespaceDriver, promise: str) -> None:
    strength = {each.name: each.strength for each in driver.capabilities().promises}[promise]
    if strength != "hard":
        if os.geteuid() != 0:
            pytest.skip("without root this limit may not be hard")
        lacking(f"{promise} is {strength} here")


async def test_a_memory_bomb_is_killed_and_counted(make: Make, driver: NamespaceDriver) -> None:
    """A function that exceeds its memory is killed; the platform and its neighbours go on."""
    _needs(driver, "Memory limit")
    sandbox, neighbour = await make(memory_mb=128), await make(memory_mb=128)
    told = asyncio.Event()
    sandbox.on_oom(told.set)
    output = await run_python(sandbox, "hoard = []\nwhile True: hoard.append(bytearray(1 << 20))")
    assert output.exited.signal == 9
    async with asyncio.timeout(5):
        await told.wait()
    assert sandbox.memory().oom_kills == 1
    assert 100 * MIB < sandbox.memory().peak_bytes <= 128 * MIB
    assert neighbour.memory().oom_kills == 0
    assert (await run(neighbour, "/bin/cat", "hello.txt")).stdout == "hello"
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


async def test_a_childs_death_for_memory_is_counted(make: Make, driver: NamespaceDriver) -> None:
    """The kernel's count is the only sign: the parent ends with 0."""
    _needs(driver, "Memory limit")
    sandbox = await make(memory_mb=128)
    bomb = "x = bytearray(1 << 30)"
    source = f"import subprocess, sys; print(subprocess.run([sys.executable, '-c', {bomb!r}]).returncode)"
    output = await run_python(sandbox, source)
    assert (output.stdout.strip(), output.exited.code) == ("-9", 0)
    assert sandbox.memory().oom_kills == 1


async def test_peak_memory_is_what_was_allocated_not_the_page_cache(make: Make, driver: NamespaceDriver) -> None:
    """Max Memory Used: within 5 % of a known allocation after 300 MB of file were read."""
    _needs(driver, "Memory limit")
    source = """
block = bytes(1 << 20)
with open("/tmp/large", "wb") as file:
    for _ in range(300): file.write(block)
with open("/tmp/large", "rb") as file:
    while file.read(1 << 20): pass
known = bytearray(b"x") * (200 << 20)
print(sum(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(("RssAnon", "RssShmem"))))
import time; time.sleep(0.3)
"""
    sandbox = await make(memory_mb=512)
    output = await run_python(sandbox, source)
    used = int(output.stdout) * 1024
    assert used > 200 * MIB
    assert abs(sandbox.memory().peak_bytes - used) < used * 0.05


async def test_tmp_ends_at_its_size_to_the_byte(make: Make, driver: NamespaceDriver) -> None:
    """EphemeralStorage 512 MB: one byte more is ENOSPC."""
    _needs(driver, "/tmp limit")
    source = """
import errno, os
file = os.open("/tmp/full", os.O_WRONLY | os.O_CREAT)
block = bytes(1 << 20)
for _ in range(512): assert os.write(file, block) == 1 << 20
try:
    os.write(file, b"x"); os.fsync(file)
except OSError as error:
    print(errno.errorcode[error.errno], os.fstat(file).st_size >> 20)
"""
    sandbox = await make(memory_mb=128, tmp_mb=512)
    output = await run_python(sandbox, source)
    assert output.stdout.strip() == "ENOSPC 512", output.stderr
    assert sandbox.memory().oom_kills == 0


async def test_tmp_is_not_memory(make: Make, driver: NamespaceDriver) -> None:
    """500 MB written to /tmp by a function of 128 MB: it lives, and Max Memory Used does not show it."""
    _needs(driver, "Memory limit")
    sandbox = await make(memory_mb=128, tmp_mb=600)
    output = await run(sandbox, "/bin/sh", "-c", "head -c 524288000 /dev/zero > /tmp/big && stat -c %s /tmp/big")
    assert output.stdout.strip() == "524288000", output.stderr
    assert sandbox.memory().peak_bytes < 16 * MIB
    assert sandbox.memory().oom_kills == 0


async def test_tmp_is_empty_private_and_gone_afterwards(make: Make, folder: Path) -> None:
    """Each environment has its own /tmp."""
    first, second = await make(), await make()
    await run(first, "/bin/sh", "-c", "echo secret > /tmp/secret")
    assert (await run(second, "/bin/ls", "-A", "/tmp")).stdout == ""
    await first.destroy()
    assert not list(folder.rglob("*secret*"))


async def test_a_fork_bomb_stays_in_its_sandbox(make: Make) -> None:
    """Quota: 1,024 processes and threads. The neighbours can still start theirs."""
    sandbox, neighbour = await make(memory_mb=512), await make()
    source = """
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            os.closerange(1, 3)
            time.sleep(60)
        count += 1
except OSError as error:
    print(type(error).__name__, count, flush=True)
"""
    output = await run_python(sandbox, source + "os._exit(0)")
    name, count = output.stdout.split()
    assert name == "BlockingIOError"
    assert 1000 <= int(count) <= 1024
    assert (await run(neighbour, "/bin/cat", "hello.txt")).stdout == "hello"
    await sandbox.kill_processes()
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


async def test_descriptors_are_limited_and_no_core_is_dumped(make: Make) -> None:
    """Quota: 1,024 file descriptors."""
    sandbox = await make()
    output = await run(sandbox, "/bin/sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c; umask; kill -SEGV $$")
    assert output.stdout.split() == ["1024", "1024", "0", "0022"]
    assert output.exited.signal == 11


async def test_files_of_shared_memory_are_limited(make: Make) -> None:
    """An empty one is no memory of the function, but some 1 KiB of the kernel's."""
    sandbox = await make(memory_mb=512)
    source = "import os; print(os.statvfs('/dev/shm').f_files, os.statvfs('/dev/shm').f_blocks * 4096 >> 20)"
    assert (await run_python(sandbox, source)).stdout.split() == ["16384", "512"]


async def test_a_crash_calls_no_program_of_the_host(make: Make) -> None:
    """A core_pattern that is a pipe (Ubuntu, systemd) runs as root at each crash, unless the limit is 1 (core(5)): it
    is, and no function lowers it."""
    sandbox = await make()
    source = """
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert (await run_python(sandbox, source)).stdout.strip() == "(1, 1) (64, 64)"


async def test_the_cpu_share_applies_from_the_end_of_init(make: Make, driver: NamespaceDriver) -> None:
    """1,769 MB are one vCPU: 128 MB are throttled to 7 %, but not while the runtime starts."""
    _needs(driver, "CPU share")
    source = """
import resource, time
end = time.monotonic() + 1
while time.monotonic() < end: pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_utime + resource.getrusage(resource.RUSAGE_SELF).ru_stime)
"""
    sandbox = await make(memory_mb=128)
    before = float((await run_python(sandbox, source)).stdout)
    sandbox.end_init()
    after = float((await run_python(sandbox, source)).stdout)
    assert after < before
    assert after < 0.2


async def test_without_cgroups_memory_and_tmp_are_watched(make: Make, driver: NamespaceDriver) -> None:
    """Best effort where nothing is hard: looking, and killing what is over."""
    promises = {each.name: each.strength for each in driver.capabilities().promises}
    if promises["Memory limit"] == "hard":
        pytest.skip("the kernel limits memory here")
    sandbox = await make(memory_mb=64, tmp_mb=16)
    told = asyncio.Event()
    sandbox.on_oom(told.set)
    output = await run_python(sandbox, "import time; x = bytearray(b'x') * (100 << 20); time.sleep(30)")
    kills = sandbox.memory().oom_kills
    assert (output.exited.signal, kills, told.is_set()) == (9, 1, True)
    await sandbox.kill_processes()  # a breach is counted once until then
    hidden = """
import os, time
file = os.memfd_create("hidden")
for _ in range(100):
    os.write(file, bytes(1 << 20))
time.sleep(30)
"""
    output = await run_python(sandbox, hidden)
    assert (output.exited.signal, sandbox.memory().oom_kills > kills) == (9, True)
    output = await run(sandbox, "/bin/sh", "-c", "head -c 20000000 /dev/zero > /tmp/big; sleep 30")
    assert output.exited.signal == 9
