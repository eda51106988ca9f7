"""Whether a program was built for another processor than this machine's.

Reads twenty bytes of an ELF header and runs nothing. Where the system has an emulator for that processor
(binfmt_misc), the program is left to it.
AWS: Lambda Developer Guide, "Selecting and configuring an instruction set architecture for your Lambda function".
"""

import platform
from collections.abc import Mapping
from pathlib import Path

_HEADER_BYTES = 20
_PROCESSORS: Mapping[int, tuple[str, str]] = {62: ("x86_64", "x86_64"), 183: ("aarch64", "arm64")}
"""e_machine (System V ABI) -> the kernel's name and Lambda's name of the two architectures that Lambda has."""
_EMULATORS = Path("/proc/sys/fs/binfmt_misc")


def mismatch(program: Path, machine: str = "", emulators: Path = _EMULATORS) -> str:
    """Nothing when this machine can try to run the file, else which architecture is missing here."""
    here = machine or platform.machine()
    try:
        with program.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return ""  # the start of the process tells what is wrong
    if len(header) < _HEADER_BYTES or not header.startswith(b"\x7fELF"):
        return ""
    built = _PROCESSORS.get(int.from_bytes(header[18:20], "little"))
    if built is None or built[0] == here or (emulators / f"qemu-{built[0]}").exists():
        return ""
    ours = next((name for kernel, name in _PROCESSORS.values() if kernel == here), here)
    return f"exec format error: it is built for {built[1]} and this machine is {ours}"
