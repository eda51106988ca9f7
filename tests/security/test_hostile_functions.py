"""Hostile functions on a real platform: AWS's error text for each, a neighbour that goes on, and nothing left behind.

AWS: Lambda Developer Guide, "Troubleshoot invocation issues"; recorded errors in lambda-semantics 3c.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.machine import lacking
from tests.platform import RunningPlatform, running

ACCOUNT = "000000000000"
GOOD = "def handler(event, context):\n    return event['n'] + 1\n"
SECRET = "the neighbour's secret"
KILLED = "Runtime exited with error: signal: killed"
PIPES = "import os\n\ndef handler(event, context):\n    os.close(1)\n    os.close(2)\n    return 'closed'\n"

DEADLY = {
    "endless": (
        "def handler(e, c):\n    while True:\n        pass\n",
        "Sandbox.Timedout",
        r"Task timed out after 1\.00 seconds",
    ),
    "sleeper": (
        "import time\ndef handler(e, c):\n    time.sleep(99)\n",
        "Sandbox.Timedout",
        r"Task timed out after 1\.00",
    ),
    "stubborn": (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef handler(e, c):\n    time.sleep(99)\n",
        "Sandbox.Timedout",
        r"Task timed out after 1\.00 seconds",
    ),
    "memory": (
        "def handler(e, c):\n    kept = []\n    while True:\n        kept.append(bytearray(8 << 20))\n",
        "Runtime.ExitError",
        KILLED,
    ),
    "exit": (
        "import os\ndef handler(e, c):\n    os._exit(3)\n",
        "Runtime.ExitError",
        "exited with error: exit status 3",
    ),
    "segfault": (
        "import ctypes\ndef handler(e, c):\n    ctypes.string_at(0)\n",
        "Runtime.ExitError",
        "exited with error: signal: segmentation fault",
    ),
    "abort": (
        "import os\ndef handler(e, c):\n    os.abort()\n",
        "Runtime.ExitError",
        "exited with error: signal: aborted",
    ),
    "large": (
        "def handler(e, c):\n    return 'x' * (7 << 20)\n",
        "Function.ResponseSizeTooLarge",
        r"Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.",
    ),
}

HARMLESS = {
    "fork bomb": (
        "import os, time\n"
        "def handler(e, c):\n"
        "    made = 0\n"
        "    try:\n"
        "        for made in range(5000):\n"
        "            if os.fork() == 0:\n"
        "                time.sleep(60)\n"
        "                os._exit(0)\n"
        "    except OSError as error:\n"
        "        return [made < 1024, error.errno]\n"
        "    return [made, 0]\n",
        [True, 11],
    ),
    "full /tmp": (
        "def handler(e, c):\n"
        "    try:\n"
        "        with open('/tmp/big', 'wb') as file:\n"
        "            for _ in range(600):\n"
        "                file.write(bytes(1 << 20))\n"
        "    except OSError as error:\n"
        "        return error.errno\n",
        28,
    ),
    "writes outside its folder": (
        "import os\n"
        "def handler(e, c):\n"
        "    found = []\n"
        "    for path in ('/var/task/x', '/etc/x', '/usr/x', '/x', '/var/runtime/x', '/opt/x'):\n"
        "        try:\n"
        "            open(path, 'w').close()\n"
        "            found.append(path)\n"
        "        except OSError:\n"
        "            pass\n"
        "    return found\n",
        [],
    ),
    "reads the host's files": (
        "import os, glob\n"
        "def handler(e, c):\n"
        "    wanted = ['/etc/shadow', '/home', '/proc/1/environ', '/var/lib', '/sys/fs/cgroup'] + e['paths']\n"
        "    found = []\n"
        "    for path in wanted:\n"
        "        try:\n"
        "            found += [path] if (os.listdir(path) if os.path.isdir(path) else open(path).read()) else []\n"
        "        except OSError:\n"
        "            pass\n"
        "    return [path for path in found if path != '/proc/1/environ']\n",
        [],
    ),
}


@pytest.fixture(scope="module")
def hostile() -> Iterator[RunningPlatform]:
    """A platform of these tests' own, with a neighbour that holds a secret."""
    with running() as platform:
        if platform.driver != "namespace":
            lacking("isolation is the namespace driver's; this machine has only the process driver")
        create_function(platform, ACCOUNT, "good", GOOD, Environment={"Variables": {"SECRET": SECRET}})
        call(platform, "good", {"n": 1})
        yield platform


def call(platform: RunningPlatform, name: str, event: Any) -> tuple[Any, str | None]:
    """The parsed payload and the FunctionError header."""
    answer = platform.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.load(answer["Payload"]), answer.get("FunctionError")


def patience(error_type: str) -> int:
    """Seconds: short where the timeout is the point, long where the CPU share of 128 MB needs its time."""
    return 1 if error_type == "Sandbox.Timedout" else 30


def named(text: str) -> str:
    return "hostile-" + re.sub(r"\W+", "-", text)


@pytest.mark.parametrize("kind", DEADLY)
def test_a_deadly_function_gets_awss_error_and_harms_nobody(hostile: RunningPlatform, kind: str) -> None:
    """The error of each end, the same on the next invoke, and the neighbour answers."""
    source, error_type, message = DEADLY[kind]
    create_function(hostile, ACCOUNT, named(kind), source, Timeout=patience(error_type), MemorySize=128)
    for _ in range(2):
        payload, error = call(hostile, named(kind), {})
        assert error == "Unhandled"
        assert payload["errorType"] == error_type
        assert re.search(message, payload["errorMessage"])
    assert call(hostile, "good", {"n": 41}) == (42, None)


@pytest.mark.parametrize("kind", HARMLESS)
def test_an_attack_ends_at_the_sandboxs_limits(hostile: RunningPlatform, kind: str) -> None:
    """What the function sees when it tries; the neighbour answers."""
    source, expected = HARMLESS[kind]
    create_function(hostile, ACCOUNT, named(kind), source, Timeout=30, MemorySize=3008)
    event = {
        "paths": [
            str(hostile.data),
            str(Path.home() / ".profile"),
            str(Path.home() / ".ssh"),
            str(Path(__file__).resolve()),
        ]
    }
    assert call(hostile, named(kind), event) == (expected, None)
    assert call(hostile, "good", {"n": 41}) == (42, None)


def test_a_function_that_closes_its_pipes_answers(hostile: RunningPlatform) -> None:
    """Standard output and error are the function's to close."""
    create_function(hostile, ACCOUNT, "hostile-pipes", PIPES)
    assert call(hostile, "hostile-pipes", {}) == ("closed", None)
    assert call(hostile, "good", {"n": 41}) == (42, None)


def test_a_function_cannot_use_another_functions_credentials(hostile: RunningPlatform) -> None:
    """Each environment has its own session; the neighbour's variables and files are not in its reach."""
    source = (
        "import os, glob, boto3\n"
        "def handler(e, c):\n"
        "    seen = []\n"
        "    for path in glob.glob('/proc/[0-9]*/environ'):\n"
        "        try:\n"
        "            seen.append(open(path, 'rb').read().decode(errors='replace'))\n"
        "        except OSError:\n"
        "            pass\n"
        "    forged = boto3.client('sts', aws_access_key_id='ASIAAAAAAAAAAAAAAAAA', aws_secret_access_key='x',\n"
        "                          aws_session_token='y')\n"
        "    try:\n"
        "        return [e['secret'] in ''.join(seen), forged.get_caller_identity()['Arn']]\n"
        "    except Exception as error:\n"
        "        return [e['secret'] in ''.join(seen), error.response['Error']['Code']]\n"
    )
    create_function(hostile, ACCOUNT, "hostile-thief", source, Timeout=20)
    (leaked, who), error = call(hostile, "hostile-thief", {"secret": SECRET})
    assert (leaked, who, error) == (False, "InvalidClientTokenId", None)


def test_a_bucket_that_triggers_itself_is_stopped(hostile: RunningPlatform) -> None:
    """AWS: "Use Lambda recursive loop detection": stopped at about 16 invocations of one chain."""
    source = (
        "import boto3\n"
        "def handler(e, c):\n"
        "    record = e['Records'][0]['s3']\n"
        "    boto3.client('s3').put_object(Bucket=record['bucket']['name'], Key=record['object']['key'] + 'x')\n"
    )
    arn = create_function(hostile, ACCOUNT, "hostile-loop", source, Timeout=20)
    s3 = hostile.client("s3")
    s3.create_bucket(Bucket="hostile-loop")
    hostile.client("lambda").add_permission(
        FunctionName="hostile-loop", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    configuration = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="hostile-loop", NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )
    s3.put_object(Bucket="hostile-loop", Key="k")
    hostile.drain()
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="hostile-loop")["Contents"]]
    assert len(keys) == 17  # the first put and sixteen runs
    assert call(hostile, "good", {"n": 41}) == (42, None)


def test_nothing_is_left_of_hostile_functions() -> None:
    """Processes, mounts, cgroups, loop devices and descriptors are the same before and after."""
    with running() as platform:
        if platform.driver != "namespace":
            lacking("isolation is the namespace driver's; this machine has only the process driver")
        create_function(platform, ACCOUNT, "good", GOOD)
        call(platform, "good", {"n": 1})  # zygote, pooled disks and caches are the platform's own
        platform.client("lambda").delete_function(FunctionName="good")
        before = settled_tables(platform)
        for kind, (source, error_type, _) in DEADLY.items():
            create_function(platform, ACCOUNT, named(kind), source, Timeout=patience(error_type), MemorySize=128)
            assert call(platform, named(kind), {})[1] == "Unhandled"
        for kind, (source, _) in HARMLESS.items():
            create_function(platform, ACCOUNT, named(kind), source, Timeout=30, MemorySize=3008)
            call(platform, named(kind), {"paths": []})
        for kind in [*DEADLY, *HARMLESS]:
            platform.client("lambda").delete_function(FunctionName=named(kind))
        assert settled_tables(platform) == before


def settled_tables(platform: RunningPlatform) -> dict[str, Any]:
    """The tables once the last environment has been shut down."""
    end = time.monotonic() + 20
    tables: dict[str, Any] = {}
    while time.monotonic() < end:
        now = machine_tables(platform)
        status = platform.ask("/_undercast/status")["sandboxes"]
        if status["environments"] == 0 and now == tables:
            return now
        tables = now
        time.sleep(0.5)
    raise AssertionError(f"environments are still there: {platform.ask('/_undercast/status')['sandboxes']}")


def machine_tables(platform: RunningPlatform) -> dict[str, Any]:
    """What the platform and its sandboxes hold of the machine, without numbers that the kernel gives."""
    pid = platform.process.pid
    processes = descendants(pid)
    devices = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    # The driver names its cgroups after its folder, so that a restart finds what a kill left.
    owner = "undercast-" + hashlib.sha256(str((platform.data / "run").resolve()).encode()).hexdigest()[:12]
    return {
        "processes": len(processes),
        "descriptors": len([path for path in Path(f"/proc/{pid}/fd").iterdir() if "socket:" not in link(path)]),
        "mounts": Path("/proc/self/mounts").read_text().count(str(platform.data)),
        "loop devices": sum(str(platform.data) in name for name in devices),
        "cgroups": sum(1 for path in Path("/sys/fs/cgroup").glob(f"**/{owner}/*") if path.is_dir()),
        "namespaces": len(
            {link(Path(f"/proc/{one}/ns/{kind}")) for one in processes for kind in ("net", "mnt", "pid")}
        ),
    }


def link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def descendants(pid: int) -> set[int]:
    """The process and everything below it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found
