"""A Python function cannot tell whether its interpreter was forked from a zygote or started for it."""

from typing import Any

import pytest

from tests.e2e.sandbox.conftest import Stage
from tests.machine import without

SOURCE = """
import json, locale, os, signal, sys
def handler(event, context):
    status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    keys = ("Umask", "SigBlk", "SigIgn", "SigCgt", "Threads", "Seccomp", "NoNewPrivs", "CapEff", "CapBnd", "Uid")
    return {
        "flags": str(sys.flags), "path": sys.path, "argv": sys.argv, "executable": sys.executable,
        "prefix": sys.prefix, "cwd": os.getcwd(), "environ": sorted(os.environ),
        "descriptors": sorted(os.listdir("/proc/self/fd")), "status": [status.get(key, "").strip() for key in keys],
        "encodings": [sys.stdout.encoding, sys.getfilesystemencoding(), str(locale.getlocale())],
        "signals": [str(signal.getsignal(number)) for number in (2, 13, 15, 17, 25)],
        "main": sys.modules["__main__"].__name__, "modules": sorted(sys.modules),
        "command": open("/proc/self/cmdline").read().rstrip("\\0 "), "name": open("/proc/self/comm").read(),
        "exe": os.readlink("/proc/self/exe"), "from": [os.__file__, json.__file__],
        "code": [os.walk.__code__.co_filename, json.loads.__code__.co_filename],
    }
"""


@pytest.fixture
def driver_name() -> str:
    """Only this driver forks."""
    return "namespace"


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
async def test_forked_and_fresh_look_the_same(stage: Stage, version: str) -> None:
    """Path, arguments, descriptors, signals, status; the forked one has modules of the standard library loaded."""
    if stage.runtimes.find(tuple(map(int, version.split(".")))) is None:
        without(f"python{version}")
    runtime = f"python{version}"
    forked = await stage.value(stage.function(SOURCE, runtime=runtime, environment={"X_ONE": "1"}))
    fresh = await stage.value(stage.function(SOURCE, runtime=runtime, environment={"PYTHONUNUSED": "1"}))
    fresh["environ"] = ["X_ONE" if name == "PYTHONUNUSED" else name for name in fresh["environ"]]
    fresh["environ"].sort()
    extra = _taken(forked, "modules") - _taken(fresh, "modules")
    assert forked == fresh
    assert forked["exe"] == f"/var/lang/bin/python{version}", "AWS's interpreters are there"
    assert not [name for name in extra if name.startswith(("undercast.", "boto", "bootstrap"))]


def _taken(looks: dict[str, Any], key: str) -> set[str]:
    return set(looks.pop(key))
