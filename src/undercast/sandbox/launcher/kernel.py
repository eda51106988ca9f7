"""System calls that Python has no function for, by ctypes.

Python >= 3.8 syntax: this runs in the interpreters of functions. Every failure is an OSError that names the step.
Sources: man pages unshare(2), mount(2), mount_setattr(2), pivot_root(2), prctl(2), capabilities(7), seccomp(2).
"""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_RDONLY = 0x1
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_ATTR_RDONLY = 0x1
_ATTR_NOSUID = 0x2
_ATTR_NODEV = 0x4
_ATTR_NOATIME = 0x10
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6
_MOVE_MOUNT_F_EMPTY_PATH = 0x4

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_MADV_POPULATE_READ, _MADV_POPULATE_WRITE = 22, 23

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NAME = 15
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

# The newer calls have the same number everywhere; the last two are older than that agreement.
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 428, 429, 430, 431, 432
_PIDFD_OPEN, _CLOSE_RANGE, _MOUNT_SETATTR = 434, 436, 442
_PIVOT_ROOT, _CLONE = (41, 220) if os.uname().machine == "aarch64" else (155, 56)

_libc = ctypes.CDLL(None, use_errno=True)
_python = ctypes.PyDLL(None, use_errno=True)  # ctypes.pythonapi keeps no errno

_REMEDIES = {
    errno.EAGAIN: "raise the limit of processes (ulimit -u, pids.max of the platform's cgroup)",
    errno.ENOMEM: "free memory of the machine or of the platform's cgroup",
    errno.ENOSPC: "raise the limits of namespaces (sysctl user.max_pid_namespaces and its like)",
}
"""fork(2), clone(2), ERRORS."""


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _check(result: int, step: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{step}: {os.strerror(number)}")
    return result


def _syscall(step: str, number: int, *arguments: object) -> int:
    return _check(_libc.syscall(number, *arguments), step)


def unshare(flags: int) -> None:
    """Leave the given namespaces for new ones; a new pid namespace is the next child's."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def fork(flags: int) -> int:
    """os.fork() whose child is in new namespaces. The text of an OSError says what to do.

    unshare and os.fork would do for the first child; but a rootless launcher may not return to its own pid namespace.
    The C library's fork handlers are skipped: they mind the locks of other threads, and we have none.
    """
    _python.PyOS_BeforeFork()
    pid: int = _python.syscall(_CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return pid
    number = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        remedy = _REMEDIES.get(number, "see fork(2)") + ", or lower --max-environments"
        raise OSError(number, f"clone({flags:#x}): {os.strerror(number)}; {remedy}")
    return pid


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(_libc.mount(*arguments), f"mount {kind or source} on {target}")


def bind(source: str, target: str) -> None:
    """Make a tree visible at a second place, submounts included."""
    mount(source, target, "", MS_BIND | MS_REC)


def bind_read_only(source: str, target: str) -> None:
    """The same, read-only with everything mounted below, without set-uid programs and devices."""
    bind(source, target)
    _set_attributes(_AT_FDCWD, target, _AT_RECURSIVE, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)


def read_only(target: str) -> None:
    """Make one mount read-only, and leave what is mounted below it."""
    _set_attributes(_AT_FDCWD, target, 0, _ATTR_RDONLY)


def tree(source: str) -> int:
    """A second view of a tree, submounts included, that is nowhere yet: it lives as long as its descriptor."""
    flags = ctypes.c_uint(_OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC)
    return _syscall(f"open {source}", _OPEN_TREE, _AT_FDCWD, source.encode(), flags)


def read_only_tree(source: str) -> int:
    """The same, with the restrictions of `bind_read_only`."""
    return _restricted(source, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)


def writable_tree(source: str) -> int:
    """The same, without set-uid programs and devices."""
    return _restricted(source, _ATTR_NOSUID | _ATTR_NODEV)


def _restricted(source: str, attributes: int) -> int:
    descriptor = tree(source)
    try:
        _set_attributes(descriptor, "", _AT_EMPTY_PATH | _AT_RECURSIVE, attributes)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _set_attributes(folder: int, path: str, flags: int, added: int) -> None:
    # A plain remount would have to repeat flags that a user namespace may not clear, and spares submounts.
    attributes = _MountAttributes(added, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    arguments = (path.encode(), ctypes.c_uint(flags), ctypes.byref(attributes), size)
    _syscall(f"restrict {path or 'a tree'}", _MOUNT_SETATTR, folder, *arguments)


def enter(namespace: int, kind: int) -> None:
    """Move into the namespace behind a descriptor; of a mount namespace, to its root."""
    _check(_libc.setns(namespace, kind), f"setns({kind:#x})")


def detached_mount(kind: str, source: str, options: "tuple[str, ...]" = ()) -> int:
    """A mounted file system that is nowhere in the tree: it lives as long as its descriptor or its last place."""
    context = _syscall(f"fsopen {kind}", _FSOPEN, kind.encode(), 1)
    try:
        for key, _, value in (text.partition("=") for text in ("source=" + source, *options)):
            command, argument = (_FSCONFIG_SET_STRING, value.encode()) if value else (0, None)
            _syscall(f"mount option {key}", _FSCONFIG, context, command, key.encode(), argument, 0)
        _syscall(f"mount {kind} from {source}", _FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _syscall("fsmount", _FSMOUNT, context, 1, _ATTR_NOSUID | _ATTR_NODEV | _ATTR_NOATIME)
    finally:
        os.close(context)


def move_mount(descriptor: int, target: str) -> None:
    """Give a detached mount its place."""
    flags = ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH)
    _syscall(f"move mount to {target}", _MOVE_MOUNT, descriptor, b"", _AT_FDCWD, target.encode(), flags)


def unmount(target: str) -> None:
    """Take a tree away at once; it is freed when its last user is gone."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    """The first folder becomes /, the old root is visible at the second."""
    _syscall(f"pivot_root to {new}", _PIVOT_ROOT, new.encode(), old.encode())


def sethostname(name: str) -> None:
    """Only in an own uts namespace."""
    _check(_libc.sethostname(name.encode(), len(name)), "sethostname")


def bring_loopback_up() -> None:
    """A new network namespace has it down: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def populate(start: int, size: int, *, write: bool) -> None:
    """Take the page faults of a range at once; what is not there, or not possible here, is left."""
    advice = _MADV_POPULATE_WRITE if write else _MADV_POPULATE_READ
    _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), advice)


def pidfd_open(pid: int) -> int:
    """A descriptor that becomes readable when the process has ended."""
    return _syscall("pidfd_open", _PIDFD_OPEN, pid, 0)


def close_range(first: int, last: int) -> None:
    """Close every descriptor with a number in this range."""
    _syscall("close_range", _CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), 0)


def die_with_parent() -> None:
    """Have the kernel kill us when our parent ends. Forgotten by a change of uid."""
    _prctl("die with parent", _PR_SET_PDEATHSIG, signal.SIGKILL)


def set_dumpable(dumpable: bool) -> None:
    """Whether others with our uid may look into us through /proc and ptrace."""
    _prctl("set dumpable", _PR_SET_DUMPABLE, int(dumpable))


def set_name(name: str) -> None:
    """The process's short name, as `ps -o comm` shows it."""
    _check(_libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0), "set name")


def keep_capabilities() -> None:
    """Let the next change of uid keep the permitted set."""
    _prctl("keep capabilities", _PR_SET_KEEPCAPS, 1)


def set_capabilities(mask: int) -> None:
    """Set the effective and permitted sets; nothing is inheritable."""
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def drop_all_capabilities() -> None:
    """Empty every set, the bounding set too: no program that we execute gets one back."""
    for number in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0) < 0:
            break  # EINVAL: behind the last one that this kernel knows
    set_capabilities(0)


def forbid_new_privileges() -> None:
    """From here on no exec gives more rights (set-uid programs); needed before a seccomp filter."""
    _prctl("no_new_privs", _PR_SET_NO_NEW_PRIVS, 1)


def install_filter(program: bytes) -> None:
    """Load a seccomp filter: instructions of 8 bytes as `sandbox.seccomp` makes them."""
    filter_program = _FilterProgram(len(program) // 8, program)
    arguments = (ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(filter_program), 0, 0)
    _check(_libc.prctl(_PR_SET_SECCOMP, *arguments), "load seccomp filter")


def _prctl(step: str, option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), step)
