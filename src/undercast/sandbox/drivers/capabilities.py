"""What the namespace driver can promise with what it found on this machine, for `undercast doctor`.

The whole table, promise by kind of machine, is in SPECIFICATION.md.
"""

from undercast.sandbox.driver import Capabilities, Promise
from undercast.sandbox.limits import Cgroups
from undercast.sandbox.tmpdisk import TmpDisks

_FIX = "run as root, or under `systemd-run --user --scope -p Delegate=yes`"
_HARD = (
    ("Descriptor limit", "RLIMIT_NOFILE"),
    ("/tmp is not memory", "a file system on disk"),
    ("Read-only code", "read-only mounts"),
    ("Host files hidden", "root file system of its own"),
    ("Private network", "network namespace"),
    ("AWS's host names lead here", "resolver, 443 and 80 of its own"),
    ("Made-up keys are refused", "a front door of its own"),
    ("System calls filtered", "seccomp, no capabilities, no_new_privs"),
    ("Families of sockets", "seccomp"),
    ("A crash calls no program of the host", "RLIMIT_CORE of 1"),
    ("Its init is out of reach", "seccomp"),
    ("Quotas of its user", "limits of a user namespace"),
    ("Files in /dev/shm", "inodes of a tmpfs"),
    ("Nothing outlives the platform", "pid namespace, parent-death signal"),
)


def namespace_capabilities(cgroups: Cgroups, disks: TmpDisks, *, rootless: bool, unable: str = "") -> Capabilities:
    """The row of this machine; `unable` says why it takes no snapshots."""
    memory = Promise(name="Memory limit", strength="hard", how="memory cgroup")
    if not cgroups.limits_memory:
        memory = Promise(name="Memory limit", strength="best effort", how="resident size is polled", fix=_FIX)
    cpu = Promise(name="CPU share", strength="hard", how="cpu cgroup")
    if not cgroups.limits_cpu:
        cpu = Promise(name="CPU share", strength="none", how="no cpu cgroup", fix=_FIX)
    pids = Promise(name="Process limit", strength="hard", how="pids cgroup" if cgroups.limits_pids else "RLIMIT_NPROC")
    tmp = Promise(name="/tmp limit", strength="hard", how="a loop-mounted ext4 of that size")
    if not disks.limited:
        fix = "run as root with loop devices and e2fsprogs"
        tmp = Promise(name="/tmp limit", strength="best effort", how="the folder is measured, breach kills", fix=fix)
    freeze = Promise(name="Freeze", strength="hard", how="cgroup freezer")
    if not cgroups.freezes:
        # The signal is sent and not awaited: a process may run a little longer.
        freeze = Promise(name="Freeze", strength="best effort", how="SIGSTOP by init", fix=_FIX)
    uid = Promise(name="Own uid per environment", strength="hard", how="user namespace")
    if rootless:
        uid = Promise(
            name="Own uid per environment", strength="none", how="the user's uid is mapped", fix="run as root"
        )
    restores = Promise(name="SnapStart restores", strength="hard", how="Python's memory is copied; others start ahead")
    if unable:
        fix = "none: versions are initialised ahead instead"
        restores = Promise(name="SnapStart restores", strength="none", how=unable, fix=fix)
    hard = tuple(Promise(name=name, strength="hard", how=how) for name, how in _HARD)
    return Capabilities(driver="namespace", promises=(memory, cpu, pids, tmp, freeze, uid, restores, *hard))
