"""The system calls that no function may make, as a seccomp filter.

Pure: gives the program's bytes; the launcher loads it. What is refused would reach the host's kernel in ways that
namespaces do not contain. The answer is EPERM, or ENOSYS where a caller then takes an older call.
Sources: seccomp(2); Docker's default profile for the choice; asm/unistd for the numbers.
"""

import errno
import struct

_LD_W_ABS, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 24, 32
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000

_NAMESPACE_FLAGS = 0x7E020080
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET,TIME}."""

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# name: (x86_64, aarch64); -1 where the architecture lacks it.
_REFUSED: dict[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, -1),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "acct": (163, 89),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "nfsservctl": (180, 42),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "modify_ldt": (154, -1),
    "uselib": (134, -1),
    "_sysctl": (156, -1),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
}
_TRACING = frozenset({"ptrace", "process_vm_readv", "process_vm_writev"})
_UNKNOWN: dict[str, tuple[int, int]] = {
    "clone3": (435, 435),  # its flags are in memory, where a filter cannot look; C libraries fall back to clone
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_CLONE = {"x86_64": 56, "aarch64": 220}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_SOCKET_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK: what programs use. Every other is answered as one that the kernel lacks.
To ask for it would load its module into the host's kernel; AF_VSOCK reaches a virtual machine's host past the network
namespace."""
_SETRLIMIT = {"x86_64": 160, "aarch64": 164}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_RLIMIT_CORE = 4
_UNSHARE = {"x86_64": 272, "aarch64": 97}


def supported(machine: str) -> bool:
    """Whether we have the call numbers of this `platform.machine()`."""
    return machine in _AUDIT


def filter_program(machine: str, *, traces: bool = False) -> bytes:
    """The filter for a machine; with `traces` a debugger works. Raises KeyError when it is not `supported`."""
    column = _column(machine)
    refused = sorted(
        row[column] for name, row in _REFUSED.items() if row[column] >= 0 and not (traces and name in _TRACING)
    )
    unknown = sorted(row[column] for row in _UNKNOWN.values())
    program = [
        _op(_LD_W_ABS, _ARCHITECTURE),
        _op(_JEQ, _AUDIT[machine], 1, 0),
        _op(_RET, _KILL),  # another architecture's calls (i386) would be numbered otherwise
        _op(_LD_W_ABS, _NUMBER),
    ]
    if machine == "x86_64":
        program += [_op(_JGE, _X32, 0, 1), _op(_RET, _ERRNO | errno.ENOSYS)]
    for number in refused:
        program += [_op(_JEQ, number, 0, 1), _op(_RET, _ERRNO | errno.EPERM)]
    for number in unknown:
        program += [_op(_JEQ, number, 0, 1), _op(_RET, _ERRNO | errno.ENOSYS)]
    for number in (_CLONE[machine], _UNSHARE[machine]):
        program += [
            _op(_JEQ, number, 0, 4),
            _op(_LD_W_ABS, _FIRST_ARGUMENT),
            _op(_JSET, _NAMESPACE_FLAGS, 0, 1),
            _op(_RET, _ERRNO | errno.EPERM),
            _op(_RET, _ALLOW),
        ]
    program += _sockets(machine) + _resource_limits(machine)
    return b"".join([*program, _op(_RET, _ALLOW)])


def _sockets(machine: str) -> list[bytes]:
    checks = [_op(_JEQ, family, len(_SOCKET_FAMILIES) - place, 0) for place, family in enumerate(_SOCKET_FAMILIES)]
    verdicts = [_op(_RET, _ERRNO | errno.EAFNOSUPPORT), _op(_RET, _ALLOW)]
    body = [_op(_LD_W_ABS, _FIRST_ARGUMENT), *checks, *verdicts]
    return [_op(_JEQ, _SOCKET[machine], 0, len(body)), *body]


def _resource_limits(machine: str) -> list[bytes]:
    """Whoever sets the limit of core files is told that it is done: 1, which init has set, stays (core(5)).

    A crash would call the program of the host's core_pattern, as root, whatever the limit is, but for 1.
    """
    done, allowed = _op(_RET, _ERRNO), _op(_RET, _ALLOW)
    older = [_op(_LD_W_ABS, _FIRST_ARGUMENT), _op(_JEQ, _RLIMIT_CORE, 0, 1), done, allowed]
    newer = [
        _op(_LD_W_ABS, _FIRST_ARGUMENT),
        _op(_JEQ, 1, 0, 1),
        _op(_RET, _ERRNO | errno.EPERM),  # the init process, which has the same user
        _op(_LD_W_ABS, _SECOND_ARGUMENT),
        _op(_JEQ, _RLIMIT_CORE, 0, 5),
        _op(_LD_W_ABS, _THIRD_ARGUMENT),  # no new limit is given: it only asks
        _op(_JEQ, 0, 0, 2),
        _op(_LD_W_ABS, _THIRD_ARGUMENT + 4),
        _op(_JEQ, 0, 1, 0),
        done,
        allowed,
    ]
    return [
        _op(_JEQ, _SETRLIMIT[machine], 0, len(older)),
        *older,
        _op(_JEQ, _PRLIMIT[machine], 0, len(newer)),
        *newer,
    ]


def _column(machine: str) -> int:
    return 0 if machine == "x86_64" else 1


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
