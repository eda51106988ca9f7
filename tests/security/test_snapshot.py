"""A runtime that is restored from a snapshot has the memory of the first one, and nothing else of it."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.security.conftest import PREFIXES, PYTHON, close_pipes, read_to_end
from undercast.sandbox.driver import ProcessSpec, SandboxError, SandboxProcess, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.drivers.namespace_sandbox import NamespaceSandbox
from undercast.sandbox.launcher import tracing
from undercast.sandbox.waiting import until

pytestmark = pytest.mark.skipif(os.uname().machine != tracing.MACHINE, reason="snapshots are taken on x86-64 only")

BOOTSTRAP = """
import ctypes, json, mmap, os, resource, signal, socket, ssl, sys, tempfile, threading, time, xml.dom.minidom

STATE = {"token": os.urandom(16).hex(), "list": [object() for _ in range(100000)], "big": b"x" * (16 << 20)}

def quit_(*_):
    STATE["signalled"] = True

def look():
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    print(json.dumps({
        "token": STATE["token"], "kind": os.environ["KIND"], "pid": os.getpid(), "tmp": os.listdir("/tmp"),
        "descriptors": sorted(os.listdir("/proc/self/fd")), "cwd": os.getcwd(), "umask": int(status["Umask"], 8),
        "processes": sorted(name for name in os.listdir("/proc") if name.isdigit()),
        "namespaces": {name: os.readlink("/proc/self/ns/" + name) for name in "pid mnt net ipc uts user".split()},
        "status": {name: status[name].strip() for name in '''
            Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp SigBlk SigIgn SigCgt Threads
        '''.split()},
        "limits": [resource.getrlimit(number) for number in range(16)],
        "environ": sorted(text for text in open("/proc/self/environ").read().split("\\0") if text),
        "cmdline": [text for text in open("/proc/self/cmdline").read().split("\\0") if text],
        "shared": [line.strip() for line in open("/proc/self/maps") if line.split()[1] in ("rw-s", "rwxs", "-w-s")],
        "maps": sorted({line.split()[5] for line in open("/proc/self/maps") if len(line.split()) > 5}),
        "signalled": STATE.get("signalled"), "many": STATE["many"][1][:4].decode() if "many" in STATE else "",
    }))
    sys.stdout.flush()

def deep(number):
    return number and 1 + deep(number - 1)

def main():
    mode = os.environ["KIND"]
    signal.signal(signal.SIGUSR1, quit_)
    os.umask(0o027)
    os.chdir("/opt")
    if mode == "thread":
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    if mode == "socket":
        STATE["socket"] = socket.create_connection(("127.0.0.1", 9001))
    if mode == "file":
        open("/tmp/written", "w").close()
    if mode == "shared":
        STATE["shared"] = mmap.mmap(-1, 4096)
    if mode == "many":
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        STATE["many"] = [mmap.mmap(-1, 4096, flags=private, prot=1 + 2 * (n % 2)) for n in range(1500)]
        STATE["many"][1][:4] = b"mine"
    if mode == "child" and os.fork() == 0:
        time.sleep(600)
    look()
    signal.pause()
    os.kill(os.getpid(), signal.SIGUSR1)
    sys.setrecursionlimit(10000)
    deep(5000)
    STATE["list"].extend(object() for _ in range(100000))
    look()
    os._exit(5)

if __name__ == "__main__":
    main()
"""


class Ground:
    """Makes sandboxes of one kind, with that runtime."""

    def __init__(self, driver: NamespaceDriver, folder: Path) -> None:
        self.driver = driver
        (folder / "code").mkdir()
        (folder / "runtime").mkdir()
        (folder / "runtime/bootstrap.py").write_text(BOOTSTRAP)
        self._spec: dict[str, Any] = {
            "code_dir": folder / "code",
            "runtime_dir": folder / "runtime",
            "prefixes": PREFIXES,
            "python": PYTHON,
        }
        self.images: list[int] = []

    async def start(self, kind: str, image: int | None = None) -> tuple[NamespaceSandbox, SandboxProcess]:
        """A runtime in a new sandbox."""
        sandbox = await self.driver.create(SandboxSpec(environment_id=kind, **self._spec))
        argv = (str(PYTHON), "/var/runtime/bootstrap.py", "app.handler")
        environment = {"PATH": "/usr/bin:/bin", "LANG": "en_US.UTF-8", "KIND": kind}
        spec = ProcessSpec(argv=argv, environment=environment, zygote=True, telemetry=True, image=image)
        return sandbox, await sandbox.spawn(spec)

    async def snapshot(self, kind: str = "first") -> tuple[int, dict[str, Any]]:
        """The image of one, and what it saw of itself."""
        sandbox, process = await self.start(kind)
        state = await look(process)
        image = await sandbox.snapshot()
        self.images.append(image)
        after = await look(process)
        assert after["signalled"], "the process goes on after its snapshot"
        close_pipes(process)
        await sandbox.destroy()
        return image, state


@pytest.fixture
async def ground(driver: NamespaceDriver, folder: Path) -> AsyncIterator[Ground]:
    """With a launcher of its own."""
    made = Ground(driver, folder)
    yield made
    for image in made.images:
        os.close(image)


async def look(process: SandboxProcess) -> dict[str, Any]:
    """The next line that it writes."""
    text = bytearray()

    def read() -> bool:
        try:
            text.extend(os.read(process.stdout, 65536))
        except BlockingIOError:
            return False
        return text.endswith(b"\n")

    assert await until(read, 20), bytes(text)
    found: dict[str, Any] = json.loads(text)
    return found


async def test_every_restored_runtime_goes_on_from_the_same_memory_in_a_sandbox_of_its_own(ground: Ground) -> None:
    """SnapStart: memory, signal actions, umask and folder are the snapshot's; all that isolates is the sandbox's."""
    image, first = await ground.snapshot()
    states = []
    sandboxes = []
    for number in range(3):
        sandbox, process = await ground.start(f"restored{number}", image)
        sandboxes.append(sandbox)
        state = await look(process)
        assert (await read_to_end(process.stderr)).decode() == ""
        assert (await process.exited).code == 5
        close_pipes(process)
        states.append(state)
    for state in states:
        assert state["token"] == first["token"]
        assert state["signalled"]
        assert state["umask"] == 0o027
        assert state["kind"] == "first", "variables are the client's to refresh"
        assert state["cwd"] == "/opt"
        assert state["pid"] == first["pid"]
        assert state["descriptors"] == first["descriptors"]
        assert state["processes"] == first["processes"]
        assert state["status"] == first["status"]
        assert state["limits"] == first["limits"]
        assert state["cmdline"] == first["cmdline"]
        assert state["shared"] == []
        assert state["tmp"] == []
        assert set(state["maps"]) - set(first["maps"]) <= {"/memfd:snapshot"}
    assert [state["environ"][0] for state in states] == ["KIND=restored0", "KIND=restored1", "KIND=restored2"]
    assert len({sandbox.uid for sandbox in sandboxes}) == (3 if os.geteuid() == 0 else 1)
    for name in first["namespaces"]:
        assert len({state["namespaces"][name] for state in states}) == 3, name


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("thread", "threads"),
        ("socket", "left open"),
        ("file", "/tmp"),
        ("shared", "memory that it shares"),
        ("child", "started processes"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_the_reason_and_goes_on(
    ground: Ground, kind: str, reason: str
) -> None:
    """One thread, no open sockets, no shared memory, no processes, an empty /tmp: else there is no snapshot."""
    sandbox, process = await ground.start(kind)
    await look(process)
    with pytest.raises(SandboxError, match=reason):
        await sandbox.snapshot()
    assert (await look(process))["token"]
    close_pipes(process)


async def test_more_mappings_than_one_round_of_calls_takes(ground: Ground) -> None:
    """A runtime may have thousands of them."""
    image, _ = await ground.snapshot("many")
    _, process = await ground.start("restored", image)
    assert (await look(process))["many"] == "mine"
    close_pipes(process)


async def test_the_image_cannot_be_changed_by_anybody(ground: Ground) -> None:
    """Environments share its pages until they write: none may write to the pages themselves."""
    image, _ = await ground.snapshot()
    with pytest.raises(PermissionError):
        os.pwrite(image, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(image, 0)


async def test_only_a_new_sandbox_is_restored(ground: Ground) -> None:
    """A reset starts the runtime anew, by its INIT."""
    image, _ = await ground.snapshot()
    sandbox, process = await ground.start("restored", image)
    await look(process)
    await process.exited
    close_pipes(process)
    spec = ProcessSpec(argv=(str(PYTHON),), environment={}, zygote=True, telemetry=True, image=image)
    with pytest.raises(SandboxError, match="only a new sandbox"):
        await sandbox.spawn(spec)
