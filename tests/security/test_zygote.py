"""A forked Python runtime cannot be told from a fresh one, but for a list of harmless differences."""

import functools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import undercast
from tests.security.conftest import PREFIXES, PYTHON, Make, close_pipes, read_to_end
from tests.security.tables import descendants
from undercast.sandbox.driver import ProcessSpec, Sandbox, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.waiting import until

BOOTSTRAP = """
import gc, json, os, random, resource, signal, sys, threading

def main():
    state = {
        "environ": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv, "path": sys.path, "flags": list(sys.flags),
        "executable": sys.executable, "orig_argv": getattr(sys, "orig_argv", None),
        "modules": sorted(sys.modules), "descriptors": sorted(os.listdir("/proc/self/fd")),
        "main": [sys.modules["__main__"].__name__, sys.modules["__main__"].__file__, __name__],
        "handlers": [str(signal.getsignal(n)).split(" at ")[0] for n in range(1, signal.NSIG)],
        "mask": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "limits": [resource.getrlimit(n) for n in range(16)],
        "session": os.getsid(0) == os.getpid(), "gc": [gc.isenabled(), gc.get_threshold()],
        "streams": [sys.stdout.encoding, sys.stdout.line_buffering, sys.stdin.fileno()],
        "threads": threading.active_count(), "main_thread": threading.current_thread() is threading.main_thread(),
        "status": {name: value.strip() for name, _, value in (line.partition(":") for line in open("/proc/self/status"))
            if name in ("Name Umask Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp SigBlk SigIgn "
                "SigCgt Threads").split()},
        "proc_environ": sorted(entry for entry in open("/proc/self/environ").read().split("\\0") if entry),
        "proc_cmdline": [entry for entry in open("/proc/self/cmdline").read().split("\\0") if entry],
        "maps": sorted({line.split()[5] for line in open("/proc/self/maps") if len(line.split()) > 5}),
    }
    import ctypes, subprocess
    state["ctypes"] = ctypes.CDLL(None).getpid() == os.getpid()
    state["child"] = subprocess.run(["/bin/echo", "x"], stdout=subprocess.PIPE).stdout.decode()
    state["random"] = random.random()
    print(json.dumps(state))
    import atexit
    atexit.register(print, "atexit")
    sys.exit(5)

if __name__ == "__main__":
    main()
"""

MODULES = """
    __future__ _ctypes _struct _json _socket _typing array collections.abc contextlib ctypes ctypes._endian
    encodings.idna errno fcntl gc importlib importlib._bootstrap importlib._bootstrap_external json json.decoder
    json.encoder json.scanner select selectors signal socket stringprep struct typing typing.io typing.re unicodedata
    grp sitecustomize
"""
"""What the launcher needs of the standard library stays in sys.modules; importing it again would give the same."""


def interpreters() -> list[Path]:
    """The test's own, and those that pyenv has."""
    found = [Path(sys.executable).resolve()]
    for prefix in sorted((Path.home() / ".pyenv/versions").glob("3.*")):
        version = tuple(int(part) for part in prefix.name.split(".")[:2])
        if version >= (3, 8) and prefix / "bin" not in [path.parent for path in found]:
            found.append(prefix / f"bin/python{version[0]}.{version[1]}")
    return found


async def _state(sandbox: Sandbox, python: Path, *, zygote: bool) -> dict[str, Any]:
    argv = (str(python), "/var/runtime/bootstrap.py", "app.handler")
    environment = {"PATH": "/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC", "LONG": "x" * 4000}
    process = await sandbox.spawn(ProcessSpec(argv=argv, environment=environment, zygote=zygote))
    output, errors = await read_to_end(process.stdout), await read_to_end(process.stderr)
    status = await process.exited
    close_pipes(process)
    assert status.code == 5, errors.decode()
    text, _, rest = output.decode().partition("\n")
    assert rest == "atexit\n"
    state: dict[str, Any] = json.loads(text)
    return state


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.name)
async def test_forked_and_fresh_are_alike(python: Path, driver: NamespaceDriver, folder: Path) -> None:
    """AWS starts a fresh interpreter; ours is forked from a zygote where nothing shows it."""
    assert driver.zygote_runs(python)
    for name in ("code", "runtime"):
        (folder / name).mkdir()
    (folder / "runtime/bootstrap.py").write_text(BOOTSTRAP)
    spec = {"code_dir": folder / "code", "runtime_dir": folder / "runtime", "prefixes": (python.parent.parent,)}
    forking = await driver.create(SandboxSpec(environment_id="forked", python=python, **spec))  # type: ignore[arg-type]
    executing = await driver.create(SandboxSpec(environment_id="fresh", **spec))  # type: ignore[arg-type]
    forked, again = await _state(forking, python, zygote=True), await _state(forking, python, zygote=True)
    fresh = await _state(executing, python, zygote=False)
    assert forked.pop("random") != again.pop("random")
    del fresh["random"]
    extra = set(forked.pop("modules")) - set(fresh.pop("modules"))
    assert extra <= set(MODULES.split())
    maps = set(forked.pop("maps")) - set(fresh.pop("maps"))
    ours = str(Path(undercast.__file__).resolve().parents[2])
    assert not [path for path in maps if "undercast" in path or ours in path or "site-packages" in path]
    assert forked == fresh


TOUCHING = """
import os, resource, socket

BUFFER = bytearray(8 << 20)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def main():
    before = faults()
    for place in range(0, len(BUFFER), 4096):
        BUFFER[place] = 1
    os.write(1, b"%d " % (faults() - before))
    with socket.create_connection(("127.0.0.1", 9001)) as api:
        for _ in range(2):
            api.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            api.recv(65536)

if __name__ == "__main__":
    main()
"""


async def test_a_runner_has_taken_the_page_faults_that_every_runtime_takes(make: Make, folder: Path) -> None:
    """The zygote's rehearsal finds what a runtime writes before its first answer; who is forked later faults itself."""
    (folder / "runtime").mkdir()
    (folder / "runtime/bootstrap.py").write_text(TOUCHING)
    sandbox = await make(python=PYTHON, runtime_dir=folder / "runtime", prefixes=PREFIXES)
    counts = []
    for _ in range(2):
        spec = ProcessSpec(argv=(str(PYTHON), "/var/runtime/bootstrap.py"), environment={}, zygote=True)
        process = await sandbox.spawn(spec)
        text: list[bytes] = []
        assert await until(functools.partial(_read, process.stdout, text), 10)
        counts.append(int(text[0]))
        process.signal(signal.SIGKILL)
        await process.exited
        close_pipes(process)
    runner, forked = counts
    assert runner < 100
    assert forked > 1500


async def test_interpreters_that_are_too_old_have_no_zygote(driver: NamespaceDriver) -> None:
    """python2.7 and python3.6 functions get a fresh interpreter."""
    assert not driver.zygote_runs(Path("/nowhere/bin/python2.7"))
    assert not driver.zygote_runs(Path("/nowhere/bin/python3.7"))
    assert driver.zygote_runs(Path("/nowhere/bin/python3.13"))


async def test_a_runtime_that_cannot_be_imported_says_so(make: Make, folder: Path) -> None:
    """The error is the zygote's, and nothing is left of it."""
    (folder / "broken").mkdir()
    (folder / "broken/bootstrap.py").write_text("raise ImportError('no client here')")
    with pytest.raises(Exception, match="no client here"):
        await make(python=Path(sys.executable).resolve(), runtime_dir=folder / "broken")


async def test_an_idle_sandbox_costs_less_than_a_fresh_runtime_and_a_mebibyte(
    driver: NamespaceDriver, folder: Path, elsewhere: frozenset[int]
) -> None:
    """What a forked runtime shares with its zygote more than pays for the sandbox's own first process."""
    if os.geteuid() != 0:
        pytest.skip("only root may ask what each process shares")
    for name in ("code", "runtime"):
        (folder / name).mkdir()
    waiting = "import http.client, json, os, ssl, time\ndef main():\n    os.write(1, b'up')\n    time.sleep(600)\n"
    (folder / "runtime/bootstrap.py").write_text(waiting + "if __name__ == '__main__':\n    main()\n")
    python, prefixes = PYTHON, PREFIXES
    sizes = []
    for kind, zygote in (("forked", python), ("fresh", None)):
        spec = {"code_dir": folder / "code", "runtime_dir": folder / "runtime", "prefixes": prefixes, "python": zygote}
        known = set(descendants(os.getpid(), elsewhere))
        processes = []
        for number in range(3):
            sandbox = await driver.create(SandboxSpec(environment_id=f"{kind}{number}", **spec))  # type: ignore[arg-type]
            argv = (str(python), "/var/runtime/bootstrap.py")
            process = await sandbox.spawn(ProcessSpec(argv=argv, environment={}, zygote=zygote is not None))
            assert await until(functools.partial(_is_up, process.stdout), 10)
            processes.append(process)
        new = [
            pid
            for pid in set(descendants(os.getpid(), elsewhere)) - known
            if _name(pid) in ("undercast-init", python.name)
        ]
        names = ("undercast-init", python.name)
        sizes.append({name: [_pss_kib(pid) for pid in new if _name(pid) == name] for name in names})
        for process in processes:
            close_pipes(process)
    forked, fresh = sizes
    own = sum(fresh[python.name]) / len(fresh[python.name])
    whole = sum(forked["undercast-init"]) / 3 + sum(forked[python.name]) / len(forked[python.name])
    assert whole <= own + 1024


def _read(descriptor: int, text: list[bytes]) -> bool:
    try:
        text.append(os.read(descriptor, 100))
    except BlockingIOError:
        return False
    return True


def _is_up(descriptor: int) -> bool:
    try:
        return os.read(descriptor, 2) == b"up"
    except BlockingIOError:
        return False


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
