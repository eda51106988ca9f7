"""The system calls that sandboxes are refused, by their numbers, for tests that make them.

A table of its own, not the filter's: what the filter forgets is missed here. The choice is that of Docker's default
profile and of what came since; the numbers are those of Linux's headers (asm/unistd_64.h, asm-generic/unistd.h).
"""

from collections.abc import Mapping

_MACHINES = ("x86_64", "aarch64")
_CALLS: Mapping[str, tuple[int, int]] = {
    "_sysctl": (156, -1), "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280),
    "chroot": (161, 51), "clock_adjtime": (305, 266), "clock_settime": (227, 112), "clone3": (435, 435),
    "create_module": (174, -1), "delete_module": (176, 106), "fanotify_init": (300, 262), "finit_module": (313, 273),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433),
    "init_module": (175, 105), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "ioperm": (173, -1), "iopl": (172, -1), "kcmp": (312, 272),
    "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219), "listmount": (458, 458),
    "lookup_dcookie": (212, 18), "migrate_pages": (256, 238), "modify_ldt": (154, -1), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239), "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42), "open_by_handle_at": (304, 265), "open_tree": (428, 428), "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241), "pidfd_getfd": (438, 438), "pivot_root": (155, 41), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "reboot": (169, 142), "request_key": (249, 218), "setdomainname": (171, 162), "sethostname": (170, 161),
    "setns": (308, 268), "settimeofday": (164, 170), "statmount": (457, 457), "swapoff": (168, 225),
    "swapon": (167, 224), "syslog": (103, 116), "umount2": (166, 39), "uselib": (134, -1), "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}  # fmt: skip
"""-1 where a machine lacks it."""


def refused_calls(machine: str) -> dict[str, int]:
    """Their numbers on such a machine; calls that it lacks are left out."""
    column = _MACHINES.index(machine)
    return {name: row[column] for name, row in _CALLS.items() if row[column] >= 0}
