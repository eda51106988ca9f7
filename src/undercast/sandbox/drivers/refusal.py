"""Why namespaces do not work on this machine, and what the user can do about it.

Sources: sysctl/kernel documentation; Ubuntu's "Restricted unprivileged user namespaces" (AppArmor).
"""

from pathlib import Path

_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_DEBIAN = Path("/proc/sys/kernel/unprivileged_userns_clone")
_COUNT = Path("/proc/sys/user/max_user_namespaces")


def refusal(error: Exception) -> str:
    """One line for the user."""
    if _is(_APPARMOR, "1"):
        fix = "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with `userns,`"
        return f"AppArmor refuses user namespaces ({error}); to allow them: {fix} for this Python"
    if _is(_DEBIAN, "0"):
        return f"the kernel refuses user namespaces ({error}); to allow them: sudo sysctl {_name(_DEBIAN)}=1"
    if _is(_COUNT, "0"):
        return f"user namespaces are switched off ({error}); to allow them: sudo sysctl {_name(_COUNT)}=10000"
    return f"{error}; the namespace driver needs Linux 5.12 and leave to make namespaces (in a container: --privileged)"


def _is(path: Path, value: str) -> bool:
    try:
        return path.read_text().strip() == value
    except OSError:
        return False


def _name(path: Path) -> str:
    return ".".join(path.parts[3:])
