"""SnapStart's work on processes of sandboxes, beside the launcher: each in a process of its own that ends with it.

So a process that does not stop, or a dump of much memory, delays no other sandbox. Answers go to the launcher's link.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import Any

from undercast.sandbox.launcher import frames, kernel
from undercast.sandbox.launcher.snapshot import Unfit, restore, take

OPERATIONS = frozenset({"snapshot", "restore"})
_LIMIT_S = 30


def operate(link: socket.socket, message: dict[str, Any], descriptors: list[int]) -> None:
    """Begin it; the outcome is told to the control plane. Raises OSError when it cannot begin."""
    if kernel.fork(0) != 0:
        return
    try:
        kernel.die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.alarm(_LIMIT_S)
        with contextlib.suppress(OSError):
            frames.send(link, *_perform(message, descriptors))
    finally:
        os._exit(0)


def _perform(message: dict[str, Any], descriptors: list[int]) -> tuple[dict[str, Any], list[int]]:
    answer = {"done": message["serial"]}
    try:
        if message["op"] == "snapshot":
            return answer, [take(message["init"], message["runtime"])]
        restore(message["init"], message["runtime"], descriptors[0])
    except (OSError, Unfit, ValueError, KeyError) as error:
        answer["error"] = str(error)
    return answer, []
