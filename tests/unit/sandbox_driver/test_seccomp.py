"""The filter program, run by an interpreter of classic BPF."""

import errno
import struct

import pytest

from tests.calls import refused_calls
from undercast.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
SOCKET = {"x86_64": 41, "aarch64": 198}


def verdict(program: bytes, machine_code: int, number: int, *arguments: int) -> int:
    """What the kernel would return for one call."""
    data = struct.pack("=IIQ6Q", number, machine_code, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator = place = 0
    while True:
        code, if_true, if_false, value = instructions[place]
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            place += if_true if holds else if_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_refused_calls_are_refused_and_others_allowed(machine: str) -> None:
    """Calls that reach the host's kernel get EPERM or ENOSYS, everything else passes."""
    program = seccomp.filter_program(machine)
    refused = set(refused_calls(machine).values())
    for number in range(600):
        answer = verdict(program, AUDIT[machine], number)
        if number in refused:
            assert answer in (0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS), number
        elif number == SOCKET[machine]:  # of a family 0
            assert answer == 0x50000 | errno.EAFNOSUPPORT
        else:
            assert answer == ALLOW, number


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_clone_is_refused_with_namespace_flags_only(machine: str) -> None:
    """Threads and forks pass, each CLONE_NEW flag is refused."""
    program = seccomp.filter_program(machine)
    thread = 0x3D0F00
    assert verdict(program, AUDIT[machine], CLONE[machine], thread) == ALLOW
    for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
        assert verdict(program, AUDIT[machine], CLONE[machine], thread | flag) == 0x50000 | errno.EPERM


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_sockets_of_four_families_there_are(machine: str) -> None:
    """AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK; to ask for another would load a module into the host's kernel."""
    program = seccomp.filter_program(machine)
    answers = {family: verdict(program, AUDIT[machine], SOCKET[machine], family) for family in range(50)}
    assert {family for family, answer in answers.items() if answer == ALLOW} == {1, 2, 10, 16}
    assert set(answers.values()) == {ALLOW, 0x50000 | errno.EAFNOSUPPORT}


@pytest.mark.parametrize(("machine", "older", "newer"), [("x86_64", 160, 302), ("aarch64", 164, 261)])
def test_the_limit_of_core_files_stays(machine: str, older: int, newer: int) -> None:
    """Setting it succeeds and does nothing; asking for it, and every other limit, is the kernel's."""
    program = seccomp.filter_program(machine)
    done = 0x50000
    assert verdict(program, AUDIT[machine], older, 4, 0x7F0000000000) == done
    assert verdict(program, AUDIT[machine], older, 7, 0x7F0000000000) == ALLOW
    for place in (0x7F0000000000, 0x10, 0x700000010):
        assert verdict(program, AUDIT[machine], newer, 0, 4, place, 0) == done
    assert verdict(program, AUDIT[machine], newer, 0, 4, 0, 0x7F0000000000) == ALLOW
    assert verdict(program, AUDIT[machine], newer, 0, 7, 0x7F0000000000, 0) == ALLOW
    assert verdict(program, AUDIT[machine], newer, 1, 7, 0x7F0000000000, 0) == done | errno.EPERM


def test_calls_of_another_architecture_are_fatal() -> None:
    """i386 numbers the calls otherwise: 26 is ptrace there and msync here. x32 calls do not exist here."""
    program = seccomp.filter_program("x86_64")
    assert verdict(program, 0x40000003, 26) == KILL
    assert verdict(program, AUDIT["x86_64"], 0x40000000 | 101) == 0x50000 | errno.ENOSYS


def test_unknown_machines_are_told_apart() -> None:
    """The driver asks before it makes a filter."""
    assert seccomp.supported("aarch64")
    assert not seccomp.supported("riscv64")
