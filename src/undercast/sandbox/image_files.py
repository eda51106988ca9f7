"""Paths inside the root of a container image, looked up from outside.

Links of an image may say anything; here "/" is its root and ".." ends there, as for its own processes. Blocking.
Sources: path_resolution(7), openat2(2) (RESOLVE_IN_ROOT).
"""

from pathlib import Path

_MAX_LINKS = 40
"""As Linux has it (ELOOP)."""


def resolved(root: Path, path: str) -> Path | None:
    """The host's path of what an absolute path means in the image; None when there is nothing."""
    waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    found: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            found = found[:-1]
            continue
        here = root.joinpath(*found, part)
        try:
            target = str(here.readlink()) if here.is_symlink() else None
            if target is None:
                here.lstat()
        except (OSError, ValueError):
            return None
        if target is None:
            found.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            return None
        if target.startswith("/"):
            found = []
        waiting += [piece for piece in reversed(target.split("/")) if piece not in ("", ".")]
    return root.joinpath(*found)
