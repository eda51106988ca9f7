"""A hostile function in the namespace driver reaches nothing of the host and of its neighbours."""

import asyncio
import json
import os
import platform
import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.calls import refused_calls
from tests.machine import without_namespaces
from tests.security.conftest import PREFIXES, PYTHON, Make, Output, close_pipes, finish, run, run_python
from undercast.sandbox import polling, seccomp
from undercast.sandbox.driver import ProcessSpec, SandboxError, SandboxSpec
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.launcher.link import close_all

_PROBE_CALLS = """
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
answers = {}
for name, number in %s.items():
    ctypes.set_errno(0)
    result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
    answers[name] = errno.errorcode.get(ctypes.get_errno(), "allowed") if result < 0 else "allowed"
print(json.dumps(answers))
"""


async def test_function_runs_as_the_user_of_lambda(make: Make) -> None:
    """Functions run as sbx_user1051, uid 993, with no capability and no way to get one."""
    sandbox = await make()
    output = await run(
        sandbox, "/bin/sh", "-c", "id -un; id -u; id -g; grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status"
    )
    lines = output.stdout.split("\n")
    assert lines[:3] == ["sbx_user1051", "993", "990"]
    status = dict(line.split(":\t") for line in lines[3:] if line)
    assert {"0000000000000000"} == {value for name, value in status.items() if name.startswith("Cap")}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


async def test_environments_have_different_users_on_the_host(make: Make) -> None:
    """As root each environment has a uid of its own, so that not even the kernel takes one for another."""
    if os.geteuid() != 0:
        pytest.skip("without root there is one uid")
    first, second = await make(), await make()
    assert len({first.uid, second.uid, os.getuid()}) == 3


async def test_files_of_the_host_are_not_there(make: Make, folder: Path) -> None:
    """A function sees system programs and its own folders, not the host's files."""
    secret = folder / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    sandbox = await make()
    assert (await run(sandbox, "/bin/ls", "-A", "/var/task")).stdout == "hello.txt\n"
    for path in (str(secret), "/etc/shadow", "/root/.ssh", "/home", "/sys/kernel", "/run", str(folder / "run")):
        output = await run(sandbox, "/bin/ls", "-A", path)
        assert output.exited.code != 0 or output.stdout == "", path
    listing = (await run(sandbox, "/bin/ls", "-A", "/.host")).stdout
    assert listing == ""


async def test_only_tmp_and_shm_can_be_written(make: Make) -> None:
    """/var/task and /opt are read-only; /tmp is the only place to write (quotas page)."""
    sandbox = await make()
    source = """
import os
writable = []
for top, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(top, name) not in ("/proc", "/usr", "/root")]
    try:
        os.mkdir(os.path.join(top, "x-probe"))
        writable.append(top)
        os.rmdir(os.path.join(top, "x-probe"))
    except OSError:
        pass
for line in open("/proc/self/mounts"):
    place, options = line.split()[1], line.split()[3].split(",")
    if os.path.isdir(place) and "ro" not in options:
        writable.append(place)
print(*writable)
"""
    output = await run_python(sandbox, source)
    assert {"/tmp", "/dev/shm"} == set(output.stdout.split()) - {"/proc"}, output.stderr
    kernel = await run(sandbox, "/bin/sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo x > /proc/sysrq-trigger")
    assert "Read-only" in kernel.stderr and kernel.exited.code != 0


@pytest.mark.parametrize("members", [{}, {"memory_mb": 512}])
async def test_what_can_be_written_has_no_devices_and_no_setuid(make: Make, members: dict[str, Any]) -> None:
    """mount(8): nosuid, nodev; also where a remount has given /dev/shm the function's size."""
    sandbox = await make(**members)
    mounts = (await run(sandbox, "/bin/cat", "/proc/self/mounts")).stdout.splitlines()
    options = {line.split()[1]: set(line.split()[3].split(",")) for line in mounts}
    for place in ("/tmp", "/dev/shm"):
        assert {"rw", "nosuid", "nodev"} <= options[place], place


async def test_the_code_cannot_be_changed(make: Make) -> None:
    """The deployment package is mounted read-only."""
    sandbox = await make()
    output = await run(sandbox, "/bin/sh", "-c", "cat hello.txt; echo x > hello.txt")
    assert (output.stdout, output.exited.code == 0) == ("hello", False)


async def test_layers_are_merged_into_opt_the_later_over_the_earlier(make: Make, folder: Path) -> None:
    """Layers are extracted into /opt in their order (Developer Guide, "Adding layers to functions")."""
    layers = []
    for number in range(3):
        layer = folder / f"layer:{number}"
        layer.mkdir()
        (layer / "same").write_text(str(number))
        (layer / f"own{number}").write_text("")
        layers.append(layer)
    many = await make(layers=tuple(layers))
    one = await make(layers=tuple(layers[:1]))
    assert (await run(many, "/bin/sh", "-c", "cat /opt/same; ls /opt")).stdout == "2own0\nown1\nown2\nsame\n"
    assert (await run(one, "/bin/sh", "-c", "cat /opt/same; ls /opt; touch /opt/x")).stdout == "0own0\nsame\n"


async def test_the_network_is_a_loopback_of_its_own(make: Make) -> None:
    """Ports of the host and of other sandboxes are not reachable; two sandboxes may use the same port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"""
import socket
def attempt(address):
    with socket.socket() as connection:
        connection.settimeout(5)
        try:
            connection.connect(address)
            return "connected"
        except OSError as error:
            return type(error).__name__ + str(error.errno)
print(attempt(("127.0.0.1", {port})), attempt(("192.0.2.1", 80)), attempt(("127.0.0.1", 9001)))
print([name for _, name in socket.if_nameindex()])
socket.create_server(("127.0.0.1", 8080))
"""
        first, second = await make(), await make()
        for sandbox in (first, second):
            output = await run_python(sandbox, source)
            lines = output.stdout.splitlines()
            assert lines[0].split() == ["ConnectionRefusedError111", "OSError101", "connected"], output.stderr
            assert lines[1] == "['lo']"
            assert output.exited.code == 0


async def test_listeners_are_served_from_outside(make: Make) -> None:
    """The Runtime API, the front door, DNS, 80, 443 and forwarded ports are ours inside; any 127.x.y.z reaches them."""
    sandbox = await make(front_door_port=4566, ports=(5432,))
    named = {"runtime", "front", "dns", "http", "https", "tcp:5432", "xray", "xray-udp"}
    assert named == set(sandbox.listeners)
    source = """
import socket
for address in (
    ("127.0.0.1", 9001), ("127.0.0.1", 4566), ("127.3.2.1", 443), ("127.9.9.9", 80), ("127.1.1.1", 5432),
    ("127.53.0.2", 2000),
):
    socket.create_connection(address, 5).sendall(b"hi")
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"query", ("127.0.0.1", 53))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"segment", ("127.53.0.2", 2000))
socket.create_server(("127.0.0.1", 2000))
"""
    output = await run_python(sandbox, source)
    assert output.exited.code == 0, output.stderr
    accepted = {}
    for name, listener in sandbox.listeners.items():
        listener.settimeout(5)
        if name in ("dns", "xray-udp"):
            accepted[name] = listener.recv(99).decode()
            continue
        connection, _ = listener.accept()
        with connection:
            accepted[name] = connection.getsockname()[0]
    expected = {"runtime": "127.0.0.1", "front": "127.0.0.1", "https": "127.3.2.1", "http": "127.9.9.9"}
    expected |= {"tcp:5432": "127.1.1.1", "dns": "query", "xray": "127.53.0.2", "xray-udp": "segment"}
    assert expected == accepted


async def test_other_processes_are_invisible_and_out_of_reach(make: Make) -> None:
    """A function sees its own processes only; even the sandbox's first process is hidden and cannot be hurt."""
    neighbour, sandbox = await make(), await make()
    sleeper = await neighbour.spawn(ProcessSpec(argv=("/bin/sleep", "60"), environment={}))
    close_all((sleeper.stdout, sleeper.stderr))
    source = f"""
import os, signal
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit()) == [os.getpid()])
def attempt(pid, number):
    try:
        os.kill(pid, number)
        return "sent"
    except OSError as error:
        return type(error).__name__
print(attempt({os.getpid()} if {os.getpid()} > 100 else 999999, signal.SIGKILL))
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
    attempt(1, number)
for path in ("/proc/1/environ", "/proc/1/mem", "/proc/1/root/etc/shadow"):
    try:
        open(path, "rb").read(1)
        print("read", path)
    except OSError:
        pass
"""
    output = await run_python(sandbox, source)
    assert output.stdout.split() == ["True", "ProcessLookupError"], output.stderr
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


async def test_nothing_is_inherited(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox never receives host credentials or descriptors (I8)."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the user's own")
    sandbox = await make()
    output = await run(
        sandbox, "/bin/sh", "-c", "env | cut -d= -f1 | sort | tr '\\n' ' '; ls /proc/self/fd | tr '\\n' ' '", A="1"
    )
    # 3 is the directory that ls reads; PWD and the rest are the shell's.
    assert output.stdout.replace("OLDPWD ", "").replace("SHLVL ", "").replace("_ ", "") == "A PATH PWD 0 1 2 3 "


@pytest.mark.parametrize("python", [None, PYTHON])
def test_nothing_is_inherited_from_a_platform_with_many_descriptors(folder: Path, python: Path | None) -> None:
    """A launcher that is started late inherits copies of high numbers from uvloop, the log of launchers among them, and
    what the platform was given itself. It closes both."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    many = [os.open(folder / "given", os.O_WRONLY | os.O_CREAT) for _ in range(1100)]
    for descriptor in many[:2]:
        os.set_inheritable(descriptor, True)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            output = runner.run(_descriptors_of_a_runtime(folder, python))
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # 4 is the directory that is being read.
    assert output.stdout == "['0', '1', '2', '3', '4']\n", output.stderr


def _holders(file: Path) -> list[int]:
    """The processes below this one that have it open."""
    found = []
    for pid in polling.process_tree([os.getpid()]).keys() - {os.getpid()}:
        with suppress(OSError):  # it has ended meanwhile
            found += [pid for entry in os.scandir(f"/proc/{pid}/fd") if Path(entry.path).readlink() == file]
    return found


async def _descriptors_of_a_runtime(folder: Path, python: Path | None) -> Output:
    """What it has open, besides standard streams and telemetry; a `python` is forked from its zygote."""
    source = "import os\ndef main():\n    print(sorted(os.listdir('/proc/self/fd')), flush=True)\n    os._exit(0)\n"
    for name in ("code", "runtime"):
        (folder / name).mkdir()
    (folder / "runtime/bootstrap.py").write_text(f"{source}if __name__ == '__main__':\n    main()\n")
    driver = NamespaceDriver(folder / "run")
    try:
        await driver.start()
    except SandboxError as error:
        without_namespaces(str(error))
    try:
        places: dict[str, Any] = {"code_dir": folder / "code", "runtime_dir": folder / "runtime", "prefixes": PREFIXES}
        sandbox = await driver.create(SandboxSpec(environment_id="many", python=python, **places))
        assert _holders(folder / "given") == []
        argv = (str(PYTHON), "/var/runtime/bootstrap.py")
        process = await sandbox.spawn(ProcessSpec(argv=argv, environment={}, zygote=python is not None, telemetry=True))
        output = await finish(process)
        await sandbox.destroy()
    finally:
        await driver.stop()
    return output


async def test_system_calls_that_reach_the_host_are_refused(make: Make) -> None:
    """The filter refuses each call that it names, with any arguments."""
    if not seccomp.supported(platform.machine()):
        pytest.skip("no filter for this machine")
    sandbox = await make()
    numbers = refused_calls(platform.machine())
    output = await run_python(sandbox, _PROBE_CALLS % json.dumps(numbers))
    answers = json.loads(output.stdout)
    assert set(answers) == set(numbers)
    assert {"EPERM", "ENOSYS"} == set(answers.values()), answers
    assert {"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"} == {
        name for name, answer in answers.items() if answer == "ENOSYS"
    }


async def test_what_a_function_takes_of_its_users_quotas_is_limited(make: Make) -> None:
    """Without root the user is the one of the machine, whose editors and watchers need inotify, too. And no user
    namespace could be nested, were there no filter of system calls."""
    sandbox = await make()
    source = """
import ctypes, errno
libc, count, watches = ctypes.CDLL(None, use_errno=True), 0, 0
while (instance := libc.inotify_init()) >= 0:
    count += 1
    watching = instance
print(count, errno.errorcode[ctypes.get_errno()], open("/proc/sys/user/max_user_namespaces").read())
for number in range(8193):
    path = f"/dev/shm/{number}".encode()
    open(path, "w").close()
    watches += libc.inotify_add_watch(watching, path, 2) >= 0
print(watches, errno.errorcode[ctypes.get_errno()])
"""
    assert (await run_python(sandbox, source)).stdout.split() == ["16", "EMFILE", "0", "8192", "ENOSPC"]


async def test_the_init_process_cannot_be_limited(make: Make) -> None:
    """It has the same user: without descriptors it could start nothing more in its sandbox."""
    sandbox = await make()
    source = """
import resource
for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_AS):
    try:
        print(resource.prlimit(1, limit, (1, 1)))
    except PermissionError as error:
        print(error.errno)
"""
    assert (await run_python(sandbox, source)).stdout.split() == ["1", "1", "1"]
    await sandbox.kill_processes()
    assert (await run(sandbox, "/bin/cat", "hello.txt")).stdout == "hello"


_ON_THEIR_WAY = """
import array, errno, socket, time
listener, kept, problem = socket.create_server(("127.0.0.1", 8080)), [], None
while problem is None:
    kept += [socket.socketpair()]
    try:
        for _ in range(4):
            kept[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 253))])
    except OSError as error:
        problem = error.errno
print(errno.errorcode[problem], flush=True)
time.sleep(600)
"""


async def test_descriptors_on_their_way_keep_nobody_from_passing_others(make: Make) -> None:
    """The kernel counts them by user, up to the sender's RLIMIT_NOFILE: without root that is the user of all sandboxes,
    and none could begin any more."""
    sandbox = await make()
    spec = ProcessSpec(argv=(str(PYTHON), "-I", "-S", "-c", _ON_THEIR_WAY), environment={}, cwd=sandbox.code_root)
    process = await sandbox.spawn(spec)
    said = asyncio.Event()
    asyncio.get_running_loop().add_reader(process.stdout, said.set)
    await asyncio.wait_for(said.wait(), 60)
    asyncio.get_running_loop().remove_reader(process.stdout)
    assert os.read(process.stdout, 100) == b"ETOOMANYREFS\n"
    (await sandbox.connect(8080)).close()
    assert (await run(await make(), "/bin/cat", "hello.txt")).stdout == "hello"
    await sandbox.kill_processes()
    close_pipes(process)


async def test_sockets_of_other_families_do_not_exist(make: Make) -> None:
    """Asking for one would load its module into the host's kernel; AF_VSOCK reaches a virtual machine's host."""
    sandbox = await make()
    source = """
import errno, socket
answers = {}
for family in range(1, 46):
    try:
        socket.socket(family, socket.SOCK_DGRAM if family != 16 else socket.SOCK_RAW).close()
        answers[family] = "made"
    except OSError as error:
        answers[family] = errno.errorcode[error.errno]
print(*sorted({family for family, answer in answers.items() if answer != "EAFNOSUPPORT"} - {10}))
"""
    assert (await run_python(sandbox, source)).stdout.split() == ["1", "2", "16"]


async def test_namespaces_cannot_be_nested(make: Make) -> None:
    """A user namespace would give a function capabilities to attack the kernel with."""
    sandbox = await make()
    source = """
import ctypes, errno, signal
libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x02000000, 0x08000000, 0x04000000, 0x80):
    print(libc.unshare(flags), errno.errorcode.get(ctypes.get_errno()))
CLONE = 220 if __import__("os").uname().machine == "aarch64" else 56
print(libc.syscall(CLONE, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0), errno.errorcode.get(ctypes.get_errno()))
"""
    output = await run_python(sandbox, source)
    assert output.stdout.splitlines() == ["-1 EPERM"] * 9, output.stderr


async def test_threads_and_children_still_work_under_the_filter(make: Make) -> None:
    """clone3 is answered with ENOSYS, so that C libraries take clone, whose flags the filter can see."""
    sandbox = await make()
    source = """
import subprocess, threading
threads = [threading.Thread(target=lambda: None) for _ in range(20)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(subprocess.run(["/bin/echo", "child"], capture_output=True, text=True).stdout.strip())
"""
    assert (await run_python(sandbox, source)).stdout.strip() == "child"


async def test_the_clock_and_the_host_name_cannot_be_set(make: Make) -> None:
    """Time is the host's; a function cannot move it."""
    sandbox = await make()
    output = await run_python(sandbox, "import time; time.clock_settime(time.CLOCK_REALTIME, 0)")
    assert "PermissionError" in output.stderr
    assert (await run(sandbox, "/bin/cat", "/proc/sys/kernel/hostname")).stdout.strip() == "sandbox"
