"""A sandbox with a debugger in it may trace, and only its own: its first process and all others are out of reach."""

import json
import platform

import pytest

from tests.calls import refused_calls
from tests.security.conftest import Make, run_python
from undercast.sandbox import seccomp

_TRACE = """
import ctypes, errno, json, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE = 0x4206

def attempt(pid):
    ctypes.set_errno(0)
    return libc.ptrace(SEIZE, pid, None, None) and errno.errorcode[ctypes.get_errno()]

child = os.fork()
if child == 0:
    time.sleep(60)
found = {"child": attempt(child), "first": attempt(1), "unknown": attempt(999_999)}
os.kill(child, signal.SIGKILL)
print(json.dumps(found))
"""
_REFUSED = """
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
def ask(number):
    ctypes.set_errno(0)
    return libc.syscall(number, -1, -1, -1, -1, -1, -1) and errno.errorcode.get(ctypes.get_errno())
print(json.dumps({name: ask(number) for name, number in json.loads('''%s''').items()}))
"""


async def test_it_traces_its_own_processes_only(make: Make) -> None:
    """ptrace(2): neither the sandbox's first process, which is ours, nor what it cannot see."""
    traced = json.loads((await run_python(await make(traces=True), _TRACE)).stdout)
    assert traced == {"child": 0, "first": "EPERM", "unknown": "ESRCH"}
    assert json.loads((await run_python(await make(), _TRACE)).stdout) == dict.fromkeys(traced, "EPERM")


async def test_every_other_call_is_refused_as_ever(make: Make) -> None:
    """Three are let through: ptrace, process_vm_readv, process_vm_writev."""
    if not seccomp.supported(platform.machine()):
        pytest.skip("no filter for this machine")
    let_through = {"ptrace", "process_vm_readv", "process_vm_writev"}
    numbers = {name: number for name, number in refused_calls(platform.machine()).items() if name not in let_through}
    answers = json.loads((await run_python(await make(traces=True), _REFUSED % json.dumps(numbers))).stdout)
    assert answers.keys() == numbers.keys()
    assert set(answers.values()) == {"EPERM", "ENOSYS"}, answers
