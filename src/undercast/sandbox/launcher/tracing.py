"""Stops a process, looks into it, and has it make system calls: ptrace(2) by ctypes, x86-64 only.

Used by the launcher on processes of its sandboxes, never by what runs in them (their filter refuses ptrace). A tracee
that dies is an OSError. Sources: ptrace(2), proc(5), core(5) (register sets), the System V ABI for x86-64.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import NamedTuple

from undercast.sandbox.launcher.places import HOST

MACHINE = "x86_64"
PAGE = os.sysconf("SC_PAGE_SIZE")
READ, WRITE, EXECUTE = 1, 2, 4
MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_NORESERVE = 0x2, 0x10, 0x20, 0x100, 0x4000
MMAP, MUNMAP, BRK, RT_SIGACTION, PAUSE, CHDIR, UMASK, SIGALTSTACK, CLOSE = 9, 11, 12, 13, 34, 80, 95, 131, 3
EINTR = 4

_CONT, _SINGLESTEP, _DETACH = 7, 9, 17
_SEIZE, _INTERRUPT, _GETREGSET, _SETREGSET = 0x4206, 0x4207, 0x4204, 0x4205
_GETSIGMASK, _SETSIGMASK = 0x420A, 0x420B
_NT_PRSTATUS, _NT_X86_XSTATE = 1, 0x202
_WALL = 0x40000000
_REGISTERS = """
    r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs
""".split()  # noqa: SIM905
_LAYOUT = struct.Struct("=27Q")
_MASK64 = (1 << 64) - 1
_CALLS_PER_RUN = 1024
_CALL = struct.Struct("=7Q")
# r12 points to the calls (number and six arguments each), r13 counts them; each number is replaced by the result.
_LOOP = bytes.fromhex(
    "498b0424 498b7c2408 498b742410 498b542418 4d8b542420 4d8b442428 4d8b4c2430 0f05 49890424 4983c438 49ffcd 75cf cc"
)

_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_ptrace.restype = ctypes.c_long


class Mapping(NamedTuple):
    """One line of /proc/pid/maps."""

    start: int
    end: int
    mode: str
    offset: int
    file: str
    """Device and inode; "00:00 0" for none."""
    name: str

    @property
    def protection(self) -> int:
        """For mmap."""
        return sum(bit for bit, letter in ((READ, "r"), (WRITE, "w"), (EXECUTE, "x")) if letter in self.mode)

    @property
    def of_kernel(self) -> bool:
        """vdso and what belongs to it: the same in every process of one launcher, and never touched."""
        return self.name.startswith("[v")


def mappings(pid: int | str) -> list[Mapping]:
    """The address space of a process."""
    found = []
    with open(f"{HOST}/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            place, mode, offset, device, inode, *rest = line.split(None, 5)
            start, _, end = place.partition("-")
            name = rest[0].strip() if rest else ""
            found.append(Mapping(int(start, 16), int(end, 16), mode, int(offset, 16), f"{device} {inode}", name))
    return found


class Call(NamedTuple):
    """One system call for a tracee."""

    number: int
    arguments: tuple[int, ...]
    strict: bool = True
    """Whether a failure matters."""


class Tracee:
    """A stopped process. `release` or the tracer's end lets it go."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        _request(_SEIZE, pid)
        _request(_INTERRUPT, pid)
        self._wait()
        self._memory = os.open(f"{HOST}/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        self._scratch = 0

    def registers(self) -> dict[str, int]:
        """The general registers by name."""
        return dict(zip(_REGISTERS, _LAYOUT.unpack(self._get(_NT_PRSTATUS, _LAYOUT.size))))

    def set_registers(self, registers: dict[str, int]) -> None:
        """All of them."""
        self._set(_NT_PRSTATUS, _LAYOUT.pack(*(registers[name] & _MASK64 for name in _REGISTERS)))

    def extended(self) -> bytes:
        """Floating point and vector registers."""
        return self._get(_NT_X86_XSTATE, 1 << 14)

    def set_extended(self, state: bytes) -> None:
        """As `extended` gave them on this processor."""
        self._set(_NT_X86_XSTATE, state)

    def signal_mask(self) -> int:
        """Blocked signals."""
        mask = ctypes.c_uint64()
        _request(_GETSIGMASK, self.pid, 8, ctypes.addressof(mask))
        return mask.value

    def set_signal_mask(self, value: int) -> None:
        """Block exactly these."""
        mask = ctypes.c_uint64(value)
        _request(_SETSIGMASK, self.pid, 8, ctypes.addressof(mask))

    def read(self, start: int, size: int) -> bytes:
        """Memory. Raises OSError where there is none."""
        return os.pread(self._memory, size, start)

    def write(self, start: int, data: bytes) -> None:
        """Memory, whatever its protection."""
        if os.pwrite(self._memory, data, start) != len(data):
            raise OSError(f"{start:#x} cannot be written")

    def pauses(self) -> bool:
        """Whether it was interrupted in pause(2)."""
        registers = self.registers()
        return registers["orig_rax"] == PAUSE and _signed(registers["rax"]) < 0

    def call(self, *call: int) -> int:
        """One system call, by the instruction at which it pauses. Its registers are lost."""
        registers = self.registers()
        names = ("rax", "rdi", "rsi", "rdx", "r10", "r8", "r9")
        registers.update(zip(names, (*call, 0, 0, 0, 0, 0, 0)))
        registers.update(orig_rax=-1, rip=self._instruction(registers))
        self.set_registers(registers)
        _request(_SINGLESTEP, self.pid)
        self._trapped()
        after = self.registers()
        result = _signed(after["rax"])
        self.set_registers({**after, "rip": registers["rip"] + 2})
        return result

    def run(self, scratch: int, calls: list[Call], data: bytes = b"") -> tuple[list[int], bytes]:
        """Many system calls in one go, with `data` at `data_place(scratch)`: their results, and the data afterwards.

        `scratch` is an address where nothing is mapped. Raises OSError at the first strict call that fails.
        """
        size = data_place(0) + -(-max(len(data), 1) // PAGE) * PAGE
        everything = READ | WRITE | EXECUTE
        before = self.registers()
        place = self.call(MMAP, scratch, size, everything, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, _MASK64, 0)
        if place != scratch:
            raise OSError(f"no memory at {scratch:#x}: {place}")
        self.write(scratch, _LOOP)
        self.write(data_place(scratch), data)
        results: list[int] = []
        for begin in range(0, len(calls), _CALLS_PER_RUN):
            results += self._run(scratch, calls[begin : begin + _CALLS_PER_RUN])
        after = self.read(data_place(scratch), len(data))
        self.set_registers({**before, "orig_rax": -1})
        self.call(MUNMAP, scratch, size)
        return results, after

    def _run(self, scratch: int, calls: list[Call]) -> list[int]:
        table = b"".join(
            _CALL.pack(call.number, *(argument & _MASK64 for argument in (*call.arguments, *[0] * 6)[:6]))
            for call in calls
        )
        self.write(scratch + PAGE, table)
        registers = self.registers()
        registers.update(orig_rax=-1, rip=scratch, r12=scratch + PAGE, r13=len(calls))
        self.set_registers(registers)
        _request(_CONT, self.pid)
        self._trapped()
        answers = self.read(scratch + PAGE, len(table))
        results = [_signed(entry[0]) for entry in _CALL.iter_unpack(answers)]
        for call, result in zip(calls, results):
            if call.strict and -4096 < result < 0:
                raise OSError(-result, f"call {call.number}{tuple(map(hex, call.arguments))}: {os.strerror(-result)}")
        self.set_registers({**registers, "rip": self._resume_at})
        return results

    def release(self) -> None:
        """Let it run."""
        os.close(self._memory)
        _request(_DETACH, self.pid)

    _resume_at = 0
    """Behind the instruction at which it pauses."""

    def _instruction(self, registers: dict[str, int]) -> int:
        if not self._resume_at:
            if self.read(registers["rip"] - 2, 2) != b"\x0f\x05":
                raise OSError("the process does not pause at a system call")
            self._resume_at = registers["rip"]
        return self._resume_at - 2

    def _wait(self) -> int:
        _, status = os.waitpid(self.pid, _WALL)
        if not os.WIFSTOPPED(status):
            raise OSError("the process ended")
        return status

    def _trapped(self) -> None:
        """Wait for our own trap; nothing else may reach it meanwhile."""
        while True:
            status = self._wait()
            number = os.WSTOPSIG(status)
            if number == signal.SIGTRAP and status >> 16 == 0:
                return
            if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGSYS):
                raise OSError(f"the process failed with {signal.Signals(number).name}")
            _request(_CONT, self.pid)

    def _get(self, kind: int, size: int) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), size)
        _request(_GETREGSET, self.pid, kind, ctypes.addressof(vector))
        return buffer.raw[: vector[1]]

    def _set(self, kind: int, data: bytes) -> None:
        buffer = ctypes.create_string_buffer(data, len(data))
        vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), len(data))
        _request(_SETREGSET, self.pid, kind, ctypes.addressof(vector))


def data_place(scratch: int) -> int:
    """Behind the code and the calls."""
    return scratch + PAGE + -(-_CALLS_PER_RUN * _CALL.size // PAGE) * PAGE


def gap(taken: list[Mapping], size: int) -> int:
    """An address of our choice with nothing mapped around it."""
    address = 0x10_0000_0000
    for mapping in sorted(taken):
        if mapping.start >= address + size + PAGE:
            return address
        address = max(address, mapping.end + PAGE)
    raise OSError("the address space is full")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _request(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if _ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request:#x}: {os.strerror(number)}")
